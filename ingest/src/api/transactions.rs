//! The list of an account's transactions.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use domain::time::UnixMillis;
use platform::http::problem::Problem;
use platform::ownership::clock::unix_now;
use serde::Serialize;
use utoipa::ToSchema;

use super::auth::Caller;
use super::cursor::Cursors;
use super::format::time;
use super::list::cursor;
use super::parameters::{Parameters, RawQuery};
use super::problems::ReadProblems;
use crate::app::App;
use crate::keys::Scope;
use crate::reports::statement::{self, Asked, Kind, Place, statement};

const NAMES: &[&str] = &["type", "from_time", "to_time", "limit", "cursor"];

/// One movement of an account's balance.
#[derive(Serialize, ToSchema)]
pub(super) struct Transaction {
    #[schema(example = "spent-117594862387200000")]
    id: String,
    /// `charge` (a top-up), `sms_deduction` (what the messages of a chunk cost; chunks are how
    /// calls travel) or `refund` (of messages of one chunk that came to nothing).
    #[schema(example = "sms_deduction")]
    r#type: &'static str,
    /// In the smallest unit of the currency; negative where it was spent.
    #[schema(example = -1500)]
    amount: i64,
    #[schema(example = "IRR")]
    currency: String,
    /// How many messages it is about.
    #[schema(example = 1)]
    messages: u64,
    /// The first of these messages.
    #[schema(example = "117594862387200000")]
    first_id: Option<String>,
    #[schema(example = "42")]
    campaign_id: Option<String>,
    /// When it was booked; of messages that were paid for: when they were submitted.
    #[schema(format = DateTime, example = "2026-11-21T12:00:00.000Z")]
    created_at: String,
}

/// Transactions, newest first.
#[derive(Serialize, ToSchema)]
pub(super) struct Transactions {
    data: Vec<Transaction>,
    /// What to ask for the next part with, as `cursor`, beside the same filters; null where
    /// there is none.
    next_cursor: Option<String>,
}

/// List transactions
///
/// Newest first. What was spent is listed once its messages are: normally within a second of
/// the 202. Without times: those of the last seven days.
#[utoipa::path(
    get, path = "/v1/transactions", tag = "money", operation_id = "listTransactions",
    params(
        ("type" = Option<String>, Query, description = "Only those of this type: `charge`, `sms_deduction` or `refund`.", example = "refund"),
        ("from_time" = Option<String>, Query, description = "Only those of this time or later; at most 31 days before `to_time`, or before now.", example = "2026-11-21T00:00:00Z"),
        ("to_time" = Option<String>, Query, description = "Only those before this time.", example = "2026-11-22T00:00:00Z"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 500, description = "How many at most: 1 to 500, by default 50.", example = 50),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the part before."),
    ),
    responses((status = 200, description = "The transactions.", body = Transactions), ReadProblems),
)]
pub(super) async fn list(
    caller: Caller,
    State(app): State<Arc<App>>,
    query: RawQuery,
) -> Result<Json<Transactions>, Problem> {
    caller.require(Scope::Read)?;
    let account = caller.0.account;
    let cursors = Cursors { list: "transactions", account };
    let mut parameters = Parameters::read(&query, NAMES);
    let cursor = cursor(&mut parameters, cursors);
    let (from, to) = parameters.times(unix_now(), cursor.map(|[_, _, _, begun]| UnixMillis(begun)));
    let kinds = [Kind::Charge, Kind::Deduction, Kind::Refund].map(|kind| (word(kind), kind));
    let kind = parameters.word("type", &kinds);
    let limit = parameters.limit();
    parameters.finish()?;
    let before = cursor.map(|[at_us, booked, number, _]| Place { at_us, booked: booked == 1, number });
    let (found, more) = statement(&app.reader, Asked { account, kind, from, to, before }, limit).await?;
    let next = found.last().filter(|_| more).map(|last| {
        let Place { at_us, booked, number } = last.place;
        cursors.write([at_us, booked.into(), number, from.0])
    });
    let data = found.into_iter().map(|one| Transaction::new(&one, &app.currency)).collect();
    Ok(Json(Transactions { data, next_cursor: next }))
}

const fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Charge => "charge",
        Kind::Deduction => "sms_deduction",
        Kind::Refund => "refund",
    }
}

impl Transaction {
    fn new(one: &statement::Transaction, currency: &str) -> Self {
        let Place { at_us, booked, number } = one.place;
        Transaction {
            id: format!("{}-{number}", if booked { "booked" } else { "spent" }),
            r#type: word(one.kind),
            amount: one.amount.get(),
            currency: currency.to_owned(),
            messages: one.messages,
            first_id: one.first_id.map(|id| id.to_string()),
            campaign_id: one.campaign.map(|id| id.to_string()),
            created_at: time(UnixMillis(at_us.div_euclid(1_000))),
        }
    }
}
