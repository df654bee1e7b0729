//! What nobody answers.

use super::world::{World, metric, operator};
use chrono::{DateTime, TimeDelta};
use domain::status::{MessageState, Status};
use simulator::fate::Fate;
use std::collections::HashMap;

/// Seconds in which the operator is waited for after a message had to be sent.
const WINDOW_S: i64 = 2;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_answers_is_refunded_and_what_comes_later_moves_no_money() {
    let window = WINDOW_S.to_string();
    let settings = [
        ("DLR_RECONCILER__POLL_WINDOW_S", window.as_str()),
        ("DLR_RECONCILER__SWEEP__EVERY_MS", "100"),
        ("DLR_RECONCILER__HISTORY__AFTER_S", "0"),
        ("DLR_RECONCILER__HISTORY__EVERY_MS", "100"),
    ];
    let mut world = World::new(operator(), &settings).await;
    // The shortest there is: it must be over within the test.
    world.set_ttl(30);
    let process = world.gateway.start("all", "all").await;
    let api = process.api;
    world.faults(r#"[{"fault":"receipt_never","probability":0.3}]"#);
    let ids = world.send(api, 20, 3).await;
    world.until("all were taken", &ids, |state| state.closed_attempt().is_some()).await;

    // What the operator tells of ends by that; of the rest nothing is known until its time is over.
    let never = |id: &i64| matches!(world.fate(*id), Fate::Accepted { delay_ms: u32::MAX, .. });
    let (silent, told): (Vec<i64>, Vec<i64>) = ids.iter().partition(|id| never(id));
    assert!(silent.len() > 5 && told.len() > 20);
    world.until_final(&told).await;
    let states = world.states(&silent).await;
    assert!(silent.iter().all(|id| states[id].status() == Status::Sent), "nothing is ended early");

    let mut due = world.by_fate(&told);
    due.extend(silent.iter().map(|id| (*id, Status::Undelivered)));
    world.ended("swept", api, due).await;
    for id in &silent {
        let message = world.message(api, *id).await;
        assert_eq!(message["reason"], "unconfirmed", "{message}");
        let time = |name: &str| DateTime::parse_from_rfc3339(message[name].as_str().unwrap()).unwrap();
        assert!(time("final_at") > time("send_by") + TimeDelta::seconds(WINDOW_S), "{message}");
    }
    let swept = async |cause: &str| {
        metric(&process, "smshub_dlr_reconciler_swept_messages_total", &[&format!("cause=\"{cause}\"")]).await
    };
    assert_eq!((swept("unanswered").await, swept("hard_cap").await), (silent.len() as f64, 0.0));

    // The receipts come after all: recorded and shown, and no money moves.
    let states = world.states(&ids).await;
    assert!(states.values().all(|state| !state.late_receipt()));
    world.push(api, &silent, 1).await;
    world.until_late(&silent).await;
    world.stands("late", api).await;
    let late =
        |states: HashMap<i64, MessageState>| states.values().filter(|state| state.late_receipt()).count();
    assert_eq!(late(world.states(&ids).await), silent.len());
    let trace = world.gateway.must(&["trace", &silent[0].to_string()]);
    assert!(trace.contains("status=undelivered") && trace.contains("late_receipt=true"), "{trace}");
    world.end(vec![process]).await;
}
