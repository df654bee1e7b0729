//! The HTTP API: `/v1`, what a customer sees, and `/receipts`, what an operator does.

mod admin;
mod auth;
mod balance;
mod bodies;
mod bulk;
mod bulk_answer;
mod campaigns;
mod charges;
mod cursor;
mod describe;
mod docs;
mod format;
mod idempotency;
mod list;
mod messages;
mod opt_outs;
mod parameters;
mod problems;
mod query;
mod receipts;
mod redoc;
mod reports;
mod transactions;
mod webhooks;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use platform::http::problem::Problem;
use platform::http::with_conventions;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) use auth::{Caller, sends_a_key};
pub(crate) use idempotency::{IdempotencyKey, Keyed, Replayed};

use crate::app::App;
use crate::legacy;
use crate::metrics;

/// All routes of the public port.
pub(crate) fn router(app: Arc<App>) -> Router {
    let (v1, mut description) = v1();
    let (old, old_description) = legacy::router();
    description.merge(old_description);
    let v1 = v1.merge(old).with_state(app).layer(from_fn(private));
    with_conventions(v1.merge(docs::router(description)).layer(from_fn(counted)))
}

/// The routes of `/v1`, and of operators, and their description.
fn v1() -> (Router<Arc<App>>, OpenApi) {
    OpenApiRouter::with_openapi(describe::api())
        .routes(routes!(messages::send))
        .routes(routes!(messages::preview))
        .routes(routes!(list::messages))
        .routes(routes!(reports::message))
        .routes(routes!(bulk::send))
        .routes(routes!(reports::bulk))
        .routes(routes!(balance::read))
        .routes(routes!(campaigns::create, campaigns::list))
        .routes(routes!(campaigns::read))
        .routes(routes!(campaigns::rows::put))
        .routes(routes!(campaigns::close))
        .routes(routes!(campaigns::cancel))
        .routes(routes!(transactions::list))
        .routes(routes!(opt_outs::list, opt_outs::add, opt_outs::remove))
        .routes(routes!(opt_outs::import::file))
        .routes(routes!(receipts::push))
        .routes(routes!(charges::charge))
        .routes(routes!(admin::accounts::list, admin::accounts::create))
        .routes(routes!(admin::accounts::one, admin::accounts::alter))
        .routes(routes!(admin::keys::list, admin::keys::create))
        .routes(routes!(admin::keys::revoke))
        .routes(routes!(admin::keys::rotate))
        .routes(routes!(admin::tariffs::list, admin::tariffs::set))
        .routes(routes!(admin::tariffs::one))
        .routes(routes!(admin::lines::list))
        .routes(routes!(admin::lines::one, admin::lines::set))
        .routes(routes!(admin::changes::list))
        .routes(routes!(webhooks::create, webhooks::list))
        .routes(routes!(webhooks::delete))
        .routes(routes!(webhooks::rotate))
        .routes(routes!(webhooks::test))
        .routes(routes!(webhooks::deliveries))
        .split_for_parts()
}

/// Answers hold a customer's data: nobody on the way keeps them.
async fn private(request: Request, next: Next) -> Response {
    let mut answer = next.run(request).await;
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

async fn counted(request: Request, next: Next) -> Response {
    let answer = next.run(request).await;
    if let Some(problem) = answer.extensions().get::<Problem>() {
        metrics::refused(problem.code());
    }
    answer
}
