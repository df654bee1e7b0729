//! What a process knows of its own standing: alive until when, minting until when, and
//! which record version everybody reads.

use super::clock;
use domain::time::UnixMillis;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU32, AtomicU64, Ordering};
use uuid::Uuid;
use wire::Version;

/// A process's standing, written by the heartbeat, read by everybody else.
#[derive(Debug)]
pub struct Standing {
    process: Mutex<Uuid>,
    /// Rises when the process was counted out: leases of an earlier term hold no more, even
    /// though the process is alive again.
    term: AtomicU64,
    /// On the clock that goes on during suspension.
    deadline_boot_ms: AtomicI64,
    node: AtomicU8,
    mint_until_ms: AtomicI64,
    write_version: AtomicU8,
    clock_skew_ms: AtomicI64,
    ingest_processes: AtomicU32,
}

impl Standing {
    pub(super) fn new(process: Uuid) -> Self {
        Standing {
            process: Mutex::new(process),
            term: AtomicU64::new(0),
            deadline_boot_ms: AtomicI64::new(i64::MIN),
            node: AtomicU8::new(u8::MAX),
            mint_until_ms: AtomicI64::new(i64::MIN),
            write_version: AtomicU8::new(Version::NEWEST.get()),
            clock_skew_ms: AtomicI64::new(0),
            ingest_processes: AtomicU32::new(1),
        }
    }

    /// The id under which the process is registered now.
    pub fn process(&self) -> Uuid {
        // A poisoned lock still holds a whole id.
        *self.process.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Whether the process is alive by its own, earlier deadline.
    pub fn is_alive(&self) -> bool {
        clock::boot_ms() < self.deadline_boot_ms.load(Ordering::Acquire)
    }

    /// The deadline in force, on [`clock::boot_ms`].
    pub(super) fn deadline_boot_ms(&self) -> i64 {
        self.deadline_boot_ms.load(Ordering::Acquire)
    }

    pub(super) fn term(&self) -> u64 {
        self.term.load(Ordering::Acquire)
    }

    /// How far this machine's clock is ahead of the database's, in milliseconds.
    pub fn clock_skew_ms(&self) -> i64 {
        self.clock_skew_ms.load(Ordering::Acquire)
    }

    /// The time by the database's clock, as far as this process knows it: what is compared with it
    /// was stamped elsewhere.
    pub fn database_now(&self) -> UnixMillis {
        clock::unix_now().plus(-self.clock_skew_ms())
    }

    /// The record version that every living process reads: the one to write.
    pub fn write_version(&self) -> Version {
        Version::new(self.write_version.load(Ordering::Acquire)).unwrap_or(Version::NEWEST)
    }

    /// Living processes that run ingest, as of the last renewal; at least one.
    pub fn ingest_processes(&self) -> u32 {
        self.ingest_processes.load(Ordering::Acquire)
    }

    pub(super) fn node(&self) -> u8 {
        self.node.load(Ordering::Acquire)
    }

    pub(super) fn mint_until(&self) -> UnixMillis {
        UnixMillis(self.mint_until_ms.load(Ordering::Acquire))
    }

    pub(super) fn renewed(&self, deadline_boot_ms: i64, lowest_version: u8, clock_skew_ms: i64) {
        self.write_version.store(lowest_version, Ordering::Release);
        self.clock_skew_ms.store(clock_skew_ms, Ordering::Release);
        self.deadline_boot_ms.store(deadline_boot_ms, Ordering::Release);
    }

    pub(super) fn ingest_processes_are(&self, living: u32) {
        self.ingest_processes.store(living.max(1), Ordering::Release);
    }

    pub(super) fn may_mint(&self, node: u8, until: UnixMillis) {
        self.node.store(node, Ordering::Release);
        self.mint_until_ms.store(until.0, Ordering::Release);
    }

    /// The process was counted out: every lease ends before a new deadline can be set.
    pub(super) fn counted_out(&self, new_process: Uuid) {
        self.term.fetch_add(1, Ordering::AcqRel);
        self.deadline_boot_ms.store(i64::MIN, Ordering::Release);
        *self.process.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = new_process;
    }
}
