//! Where one message stands in the tables, for people.

use super::row::{Why, decode};
use domain::bits::Bits;
use domain::id::MessageId;
use domain::time::UnixMillis;
use sqlx::PgConnection;

/// A message that waits for long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waits {
    /// For what: `retry`, `patience` (the operator asked for it), `look_up` (the operator is asked
    /// whether it has it), or `dead_letter` (a person must look).
    pub why: &'static str,
    /// Until when: then it is tried again, asked about, or expires.
    pub due: UnixMillis,
    /// The number of its last attempt, zero before the first.
    pub attempt: u8,
    /// How often it was tried in vain.
    pub tries: u8,
    /// How often the operator was asked about it in vain.
    pub questions: u8,
    /// The operator's code that made it wait, zero where there is none.
    pub code: i16,
    /// The connector that is asked about it, empty where none is.
    pub by: String,
    /// Since when its chunk is in the table.
    pub since: UnixMillis,
    /// When it expires.
    pub send_by: UnixMillis,
}

/// An order for a message that the holder of its partition has not carried out yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ordered {
    /// `requeue` or `drop`.
    pub verb: String,
    /// Who ordered it.
    pub by: String,
    /// When.
    pub at: UnixMillis,
}

/// What the message waits for, where it is in the table.
///
/// # Errors
/// When the database cannot be asked, or the row cannot be read.
pub async fn waits(connection: &mut PgConnection, message: MessageId) -> Result<Option<Waits>, sqlx::Error> {
    let row: Option<(Vec<u8>, i64, i64)> = sqlx::query_as(
        "select messages, (extract(epoch from deferred_at) * 1000)::bigint,
                (extract(epoch from send_by) * 1000)::bigint
         from deferred where chunk_id = $1",
    )
    .bind(message.chunk().get())
    .fetch_optional(connection)
    .await?;
    let Some((messages, since, send_by)) = row else { return Ok(None) };
    let messages = decode(&messages).map_err(|error| sqlx::Error::Decode(error.into()))?;
    let found = messages.into_iter().find(|waiting| waiting.position == message.index());
    Ok(found.map(|waiting| Waits {
        why: match waiting.why {
            Why::Retry => "retry",
            Why::Patience => "patience",
            Why::LookUp => "look_up",
            Why::Dead => "dead_letter",
            Why::Quiet => "quiet_hours",
        },
        due: waiting.due,
        attempt: waiting.attempt,
        tries: waiting.tries,
        questions: waiting.questions,
        code: waiting.code,
        by: waiting.attempted.map(|attempted| attempted.by.to_string()).unwrap_or_default(),
        since: UnixMillis(since),
        send_by: UnixMillis(send_by),
    }))
}

/// The orders that wait, the eldest first.
///
/// # Errors
/// When the database cannot be asked, or a row cannot be read.
pub async fn ordered(connection: &mut PgConnection, message: MessageId) -> Result<Vec<Ordered>, sqlx::Error> {
    let rows: Vec<(String, String, String, i64)> = sqlx::query_as(
        "select verb, ordered_by, messages::text, (extract(epoch from at) * 1000)::bigint
         from dead_order where chunk_id = $1 order by id",
    )
    .bind(message.chunk().get())
    .fetch_all(connection)
    .await?;
    let mut found = Vec::new();
    for (verb, by, messages, at) in rows {
        let messages = Bits::from_bit_string(&messages).map_err(|error| sqlx::Error::Decode(error.into()))?;
        if messages.contains(message.index()) {
            found.push(Ordered { verb, by, at: UnixMillis(at) });
        }
    }
    Ok(found)
}
