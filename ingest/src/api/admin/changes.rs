//! What was changed, by whom.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use ledger::admin::{change, fields};
use platform::http::problem::Problem;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::super::auth::Caller;
use super::super::problems::ReadProblems;
use super::parameters::Parameters;
use super::{administrator, next, read, time};
use crate::app::App;

/// A change.
#[derive(Serialize, ToSchema)]
pub(in crate::api) struct Change {
    #[schema(example = "42")]
    id: String,
    #[schema(format = DateTime, example = "2026-11-21T12:00:00.000Z")]
    at: String,
    /// `key` and the key's id, or `cli` and a person at a machine.
    #[schema(example = "cli ali@gateway-1")]
    who: String,
    #[schema(example = "account.suspend")]
    what: String,
    #[schema(example = "account 7")]
    subject: String,
    /// What of it was changed, as it stood before; null where it did not exist.
    #[schema(value_type = Option<Object>, example = json!({"suspended": false}))]
    before: Option<Value>,
    /// The same as it stands since.
    #[schema(value_type = Option<Object>, example = json!({"suspended": true}))]
    after: Option<Value>,
}

/// Changes, the newest first.
#[derive(Serialize, ToSchema)]
pub(in crate::api) struct ChangeList {
    data: Vec<Change>,
    #[schema(example = "42")]
    next_cursor: Option<String>,
}

impl From<change::Change> for Change {
    fn from(change: change::Change) -> Self {
        Change {
            id: change.id.to_string(),
            at: time(change.at),
            who: change.who,
            what: change.what,
            subject: change.subject,
            before: change.before,
            after: change.after,
        }
    }
}

/// List changes
///
/// Everything that people and their keys changed: accounts, keys and charges (`account 7`),
/// lines (`line 3000`), prices (`tariff 2`). Nothing is ever taken off this list.
#[utoipa::path(
    get, path = "/v1/admin/changes", tag = "admin", operation_id = "listChanges",
    params(("subject" = Option<String>, Query, description = "Only of this subject.", example = "account 7"),
           ("limit" = Option<u32>, Query, description = "1 to 500, by default 50.", minimum = 1, maximum = 500),
           ("cursor" = Option<String>, Query, description = "The `next_cursor` of an earlier page.")),
    responses((status = 200, description = "Changes, the newest first.", body = ChangeList), ReadProblems),
)]
pub(in crate::api) async fn list(
    caller: Caller,
    uri: Uri,
    State(app): State<Arc<App>>,
) -> Result<Json<ChangeList>, Problem> {
    administrator(&caller)?;
    let mut parameters = Parameters::read(&uri, &["subject", "limit", "cursor"]);
    let subject = parameters.value("subject", fields::text);
    let (limit, cursor) = (parameters.limit(), parameters.cursor());
    parameters.finish()?;
    let found = read(&app, async |c| Ok(change::list(c, subject.as_deref(), cursor, limit + 1).await?));
    let mut found = found.await?;
    let next_cursor = next(&mut found, limit, |change| change.id.to_string());
    Ok(Json(ChangeList { data: found.into_iter().map(Change::from).collect(), next_cursor }))
}
