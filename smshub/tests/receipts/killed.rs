//! The reconciler dies while finished chunks go to history.

use super::traffic::{Traffic, pass};
use super::world::{World, operator, until};
use domain::status::Status;
use testkit::gateway::Process;

/// Chunks that stand twice among those that readers ask for, or are in the one view and not in
/// the other.
const SHOWN_TWICE: &str = "select (select count(*) - count(distinct chunk_id) from all_chunk_content)
    + (select count(*) - count(distinct chunk_id) from all_chunk_state)
    + (select count(*) from (select chunk_id, attempt, first_position from all_chunk_operator_ids
                             group by 1, 2, 3 having count(*) > 1) d)";
const COPIED_AND_OPEN: &str = "select count(*) from chunk_state o where exists (select from history_chunk h where h.chunk_id = o.chunk_id)";
const OPEN: &str = "select (select count(*) from chunk_state) + (select count(*) from chunk_content)
    + (select count(*) from chunk_operator_ids) + (select count(*) from chunk_finished)";

/// Kills it between a copy and the deletion of what was copied, and starts another.
async fn kill_amid_a_move(world: &World, victim: Process) -> Process {
    until("something is copied and not deleted yet", async || world.count(COPIED_AND_OPEN).await > 0).await;
    victim.kill();
    assert_eq!(world.count(SHOWN_TWICE).await, 0);
    world.gateway.start("victim", "dlr-reconciler").await
}

/// The operator pushes, and later says the opposite: that comes just when chunks are on their
/// way to history, or are there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_twice_amid_moves_to_history() {
    let settings = [
        ("DLR_RECONCILER__HISTORY__AFTER_S", "0"),
        ("DLR_RECONCILER__HISTORY__EVERY_MS", "20"),
        ("DLR_RECONCILER__HISTORY__CHUNKS", "20"),
    ];
    let mut world = World::new(operator(), &settings).await;
    let others = world.gateway.start("others", "ingest,billing-consumer,sender").await;
    let mut victim = world.gateway.start("victim", "dlr-reconciler").await;
    let api = others.api;
    world.pushes_to(&others);
    world.faults(r#"[{"fault":"receipt_wrong","delay_ms":400}]"#);
    let traffic = Traffic::start(&world, api);
    for k in 0..2 {
        pass(1_000, k, 1_500).await;
        victim = kill_amid_a_move(&world, victim).await;
    }
    pass(300, 2, 500).await;
    let ids = traffic.stop(&mut world).await;

    // Whichever receipt came first decided; the other is recorded, wherever the chunk was.
    world.until_late(&ids).await;
    let states = world.states(&ids).await;
    let due = states.iter().map(|(id, state)| (*id, state.status())).collect();
    assert!(states.values().all(|state| matches!(state.status(), Status::Delivered | Status::Undelivered)));
    world.ended("killed", api, due).await;
    until("all are in history", async || world.count(OPEN).await == 0).await;
    assert_eq!(world.count(SHOWN_TWICE).await, 0);
    let recorded = world.count("select sum(octet_length(states) / 16)::bigint from all_chunk_state").await;
    assert_eq!(recorded, ids.len() as i64, "each message is there once");
    world.stands("in history", api).await;
    world.end(vec![victim, others]).await;
}

/// What comes when everything has long been in history.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receipt_for_what_is_in_history_is_recorded_there() {
    let settings = [("DLR_RECONCILER__HISTORY__AFTER_S", "0"), ("DLR_RECONCILER__HISTORY__EVERY_MS", "20")];
    let mut world = World::new(operator(), &settings).await;
    let process = world.gateway.start("all", "all").await;
    let api = process.api;
    let ids = world.send(api, 20, 2).await;
    world.until("all were taken", &ids, |state| state.closed_attempt().is_some()).await;
    let due = world.by_fate(&ids);
    world.ended("told", api, due.clone()).await;
    until("all are in history", async || world.count(OPEN).await == 0).await;

    for (status, code) in [(Status::Delivered, 16), (Status::Undelivered, 1)] {
        let of: Vec<i64> = ids.iter().copied().filter(|id| due[id] == status).collect();
        world.push(api, &of, code).await;
    }
    world.until_late(&ids).await;
    assert_eq!(world.count(OPEN).await, 0, "and nothing of it is open again");
    world.stands("late", api).await;
    let trace = world.gateway.must(&["trace", &ids[0].to_string()]);
    assert!(trace.contains("history_chunk") && trace.contains("late_receipt=true"), "{trace}");
    world.end(vec![process]).await;
}
