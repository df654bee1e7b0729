//! Keeping a process alive: renewing its row, and its right to mint ids.

use super::registry::{self, Registration};
use super::{DataFolder, IdSource, OwnershipSettings, Standing, clock};
use crate::lifecycle::Stop;
use crate::postgres::Pool;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// The renewing side of a [`Standing`].
pub struct Heartbeat {
    pool: Pool,
    settings: OwnershipSettings,
    registration: Registration,
    folder: Arc<DataFolder>,
    standing: Arc<Standing>,
    ids: Arc<IdSource>,
}

/// Registers this process. It is alive, and may mint where it registered to, when this
/// returns; give the heartbeat a component to stay so.
pub async fn heartbeat(
    pool: Pool,
    settings: &OwnershipSettings,
    registration: Registration,
    folder: Arc<DataFolder>,
) -> Result<(Heartbeat, Arc<Standing>, Arc<IdSource>), sqlx::Error> {
    let standing = Arc::new(Standing::new(Uuid::now_v7()));
    let ids = Arc::new(IdSource::new(Arc::clone(&standing), Arc::clone(&folder)));
    let heartbeat = Heartbeat {
        pool,
        settings: settings.clone(),
        registration,
        folder,
        standing: Arc::clone(&standing),
        ids: Arc::clone(&ids),
    };
    heartbeat.register().await?;
    Ok((heartbeat, standing, ids))
}

impl Heartbeat {
    /// Renews until asked to stop; then leaves, so that others need not wait.
    pub async fn run(self, stop: Stop) -> anyhow::Result<()> {
        let mut renew = tokio::time::interval(Duration::from_millis(self.settings.renew_ms));
        renew.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut mint_renewed_at = clock::boot_ms();
        loop {
            tokio::select! {
                () = stop.requested() => break,
                _ = renew.tick() => {}
            }
            self.reserve_ahead().await?;
            if let Err(error) = self.renew().await {
                tracing::warn!(%error, "the heartbeat could not be renewed");
                continue;
            }
            let due = clock::boot_ms() - mint_renewed_at >= millis(self.settings.mint_renew_ms);
            if self.registration.mints && (due || !self.ids.has_node()) {
                match self.renew_mint().await {
                    Ok(()) => mint_renewed_at = clock::boot_ms(),
                    Err(error) => tracing::warn!(%error, "the right to mint ids could not be renewed"),
                }
            }
        }
        let (process, node_holder) = (self.standing.process(), self.ids.node_holder());
        let until = self.ids.minted_until();
        let leave = async |connection: &mut _| registry::leave(connection, process, node_holder, until).await;
        Ok(self.pool.within(leave).await?)
    }

    async fn reserve_ahead(&self) -> anyhow::Result<()> {
        let ids = Arc::clone(&self.ids);
        if let Err(error) = tokio::task::spawn_blocking(move || ids.reserve_ahead()).await? {
            // Whoever mints will meet the same, and say so.
            tracing::warn!(%error, "ids could not be reserved in the data folder");
        }
        Ok(())
    }

    async fn register(&self) -> Result<(), sqlx::Error> {
        self.make_row().await?;
        self.renew().await?;
        if self.registration.mints {
            self.take_node().await?;
        }
        Ok(())
    }

    async fn make_row(&self) -> Result<(), sqlx::Error> {
        let (process, alive_ms) = (self.standing.process(), millis(self.settings.alive_ms));
        let register = async |connection: &mut _| {
            registry::register(connection, process, &self.folder, &self.registration, alive_ms).await
        };
        self.pool.within(register).await
    }

    async fn renew(&self) -> Result<(), sqlx::Error> {
        // The deadline counts from before the request was sent: the database counts later.
        let sent = clock::boot_ms();
        let (process, alive_ms) = (self.standing.process(), millis(self.settings.alive_ms));
        let renew = async |connection: &mut _| registry::renew(connection, process, alive_ms).await;
        let Some(renewal) = self.pool.within(renew).await? else {
            return self.come_back().await;
        };
        let deadline = sent + alive_ms - millis(self.settings.margin_ms);
        let skew = clock::unix_now().0 - renewal.database_ms;
        let lowest = u8::try_from(renewal.lowest_version).unwrap_or(1);
        self.standing.renewed(deadline, lowest, skew);
        self.standing.ingest_processes_are(u32::try_from(renewal.ingest_processes).unwrap_or(u32::MAX));
        Ok(())
    }

    /// Counted out: everything held is gone. The process begins anew under another id.
    async fn come_back(&self) -> Result<(), sqlx::Error> {
        tracing::warn!("this process was counted out; it gives up its partitions and registers anew");
        metrics::counter!("smshub_process_counted_out_total").increment(1);
        self.standing.counted_out(Uuid::now_v7());
        self.make_row().await?;
        Box::pin(self.renew()).await?;
        if self.registration.mints {
            self.renew_mint_after_return().await?;
        }
        Ok(())
    }

    /// The number is still ours while its time runs: ids do not end with partitions.
    async fn renew_mint_after_return(&self) -> Result<(), sqlx::Error> {
        if clock::unix_now() < self.standing.mint_until() && self.ids.has_node() {
            return Ok(());
        }
        self.take_node().await
    }

    async fn renew_mint(&self) -> Result<(), sqlx::Error> {
        if !self.ids.has_node() {
            return self.take_node().await;
        }
        let node = self.standing.node();
        let (process, mint_ms) = (self.ids.node_holder(), millis(self.settings.mint_ms));
        let renew = async |connection: &mut _| registry::renew_node(connection, process, node, mint_ms).await;
        match self.pool.within(renew).await? {
            Some(until) => self.standing.may_mint(node, until),
            None => self.take_node().await?,
        }
        Ok(())
    }

    async fn take_node(&self) -> Result<(), sqlx::Error> {
        let process = self.standing.process();
        let mint_ms = millis(self.settings.mint_ms);
        let take =
            async |connection: &mut _| registry::take_node(connection, process, &self.folder, mint_ms).await;
        match self.pool.within(take).await? {
            Some(node) => {
                // At once, not with the first id: a restart that never mints goes on with the
                // number too, instead of using up another.
                if let Err(error) = self.folder.reserve(process, node.number, node.not_before.plus(-1)) {
                    tracing::warn!(%error, "the node number could not be noted in the data folder");
                }
                self.ids.use_node(node.number, process, node.not_before);
                self.standing.may_mint(node.number, node.until);
            }
            None => tracing::error!("no node number is free: 64 processes minted in the last minutes"),
        }
        Ok(())
    }
}

fn millis(setting: u64) -> i64 {
    i64::try_from(setting).unwrap_or(i64::MAX)
}
