//! One role, several loops: each is told of every partition, and a partition counts as
//! drained when all of them have drained it.

use super::{Change, Lease, Position};
use crate::lifecycle::Stop;
use tokio::sync::{mpsc, oneshot};

/// Passes an owner's changes on to all `loops` until the owner is gone.
pub async fn fan_out(
    mut changes: mpsc::Receiver<Change>,
    loops: Vec<mpsc::Sender<Change>>,
    stop: Stop,
) -> anyhow::Result<()> {
    loop {
        let change = tokio::select! {
            change = changes.recv() => change,
            () = stop.requested() => break,
        };
        match change {
            Some(Change::Taken { lease, positions }) => taken(&loops, &lease, &positions).await,
            Some(Change::Lost { partition }) => {
                for one in &loops {
                    let _ = one.send(Change::Lost { partition }).await;
                }
            }
            Some(Change::Release { partition, drained }) => {
                // Beside the loop: other partitions' changes do not wait for this one.
                tokio::spawn(release(loops.clone(), partition, drained));
            }
            // The owner has released everything.
            None => stop.requested().await,
        }
    }
    Ok(())
}

async fn taken(loops: &[mpsc::Sender<Change>], lease: &Lease, positions: &[Position]) {
    for one in loops {
        let change = Change::Taken { lease: lease.clone(), positions: positions.to_vec() };
        // A loop that has ended is the end of the process.
        let _ = one.send(change).await;
    }
}

async fn release(loops: Vec<mpsc::Sender<Change>>, partition: i32, drained: oneshot::Sender<()>) {
    let mut waits = Vec::with_capacity(loops.len());
    for one in &loops {
        let (sender, wait) = oneshot::channel();
        if one.send(Change::Release { partition, drained: sender }).await.is_ok() {
            waits.push(wait);
        }
    }
    for wait in waits {
        // A loop that dropped the request holds nothing.
        let _ = wait.await;
    }
    let _ = drained.send(());
}
