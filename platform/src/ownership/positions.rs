//! Positions: how far a role has come in a partition, stored with the effects.

use super::Role;
use sqlx::PgConnection;

/// A stored position.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Position {
    /// The topic's full name.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The epoch of the holder.
    pub epoch: i64,
    /// The offset read next; everything below it has had its effects.
    pub next_offset: i64,
    /// billing-consumer: everything below it is known to be in sms.billed.
    pub published: i64,
    /// sender: the highest source offset below the frontier, -1 before the first.
    pub last_source: i64,
}

/// A step of one position inside a transaction that stores its effects.
#[derive(Clone, Debug)]
pub struct Advance {
    /// The topic's full name.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The epoch it is held under.
    pub epoch: i64,
    /// Where the position must stand now.
    pub from: i64,
    /// Where it stands afterwards.
    pub to: i64,
    /// billing-consumer: what is known to be published (never moves back).
    pub published: i64,
    /// sender: the highest source below the frontier (never moves back).
    pub last_source: i64,
}

/// Moves positions, as the first statement of a transaction. Returns how many moved: fewer
/// than given means that a partition went to another holder, or that an earlier commit did
/// happen although its answer was lost; the transaction is then to be rolled back.
pub async fn advance(
    connection: &mut PgConnection,
    role: Role,
    steps: &[Advance],
) -> Result<usize, sqlx::Error> {
    let column = |of: fn(&Advance) -> i64| steps.iter().map(of).collect::<Vec<i64>>();
    let moved = sqlx::query(
        "update position p
         set next_offset = s.next,
             published = greatest(p.published, s.published),
             last_source = greatest(p.last_source, s.last_source)
         from unnest($2::text[], $3::integer[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[])
              as s (topic, partition, epoch, first, next, published, last_source)
         where p.role = $1 and p.topic = s.topic and p.partition = s.partition
           and p.epoch = s.epoch and p.next_offset = s.first",
    )
    .bind(role.as_str())
    .bind(steps.iter().map(|step| step.topic.as_str()).collect::<Vec<_>>())
    .bind(steps.iter().map(|step| step.partition).collect::<Vec<_>>())
    .bind(column(|step| step.epoch))
    .bind(column(|step| step.from))
    .bind(column(|step| step.to))
    .bind(column(|step| step.published))
    .bind(column(|step| step.last_source))
    .execute(connection)
    .await?;
    Ok(usize::try_from(moved.rows_affected()).unwrap_or(usize::MAX))
}

/// The positions of a role in one partition.
pub async fn read_positions(
    connection: &mut PgConnection,
    role: Role,
    partition: i32,
) -> Result<Vec<Position>, sqlx::Error> {
    sqlx::query_as(
        "select topic, partition, epoch, next_offset, published, last_source
         from position where role = $1 and partition = $2",
    )
    .bind(role.as_str())
    .bind(partition)
    .fetch_all(connection)
    .await
}
