//! Where chunk ids come from: the pure minter, the right to the node number, and the
//! reservation on disk that lets a restart in place go on with the same number.

use super::{DataFolder, Standing, clock};
use domain::id::{MintError, Minter, Run};
use domain::time::UnixMillis;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use uuid::Uuid;

/// How far ahead of use ids are reserved on disk by who needs them, in milliseconds.
const RESERVE_AHEAD_MS: i64 = 1_000;
/// The same with each heartbeat, so that who needs them finds them reserved. Of a process that
/// minted nothing for so long, nothing is reserved.
const RESERVE_AHEAD_BY_HEARTBEAT_MS: i64 = 2_000;
/// Minting ends so long before the right to it does: this clock and the database's differ.
const MINT_MARGIN_MS: i64 = 5_000;

/// Why there are no ids now.
#[derive(Debug, thiserror::Error)]
pub enum NoIds {
    /// This process has no node number, or its right to it is over.
    #[error("no right to mint ids now")]
    NoNode,
    /// The pure part refused.
    #[error(transparent)]
    Mint(#[from] MintError),
    /// The reservation could not be stored.
    #[error("ids could not be reserved in the data folder: {0}")]
    Reserve(#[from] io::Error),
}

/// Mints the ids of calls.
pub struct IdSource {
    standing: Arc<Standing>,
    folder: Arc<DataFolder>,
    state: Mutex<Option<Node>>,
}

struct Node {
    number: u8,
    holder: Uuid,
    minter: Minter,
    reserved_until: UnixMillis,
    last_minted: UnixMillis,
}

impl IdSource {
    pub(super) fn new(standing: Arc<Standing>, folder: Arc<DataFolder>) -> Self {
        IdSource { standing, folder, state: Mutex::new(None) }
    }

    /// Reserves the ids of a call of `chunks` chunks.
    pub fn reserve(&self, chunks: u32) -> Result<Run, NoIds> {
        let until = self.standing.mint_until().plus(-MINT_MARGIN_MS);
        let mut state = self.state();
        let node = state.as_mut().ok_or(NoIds::NoNode)?;
        let run = node.minter.reserve(clock::unix_now(), chunks, until)?;
        let last = run.first.nth(chunks.saturating_sub(1)).unwrap_or(run.first).minted_at();
        if last > node.reserved_until {
            let ahead = last.plus(RESERVE_AHEAD_MS);
            self.folder.reserve(node.holder, node.number, ahead)?;
            node.reserved_until = ahead;
        }
        node.last_minted = last;
        Ok(run)
    }

    /// Reserves ahead of who mints: they need not wait for the disk. Blocks on the disk.
    pub(super) fn reserve_ahead(&self) -> io::Result<()> {
        let now = clock::unix_now();
        let (holder, number) = match self.state().as_ref() {
            Some(node) if now < node.last_minted.plus(RESERVE_AHEAD_BY_HEARTBEAT_MS) => {
                (node.holder, node.number)
            }
            _ => return Ok(()),
        };
        let ahead = now.plus(RESERVE_AHEAD_BY_HEARTBEAT_MS);
        self.folder.reserve(holder, number, ahead)?;
        if let Some(node) =
            self.state().as_mut().filter(|node| (node.holder, node.number) == (holder, number))
        {
            node.reserved_until = node.reserved_until.max(ahead);
        }
        Ok(())
    }

    /// Whether ids could be minted now.
    pub fn is_ready(&self) -> bool {
        self.has_node() && clock::unix_now() < self.standing.mint_until().plus(-MINT_MARGIN_MS)
    }

    pub(super) fn has_node(&self) -> bool {
        self.state().is_some()
    }

    /// The process id under which the number is held in the database.
    pub(super) fn node_holder(&self) -> Uuid {
        self.state().as_ref().map_or_else(Uuid::nil, |node| node.holder)
    }

    /// Up to when ids of the number may exist, whoever minted them.
    pub(super) fn minted_until(&self) -> Option<UnixMillis> {
        self.state().as_ref().map(|node| node.last_minted)
    }

    pub(super) fn use_node(&self, number: u8, holder: Uuid, not_before: UnixMillis) {
        let minter = Minter::new(number, not_before).ok();
        *self.state() = minter.map(|minter| Node {
            number,
            holder,
            minter,
            reserved_until: UnixMillis(i64::MIN),
            last_minted: not_before.plus(-1),
        });
    }

    fn state(&self) -> MutexGuard<'_, Option<Node>> {
        // A poisoned lock still holds a whole minter: it changes only by finished calls.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
