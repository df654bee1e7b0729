//! What endpoints are told next: what is due again, else new events, cut into deliveries that
//! are stored before they are said.

use super::cut::{Cut, Note, TURN_EVENTS_MAX, cut};
use super::rules::{Health, Tried};
use super::turn::Endpoint;
use crate::holding;
use domain::time::UnixMillis;
use ledger::LedgerError;
use platform::webhook::WebhookSecret;
use sqlx::types::Uuid;
use sqlx::{Connection, PgConnection};
use std::collections::{BTreeMap, BTreeSet};

/// How much.
pub(super) struct Limits {
    /// Calls of a turn.
    pub(super) calls: usize,
    /// Deliveries of an endpoint that are being tried again; above it nothing new is begun.
    pub(super) pending: i64,
}

/// A delivery that is due.
#[derive(Clone, Debug)]
pub(super) struct Due {
    pub(super) id: i64,
    pub(super) webhook_id: Uuid,
    pub(super) tried: Tried,
    pub(super) events: Vec<u8>,
    pub(super) happened_at: UnixMillis,
}

#[derive(sqlx::FromRow)]
struct EndpointRow {
    id: i64,
    partition: i32,
    url: String,
    batch_size: i16,
    secret: Vec<u8>,
    previous_secret: Option<Vec<u8>>,
    failures: i32,
    failing_since_ms: Option<i64>,
}

#[derive(sqlx::FromRow)]
struct DueRow {
    id: i64,
    webhook_id: Uuid,
    endpoint_id: i64,
    attempts: i32,
    first_attempt_ms: Option<i64>,
    events: Vec<u8>,
    happened_ms: i64,
}

/// What these endpoints are told next, as far as `process` holds their partitions. One
/// transaction: what is returned is stored, and is due until what came of it is stored too.
pub(super) async fn next(
    connection: &mut PgConnection,
    process: Uuid,
    endpoints: &[i64],
    now: UnixMillis,
    limits: &Limits,
) -> Result<Vec<(Endpoint, Vec<Due>)>, LedgerError> {
    let mut transaction = connection.begin().await?;
    let endpoints = read(&mut transaction, process, endpoints, now).await?;
    let ids: Vec<i64> = endpoints.keys().copied().collect();
    let mut due = due(&mut transaction, &ids, now, limits.calls).await?;
    let idle: Vec<i64> = ids.iter().copied().filter(|id| !due.contains_key(id)).collect();
    if !idle.is_empty() {
        let notes = notes(&mut transaction, &idle, limits).await?;
        store(&mut transaction, &endpoints, &notes, now).await?;
        due.extend(self::due(&mut transaction, &idle, now, limits.calls).await?);
    }
    transaction.commit().await?;
    let told = due.into_iter().filter_map(|(id, mut due)| {
        keep_few(&mut due);
        Some((endpoints.get(&id)?.clone(), due))
    });
    Ok(told.collect())
}

/// The rest of what is due waits for the next turn.
fn keep_few(due: &mut Vec<Due>) {
    let mut events = 0;
    let few = due.iter().take_while(|due| {
        let first = events == 0;
        events += due.events.len() / super::event::EVENT_BYTES;
        first || events <= TURN_EVENTS_MAX
    });
    let few = few.count();
    due.truncate(few);
}

async fn read(
    connection: &mut PgConnection,
    process: Uuid,
    endpoints: &[i64],
    now: UnixMillis,
) -> Result<BTreeMap<i64, Endpoint>, sqlx::Error> {
    let rows: Vec<EndpointRow> = sqlx::query_as(
        "select id, partition, url, batch_size, secret, failures,
                case when previous_until > to_timestamp($2 / 1000.0) then previous_secret end as previous_secret,
                (extract(epoch from failing_since) * 1000)::bigint as failing_since_ms
         from webhook_endpoint where id = any($1) and disabled_at is null and deleted_at is null",
    )
    .bind(endpoints)
    .bind(now.0)
    .fetch_all(&mut *connection)
    .await?;
    let partitions: BTreeSet<i32> = rows.iter().map(|row| row.partition).collect();
    let partitions: Vec<i32> = partitions.into_iter().collect();
    let held = holding::keep(connection, process, &partitions).await?;
    let ours = rows.into_iter().filter(|row| held.contains(&row.partition));
    Ok(ours.map(|row| (row.id, Endpoint::from(row))).collect())
}

async fn due(
    connection: &mut PgConnection,
    endpoints: &[i64],
    now: UnixMillis,
    calls: usize,
) -> Result<BTreeMap<i64, Vec<Due>>, sqlx::Error> {
    let rows: Vec<DueRow> = sqlx::query_as(
        "select d.id, d.webhook_id, d.endpoint_id, d.attempts, d.events,
                (extract(epoch from d.first_attempt_at) * 1000)::bigint as first_attempt_ms,
                (extract(epoch from d.happened_at) * 1000)::bigint as happened_ms
         from unnest($1::bigint[]) as e (id) cross join lateral
              (select * from webhook_delivery w
               where w.endpoint_id = e.id and w.due <= to_timestamp($2 / 1000.0)
               order by w.due, w.id limit $3) d
         order by d.endpoint_id, d.due, d.id",
    )
    .bind(endpoints)
    .bind(now.0)
    .bind(i64::try_from(calls).unwrap_or(i64::MAX))
    .fetch_all(connection)
    .await?;
    let mut due: BTreeMap<i64, Vec<Due>> = BTreeMap::new();
    for row in rows {
        due.entry(row.endpoint_id).or_default().push(Due::from(row));
    }
    Ok(due)
}

