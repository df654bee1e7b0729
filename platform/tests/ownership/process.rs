//! One "process": its own thread and runtime, so that it can be frozen and killed whole.

use crate::world::{ROLE, Record, Taken, World};
use platform::lifecycle::Stop;
use platform::ownership::clock::boot_ms;
use platform::ownership::{
    Beat, Change, DataFolder, IdSource, Lease, Owner, Registration, Standing, heartbeat,
};
use platform::postgres::{Pools, PostgresSettings, pulse};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::{Builder, Handle};
use tokio::sync::{mpsc, oneshot};

/// How a role behaves in a test.
#[derive(Default)]
pub(crate) struct Manners {
    /// The loop stands still: no sign of life.
    pub(crate) stands_still: AtomicBool,
    /// Never says that a partition is drained.
    pub(crate) never_drains: AtomicBool,
}

pub(crate) struct Process {
    pub(crate) number: usize,
    pub(crate) standing: Arc<Standing>,
    pub(crate) ids: Arc<IdSource>,
    pub(crate) manners: Arc<Manners>,
    held: Arc<Mutex<BTreeMap<i32, Lease>>>,
    runtime: Handle,
    end: oneshot::Sender<Ending>,
    thread: JoinHandle<()>,
}

enum Ending {
    Stop,
    Kill,
}

/// A process that is frozen until this is dropped.
pub(crate) struct Frozen(#[allow(dead_code)] std::sync::mpsc::Sender<()>);

impl Process {
    /// Starts a process over the world's folder of this number, alive for `alive_ms`.
    pub(crate) fn start(world: &World, number: usize, alive_ms: u64) -> Process {
        Process::start_on(world, number, alive_ms, world.schema.settings())
    }

    /// The same, with another way to the database.
    pub(crate) fn start_on(
        world: &World,
        number: usize,
        alive_ms: u64,
        postgres: &PostgresSettings,
    ) -> Process {
        let settings = world.settings(number, alive_ms);
        let (postgres, partitions) = (postgres.clone(), world.partitions);
        let (manners, held) = (Arc::new(Manners::default()), Arc::default());
        let (manners_inside, held_inside) = (Arc::clone(&manners), Arc::clone(&held));
        let record = Arc::clone(&world.record);
        let (end, ending) = oneshot::channel();
        let (started, wait) = std::sync::mpsc::channel();
        let life = async move {
            let pools = Pools::open(&postgres).unwrap();
            let folder = Arc::new(DataFolder::open(&settings.data_folder).unwrap());
            let registration = Registration { roles: vec![ROLE], mints: true };
            let (pool, pulse) =
                (pools.common().clone(), pulse(&postgres, settings.answer_timeout()).unwrap());
            let (heart, standing, ids) = heartbeat(pulse, &settings, registration, folder).await.unwrap();
            let beat = Beat::new();
            let (owner, changes) =
                Owner::new(pool, &settings, Arc::clone(&standing), ROLE, partitions, vec![beat.clone()]);
            tokio::spawn(tick(beat, Arc::clone(&manners_inside)));
            tokio::spawn(keep(number, changes, held_inside, manners_inside, record));
            let (stop_heart, stop) = Stop::manual();
            let heart = tokio::spawn(heart.run(stop));
            let (stop_owner, stop) = Stop::manual();
            let owner = tokio::spawn(owner.run(stop));
            started.send((standing, ids, Handle::current())).unwrap();
            if let Ok(Ending::Stop) = ending.await {
                stop_owner.cancel();
                owner.await.unwrap().unwrap();
                stop_heart.cancel();
                heart.await.unwrap().unwrap();
                pools.close().await;
            }
        };
        let thread = std::thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(life);
        });
        let (standing, ids, runtime) = wait.recv().expect("the process has started");
        Process { number, standing, ids, manners, held, runtime, end, thread }
    }

    /// What it was told that it holds.
    pub(crate) fn held(&self) -> BTreeMap<i32, Lease> {
        self.held.lock().unwrap().clone()
    }

    pub(crate) fn holds(&self, count: usize) -> bool {
        let held = self.held();
        held.len() == count && held.values().all(Lease::holds)
    }

    /// As SIGSTOP does: nothing of it runs until the answer is dropped.
    pub(crate) fn freeze(&self) -> Frozen {
        let (frozen, thaw) = std::sync::mpsc::channel::<()>();
        let (inside, wait) = std::sync::mpsc::channel();
        self.runtime.spawn(async move {
            inside.send(()).unwrap();
            // Blocks the only thread there is, on purpose.
            let _ = thaw.recv();
        });
        wait.recv().unwrap();
        Frozen(frozen)
    }

    /// A clean stop: drains, releases, leaves.
    pub(crate) async fn stop(self) {
        self.end(Ending::Stop).await;
    }

    /// As SIGKILL does: nothing is said to anybody; the lock of the folder ends.
    pub(crate) async fn kill(self) {
        self.end(Ending::Kill).await;
    }

    async fn end(self, ending: Ending) {
        let Process { end, thread, ids, .. } = self;
        drop(ids);
        assert!(end.send(ending).is_ok(), "the process runs");
        tokio::task::spawn_blocking(|| thread.join()).await.unwrap().expect("it did not panic");
    }
}

async fn tick(beat: Beat, manners: Arc<Manners>) {
    let mut every = tokio::time::interval(Duration::from_millis(20));
    loop {
        every.tick().await;
        if !manners.stands_still.load(Ordering::Acquire) {
            beat.tick();
        }
    }
}

/// The role: takes note of what it holds.
async fn keep(
    number: usize,
    mut changes: mpsc::Receiver<Change>,
    held: Arc<Mutex<BTreeMap<i32, Lease>>>,
    manners: Arc<Manners>,
    record: Arc<Mutex<Record>>,
) {
    let mut never = Vec::new();
    while let Some(change) = changes.recv().await {
        match change {
            Change::Taken { lease, positions } => {
                take_note(&record, Taken { by: number, lease: lease.clone(), positions, at_ms: boot_ms() });
                assert!(held.lock().unwrap().insert(lease.partition, lease).is_none(), "taken twice");
            }
            Change::Release { partition, drained } => {
                if manners.never_drains.load(Ordering::Acquire) {
                    never.push(drained);
                } else {
                    held.lock().unwrap().remove(&partition);
                    drained.send(()).unwrap();
                }
            }
            Change::Lost { partition } => {
                held.lock().unwrap().remove(&partition);
            }
        }
    }
}

fn take_note(record: &Mutex<Record>, new: Taken) {
    let mut record = record.lock().unwrap();
    let before = record.taken.iter().filter(|taken| taken.lease.partition == new.lease.partition);
    let overlaps: Vec<String> = before
        .filter(|taken| taken.lease.holds())
        .map(|taken| format!("process {} began to hold {:?} while {taken:?} was good", new.by, new.lease))
        .collect();
    record.overlaps.extend(overlaps);
    record.taken.push(new);
}
