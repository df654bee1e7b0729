//! What the handlers of all requests share.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context;
use chrono::FixedOffset;
use domain::lane::Lane;
use platform::heard::Heard;
use platform::http::HttpLimits;
use platform::http::problem::{Code, Problem};
use platform::kafka::KafkaProblem;
use platform::ownership::{IdSource, Standing};
use platform::postgres::Pools;
use platform::role::Common;
use platform::threads::Threads;
use platform::webhook::WebhookSettings;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config::{CampaignSettings, Settings};
use crate::funds::Funds;
use crate::idempotency::Idempotency;
use crate::keys::KeyCache;
use crate::opt_outs::OptOuts;
use crate::produce::LaneProducer;
use crate::rates::Rates;
use crate::receipts::{CALLS_MAX, Doors};
use crate::reports::Reader;
use crate::room::{room, take};
use crate::rules::Rules;
use crate::tariffs::Tariffs;
use crate::webhooks::Webhooks;

/// The role's state. One a process.
pub(crate) struct App {
    pub(crate) rules: Arc<Rules>,
    pub(crate) currency: String,
    pub(crate) http: HttpLimits,
    pub(crate) keys: KeyCache,
    pub(crate) rates: Rates,
    pub(crate) tariffs: Arc<Tariffs>,
    pub(crate) funds: Arc<Funds>,
    /// Requests that came with an `Idempotency-Key`.
    pub(crate) idempotency: Idempotency,
    pub(crate) pools: Pools,
    pub(crate) reader: Reader,
    pub(crate) ids: Arc<IdSource>,
    pub(crate) standing: Arc<Standing>,
    pub(crate) partitions: i32,
    /// Who opted out.
    pub(crate) opt_outs: OptOuts,
    /// Room for imports of them, and octets of one.
    pub(crate) imports: Semaphore,
    pub(crate) import_bytes: u64,
    /// Who may push receipts.
    pub(crate) doors: Doors,
    /// Which operators were heard of.
    pub(crate) heard: Arc<Heard>,
    /// Room for calls with receipts.
    pub(crate) pushes: Semaphore,
    pub(crate) receipts_topic: String,
    pub(crate) campaigns: CampaignSettings,
    /// Room for uploads of campaigns.
    pub(crate) uploads: Arc<Semaphore>,
    /// Uploads, which may go on for hours, end at the next chance.
    pub(crate) stopping: AtomicBool,
    /// The local time of the old gateway.
    pub(crate) old_times: FixedOffset,
    pub(crate) webhooks: Webhooks,
    lanes: [LaneProducer; 3],
    bodies: Arc<Semaphore>,
    workers: Arc<Semaphore>,
    threads: Arc<Threads>,
}

impl App {
    pub(crate) fn new(
        common: &Common,
        settings: &Settings,
        webhooks: &WebhookSettings,
        ids: Arc<IdSource>,
    ) -> anyhow::Result<Self> {
        let lane = |lane| LaneProducer::new(lane, &settings.produce, common);
        let lanes: Vec<LaneProducer> =
            Lane::ALL.into_iter().map(lane).collect::<Result<_, KafkaProblem>>()?;
        let lanes =
            <[LaneProducer; 3]>::try_from(lanes).map_err(|_| anyhow::anyhow!("one producer a lane"))?;
        let tariffs = Arc::new(Tariffs::default());
        Ok(App {
            rules: Arc::new(Rules::new(&settings.countries, settings.limits.clone())?),
            currency: settings.currency.clone(),
            http: settings.http.clone(),
            keys: KeyCache::new(&settings.keys, common.pools.common().clone()),
            rates: Rates::new(&settings.rates, Arc::clone(&common.standing)),
            funds: Arc::new(Funds::new(common, &settings.funds, &settings.currency)),
            idempotency: Idempotency::new(common, settings, Arc::clone(&tariffs)),
            tariffs,
            pools: common.pools.clone(),
            reader: Reader::new(common.pools.reports().clone(), settings.reports.chunks_max),
            ids,
            standing: Arc::clone(&common.standing),
            partitions: common.partitions,
            opt_outs: OptOuts::new(&settings.opt_outs),
            imports: Semaphore::new(settings.opt_outs.imports_at_once),
            import_bytes: settings.opt_outs.import_bytes,
            doors: Doors::new(&settings.receipts),
            heard: Arc::new(Heard::new(common.pools.common().clone())),
            pushes: Semaphore::new(CALLS_MAX),
            receipts_topic: common.topics.receipts(),
            campaigns: settings.campaigns.clone(),
            uploads: Arc::new(Semaphore::new(settings.campaigns.uploads)),
            stopping: AtomicBool::new(false),
            old_times: FixedOffset::east_opt(settings.legacy.utc_offset_minutes * 60)
                .context("ingest.legacy.utc_offset_minutes is no offset of a clock")?,
            webhooks: Webhooks::new(&settings.webhooks, webhooks)?,
            lanes,
            bodies: room(settings.limits.bulk_bodies_bytes),
            workers: Arc::new(Semaphore::new(settings.limits.bulk_workers)),
            threads: Arc::clone(&common.threads),
        })
    }

    /// The producer of a lane.
    pub(crate) fn lane(&self, lane: Lane) -> &LaneProducer {
        &self.lanes[lane.index()]
    }

    /// Room for the body of a bulk call.
    pub(crate) fn room_for_body(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Problem> {
        let full = || Problem::new(Code::Overloaded).detail("too many bulk calls at once; nothing was taken");
        take(&self.bodies, bytes).ok_or_else(full)
    }

    /// Does the work of a bulk call on the threads of bulk, a few calls at once, so that single
    /// messages do not wait behind it.
    pub(crate) async fn aside<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&App) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let stopped = || Problem::new(Code::Unavailable).detail("the gateway is stopping; nothing was taken");
        let worker = Arc::clone(&self.workers).acquire_owned().await.map_err(|_| stopped())?;
        let app = Arc::clone(self);
        let done = self.threads.of(Lane::Bulk).spawn_blocking(move || {
            let done = work(&app);
            drop(worker);
            done
        });
        // A panic is a defect; it has been logged where it happened.
        done.await.unwrap_or_else(|_| Err(Problem::new(Code::InternalError)))
    }

    /// Does what nobody is in a hurry for on the threads of bulk.
    pub(crate) async fn unhurried<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Problem>> + Send + 'static,
    ) -> Result<T, Problem> {
        // A panic is a defect; it has been logged where it happened.
        let done = self.threads.of(Lane::Bulk).spawn(work).await;
        done.unwrap_or_else(|_| Err(Problem::new(Code::InternalError)))
    }
}
