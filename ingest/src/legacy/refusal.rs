//! Errors as the old gateway wrote them (Django REST framework's shapes), never problem+json.

use std::panic::AssertUnwindSafe;

use axum::Json;
use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use platform::http::problem::{Code, Problem};
use serde_json::{Map, Value, json};

use super::fields::Errors;
use crate::metrics;

/// An answer that says why not.
#[derive(Debug)]
pub(super) struct Refusal(Box<Inner>);

#[derive(Debug)]
struct Inner {
    /// What it is among the errors of `/v1`, for the metric.
    code: Code,
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

impl Refusal {
    /// `{"detail": …}`, with the code's status and headers.
    pub(super) fn detail(code: Code, detail: &str) -> Self {
        Refusal::said(&Problem::new(code), detail)
    }

    /// 400 `{"error": …}`: the request is well formed, and cannot be done.
    pub(super) fn business(code: Code, error: &str) -> Self {
        Refusal::bad_request(code, json!({ "error": error }))
    }

    /// 400 `{"<field>": ["<message>", …], …}`.
    pub(super) fn fields(errors: Map<String, Value>) -> Self {
        Refusal::bad_request(Code::InvalidRequest, Value::Object(errors))
    }

    /// 404, as the framework says that a row is not there.
    pub(super) fn no_user() -> Self {
        Refusal::detail(Code::NotFound, "No User matches the given query.")
    }

    /// A problem's status and headers, in other words.
    fn said(problem: &Problem, detail: &str) -> Self {
        let (code, headers) = (problem.code(), problem.headers().clone());
        Refusal(Box::new(Inner { code, status: code.status(), headers, body: json!({ "detail": detail }) }))
    }

    fn bad_request(code: Code, body: Value) -> Self {
        Refusal(Box::new(Inner { code, status: StatusCode::BAD_REQUEST, headers: HeaderMap::new(), body }))
    }
}

#[cfg(test)]
impl Refusal {
    pub(super) fn parts(self) -> (u16, Value) {
        (self.0.status.as_u16(), self.0.body)
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        match problem.code() {
            code @ Code::InsufficientFunds => {
                let refusal = Refusal::business(code, "Insufficient funds");
                Refusal(Box::new(Inner { headers: problem.headers().clone(), ..*refusal.0 }))
            }
            Code::InvalidRequest if !problem.errors().is_empty() => {
                let mut errors = Errors::default();
                problem.errors().iter().for_each(|error| errors.add(&error.field, sentence(&error.detail)));
                Refusal::fields(errors.into_messages())
            }
            code @ Code::InvalidRequest => {
                Refusal::business(code, &sentence(problem.said().unwrap_or(code.title())))
            }
            Code::RateLimited => Refusal::said(&problem, &throttled(problem.headers())),
            code => Refusal::said(&problem, problem.said().unwrap_or(code.title())),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Inner { code, status, headers, body } = *self.0;
        metrics::refused(code);
        (status, headers, Json(body)).into_response()
    }
}

/// Answers a defect of ours, too, in these shapes. The panic hook logs it.
pub(super) async fn even_panics(request: Request, next: Next) -> Response {
    let answer = AssertUnwindSafe(next.run(request)).catch_unwind().await;
    let defect = |_| Refusal::detail(Code::InternalError, "A server error occurred.").into_response();
    answer.unwrap_or_else(defect)
}

/// In the framework's words.
fn throttled(headers: &HeaderMap) -> String {
    let seconds = headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()).unwrap_or("1");
    let unit = if seconds == "1" { "second" } else { "seconds" };
    format!("Request was throttled. Expected available in {seconds} {unit}.")
}

/// With a capital letter and a full stop, as all messages here.
fn sentence(detail: &str) -> String {
    let mut characters = detail.chars();
    let first: String = characters.next().into_iter().flat_map(char::to_uppercase).collect();
    format!("{first}{}.", characters.as_str().trim_end_matches('.'))
}

/// 405. The router adds `Allow`.
pub(super) async fn method_not_allowed(method: Method) -> Refusal {
    Refusal::detail(Code::MethodNotAllowed, &format!("Method \"{method}\" not allowed."))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use axum::Router;
    use axum::body::Body;
    use axum::middleware::from_fn;
    use axum::routing::get;
    use tower::ServiceExt;

    use super::*;

    #[test]
    fn a_wait_of_one_second_is_no_plural() {
        let said = |seconds| Refusal::from(Problem::new(Code::RateLimited).retry_after(seconds)).parts();
        let detail = |words: &str| json!({ "detail": format!("Request was throttled. Expected available in {words}.") });
        assert_eq!(said(1), (429, detail("1 second")));
        assert_eq!(said(30), (429, detail("30 seconds")));
    }

    #[tokio::test]
    async fn a_defect_has_an_old_shape_too() {
        async fn defect() {
            panic!("a defect");
        }
        let router: Router = Router::new().route("/", get(defect)).layer(from_fn(even_panics));
        let answer = router.oneshot(Request::new(Body::empty())).await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["content-type"]),
            (500, &"application/json".parse::<axum::http::HeaderValue>().unwrap())
        );
        let body = axum::body::to_bytes(answer.into_body(), 1_000).await.unwrap();
        assert_eq!(body, r#"{"detail":"A server error occurred."}"#);
    }
}
