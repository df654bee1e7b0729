//! Receipts pushed by an operator.

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::{FromRequestParts, Path, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, header};
use domain::lane::Lane;
use platform::http::problem::{Code, Problem};
use platform::ownership::clock::unix_now;
use serde::Serialize;
use utoipa::ToSchema;

use super::bodies::read_json;
use super::describe::PushedReceipt;
use super::problems::PushProblems;
use super::query::NoQuery;
use crate::app::App;
use crate::receipts::{Door, Of, Refused, records};
use crate::{metrics, request};

const X_RECEIPT_SECRET: HeaderName = HeaderName::from_static("x-receipt-secret");
/// What a 401 asks for.
const CHALLENGE: HeaderValue = HeaderValue::from_static("X-Receipt-Secret");

/// Receipts are of all lanes, and travel with the producer of this one, as the reconciler's do
/// with its connections: a flood of bulk must not hold them up, nor they login codes.
const LANE: Lane = Lane::Standard;

/// A connector whose secret was sent.
pub(super) struct Operator {
    connector: String,
    door: Door,
}

/// Receipts that are stored.
#[derive(Serialize, ToSchema)]
pub(super) struct StoredReceipts {
    /// How many there were in the call.
    #[schema(example = 2)]
    receipts: usize,
}

/// Push receipts (for operators)
///
/// Answered 200 when all receipts are stored safely; otherwise push all of them again, which
/// does no harm. They may come in any order, before the answer to the submission, and twice.
/// What they say is applied once the message is known; ids that are nobody's change nothing.
#[utoipa::path(
    post, path = "/receipts/{connector}", tag = "receipts", operation_id = "pushReceipts",
    params(("connector" = String, Path, description = "The connector's name in the settings.", example = "magfa")),
    request_body(content = Vec<PushedReceipt>, description = "1 to 1,000 receipts."),
    responses((status = 200, description = "All are stored.", body = StoredReceipts), PushProblems),
    security(("receipt_secret" = [])),
)]
pub(super) async fn push(
    operator: Result<Operator, Problem>,
    query: Result<NoQuery, Problem>,
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Json<StoredReceipts>, Problem> {
    let stored = match (operator, query) {
        (Ok(operator), Ok(_)) => store(&app, &operator, request).await,
        (Err(problem), _) | (_, Err(problem)) => Err(problem),
    };
    stored.inspect_err(|problem| metrics::push_refused(problem.code()))
}

async fn store(app: &App, operator: &Operator, request: Request) -> Result<Json<StoredReceipts>, Problem> {
    let Operator { connector, door } = operator;
    let full = |_| Problem::new(Code::Overloaded).detail("too many calls at once; nothing was taken");
    let _room = app.pushes.try_acquire().map_err(full)?;
    let body = read_json(request, app.rules.limits.receipts_body_bytes, &app.http).await?;
    let pushed = request::receipts::read(&body, door.by_operator_id)?;
    let version = app.standing.write_version();
    let records = records(connector, &pushed, unix_now(), app.partitions, version);
    if !records.is_empty() {
        let produced = app.lane(LANE).produce_to(&app.receipts_topic, &records).map_err(again)?;
        produced.acknowledged().await.map_err(again)?;
    }
    heard_of(app, connector);
    metrics::pushed(connector, &pushed);
    tracing::info!(connector, receipts = pushed.len(), "receipts were pushed");
    let nobodys = pushed.iter().filter(|pushed| pushed.of == Of::Nobody).count();
    if nobodys > 0 {
        tracing::warn!(connector, receipts = nobodys, "receipts of ids that we never give are left out");
    }
    Ok(Json(StoredReceipts { receipts: pushed.len() }))
}

/// An operator that pushes receipts is well, which the sweep wants to know before it takes
/// silence for an answer. Nothing waits for that: a push works without the database.
fn heard_of(app: &App, connector: &str) {
    let (heard, connector, since) = (Arc::clone(&app.heard), connector.to_owned(), Instant::now());
    tokio::spawn(async move { heard.note(&connector, since).await });
}

/// Whatever is unknown about a push: it may be repeated.
fn again(problem: Problem) -> Problem {
    if problem.code() != Code::Unavailable {
        return problem;
    }
    Problem::new(Code::Unavailable)
        .detail("the receipts are not confirmed to be stored: push all of them again, it does no harm")
}

impl FromRequestParts<Arc<App>> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        // What is no name is nobody's.
        let path = Path::<String>::from_request_parts(parts, app).await;
        let connector = path.map_or_else(|_| String::new(), |Path(connector)| connector);
        let mut sent = parts.headers.get_all(X_RECEIPT_SECRET).iter();
        let secret = match (sent.next(), sent.next()) {
            (Some(secret), None) => Some(secret.as_bytes()),
            _ => None,
        };
        match app.doors.open(&connector, secret) {
            Ok(door) => Ok(Operator { connector, door }),
            Err(Refused::Closed) => {
                Err(Problem::new(Code::NotFound).detail("no receipts of such a connector are taken here"))
            }
            Err(Refused::WrongSecret) => Err(Problem::new(Code::Unauthenticated)
                .detail("the secret in X-Receipt-Secret is missing or wrong")
                .header(header::WWW_AUTHENTICATE, CHALLENGE)),
        }
    }
}
