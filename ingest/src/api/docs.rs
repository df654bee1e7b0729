//! The description of the API, and two pages that show it. They need no key, and load nothing
//! from anywhere else.

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{Next, from_fn};
use axum::response::{Redirect, Response};
use axum::routing::get;
use bytes::Bytes;
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::redoc;

const SCHEMA: &str = "/api/schema/";
const JSON: [(HeaderName, &str); 1] = [(header::CONTENT_TYPE, "application/json")];

/// Holds the browser to what the pages are meant to do: the bundles are large, and somebody
/// else's. Both write styles into the page; ReDoc's search runs in a worker of its own.
const ONLY_FROM_HERE: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
     font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'",
);

/// `/api/schema/` (OpenAPI), `/api/docs/` (Swagger UI) and `/api/redoc/` (ReDoc).
pub(super) fn router(description: OpenApi) -> Router {
    // A description that could not be written would be found by the first test.
    let schema = Bytes::from(description.to_json().unwrap_or_default());
    // Without this Swagger UI asks an outside host whether the description is valid.
    let config = Config::from(SCHEMA).validator_url("none");
    Router::new()
        .route(SCHEMA, get(move || async move { (JSON, schema) }))
        .route("/api/schema", get(|| async { Redirect::permanent(SCHEMA) }))
        .merge(SwaggerUi::new("/api/docs").config(config))
        .merge(redoc::router())
        .layer(from_fn(only_from_here))
}

async fn only_from_here(request: Request, next: Next) -> Response {
    let mut answer = next.run(request).await;
    answer.headers_mut().insert(header::CONTENT_SECURITY_POLICY, ONLY_FROM_HERE);
    answer.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}
