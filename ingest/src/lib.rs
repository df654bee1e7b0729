//! Ingest: HTTP ▶ `sms.submitted.<lane>`, and pushed receipts ▶ `sms.receipts`.
//!
//! The journey of a call: the key is checked ([`keys`]), the body is read and everything wrong
//! with it named (`request`), its messages are checked, measured and priced (`prepare`), cut
//! into chunks (`chunking`), covered by the balance (`funds`), given ids, handed to Kafka
//! (`produce`), and confirmed when Kafka has acknowledged every chunk and, where the balance was
//! close, the ledger has judged them (`submit`). The answer then holds the ids (`api`). What became of the messages is read from the tables that
//! billing and dlr-reconciler keep (`reports`).
//!
//! A campaign's file is taken in row by row, by the same checks (`campaigns`).
//!
//! Customers' webhook endpoints are made and shown here (`webhooks`), and told by dlr-reconciler.
//! Operators push receipts by another path (`receipts`): into `sms.receipts`.

pub mod admin;
mod api;
mod app;
mod campaigns;
mod chunking;
mod config;
mod funds;
mod idempotency;
pub mod keys;
mod legacy;
pub mod metrics;
pub mod opt_outs;
mod prepare;
mod produce;
mod rates;
mod receipts;
mod reports;
mod request;
mod room;
mod rules;
mod submit;
mod tariffs;
#[cfg(test)]
mod tests;
mod webhooks;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context;
use domain::lane::Lane;
use platform::http::serve;
use platform::lifecycle::{Lifecycle, Phase, Stop};
use platform::ownership::IdSource;
use platform::role::Common;
use platform::webhook::WebhookSettings;
use tokio::net::{TcpListener, TcpSocket};

pub use config::{
    ByLane, CampaignSettings, FundsSettings, IdempotencySettings, KeySettings, LegacySettings, Limits,
    OptOutSettings, ProduceSettings, PushSettings, RateSettings, ReportSettings, Settings,
};
pub use webhooks::WebhookLimits;

use app::App;

/// Connections that wait to be accepted at most.
const BACKLOG: u32 = 1_024;
/// The tariff is read this many times, in vain, before the process counts as not ready.
const MISSED_READS: u32 = 3;
/// And as long as one read may take.
const READ_TIME: Duration = Duration::from_secs(30);

/// Starts the role: makes its producers, opens the public port, registers its components.
/// Returns the address it listens on, which differs from the setting where that has port 0.
/// Needs to be called inside a tokio runtime.
///
/// # Errors
/// Where the port is taken, or a client cannot be made.
pub fn start(
    common: &Common,
    settings: &Settings,
    webhooks: &WebhookSettings,
    ids: Arc<IdSource>,
    lifecycle: &mut Lifecycle,
) -> anyhow::Result<SocketAddr> {
    metrics::describe();
    let app = Arc::new(App::new(common, settings, webhooks, Arc::clone(&ids))?);
    let listener = listen(settings.listen)?;
    let address = listener.local_addr()?;

    let every = Duration::from_millis(settings.tariff_refresh_ms);
    let check = common.health.check("ingest", every * MISSED_READS + READ_TIME);
    let (tariffs, pool) = (Arc::clone(&app.tariffs), common.pools.common().clone());
    lifecycle.spawn("ingest-tariff", Phase::Close, |stop| {
        tariffs::refresh(tariffs, pool, ids, every, check, stop)
    });

    let uploading = Arc::clone(&app);
    lifecycle.spawn("ingest-uploads", Phase::StopAccepting, |stop| async move {
        stop.requested().await;
        uploading.stopping.store(true, Ordering::Relaxed);
        Ok(())
    });

    let refreshed = Arc::clone(&app.funds);
    lifecycle.spawn("ingest-funds", Phase::Close, |stop| funds::refresh(refreshed, stop));
    let asking = Arc::clone(&app.funds);
    lifecycle.spawn("ingest-verdicts", Phase::Close, |stop| funds::ask_verdicts(asking, stop));
    let (used, pool) = (app.keys.used(), common.pools.common().clone());
    let every = Duration::from_millis(settings.keys.used_every_ms);
    lifecycle.spawn("ingest-last-used", Phase::Flush, move |stop| keys::keep(used, pool, every, stop));

    let (router, limits) = (api::router(Arc::clone(&app)), settings.http.clone());
    lifecycle.spawn("ingest-http", Phase::StopAccepting, |stop| serve(listener, router, limits, stop));

    let (pool, keys) = (common.pools.common().clone(), settings.idempotency.clone());
    lifecycle
        .spawn("ingest-old-keys", Phase::StopAccepting, |stop| idempotency::delete_old(pool, keys, stop));
    let (keys, limit) = (Arc::clone(&app), Duration::from_millis(settings.idempotency.flush_ms));
    lifecycle.spawn("ingest-keys", Phase::Flush, move |stop| write_ends(keys, limit, stop));

    let limit = Duration::from_millis(settings.produce.flush_ms);
    lifecycle.spawn("ingest-producers", Phase::Flush, move |stop| flush(app, limit, stop));
    tracing::info!(%address, "the public API listens");
    Ok(address)
}

fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let open = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // A restart need not wait for the last connections of its predecessor.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    open().with_context(|| format!("cannot listen on {address} (setting ingest.listen)"))
}

/// Waits for the end, then until it is written how requests with a key ended.
async fn write_ends(app: Arc<App>, limit: Duration, stop: Stop) -> anyhow::Result<()> {
    stop.requested().await;
    if tokio::time::timeout(limit, app.idempotency.idle()).await.is_err() {
        // Whoever asks again takes them over from a process that is gone.
        tracing::warn!("how some requests with an Idempotency-Key ended could not be stored");
    }
    Ok(())
}

/// Waits for the end, then until what was produced is acknowledged.
async fn flush(app: Arc<App>, limit: Duration, stop: Stop) -> anyhow::Result<()> {
    stop.requested().await;
    let flushed = tokio::task::spawn_blocking(move || {
        let deadline = std::time::Instant::now() + limit;
        let left = || deadline.saturating_duration_since(std::time::Instant::now());
        Lane::ALL.into_iter().try_for_each(|lane| app.lane(lane).flush(left()))
    });
    flushed.await?.context("messages that were not confirmed may not have been stored")
}