/// The oldest notes of each endpoint that may begin something new: no more than a turn takes.
async fn notes(
    connection: &mut PgConnection,
    endpoints: &[i64],
    limits: &Limits,
) -> Result<BTreeMap<i64, Vec<Note>>, sqlx::Error> {
    let rows: Vec<Note> = sqlx::query_as(
        "select n.endpoint_id, n.id, n.events, (extract(epoch from n.at) * 1000)::bigint as at_ms
         from unnest($1::bigint[]) as e (id) cross join lateral
              (select v.*, sum(v.messages) over (order by v.id) - v.messages as before
               from (select * from webhook_event o where o.endpoint_id = e.id order by o.id limit $2) v) n
         where n.before < $2
           and (select count(*) from (select from webhook_delivery d
                                      where d.endpoint_id = e.id and d.due is not null limit $3) p) < $3
         order by n.endpoint_id, n.id",
    )
    .bind(endpoints)
    .bind(i64::try_from(TURN_EVENTS_MAX).unwrap_or(i64::MAX))
    .bind(limits.pending)
    .fetch_all(connection)
    .await?;
    let mut notes: BTreeMap<i64, Vec<Note>> = BTreeMap::new();
    for row in rows {
        notes.entry(row.endpoint_id).or_default().push(row);
    }
    Ok(notes)
}

/// Makes deliveries of notes.
async fn store(
    connection: &mut PgConnection,
    endpoints: &BTreeMap<i64, Endpoint>,
    notes: &BTreeMap<i64, Vec<Note>>,
    now: UnixMillis,
) -> Result<(), sqlx::Error> {
    let mut cuts: Vec<(i64, Cut)> = Vec::new();
    let mut used: Vec<(i64, i64)> = Vec::new();
    for (endpoint, notes) in notes {
        let Some(batch) = endpoints.get(endpoint).map(|endpoint| endpoint.batch_size) else { continue };
        let (cut, count) = cut(notes, batch);
        cuts.extend(cut.into_iter().map(|cut| (*endpoint, cut)));
        used.extend(notes.iter().take(count).map(|note| (*endpoint, note.id)));
    }
    if used.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into webhook_delivery
                (webhook_id, endpoint_id, messages, events, happened_at, created_at, due)
         select id, endpoint, messages, events, to_timestamp(happened / 1000.0),
                to_timestamp($6 / 1000.0), to_timestamp($6 / 1000.0)
         from unnest($1::uuid[], $2::bigint[], $3::smallint[], $4::bytea[], $5::bigint[])
              with ordinality as n (id, endpoint, messages, events, happened, place) order by place",
    )
    .bind(cuts.iter().map(|_| Uuid::now_v7()).collect::<Vec<_>>())
    .bind(cuts.iter().map(|(endpoint, _)| *endpoint).collect::<Vec<_>>())
    .bind(cuts.iter().map(|(_, cut)| i16::try_from(cut.messages()).unwrap_or(i16::MAX)).collect::<Vec<_>>())
    .bind(cuts.iter().map(|(_, cut)| cut.events.as_slice()).collect::<Vec<_>>())
    .bind(cuts.iter().map(|(_, cut)| cut.happened_ms).collect::<Vec<_>>())
    .bind(now.0)
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "delete from webhook_event v using unnest($1::bigint[], $2::bigint[]) as n (endpoint, id)
         where v.endpoint_id = n.endpoint and v.id = n.id",
    )
    .bind(used.iter().map(|(endpoint, _)| *endpoint).collect::<Vec<_>>())
    .bind(used.iter().map(|(_, id)| *id).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

/// Puts off what cannot be said yet. No attempt was made.
pub(super) async fn put_off(
    connection: &mut PgConnection,
    deliveries: &[i64],
    until: UnixMillis,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update webhook_delivery set due = to_timestamp($2 / 1000.0) where id = any($1) and due is not null",
    )
    .bind(deliveries)
    .bind(until.0)
    .execute(connection)
    .await?;
    Ok(())
}

impl From<EndpointRow> for Endpoint {
    fn from(row: EndpointRow) -> Self {
        let secrets = [Some(row.secret), row.previous_secret].into_iter().flatten();
        Endpoint {
            id: row.id,
            partition: row.partition,
            url: row.url,
            batch_size: usize::try_from(row.batch_size).unwrap_or(1),
            secrets: secrets.map(WebhookSecret::new).collect(),
            health: Health {
                failures: row.failures.unsigned_abs(),
                failing_since: row.failing_since_ms.map(UnixMillis),
                ..Health::default()
            },
        }
    }
}

impl From<DueRow> for Due {
    fn from(row: DueRow) -> Self {
        Due {
            id: row.id,
            webhook_id: row.webhook_id,
            tried: Tried {
                attempts: row.attempts.unsigned_abs(),
                first_at: row.first_attempt_ms.map(UnixMillis),
            },
            events: row.events,
            happened_at: UnixMillis(row.happened_ms),
        }
    }
}
