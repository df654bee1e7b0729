//! What all processes agree on about the links to operators: who is stopped, and which part
//! of the permitted rate each process has. Once a second, in one short transaction a link.

pub(crate) mod links;

use crate::config::ConnectorLimits;
use crate::connector::{Connector, Standing};
use crate::gate::State;
use platform::lifecycle::Stop;
use platform::ownership::{Standing as Process, clock};
use platform::postgres::Pool;
use sqlx::{Connection, PgConnection};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};
use uuid::Uuid;

const EVERY: Duration = Duration::from_secs(1);
/// A part of the rate lapses so long after it was granted, in milliseconds: until then nobody
/// else is given it, and nobody uses it longer.
const LAPSES_AFTER_MS: i64 = 3_000;
/// The part of the rate that is dealt evenly, whatever waits where.
const EVEN: f64 = 0.2;

/// The component.
pub(crate) struct Keeper {
    pool: Pool,
    process: Arc<Process>,
    links: Vec<Link>,
}

struct Link {
    connector: Arc<Connector>,
    permitted: Option<f64>,
    /// A stop of ours that the table does not know yet.
    stopped_since: Option<i64>,
}

/// Another process's part.
#[derive(Clone, Copy, Debug, sqlx::FromRow)]
struct Other {
    granted: Option<f64>,
    backlog: i64,
}

impl Keeper {
    pub(crate) fn new(pool: &Pool, process: &Arc<Process>) -> Self {
        Keeper { pool: pool.clone(), process: Arc::clone(process), links: Vec::new() }
    }

    /// Keeps one more link.
    pub(crate) fn keep(&mut self, connector: Arc<Connector>, limits: &ConnectorLimits) {
        self.links.push(Link { connector, permitted: limits.permitted(), stopped_since: None });
    }

    pub(crate) async fn run(mut self, stop: Stop) -> anyhow::Result<()> {
        let mut every = interval(EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.requested() => break,
                _ = every.tick() => {}
            }
            let process = self.process.process();
            for link in &mut self.links {
                if let Err(error) = link.agree(&self.pool, process).await {
                    tracing::warn!(%error, connector = link.connector.name, "connectors cannot be kept");
                }
            }
        }
        let process = self.process.process();
        let leave = sqlx::query("delete from connector_process where process = $1").bind(process);
        self.pool.within(async |connection| leave.execute(connection).await).await?;
        Ok(())
    }
}

impl Link {
    async fn agree(&mut self, pool: &Pool, process: Uuid) -> Result<(), sqlx::Error> {
        let standing = self.connector.standing();
        let newly_stopped = standing.stopped.filter(|_| self.stopped_since.is_none());
        let asked_at = clock::boot_ms();
        let (name, permitted) = (self.connector.name.clone(), self.permitted);
        let agree = async |connection: &mut PgConnection| {
            let mut transaction = connection.begin().await?;
            let stopped = agree_on_stop(&mut transaction, &name, newly_stopped).await?;
            let granted = grant(&mut transaction, &name, process, permitted, &standing).await?;
            transaction.commit().await?;
            Ok::<_, sqlx::Error>((stopped, granted))
        };
        let (stopped, granted) = pool.within(agree).await?;
        // Stopped again while we asked: the next round tells it.
        let now = self.connector.standing().stopped;
        let holds = if now == standing.stopped { stopped } else { now };
        self.stopped_since = stopped.map(|_| asked_at);
        // Somebody else may have it from then on.
        self.connector.agreed(holds, granted, asked_at + LAPSES_AFTER_MS);
        Ok(())
    }
}

/// Writes a stop that is ours, and reads what holds.
async fn agree_on_stop(
    connection: &mut PgConnection,
    name: &str,
    newly: Option<i16>,
) -> Result<Option<i16>, sqlx::Error> {
    sqlx::query("insert into connector (name) values ($1) on conflict do nothing")
        .bind(name)
        .execute(&mut *connection)
        .await?;
    let (stopped,): (Option<i16>,) = sqlx::query_as(
        "update connector
         set stopped_code = coalesce(stopped_code, $2),
             stopped_at = coalesce(stopped_at, case when $2::smallint is not null then clock_timestamp() end)
         where name = $1 returning stopped_code",
    )
    .bind(name)
    .bind(newly)
    .fetch_one(connection)
    .await?;
    Ok(stopped)
}

