//! Messages of an account that are under way.

use sqlx::PgConnection;

/// Days that are looked at: a message has ended long before so many have passed since it was
/// submitted.
const DAYS: i32 = 14;

/// How many messages of an account were recorded and have not ended yet.
pub async fn in_flight(connection: &mut PgConnection, account: i64) -> Result<i64, sqlx::Error> {
    let count = sqlx::query_scalar(
        "select coalesce(sum(case when status = 'submitted' then messages else -messages end), 0)::bigint
         from account_hour
         where account_id = $1 and hour >= clock_timestamp() - make_interval(days => $2) and status <> 'sent'",
    );
    count.bind(account).bind(DAYS).fetch_one(connection).await
}
