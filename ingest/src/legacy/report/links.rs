//! The URLs of other pages: that of the request with another `page`, its parameters in order.

use axum::extract::Request;
use axum::http::{HeaderName, header};
use form_urlencoded::{Serializer, parse};

const PAGE: &str = "page";
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Where the request came to.
pub(super) struct Links {
    /// `https://host/path`; without a host only the path.
    base: String,
    /// Without `page`, sorted by name.
    parameters: Vec<(String, String)>,
}

impl Links {
    pub(super) fn of(request: &Request) -> Self {
        let (headers, uri) = (request.headers(), request.uri());
        let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        // Whoever ends TLS in front of us says so; nothing but this URL depends on it.
        let scheme = text(FORWARDED_PROTO).and_then(|all| all.split(',').next()).map(str::trim);
        let scheme = if scheme == Some("https") { "https" } else { "http" };
        let host = text(header::HOST).or(uri.authority().map(axum::http::uri::Authority::as_str));
        let base =
            host.map_or_else(|| uri.path().to_owned(), |host| format!("{scheme}://{host}{}", uri.path()));
        let all = parse(uri.query().unwrap_or_default().as_bytes()).into_owned();
        let mut parameters: Vec<(String, String)> = all.filter(|(name, _)| name != PAGE).collect();
        parameters.sort_by(|a, b| a.0.cmp(&b.0));
        Links { base, parameters }
    }

    /// A page; the first one has no number.
    pub(super) fn to(&self, page: u64) -> String {
        let mut parameters = self.parameters.clone();
        if page > 1 {
            let place = parameters.partition_point(|(name, _)| name.as_str() < PAGE);
            parameters.insert(place, (PAGE.to_owned(), page.to_string()));
        }
        let query = Serializer::new(String::new()).extend_pairs(parameters).finish();
        if query.is_empty() { self.base.clone() } else { format!("{}?{query}", self.base) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use axum::body::Body;

    use super::*;

    fn links(uri: &str, headers: &[(&str, &str)]) -> Links {
        let request = Request::get(uri);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        Links::of(&request.body(Body::empty()).unwrap())
    }

    #[test]
    fn a_link_is_the_request_with_another_page() {
        let uri = "/sms/v1/report?user_id=1&page=2&status=sent&x=&x=%D8%B3+a%26b&receiver=%2B98";
        let links = links(uri, &[("host", "sms.example.com:8080")]);
        let base = "http://sms.example.com:8080/sms/v1/report";
        let rest = "status=sent&user_id=1&x=&x=%D8%B3+a%26b";
        assert_eq!(links.to(3), format!("{base}?page=3&receiver=%2B98&{rest}"));
        assert_eq!(links.to(1), format!("{base}?receiver=%2B98&{rest}"));
    }

    #[test]
    fn the_scheme_is_that_of_whoever_ends_tls() {
        for (forwarded, scheme) in
            [("https", "https"), ("https, http", "https"), ("http", "http"), ("gopher", "http")]
        {
            let links = links("/r", &[("host", "h"), ("x-forwarded-proto", forwarded)]);
            assert_eq!(links.to(1), format!("{scheme}://h/r"));
        }
        assert_eq!(links("/r?user_id=1", &[]).to(2), "/r?page=2&user_id=1");
    }
}