/// Grants this process its part, under the lock on the link's row.
async fn grant(
    connection: &mut PgConnection,
    name: &str,
    process: Uuid,
    permitted: Option<f64>,
    standing: &Standing,
) -> Result<Option<f64>, sqlx::Error> {
    sqlx::query("delete from connector_process where connector = $1 and lapses_at < clock_timestamp() and process <> $2")
        .bind(name)
        .bind(process)
        .execute(&mut *connection)
        .await?;
    let others: Vec<Other> = sqlx::query_as(
        "select granted, backlog from connector_process where connector = $1 and process <> $2",
    )
    .bind(name)
    .bind(process)
    .fetch_all(&mut *connection)
    .await?;
    let backlog = i64::try_from(standing.backlog).unwrap_or(i64::MAX);
    let granted = permitted.map(|permitted| deal(permitted, backlog, &others));
    sqlx::query(
        "insert into connector_process
             (connector, process, granted, lapses_at, backlog, breaker, slowed_to, look_ups, polls)
         values ($1, $2, $3, clock_timestamp() + $4 * interval '1 millisecond', $5, $6, $7, $8, $9)
         on conflict (connector, process) do update
         set granted = excluded.granted, lapses_at = excluded.lapses_at, backlog = excluded.backlog,
             breaker = excluded.breaker, slowed_to = excluded.slowed_to,
             look_ups = excluded.look_ups, polls = excluded.polls",
    )
    .bind(name)
    .bind(process)
    .bind(granted)
    .bind(LAPSES_AFTER_MS)
    .bind(backlog)
    .bind(word(standing.breaker))
    .bind(standing.slowed_to)
    .bind(word(standing.look_ups))
    .bind(word(standing.polls))
    .execute(connection)
    .await?;
    Ok(granted)
}

const fn word(state: State) -> &'static str {
    match state {
        State::Closed { .. } => "closed",
        State::Open { .. } => "open",
        State::HalfOpen { .. } => "half_open",
    }
}

/// A process's part of a rate: an even share of a part of it, and of the rest by what waits
/// where; never more than the others leave.
fn deal(permitted: f64, backlog: i64, others: &[Other]) -> f64 {
    let all = others.iter().map(|other| other.backlog as f64).sum::<f64>() + backlog as f64;
    let processes = others.len() as f64 + 1.0;
    let by_backlog = if all > 0.0 { backlog as f64 / all } else { 1.0 / processes };
    let fair = permitted * (EVEN / processes + (1.0 - EVEN) * by_backlog);
    let taken: f64 = others.iter().filter_map(|other| other.granted).sum();
    fair.min(permitted - taken).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_process_has_it_all_and_two_come_to_share() {
        assert_eq!(deal(100.0, 0, &[]), 100.0);
        assert_eq!(deal(100.0, 500, &[]), 100.0);
        // The second begins with what the first leaves, and the first gives way.
        let mut granted = [100.0, 0.0];
        for _ in 0..3 {
            for me in [0, 1] {
                let other = Other { granted: Some(granted[1 - me]), backlog: 300 };
                granted[me] = deal(100.0, 100, &[other]);
            }
        }
        // Each counts itself as the one with less: 10 even, and a quarter of 80.
        assert!(granted.iter().all(|granted| (granted - 30.0).abs() < 1e-6), "{granted:?}");
    }

    proptest! {
        /// Whoever asks in whatever order, with whatever waiting: never more than permitted,
        /// and nobody is left with nothing for long.
        #[test]
        fn never_more_than_permitted(
            permitted in 1.0f64..10_000.0,
            asks in prop::collection::vec((0usize..4, 0i64..1_000), 1..60),
        ) {
            let (mut granted, mut backlog) = ([0.0f64; 4], [0i64; 4]);
            for (me, waiting) in asks {
                backlog[me] = waiting;
                let others: Vec<Other> = (0..4)
                    .filter(|other| *other != me)
                    .map(|other| Other { granted: Some(granted[other]), backlog: backlog[other] })
                    .collect();
                granted[me] = deal(permitted, backlog[me], &others);
                prop_assert!(granted.iter().sum::<f64>() <= permitted * 1.000_001);
            }
            for _ in 0..3 {
                for me in 0..4 {
                    let others: Vec<Other> = (0..4)
                        .filter(|other| *other != me)
                        .map(|other| Other { granted: Some(granted[other]), backlog: backlog[other] })
                        .collect();
                    granted[me] = deal(permitted, backlog[me], &others);
                }
            }
            prop_assert!(granted.iter().all(|granted| *granted >= permitted * EVEN / 4.0 * 0.999));
        }
    }
}
