//! A body as the old gateway took it: JSON, or a form in either of its two encodings (PHP's curl
//! sends `multipart/form-data` where it is given an array).

use std::convert::Infallible;

use axum::extract::Request;
use axum::http::{HeaderMap, header};
use bytes::Bytes;
use multer::Multipart;
use platform::http::problem::{Code, Problem};
use platform::http::read_body;
use serde_json::{Map, Value, json};

use super::refusal::Refusal;
use crate::app::App;

/// What came by name. Of a name that stands there twice the last value counts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) fields: Map<String, Value>,
    /// Whether all values are strings, because the encoding has nothing else.
    pub(super) only_strings: bool,
}

impl Form {
    /// Pairs of strings: a form, or the query of a request.
    pub(super) fn of_pairs(encoded: &[u8]) -> Self {
        let pairs = form_urlencoded::parse(encoded).into_owned();
        Form { fields: pairs.map(|(name, value)| (name, Value::String(value))).collect(), only_strings: true }
    }
}

/// Reads a body of at most `ingest.limits.message_body_bytes`: what is in it, and its bytes.
///
/// # Errors
/// 413, 408, 415, or 400 where it is not in the form that it claims to be in.
pub(super) async fn read(request: Request, app: &App) -> Result<(Form, Bytes), Refusal> {
    let (parts, body) = request.into_parts();
    let max_bytes = app.rules.limits.message_body_bytes;
    let body = read_body(body, max_bytes, app.http.body_timeout(), app.http.body_idle()).await?;
    Ok((parse(&parts.headers, body.clone()).await?, body))
}

async fn parse(headers: &HeaderMap, body: Bytes) -> Result<Form, Refusal> {
    // Whatever it claims to be, there is nothing in it.
    if body.is_empty() {
        return Ok(Form::default());
    }
    if headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
        return Err(Problem::new(Code::UnsupportedMediaType)
            .detail("The body must be sent without Content-Encoding.")
            .into());
    }
    let claimed = headers.get(header::CONTENT_TYPE).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let claimed = claimed.unwrap_or_default();
    let kind = claimed.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match kind.as_str() {
        "application/json" => json(&body),
        "application/x-www-form-urlencoded" => Ok(Form::of_pairs(&body)),
        "multipart/form-data" => multipart(&claimed, body).await.map_err(|error| {
            Refusal::detail(Code::InvalidRequest, &format!("Multipart form parse error - {error}"))
        }),
        _ => {
            let detail = format!("Unsupported media type \"{claimed}\" in request.");
            Err(Refusal::detail(Code::UnsupportedMediaType, &detail))
        }
    }
}

fn json(body: &[u8]) -> Result<Form, Refusal> {
    let value = serde_json::from_slice(body)
        .map_err(|error| Refusal::detail(Code::MalformedJson, &format!("JSON parse error - {error}")))?;
    let kind = match value {
        Value::Object(fields) => return Ok(Form { fields, only_strings: false }),
        Value::Null => return Err(not_fields("No data provided")),
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "int",
        Value::String(_) => "str",
        Value::Array(_) => "list",
    };
    Err(not_fields(&format!("Invalid data. Expected a dictionary, but got {kind}.")))
}

/// What is wrong with the body as a whole stands under this name.
fn not_fields(message: &str) -> Refusal {
    Refusal::fields([("non_field_errors".to_owned(), json!([message]))].into_iter().collect())
}

async fn multipart(claimed: &str, body: Bytes) -> Result<Form, multer::Error> {
    let boundary = multer::parse_boundary(claimed)?;
    let body = futures::stream::once(async { Ok::<_, Infallible>(body) });
    let mut parts = Multipart::new(body, boundary);
    let mut form = Form { only_strings: true, ..Form::default() };
    while let Some(part) = parts.next_field().await? {
        let name = part.name().unwrap_or_default().to_owned();
        // A file is no value of any field here: nothing that reads as a string or number.
        let is_file = part.file_name().is_some();
        let text = part.text().await?;
        form.fields.insert(name, if is_file { Value::Array(Vec::new()) } else { Value::String(text) });
    }
    Ok(form)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    async fn of(kind: &str, body: &str) -> Result<Map<String, Value>, (u16, Value)> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, kind.parse().unwrap());
        let form = parse(&headers, Bytes::copy_from_slice(body.as_bytes())).await;
        form.map(|form| form.fields).map_err(|refusal| refusal.parts())
    }

    fn fields(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[tokio::test]
    async fn json_and_both_kinds_of_forms_are_read() {
        let json = of("Application/JSON ; charset=latin-1", r#"{"a": 1, "b": "x", "a": 2}"#).await.unwrap();
        assert_eq!(json, fields(json!({"a": 2, "b": "x"})));
        let form = of("application/x-www-form-urlencoded", "a=1&b=%D8%B3+x&a=2&c").await.unwrap();
        assert_eq!(form, fields(json!({"a": "2", "b": "س x", "c": ""})));
        let body = "--xyz\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nس 1\r\n\
                    --xyz\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f.txt\"\r\n\r\n12\r\n--xyz--\r\n";
        let form = of("multipart/form-data; boundary=xyz", body).await.unwrap();
        assert_eq!(form, fields(json!({"a": "س 1", "f": []})));
        for kind in ["", "text/plain", "application/json"] {
            assert_eq!(
                of(kind, "").await.unwrap(),
                Map::new(),
                "an empty body has no fields, whatever its type"
            );
        }
    }

    #[tokio::test]
    async fn what_is_no_form_is_refused_in_the_frameworks_words() {
        let whole = |message: &str| json!({ "non_field_errors": [message] });
        for (kind, body, status, said) in [
            (
                "text/plain; x=y",
                "a",
                415,
                json!({"detail": "Unsupported media type \"text/plain; x=y\" in request."}),
            ),
            ("", "a", 415, json!({"detail": "Unsupported media type \"\" in request."})),
            ("application/json", "null", 400, whole("No data provided")),
            ("application/json", "[]", 400, whole("Invalid data. Expected a dictionary, but got list.")),
            ("application/json", "\"a\"", 400, whole("Invalid data. Expected a dictionary, but got str.")),
            ("application/json", "1", 400, whole("Invalid data. Expected a dictionary, but got int.")),
            ("application/json", "1.5", 400, whole("Invalid data. Expected a dictionary, but got float.")),
            ("application/json", "true", 400, whole("Invalid data. Expected a dictionary, but got bool.")),
        ] {
            assert_eq!(of(kind, body).await, Err((status, said)), "{kind} {body}");
        }
        for (kind, body, begins) in [
            ("application/json", "{", "JSON parse error - "),
            ("application/json", "{\"a\": NaN}", "JSON parse error - "),
            ("multipart/form-data", "a", "Multipart form parse error - "),
            ("multipart/form-data; boundary=x", "a", "Multipart form parse error - "),
        ] {
            let (status, said) = of(kind, body).await.unwrap_err();
            let detail = said["detail"].as_str().unwrap();
            assert!(status == 400 && detail.starts_with(begins), "{detail}");
        }
    }
}
