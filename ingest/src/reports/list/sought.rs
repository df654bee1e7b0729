//! Chunks found by a recipient, or by the customer's reference: those of one message by their
//! keys, those of several by their filters, which are wrong about three of a thousand.

use sqlx::PgConnection;

use super::chunks::Span;

/// What to look for; at least one of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keys {
    pub(super) recipient: Option<i64>,
    pub(super) reference: Option<i64>,
}

/// The newest chunks of an account that may have a message with these keys.
pub(super) async fn newest(
    connection: &mut PgConnection,
    account: i64,
    keys: Keys,
    span: Span,
    most: usize,
) -> Result<Vec<i64>, sqlx::Error> {
    let statement = if keys.recipient.is_some() { BY_RECIPIENT } else { BY_REFERENCE };
    let rows: Vec<(i64,)> = sqlx::query_as(statement)
        .bind(account)
        .bind(span.from)
        .bind(span.to)
        .bind(keys.recipient)
        .bind(keys.reference)
        .bind(i64::try_from(most).unwrap_or(i64::MAX))
        .fetch_all(connection)
        .await?;
    let mut chunks: Vec<i64> = rows.into_iter().map(|(chunk,)| chunk).collect();
    // One that is in both is shown once.
    chunks.dedup();
    chunks.truncate(most);
    Ok(chunks)
}

macro_rules! statement {
    ($key:literal) => {
        concat!(
            "select chunk_id from (",
            statement!("chunk_content", $key),
            " union all ",
            statement!("history_chunk", $key),
            ") u order by chunk_id desc"
        )
    };
    ($table:literal, $key:literal) => {
        concat!(
            "(select chunk_id from ",
            $table,
            " where ",
            $key,
            " and account_id = $1
                and chunk_id >= $2 and chunk_id < $3 order by chunk_id desc limit $6)
             union all
             (select chunk_id from ",
            $table,
            " where recipient_key is null and account_id = $1
                and chunk_id >= $2 and chunk_id < $3
                and ($4::bigint is null or sought is null or may_hold(sought, $4))
                and ($5::bigint is null or sought is null or may_hold(sought, $5))
              order by chunk_id desc limit $6)"
        )
    };
}

const BY_RECIPIENT: &str = statement!("recipient_key = $4 and ($5::bigint is null or reference_key = $5)");
const BY_REFERENCE: &str = statement!("reference_key = $5");
