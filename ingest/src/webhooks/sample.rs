//! A sample, sent at once: what a customer sees of an endpoint without waiting for a message.

use domain::time::UnixMillis;
use platform::http::problem::{Code, Problem};
use platform::ownership::clock::unix_now;
use platform::postgres::Pool;
use platform::time::rfc3339;
use platform::webhook::payload::{MessageStatus, TEST, payload};
use platform::webhook::{Call, Called, WebhookSecret};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{WebhookError, Webhooks};

/// What came of a sample.
pub(crate) struct Tested {
    pub(crate) id: Uuid,
    pub(crate) called: Called,
}

#[derive(sqlx::FromRow)]
struct Row {
    url: String,
    batch_size: i16,
    secret: Vec<u8>,
    previous_secret: Option<Vec<u8>>,
}

/// Sends a sample to an endpoint, disabled or not, as it would be sent what happens.
pub(crate) async fn test(
    webhooks: &Webhooks,
    pool: &Pool,
    (account, id): (i64, i64),
    currency: &str,
) -> Result<Tested, Problem> {
    let full = || Problem::new(Code::Overloaded).detail("too many samples are being sent; try again");
    let _slot = webhooks.tests.try_acquire().map_err(|_| full())?;
    let row = read(pool, account, id).await?;
    let now = unix_now();
    let sample = sample(currency, now);
    let body = match row.batch_size {
        1 => payload(TEST, now, &sample),
        _ => payload(TEST, now, [&sample]),
    };
    let body = body.map_err(|error| {
        tracing::error!(%error, "a sample could not be written");
        Problem::new(Code::InternalError)
    })?;
    let id = Uuid::now_v7();
    let secrets = [Some(row.secret), row.previous_secret].into_iter().flatten();
    let secrets = secrets.map(WebhookSecret::new).collect();
    let call = Call { url: row.url, id: id.to_string(), secrets, body };
    Ok(Tested { id, called: webhooks.caller.call(call, now).await })
}

async fn read(pool: &Pool, account: i64, id: i64) -> Result<Row, WebhookError> {
    let read = "select url, batch_size, secret,
                       case when previous_until > clock_timestamp() then previous_secret end as previous_secret
                from webhook_endpoint where id = $1 and account_id = $2 and deleted_at is null";
    let read = async |connection: &mut PgConnection| {
        sqlx::query_as(read).bind(id).bind(account).fetch_optional(connection).await
    };
    pool.within(read).await?.ok_or(WebhookError::NotFound)
}

/// A message that never was.
fn sample(currency: &str, now: UnixMillis) -> MessageStatus {
    let ago = |millis: i64| rfc3339(now.plus(-millis));
    MessageStatus {
        id: "1".to_owned(),
        status: "delivered",
        reason: None,
        operator_code: None,
        to: Some("+989120000000".to_owned()),
        from: Some("100002".to_owned()),
        reference: Some("sample".to_owned()),
        campaign_id: None,
        segments: Some(1),
        price: 0,
        refunded: 0,
        currency: currency.to_owned(),
        created_at: ago(4_000),
        sent_at: Some(ago(3_000)),
        final_at: Some(ago(0)),
    }
}
