//! Keys of accounts.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, Uri};
use platform::http::problem::Problem;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::auth::Caller;
use super::super::describe::{KeyRotation, NewKeyRequest};
use super::super::problems::{EditProblems, FindProblems};
use super::super::query::NoQuery;
use super::parameters::Parameters;
use super::{account_of, administrator, body, change, key_of, next, read, time};
use crate::app::App;
use crate::keys::{Listed, Scope, issue, list as listed, revoke as revoked, rotate as rotated};
use crate::request;

/// A key. The key itself is shown once, when it is made.
#[derive(Serialize, ToSchema)]
pub(in crate::api) struct ListedKey {
    #[schema(example = "01993d2c-6f0b-7c3e-9d4e-3b1f0a2c4d5e")]
    id: String,
    #[schema(example = json!(["send", "read"]))]
    scopes: Vec<String>,
    /// Whether it opens anything now.
    #[schema(example = true)]
    in_use: bool,
    #[schema(format = DateTime, example = "2026-11-21T12:00:00.000Z")]
    created_at: String,
    /// To within a minute or so.
    #[schema(format = DateTime, example = "2026-11-21T12:00:00.000Z")]
    last_used_at: Option<String>,
    /// When it ends, or ended, because another took its place.
    #[schema(format = DateTime, example = "2026-11-22T12:00:00.000Z")]
    expires_at: Option<String>,
    #[schema(format = DateTime, example = "2026-11-22T12:00:00.000Z")]
    revoked_at: Option<String>,
}

/// Keys, the newest first.
#[derive(Serialize, ToSchema)]
pub(in crate::api) struct KeyList {
    data: Vec<ListedKey>,
    next_cursor: Option<String>,
}

/// A key that was made.
#[derive(Serialize, ToSchema)]
pub(in crate::api) struct MadeKey {
    #[schema(example = "01993d2c-6f0b-7c3e-9d4e-3b1f0a2c4d5e")]
    id: String,
    /// The key: shown this once and never again.
    #[schema(example = "sk_…")]
    key: String,
}

/// A key that takes the place of another.
#[derive(Serialize, ToSchema)]
pub(in crate::api) struct RotatedKey {
    #[schema(example = "01993d2c-6f0b-7c3e-9d4e-3b1f0a2c4d5e")]
    id: String,
    /// The key: shown this once and never again.
    #[schema(example = "sk_…")]
    key: String,
    /// The key whose place it takes.
    #[schema(example = "01970000-0000-7000-8000-000000000000")]
    replaces: String,
    /// Until when that one goes on.
    #[schema(format = DateTime, example = "2026-11-22T12:00:00.000Z")]
    replaced_expires_at: String,
}

impl From<Listed> for ListedKey {
    fn from(key: Listed) -> Self {
        ListedKey {
            id: key.id.to_string(),
            scopes: key.scopes,
            in_use: key.in_use,
            created_at: time(key.created_at),
            last_used_at: key.last_used_at.map(time),
            expires_at: key.expires_at.map(time),
            revoked_at: key.revoked_at.map(time),
        }
    }
}

/// List an account's keys
#[utoipa::path(
    get, path = "/v1/admin/accounts/{id}/keys", tag = "admin", operation_id = "listKeys",
    params(("id" = String, Path, description = "The account's id.", example = "7"),
           ("limit" = Option<u32>, Query, description = "1 to 500, by default 50.", minimum = 1, maximum = 500),
           ("cursor" = Option<String>, Query, description = "The `next_cursor` of an earlier page.")),
    responses((status = 200, description = "Keys, the newest first.", body = KeyList), FindProblems),
)]
pub(in crate::api) async fn list(
    caller: Caller,
    uri: Uri,
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Json<KeyList>, Problem> {
    administrator(&caller)?;
    let id = account_of(&id)?;
    let mut parameters = Parameters::read(&uri, &["limit", "cursor"]);
    let (limit, cursor) = (parameters.limit(), parameters.cursor());
    parameters.finish()?;
    let mut found = read(&app, async |c| Ok(listed(c, id, cursor, limit + 1).await?)).await?;
    let next_cursor = next(&mut found, limit, |key| key.id.to_string());
    Ok(Json(KeyList { data: found.into_iter().map(ListedKey::from).collect(), next_cursor }))
}

/// Make a key of an account
#[utoipa::path(
    post, path = "/v1/admin/accounts/{id}/keys", tag = "admin", operation_id = "createKey",
    params(("id" = String, Path, description = "The account's id.", example = "7")),
    request_body(content = NewKeyRequest),
    responses((status = 201, description = "Made. The key is shown this once.", body = MadeKey), EditProblems),
)]
pub(in crate::api) async fn create(
    caller: Caller,
    _: NoQuery,
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Result<(StatusCode, Json<MadeKey>), Problem> {
    let who = administrator(&caller)?;
    let id = account_of(&id)?;
    let scopes: Vec<Scope> = request::admin::key::create(&body(&app, request).await?)?;
    let made = change(&app, async |c| Ok(issue(c, &who, id, &scopes).await?)).await?;
    Ok((StatusCode::CREATED, Json(MadeKey { id: made.id.to_string(), key: made.key.expose().to_owned() })))
}

/// Revoke a key
///
/// From a few seconds on it opens nothing. Again is no fault.
#[utoipa::path(
    delete, path = "/v1/admin/keys/{id}", tag = "admin", operation_id = "revokeKey",
    params(("id" = String, Path, description = "The key's id.", example = "01993d2c-6f0b-7c3e-9d4e-3b1f0a2c4d5e")),
    responses((status = 204, description = "Revoked."), FindProblems),
)]
pub(in crate::api) async fn revoke(
    caller: Caller,
    _: NoQuery,
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let who = administrator(&caller)?;
    let id = key_of(&id)?;
    change(&app, async |c| Ok(revoked(c, &who, id).await?)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Replace a key
///
/// Makes a key with the same scopes. The old one goes on for the grace time, so that a customer
/// can change over without an outage; then it opens nothing. One that ended before is not found.
#[utoipa::path(
    post, path = "/v1/admin/keys/{id}/rotate", tag = "admin", operation_id = "rotateKey",
    params(("id" = String, Path, description = "The old key's id.", example = "01970000-0000-7000-8000-000000000000")),
    request_body(content = KeyRotation),
    responses((status = 201, description = "Made. The key is shown this once.", body = RotatedKey), EditProblems),
)]
pub(in crate::api) async fn rotate(
    caller: Caller,
    _: NoQuery,
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Result<(StatusCode, Json<RotatedKey>), Problem> {
    let who = administrator(&caller)?;
    let id = key_of(&id)?;
    let grace = request::admin::key::rotate(&body(&app, request).await?)?;
    let grace = grace.unwrap_or(crate::keys::GRACE_DEFAULT);
    let made = change(&app, async |c| Ok(rotated(c, &who, id, grace).await?)).await?;
    let answer = RotatedKey {
        id: made.new.id.to_string(),
        key: made.new.key.expose().to_owned(),
        replaces: id.to_string(),
        replaced_expires_at: time(made.old_expires_at),
    };
    Ok((StatusCode::CREATED, Json(answer)))
}
