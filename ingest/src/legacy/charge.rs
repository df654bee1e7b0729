//! `POST /billing/v1/charge`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use domain::money::Money;
use ledger::LedgerError;
use ledger::admin::Who;
use platform::http::problem::{Code, Problem};
use serde::Serialize;
use sqlx::{Connection, PgConnection};
use utoipa::ToSchema;

use super::describe::{ChargeRequest, Refusals};
use super::fields::Errors;
use super::form;
use super::refusal::Refusal;
use super::who::{authorised, on_behalf};
use crate::api::{Caller, IdempotencyKey, Keyed, Replayed};
use crate::app::App;
use crate::idempotency::{self, Asked, Booked, NotBooked};
use crate::keys::Scope;

/// A charge that was booked.
#[derive(Serialize, ToSchema)]
#[schema(as = LegacyCharged)]
pub(super) struct Answer {
    #[schema(example = 1)]
    user_id: i64,
    /// The balance after it, in rial.
    #[schema(example = 250000)]
    total_balance: i64,
}

/// Charge a user
///
/// As the old gateway had it. The key needs the scope `charge` and belongs to the user, or has the
/// scope `admin`.
#[utoipa::path(
    post, path = "/billing/v1/charge", tag = "legacy", operation_id = "legacyCharge",
    params(IdempotencyKey),
    request_body(content(
        (ChargeRequest = "application/json"),
        (ChargeRequest = "application/x-www-form-urlencoded"),
        (ChargeRequest = "multipart/form-data"),
    )),
    responses((status = 200, description = "Booked.", body = Answer), Refusals),
)]
pub(super) async fn charge(
    caller: Result<Caller, Problem>,
    keyed: Result<Keyed, Problem>,
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<(Replayed, Json<Answer>), Refusal> {
    let caller = authorised(caller, request.headers(), Scope::Charge)?;
    let (form, body) = form::read(request, &app).await?;
    let mut errors = Errors::default();
    let user_id = form.integer("user_id", i64::MIN, &mut errors);
    let amount = form.integer("amount", 1, &mut errors);
    errors.into_result()?;
    // Whatever is missing has been noted.
    let (user_id, amount) = user_id.zip(amount).ok_or_else(|| Problem::new(Code::InternalError))?;

    let asked = keyed?.asked(&caller, &body);
    let who = Who::key(caller.key);
    let user = on_behalf(&app, caller, user_id).await?;
    let booked = book(&app, &who, asked, user.account, Money::new(amount)).await?;
    let answer = Answer { user_id, total_balance: booked.charged.balance.get() };
    Ok((Replayed(booked.replayed), Json(answer)))
}

async fn book(
    app: &App,
    who: &Who,
    asked: Option<Asked>,
    account: i64,
    amount: Money,
) -> Result<Booked, Refusal> {
    let booked = app.pools.common().within(async |connection| {
        let mut transaction = connection.begin().await?;
        let book = async |connection: &mut PgConnection| {
            ledger::admin::charge::charge(connection, who, account, amount, None).await
        };
        let booked = idempotency::charge(&mut transaction, asked.as_ref(), book).await?;
        transaction.commit().await?;
        Ok::<_, NotBooked>(booked)
    });
    booked.await.map_err(|error| match error.problem() {
        Ok(problem) => problem.into(),
        Err(error) => not_booked(account, &error),
    })
}

fn not_booked(account: i64, error: &LedgerError) -> Refusal {
    match error {
        LedgerError::NoAccount(_) => Refusal::no_user(),
        LedgerError::TooMuch(_) => Refusal::business(Code::InvalidRequest, "The balance would be too large"),
        error => {
            tracing::warn!(%error, account, "a charge may not have been booked");
            let detail = "The outcome is unknown: read the balance before you charge again.";
            Problem::new(Code::Unavailable).detail(detail).into()
        }
    }
}
