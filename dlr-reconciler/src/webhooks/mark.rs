//! Storing what came of calls: of deliveries, and of their endpoints.

use super::rules::{Fate, Health, OUTAGE_FAILURES, Reason, Rules};
use super::turn::{Done, Made};
use crate::holding;
use domain::time::UnixMillis;
use sqlx::types::Uuid;
use sqlx::{Connection, PgConnection};
use std::collections::BTreeSet;

/// What was stored.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Marked {
    /// Calls that were taken.
    pub(crate) delivered: u64,
    /// Events in them.
    pub(crate) told: u64,
    /// Calls that failed, and are made again.
    pub(crate) again: u64,
    /// Deliveries given up.
    pub(crate) failed: u64,
    /// Events in them.
    pub(crate) dropped: u64,
    /// Endpoints that are told nothing any more, and why.
    pub(crate) disabled: Vec<(i64, Reason)>,
}

/// What is stored of one delivery.
struct Row<'a> {
    made: &'a Made,
    fate: Fate,
}

/// What is stored of one endpoint.
struct Of {
    id: i64,
    health: Health,
    last_ms: i32,
    succeeded_at: Option<i64>,
    /// It is reached again after an outage.
    back: bool,
    dropped: i64,
}

/// Stores it, as far as `process` holds the partitions: what it does not hold any more is said
/// again, under the same ids, by whoever does.
pub(super) async fn store(
    connection: &mut PgConnection,
    process: Uuid,
    done: &[Done],
    rules: &Rules,
) -> Result<Marked, sqlx::Error> {
    let mut transaction = connection.begin().await?;
    let partitions: BTreeSet<i32> = done.iter().map(|done| done.endpoint.partition).collect();
    let partitions: Vec<i32> = partitions.into_iter().collect();
    let held = holding::keep(&mut transaction, process, &partitions).await?;
    let (mut rows, mut endpoints, mut marked) = (Vec::new(), Vec::new(), Marked::default());
    for done in done.iter().filter(|done| held.contains(&done.endpoint.partition)) {
        endpoints.extend(judge(done, rules, &mut rows, &mut marked));
    }
    deliveries(&mut transaction, &rows).await?;
    // In the order of their keys, as everybody locks them.
    endpoints.sort_unstable_by_key(|endpoint| endpoint.id);
    for endpoint in &endpoints {
        update(&mut transaction, endpoint).await?;
    }
    transaction.commit().await?;
    Ok(marked)
}

fn judge<'a>(done: &'a Done, rules: &Rules, rows: &mut Vec<Row<'a>>, marked: &mut Marked) -> Option<Of> {
    let mut health = done.endpoint.health;
    let (mut succeeded_at, mut back, mut dropped) = (None, false, 0);
    for made in &done.made {
        let fate = rules.fate(made.tried, &made.called, made.at, made.webhook_id);
        match fate {
            Fate::Delivered => {
                marked.delivered += 1;
                marked.told += made.messages;
                succeeded_at = Some(made.at.0);
                back |= health.failures >= OUTAGE_FAILURES;
            }
            Fate::Again(_) => marked.again += 1,
            Fate::Failed => {
                marked.failed += 1;
                marked.dropped += made.messages;
                dropped += i64::try_from(made.messages).unwrap_or(i64::MAX);
            }
        }
        health = rules.health(health, &made.called, made.at, made.webhook_id);
        rows.push(Row { made, fate });
    }
    let last_ms = i32::try_from(done.made.last()?.called.took_ms).unwrap_or(i32::MAX);
    marked.disabled.extend(health.disabled.map(|reason| (done.endpoint.id, reason)));
    Some(Of { id: done.endpoint.id, health, last_ms, succeeded_at, back, dropped })
}

async fn deliveries(connection: &mut PgConnection, rows: &[Row<'_>]) -> Result<(), sqlx::Error> {
    let outcome = |row: &Row<'_>| match row.fate {
        Fate::Delivered => Some("delivered"),
        Fate::Failed => Some("failed"),
        Fate::Again(_) => None,
    };
    let due = |row: &Row<'_>| match row.fate {
        Fate::Again(UnixMillis(due)) => Some(due),
        Fate::Delivered | Fate::Failed => None,
    };
    let status = |row: &Row<'_>| row.made.called.answer.ok().and_then(|status| i16::try_from(status).ok());
    let trouble = |row: &Row<'_>| row.made.called.answer.err().map(|trouble| trouble.as_str());
    let took_ms = |row: &Row<'_>| i32::try_from(row.made.called.took_ms).unwrap_or(i32::MAX);
    sqlx::query(
        "update webhook_delivery d
         set attempts = d.attempts + 1, last_attempt_at = to_timestamp(n.at / 1000.0),
             first_attempt_at = coalesce(d.first_attempt_at, to_timestamp(n.at / 1000.0)),
             due = to_timestamp(n.due / 1000.0), outcome = n.outcome,
             events = case when n.outcome is null then d.events end,
             last_status = n.status, last_trouble = n.trouble, last_ms = n.ms
         from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::smallint[], $6::text[],
                     $7::integer[]) as n (id, at, due, outcome, status, trouble, ms)
         where d.id = n.id and d.due is not null",
    )
    .bind(rows.iter().map(|row| row.made.delivery).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.made.at.0).collect::<Vec<_>>())
    .bind(rows.iter().map(due).collect::<Vec<_>>())
    .bind(rows.iter().map(outcome).collect::<Vec<_>>())
    .bind(rows.iter().map(status).collect::<Vec<_>>())
    .bind(rows.iter().map(trouble).collect::<Vec<_>>())
    .bind(rows.iter().map(took_ms).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

async fn update(connection: &mut PgConnection, of: &Of) -> Result<(), sqlx::Error> {
    let Of { id, health, last_ms, succeeded_at, back, dropped } = of;
    sqlx::query(
        "update webhook_endpoint
         set failures = $2, failing_since = to_timestamp($3 / 1000.0),
             not_before = coalesce(to_timestamp($4 / 1000.0), '-infinity'),
             last_success_at = coalesce(to_timestamp($5 / 1000.0), last_success_at), last_ms = $6,
             dropped = dropped + $7,
             disabled_reason = coalesce(disabled_reason, $8),
             disabled_at = case when $8 is null then disabled_at
                                else coalesce(disabled_at, clock_timestamp()) end
         where id = $1",
    )
    .bind(id)
    .bind(i32::try_from(health.failures).unwrap_or(i32::MAX))
    .bind(health.failing_since.map(|at| at.0))
    .bind(health.not_before.map(|at| at.0))
    .bind(*succeeded_at)
    .bind(last_ms)
    .bind(dropped)
    .bind(health.disabled.map(Reason::as_str))
    .execute(&mut *connection)
    .await?;
    if *back {
        let now = succeeded_at.unwrap_or_default();
        sqlx::query(
            "update webhook_delivery set due = to_timestamp($2 / 1000.0)
             where endpoint_id = $1 and due > to_timestamp($2 / 1000.0)",
        )
        .bind(id)
        .bind(now)
        .execute(connection)
        .await?;
    }
    Ok(())
}
