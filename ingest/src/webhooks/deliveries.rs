//! What became of what an endpoint was told: rows of `webhook_delivery`.

use domain::time::UnixMillis;
use platform::postgres::Pool;
use sqlx::PgConnection;
use uuid::Uuid;

use super::WebhookError;

/// One delivery.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct Delivery {
    /// Where the list goes on.
    pub(crate) id: i64,
    pub(crate) webhook_id: Uuid,
    pub(crate) messages: i16,
    pub(crate) attempts: i32,
    /// Nothing: it is due, or due again.
    pub(crate) outcome: Option<String>,
    pub(crate) last_status: Option<i16>,
    pub(crate) last_trouble: Option<String>,
    pub(crate) last_ms: Option<i32>,
    created_ms: i64,
    last_attempt_ms: Option<i64>,
    due_ms: Option<i64>,
}

impl Delivery {
    pub(crate) fn created_at(&self) -> UnixMillis {
        UnixMillis(self.created_ms)
    }

    pub(crate) fn last_attempt_at(&self) -> Option<UnixMillis> {
        self.last_attempt_ms.map(UnixMillis)
    }

    pub(crate) fn due(&self) -> Option<UnixMillis> {
        self.due_ms.map(UnixMillis)
    }
}

/// Up to `limit` deliveries of an endpoint, the newest first, behind `before`.
pub(crate) async fn page(
    pool: &Pool,
    endpoint: i64,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<Delivery>, WebhookError> {
    let page = "select id, webhook_id, messages, attempts, outcome, last_status, last_trouble, last_ms,
                       (extract(epoch from created_at) * 1000)::bigint as created_ms,
                       (extract(epoch from last_attempt_at) * 1000)::bigint as last_attempt_ms,
                       (extract(epoch from due) * 1000)::bigint as due_ms
                from webhook_delivery where endpoint_id = $1 and id < $2 order by id desc limit $3";
    let page = async |connection: &mut PgConnection| {
        sqlx::query_as(page)
            .bind(endpoint)
            .bind(before.unwrap_or(i64::MAX))
            .bind(limit)
            .fetch_all(connection)
            .await
    };
    Ok(pool.within(page).await?)
}
