//! Receipts that contradict each other: the first final decision stands.

use super::world::{World, operator};
use domain::status::Status;
use std::collections::HashMap;

fn opposite(due: &HashMap<i64, Status>) -> HashMap<i64, Status> {
    let opposite = |status: Status| match status {
        Status::Delivered => Status::Undelivered,
        _ => Status::Delivered,
    };
    due.iter().map(|(id, status)| (*id, opposite(*status))).collect()
}

/// The operator says the opposite of the truth, by poll or by push; the truth comes later.
async fn the_first_decision_stands(pushed: bool) {
    let schedule = if pushed { "3600" } else { "1" };
    let mut world = World::new(operator(), &[("DLR_RECONCILER__POLL_SCHEDULE_S", schedule)]).await;
    let process = world.gateway.start("all", "all").await;
    let api = process.api;
    if pushed {
        world.pushes_to(&process);
    }
    world.faults(r#"[{"fault":"receipt_wrong","delay_ms":3600000}]"#);
    let ids = world.send(api, 20, 3).await;
    world.until("all were taken", &ids, |state| state.closed_attempt().is_some()).await;
    let truth = world.by_fate(&ids);
    world.ended("the opposite", api, opposite(&truth)).await;
    assert!(world.states(&ids).await.values().all(|state| !state.late_receipt()));

    // Now the truth, and once more what was said first.
    for (status, code) in [(Status::Delivered, 1), (Status::Undelivered, 2)] {
        let of: Vec<i64> = ids.iter().copied().filter(|id| truth[id] == status).collect();
        assert!(!of.is_empty());
        world.push(api, &of, code).await;
        world.push(api, &of, 3 - code).await;
    }
    world.until_late(&ids).await;
    world.stands("the truth", api).await;
    world.end(vec![process]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_decision_of_a_poll_stands() {
    the_first_decision_stands(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_decision_of_a_push_stands() {
    the_first_decision_stands(true).await;
}
