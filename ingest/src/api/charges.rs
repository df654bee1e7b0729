//! Charges: what an account's balance is topped up by.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use ledger::LedgerError;
use ledger::admin::Who;
use platform::http::problem::{Code, Problem};
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use super::admin::{account_of, body, change, time};
use super::auth::Caller;
use super::describe::ChargeRequest;
use super::idempotency::{IdempotencyKey, Keyed, Replayed};
use super::problems::ChargeProblems;
use super::query::NoQuery;
use crate::app::App;
use crate::idempotency::{self, Booked};
use crate::keys::{Identity, Scope};
use crate::request::charge::{Charge, read};

/// A charge that was booked, and the balance after it.
#[derive(Serialize, ToSchema)]
pub(super) struct Charged {
    /// The entry's id.
    #[schema(example = "1042")]
    id: String,
    #[schema(example = "charge")]
    r#type: &'static str,
    /// In the smallest unit of the currency.
    #[schema(example = 5000000)]
    amount: i64,
    /// What may be spent now.
    #[schema(example = 5250000)]
    balance: i64,
    #[schema(example = "IRR")]
    currency: String,
    #[schema(example = "invoice 12")]
    reference: Option<String>,
    #[schema(format = DateTime, example = "2026-11-21T12:00:00.000Z")]
    created_at: String,
}

/// Charge an account
///
/// Adds to its balance. A key with the scope `charge` charges its own account; one with the scope
/// `admin`, any. With an `Idempotency-Key` it is booked once, however often it is sent.
#[utoipa::path(
    post, path = "/v1/accounts/{id}/charges", tag = "money", operation_id = "chargeAccount",
    params(("id" = String, Path, description = "The account's id.", example = "7"), IdempotencyKey),
    request_body(content = ChargeRequest),
    responses(
        (
            status = 201, description = "Booked.", body = Charged,
            headers(("Idempotent-Replayed" = bool, description = "`true` where an earlier request with the same key was answered so.")),
        ),
        ChargeProblems,
    ),
)]
pub(super) async fn charge(
    caller: Caller,
    _: NoQuery,
    keyed: Keyed,
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Result<(StatusCode, Replayed, Json<Charged>), Problem> {
    let account = chargeable(&caller, &id)?;
    let body = body(&app, request).await?;
    let charge = read(&body)?;
    let asked = keyed.asked(&caller.0, &body);
    let booked = change(&app, async |connection| {
        let book = async |connection: &mut PgConnection| book(connection, &caller.0, account, &charge).await;
        Ok(idempotency::charge(connection, asked.as_ref(), book).await?)
    });
    let Booked { charged, replayed } = booked.await?;
    Ok((StatusCode::CREATED, Replayed(replayed), Json(Charged::new(charged, charge, &app.currency))))
}

/// The account of a path, where the key may charge it. Another account's is not found.
fn chargeable(caller: &Caller, path: &str) -> Result<i64, Problem> {
    let administrator = caller.may(Scope::Admin);
    if !administrator && !caller.may(Scope::Charge) {
        let detail = "this needs a key with the scope charge or admin";
        return Err(Problem::new(Code::Forbidden).detail(detail));
    }
    let account = account_of(path)?;
    if administrator || account == caller.0.account {
        return Ok(account);
    }
    Err(Problem::new(Code::NotFound))
}

/// Books a charge, on the caller's connection: one with whatever else its transaction writes.
async fn book(
    connection: &mut PgConnection,
    caller: &Identity,
    account: i64,
    charge: &Charge,
) -> Result<ledger::account::Charged, LedgerError> {
    let who = Who::key(caller.key);
    ledger::admin::charge::charge(connection, &who, account, charge.amount, charge.reference.as_deref()).await
}

impl Charged {
    fn new(booked: ledger::account::Charged, charge: Charge, currency: &str) -> Self {
        Charged {
            id: booked.entry.to_string(),
            r#type: "charge",
            amount: charge.amount.get(),
            balance: booked.balance.get(),
            currency: currency.to_owned(),
            reference: charge.reference,
            created_at: time(booked.at),
        }
    }
}
