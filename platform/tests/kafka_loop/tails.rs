//! Clients shared by those who take partitions.

use crate::assignments::filled;
use crate::shared::{Shared, number};
use platform::kafka::tail::Tail;
use platform::kafka::tails::Tails;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[tokio::test]
async fn many_takers_share_two_clients_and_each_gets_its_own_answer() {
    let shared = tokio::task::spawn_blocking(Shared::get).await.unwrap();
    let topic = shared.another("shared").await;
    for partition in 0..4 {
        filled(&shared, &topic, partition, 10 + usize::try_from(partition).unwrap()).await;
    }
    let tails = Tails::new(&shared.settings);
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut takers = tokio::task::JoinSet::new();
    for taker in 0..64 {
        let (tails, topic, now, most) = (tails.clone(), topic.clone(), Arc::clone(&now), Arc::clone(&most));
        takers.spawn(async move {
            let partition = taker % 4;
            let read = move |tail: &Tail| {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                let last = tail.last(&topic, partition)?;
                now.fetch_sub(1, Ordering::SeqCst);
                Ok(last)
            };
            let last = tails.read(read).await.unwrap();
            assert_eq!(last.map(|last| number(&last.value)), Some(i64::from(9 + partition)));
        });
    }
    while let Some(taken) = takers.join_next().await {
        taken.unwrap();
    }
    assert_eq!(most.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_failed_reading_is_its_takers_alone() {
    let shared = tokio::task::spawn_blocking(Shared::get).await.unwrap();
    let topic = shared.another("failing").await;
    filled(&shared, &topic, 0, 1).await;
    let tails = Tails::new(&shared.settings);
    let mut failed = BTreeSet::new();
    for round in 0..6 {
        let topic = topic.clone();
        let read = tails.read(move |tail| {
            anyhow::ensure!(round % 2 == 0, "round {round}");
            Ok(tail.bounds(&topic, 0)?.end)
        });
        if let Err(error) = read.await {
            failed.insert(error.to_string());
        }
    }
    assert_eq!(failed, ["round 1", "round 3", "round 5"].map(String::from).into());
    let dead = tails.read(|_| -> anyhow::Result<()> { panic!("of the reading") }).await;
    assert!(dead.is_err());
    assert!(tails.read(move |tail| Ok(tail.bounds(&topic, 0)?)).await.is_ok());
}
