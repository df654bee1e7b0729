//! What holds of every answer.

use std::panic::AssertUnwindSafe;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use tracing::Instrument;

use super::RequestId;
use super::access::Exchange;
use super::problem::{Code, Problem, complete};
use super::request_id::REQUEST_ID;

/// Gives a finished router (call it last) the conventions of api.md: `Request-Id` echoed or made, in a span
/// around the handler's log lines and as `Extension<RequestId>`; problems for unknown paths, wrong methods
/// (with `Allow`), panics and plain-text refusals; and the access log and metrics.
pub fn with_conventions(router: Router) -> Router {
    router
        .fallback(|| async { Problem::new(Code::NotFound).detail("there is nothing at this path") })
        .method_not_allowed_fallback(|| async {
            Problem::new(Code::MethodNotAllowed).detail("see the Allow header for the methods of this path")
        })
        .layer(from_fn(conventions))
}

async fn conventions(mut request: Request, next: Next) -> Response {
    let request_id = RequestId::of(request.headers());
    let exchange = Exchange::begin(&request, request_id.clone());
    request.extensions_mut().insert(request_id.clone());

    let span = tracing::info_span!("request", request_id = request_id.as_str());
    // The panic hook logs the panic; nothing of it is for the client.
    let answer = AssertUnwindSafe(next.run(request).instrument(span)).catch_unwind().await;
    let answer = answer.unwrap_or_else(|_| Problem::new(Code::InternalError).into_response());

    let mut answer = complete(answer, &request_id);
    answer.headers_mut().insert(REQUEST_ID, request_id.header());
    exchange.answered(answer.status());
    answer
}
