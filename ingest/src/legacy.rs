//! The three endpoints of the old gateway, for clients that were written for it: paths, names,
//! types, leniency and the shapes of errors are those of Django REST framework. What they do is
//! what `/v1` does, by the same steps.
//!
//! Reading is lenient here and nowhere else: a body is JSON or a form ([`form`]), fields are read
//! as that framework read them and refused in its words ([`fields`], [`refusal`]). New is that a
//! key is needed ([`who`]).

mod charge;
mod describe;
mod fields;
mod form;
mod refusal;
mod report;
mod send;
mod who;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn;
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;

/// The routes and their description.
pub(crate) fn router() -> (Router<Arc<App>>, OpenApi) {
    let (router, description) = OpenApiRouter::with_openapi(describe::Description::openapi())
        .routes(routes!(charge::charge))
        .routes(routes!(send::send))
        .routes(routes!(report::report))
        .split_for_parts();
    let router = router.method_not_allowed_fallback(refusal::method_not_allowed);
    (router.layer(from_fn(refusal::even_panics)), description)
}
