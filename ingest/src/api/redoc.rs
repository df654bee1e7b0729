//! ReDoc: its standalone bundle as npm has it (`assets/redoc/`), and a page of our own.

use axum::Router;
use axum::http::{HeaderName, header};
use axum::response::Redirect;
use axum::routing::get;
use bytes::Bytes;

const PAGE: &str = include_str!("../../assets/redoc/index.html");
const BUNDLE: &str = include_str!("../../assets/redoc/redoc.standalone.js");
/// The one thing that the bundle would load from an outside host: its maker's logo.
const OUTSIDE_LOGO: &str = "https://cdn.redoc.ly/redoc/logo-mini.svg";
const NO_IMAGE: &str = "data:,";

const HTML: [(HeaderName, &str); 1] = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
const JAVASCRIPT: [(HeaderName, &str); 1] = [(header::CONTENT_TYPE, "text/javascript; charset=utf-8")];

pub(super) fn router() -> Router {
    let bundle = Bytes::from(BUNDLE.replace(OUTSIDE_LOGO, NO_IMAGE));
    Router::new()
        .route("/api/redoc", get(|| async { Redirect::permanent("/api/redoc/") }))
        .route("/api/redoc/", get(|| async { (HTML, PAGE) }))
        .route("/api/redoc/redoc.standalone.js", get(move || async move { (JAVASCRIPT, bundle) }))
}
