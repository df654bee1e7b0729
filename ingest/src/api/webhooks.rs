//! Webhook endpoints.

mod answers;
mod deliveries;
mod describe;

pub(super) use deliveries::*;
pub(super) use describe::described;

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use domain::partition::of_account;
use platform::http::problem::Problem;

use super::auth::Caller;
use super::bodies::read_json;
use super::format::time;
use super::problems::{CostProblems, FindProblems, ReadProblems, TestProblems};
use super::query::NoQuery;
use crate::app::App;
use crate::keys::Scope;
use crate::request::webhook;
use crate::webhooks::{self, NewEndpoint, WebhookError};
use answers::{Created, Endpoint, Endpoints, Rotated, Tested};
use describe::EndpointRequest;

/// Make a webhook endpoint
///
/// From now on it is told when messages of the account get a status that it wants to be told.
/// The answer shows the secret that calls are signed with; it is not shown again. Needs the
/// scopes `send` and `read`: an endpoint is told of all messages.
#[utoipa::path(
    post, path = "/v1/webhooks", tag = "webhooks", operation_id = "createWebhook",
    request_body(content = EndpointRequest),
    responses((status = 201, description = "Made.", body = Created), CostProblems),
)]
pub(super) async fn create(
    caller: Caller,
    _: NoQuery,
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<(StatusCode, Json<Created>), Problem> {
    may_change(&caller)?;
    let body = read_json(request, app.rules.limits.message_body_bytes, &app.http).await?;
    let url = |url: &str| {
        let target = app.webhooks.caller.target(url).map_err(|error| error.to_string())?;
        Ok(target.as_str().to_owned())
    };
    let wanted = webhook::read(&body, url)?;
    let new = NewEndpoint {
        account: caller.0.account,
        partition: of_account(caller.0.account, app.partitions),
        url: wanted.url,
        events: wanted.events.iter().map(ToString::to_string).collect(),
        batch_size: wanted.batch_size,
    };
    let max = app.webhooks.limits.per_account;
    let (endpoint, secret) = webhooks::create(app.pools.common(), &new, max).await?;
    Ok((StatusCode::CREATED, Json(Created::new(endpoint, &secret))))
}

/// List the webhook endpoints
///
/// The newest first, all of them.
#[utoipa::path(
    get, path = "/v1/webhooks", tag = "webhooks", operation_id = "listWebhooks",
    responses((status = 200, description = "The endpoints.", body = Endpoints), ReadProblems),
)]
pub(super) async fn list(
    caller: Caller,
    _: NoQuery,
    State(app): State<Arc<App>>,
) -> Result<Json<Endpoints>, Problem> {
    caller.require(Scope::Read)?;
    let found = webhooks::list(app.pools.common(), caller.0.account).await?;
    Ok(Json(Endpoints { data: found.into_iter().map(Endpoint::from).collect(), next_cursor: None }))
}

/// Delete a webhook endpoint
///
/// It is told nothing any more, not even what waits for it.
#[utoipa::path(
    delete, path = "/v1/webhooks/{id}", tag = "webhooks", operation_id = "deleteWebhook",
    params(("id" = String, Path, description = "The endpoint's id.", example = "17")),
    responses((status = 204, description = "Deleted."), FindProblems),
)]
pub(super) async fn delete(
    caller: Caller,
    _: NoQuery,
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    may_change(&caller)?;
    webhooks::delete(app.pools.common(), caller.0.account, number(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Give a webhook endpoint a new secret
///
/// For a day both secrets sign each call, so that receivers can be changed over in peace. A
/// further rotation within that day ends the oldest at once: never more than two sign.
#[utoipa::path(
    post, path = "/v1/webhooks/{id}/rotate-secret", tag = "webhooks", operation_id = "rotateWebhookSecret",
    params(("id" = String, Path, description = "The endpoint's id.", example = "17")),
    responses((status = 200, description = "The new secret; not shown again.", body = Rotated), FindProblems),
)]
pub(super) async fn rotate(
    caller: Caller,
    _: NoQuery,
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Json<Rotated>, Problem> {
    may_change(&caller)?;
    let (id, hours) = (number(&id)?, app.webhooks.limits.rotation_hours);
    let (secret, until) = webhooks::rotate(app.pools.common(), caller.0.account, id, hours).await?;
    Ok(Json(Rotated { id: id.to_string(), secret: secret.shown(), former_signs_until: time(until) }))
}

/// Send a sample to a webhook endpoint
///
/// At once, signed as everything is, of type `webhook.test`. The answer says what came of it. A
/// sample is not tried again, and not in the list of deliveries.
#[utoipa::path(
    post, path = "/v1/webhooks/{id}/test", tag = "webhooks", operation_id = "testWebhook",
    params(("id" = String, Path, description = "The endpoint's id.", example = "17")),
    responses((status = 200, description = "What came of it.", body = Tested), TestProblems),
)]
pub(super) async fn test(
    caller: Caller,
    _: NoQuery,
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Json<Tested>, Problem> {
    may_change(&caller)?;
    let endpoint = (caller.0.account, number(&id)?);
    let tested = webhooks::test(&app.webhooks, app.pools.common(), endpoint, &app.currency).await?;
    Ok(Json(Tested::from(tested)))
}

/// Whoever makes an endpoint is told of all messages, and so must be allowed to read them.
fn may_change(caller: &Caller) -> Result<(), Problem> {
    caller.require(Scope::Send)?;
    caller.require(Scope::Read)
}

/// An endpoint's id. What cannot be one is the id of nothing.
fn number(id: &str) -> Result<i64, WebhookError> {
    super::format::number(id).ok_or(WebhookError::NotFound)
}
