//! How far the roles of this process are behind: ends of topics less stored positions.

use crate::kafka::probe::Probe;
use crate::kafka::topics::Topics;
use crate::lifecycle::Stop;
use crate::metrics::{LAG, LAG_MAX};
use crate::ownership::{Role, Standing};
use crate::postgres::Pool;
use sqlx::PgConnection;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// Brings the gauges of lag up to date.
pub struct Lag {
    pool: Pool,
    probe: Arc<Probe>,
    standing: Arc<Standing>,
    /// Zero for each role and topic that this process reads.
    none: BTreeMap<(String, String), Behind>,
}

/// Records of one topic that a role has not done with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Behind {
    /// In all partitions that this process holds.
    pub sum: i64,
    /// In the partition that has most.
    pub max: i64,
}

/// A position of a partition that this process holds.
#[derive(Debug, sqlx::FromRow)]
struct Held {
    role: String,
    topic: String,
    partition: i32,
    next_offset: i64,
}

impl Lag {
    /// Of `roles`, as far as the process of `standing` holds their partitions.
    pub fn new(
        pool: Pool,
        probe: Arc<Probe>,
        standing: Arc<Standing>,
        roles: &[Role],
        topics: &Topics,
    ) -> Self {
        let reads =
            |role: &Role| role.reads(topics).into_iter().map(|topic| (role.to_string(), topic)).collect();
        let reads = roles.iter().flat_map(|role| -> Vec<_> { reads(role) });
        Lag { pool, probe, standing, none: reads.map(|key| (key, Behind::default())).collect() }
    }

    /// Looks every `every` until asked to stop. While Postgres or Kafka is away the gauges
    /// keep what they had.
    ///
    /// # Errors
    /// None; the type is that of every component.
    pub async fn run(self, every: Duration, stop: Stop) -> anyhow::Result<()> {
        let mut every = interval(every);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.requested() => return Ok(()),
                _ = every.tick() => {}
            }
            let looked = tokio::select! {
                () = stop.requested() => return Ok(()),
                looked = self.look() => looked,
            };
            match looked {
                Ok(behind) => export(&behind),
                // The checks of Postgres and Kafka say it to people.
                Err(error) => tracing::debug!(error = format!("{error:#}"), "lag could not be measured"),
            }
        }
    }

    /// By role and topic, zero where nothing is held.
    ///
    /// # Errors
    /// When Postgres or Kafka does not answer.
    pub async fn look(&self) -> anyhow::Result<BTreeMap<(String, String), Behind>> {
        let process = self.standing.process();
        let held = async |connection: &mut PgConnection| {
            sqlx::query_as(
                "select p.role, p.topic, p.partition, p.next_offset
                 from position p join ownership o on o.role = p.role and o.partition = p.partition
                 where o.process = $1",
            )
            .bind(process)
            .fetch_all(connection)
            .await
        };
        let held: Vec<Held> = self.pool.within::<_, sqlx::Error, _>(held).await?;
        // Behind the positions: an end that is older than a position would be before it.
        let probe = Arc::clone(&self.probe);
        let work = move || {
            let mut asked: Vec<_> = held.iter().map(|held| (held.topic.as_str(), held.partition)).collect();
            asked.sort_unstable();
            asked.dedup();
            let ends = if asked.is_empty() { HashMap::new() } else { probe.ends(&asked)? };
            anyhow::Ok((held, ends))
        };
        let (held, ends) = tokio::task::spawn_blocking(work).await??;
        Ok(behind(self.none.clone(), &held, &ends))
    }
}

fn behind(
    mut behind: BTreeMap<(String, String), Behind>,
    held: &[Held],
    ends: &HashMap<(String, i32), i64>,
) -> BTreeMap<(String, String), Behind> {
    for held in held {
        let Some(end) = ends.get(&(held.topic.clone(), held.partition)) else { continue };
        // A log that lost its tail ends before the position: that is another's alarm.
        let lag = (end - held.next_offset).max(0);
        let of = behind.entry((held.role.clone(), held.topic.clone())).or_default();
        of.sum += lag;
        of.max = of.max.max(lag);
    }
    behind
}

fn export(behind: &BTreeMap<(String, String), Behind>) {
    for ((role, topic), behind) in behind {
        let gauge = |name| metrics::gauge!(name, "role" => role.clone(), "topic" => topic.clone());
        gauge(LAG).set(behind.sum as f64);
        gauge(LAG_MAX).set(behind.max as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(role: &str, topic: &str) -> (String, String) {
        (role.to_owned(), topic.to_owned())
    }

    proptest! {
        /// Whatever is held: the sum is that of the partitions, the maximum is one of them.
        #[test]
        fn sums_and_maxima(partitions in prop::collection::vec((0i64..1_000, 0i64..1_000), 0..20)) {
            let held = partitions.iter().zip(0..).map(|((next, _), partition)| {
                Held { role: "sender".into(), topic: "t".into(), partition, next_offset: *next }
            });
            let ends = partitions.iter().zip(0..).map(|((_, end), partition)| (("t".to_owned(), partition), *end));
            let none = BTreeMap::from([(key("sender", "t"), Behind::default()), (key("other", "t"), Behind::default())]);
            let behind = behind(none, &held.collect::<Vec<_>>(), &ends.collect());
            let lags = partitions.iter().map(|(next, end)| (end - next).max(0));
            let expected = Behind { sum: lags.clone().sum(), max: lags.max().unwrap_or(0) };
            prop_assert_eq!(behind[&key("sender", "t")], expected);
            prop_assert_eq!(behind[&key("other", "t")], Behind::default());
        }
    }

    #[test]
    fn what_could_not_be_asked_for_is_left_out_and_series_are_sums_not_partitions() {
        let held = |partition| Held { role: "r".into(), topic: "t".into(), partition, next_offset: 3 };
        let ends = HashMap::from([(("t".to_owned(), 0), 10)]);
        let found = behind(BTreeMap::new(), &[held(0), held(1)], &ends);
        assert_eq!(found, BTreeMap::from([(key("r", "t"), Behind { sum: 7, max: 7 })]));
        let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        metrics::with_local_recorder(&recorder, || export(&found));
        let rendered = handle.render();
        for line in [
            "smshub_lag_records{role=\"r\",topic=\"t\"} 7",
            "smshub_lag_max_records{role=\"r\",topic=\"t\"} 7",
        ] {
            assert!(rendered.contains(line), "{rendered}");
        }
    }
}
