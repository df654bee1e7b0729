//! How much an account may send: segments a minute, in lane standard and in lane express each.
//!
//! A bucket holds one minute of sending, as time, and fills by itself. A segment takes its part
//! of that minute: with 2,000 a minute 30 ms; with the account's calls spread over three ingest
//! processes 90 ms in each. So a changed limit, or a process more or less, changes what the next
//! segment takes, and neither empties nor fills a bucket.

mod allowance;
mod bucket;

use std::sync::Arc;
use std::time::Duration;

use domain::lane::Lane;
use moka::future::Cache;
use moka::policy::EvictionPolicy;
use platform::ownership::Standing;

pub(crate) use allowance::{Allowance, Exceeded};

use crate::config::RateSettings;
use crate::keys::Identity;
use crate::prepare::Ground;
use bucket::{Bucket, MINUTE, cost};

/// A bucket that was left alone so long is full again: forgetting it loses nothing.
const FULL_AFTER: Duration = Duration::from_secs(61);

/// The buckets of the accounts that sent lately. One a process.
pub(crate) struct Rates {
    defaults: RateSettings,
    standing: Arc<Standing>,
    buckets: Cache<(i64, Lane), Arc<Bucket>>,
}

impl Rates {
    pub(crate) fn new(settings: &RateSettings, standing: Arc<Standing>) -> Self {
        // Of too many, those that were used longest ago are forgotten: no new account goes unlimited.
        let buckets = Cache::builder()
            .max_capacity(settings.buckets)
            .eviction_policy(EvictionPolicy::lru())
            .time_to_idle(FULL_AFTER)
            .build();
        Rates { defaults: settings.clone(), standing, buckets }
    }

    /// Takes the segments of one message out of what the account may send in this lane. A message
    /// of more segments than the limit can be sent all the same: it needs a full bucket, and
    /// empties it. Nothing is taken for a call that was made before.
    ///
    /// # Errors
    /// [`Exceeded`], where less is left now. Then nothing is taken.
    pub(crate) async fn admit_one(
        &self,
        ground: &Ground,
        lane: Lane,
        segments: u64,
    ) -> Result<Option<Allowance>, Exceeded> {
        self.admit(ground, lane, segments, MINUTE.get().into()).await
    }

    /// Takes the segments of a call of many messages, or nothing.
    ///
    /// # Errors
    /// [`Exceeded`], where less is left now, and where they are more than a whole minute has.
    pub(crate) async fn admit_many(
        &self,
        ground: &Ground,
        lane: Lane,
        segments: u64,
    ) -> Result<Option<Allowance>, Exceeded> {
        self.admit(ground, lane, segments, u64::MAX).await
    }

    async fn admit(
        &self,
        ground: &Ground,
        lane: Lane,
        segments: u64,
        cost_max: u64,
    ) -> Result<Option<Allowance>, Exceeded> {
        if !ground.is_new {
            return Ok(None);
        }
        let caller = &ground.caller;
        let limit = self.limit(caller, lane);
        let bucket = self.buckets.get_with((caller.account, lane), async { Arc::new(Bucket::new()) }).await;
        let cost = cost(segments, limit, self.standing.ingest_processes()).min(cost_max);
        match bucket.take(cost) {
            Ok(left) => Ok(Some(Allowance::new(limit, left))),
            Err(empty) => Err(Exceeded::new(lane, Allowance::new(limit, empty.left), segments, empty.wait)),
        }
    }

    /// The account's own limit, or the one of the settings. Bulk is limited by what operators
    /// take, not here; what asks for it all the same is held to the limit of standard.
    fn limit(&self, caller: &Identity, lane: Lane) -> u32 {
        match lane {
            Lane::Express => {
                caller.express_rate_limit_per_minute.unwrap_or(self.defaults.express_segments_per_minute)
            }
            Lane::Standard | Lane::Bulk => {
                caller.rate_limit_per_minute.unwrap_or(self.defaults.standard_segments_per_minute)
            }
        }
    }
}
