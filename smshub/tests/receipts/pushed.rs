//! Receipts that the operator pushes.

use super::world::{World, operator, until};
use domain::status::{MessageState, Status};
use serde_json::{Value, json};
use simulator::Settings;
use simulator::fate::Fate;

/// What an operator may do with its receipts; every message ends as it decided.
const CASES: [(&str, &str); 5] = [
    ("as agreed", "[]"),
    ("before it answers", r#"[{"fault":"receipt_early","delay_ms":700}]"#),
    ("twice", r#"[{"fault":"receipt_twice","delay_ms":300}]"#),
    (
        "late, and of nobody",
        r#"[{"fault":"receipt_late","delay_ms":900,"to":40},{"fault":"receipt_unknown"}]"#,
    ),
    ("with its clock an hour off", r#"[{"fault":"clock_off"}]"#),
];

/// Nothing is polled: all that is known is what was pushed, in whatever order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_pushed_is_enough() {
    let operator = Settings { delivery_max_ms: 500, ..operator() };
    let mut world = World::new(operator, &[("DLR_RECONCILER__POLL_SCHEDULE_S", "3600")]).await;
    let process = world.gateway.start("all", "all").await;
    let api = process.api;
    world.pushes_to(&process);
    for (case, rules) in CASES {
        eprintln!("{case}");
        world.faults(rules);
        let ids = world.send(api, 20, 2).await;
        // On its way, before and after all else is known: it says nothing.
        world.push(api, &ids, 8).await;
        world.until("all were taken", &ids, |state| state.closed_attempt().is_some()).await;
        let due = world.by_fate(&ids);
        world.ended(case, api, due).await;
        world.push(api, &ids, 0).await;
        world.faults("[]");
    }
    let all: Vec<i64> = world.sent.keys().copied().collect();
    // All that it still had to say is said, and is of no effect.
    until("only receipts of nobody wait", async || {
        let known =
            world.count("select count(*) from pending_receipt where chunk_id < 1::bigint << 62").await;
        known == 0 && world.pending().await > 0
    })
    .await;
    world.stands("said twice", api).await;
    assert!(world.states(&all).await.values().all(|state| !state.late_receipt()));
    assert_eq!(world.gateway.operator.stats().statuses_calls, 0, "nobody asked");
    world.end(vec![process]).await;
}

/// By both ways: first pushes do not get through, then they come after polls have decided, then
/// both come at once from an operator that contradicts itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn polled_and_pushed_at_once() {
    let operator = Settings { delivery_max_ms: 1_500, ..operator() };
    let mut world = World::new(operator, &[("DLR_RECONCILER__POLL_SCHEDULE_S", "1")]).await;
    let process = world.gateway.start("all", "all").await;
    let api = process.api;
    world.pushes_to(&process);
    let settings = world.gateway.operator.settings();
    let push_secret = "not-the-secret-of-magfa".to_owned();
    world.gateway.operator.set(Settings { push_secret, ..settings }).unwrap();
    let polled = world.send(api, 30, 3).await;
    world.until("all were taken", &polled, |state| state.closed_attempt().is_some()).await;
    let due = world.by_fate(&polled);
    world.ended("polled alone", api, due).await;
    let stats = world.gateway.operator.stats();
    assert!(stats.pushed == 0 && stats.push_retries > 0, "no push got through");

    world.pushes_to(&process);
    until("all are pushed", async || {
        world.gateway.operator.stats().pushed == polled.len() as u64 && world.pending().await == 0
    })
    .await;
    world.faults(r#"[{"fault":"receipt_wrong","delay_ms":900}]"#);
    let asked = world.gateway.operator.stats().statuses_calls;
    let ids = world.send(api, 30, 3).await;
    // Whichever came first decided, the other is recorded.
    world.until_late(&ids).await;
    let states = world.states(&ids).await;
    assert!(states.values().all(|state| matches!(state.status(), Status::Delivered | Status::Undelivered)));
    let due = states.iter().map(|(id, state)| (*id, state.status())).collect();
    world.ended("contradicting", api, due).await;
    assert!(world.gateway.operator.stats().statuses_calls > asked, "it was asked, too");
    // By now what was pushed of the first ones is long taken in: it agreed.
    assert!(!world.states(&polled).await.values().any(MessageState::late_receipt));
    world.end(vec![process]).await;
}

/// The operator may know a message's end before anybody here has written down that it exists.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_may_come_before_everything_else() {
    // Of a campaign some messages are sent long before others.
    let settings =
        [("DLR_RECONCILER__POLL_SCHEDULE_S", "3600"), ("SENDER__CONNECTORS__MAGFA__CALL_MESSAGES", "4")];
    let mut world = World::new(operator(), &settings).await;
    let ingest = world.gateway.start("ingest", "ingest").await;
    let reconciler = world.gateway.start("reconciler", "dlr-reconciler").await;
    let api = ingest.api;
    let ids = world.send(api, 10, 2).await;
    world.push(api, &ids, 1).await;
    // A row for each chunk: campaigns are one each.
    let chunks = 3 * (1 + 2 * 2);
    until("all wait", async || world.pending().await == chunks).await;
    assert!(world.states(&ids).await.is_empty(), "nothing is made of them");

    // What the operator refuses is refused, whatever it said before. (What it is too busy for it
    // certainly has not: until it takes it, nothing is believed.)
    world.faults(
        r#"[{"fault":"throttle","probability":0.4,"to":60},
            {"fault":"refuse","code":27,"probability":0.4}]"#,
    );
    let rest = world.gateway.start("rest", "billing-consumer,sender").await;
    world.until_final(&ids).await;
    let is_refused = |id: &i64| matches!(world.fate(*id), Fate::Refused(27));
    let (refused, taken): (Vec<i64>, Vec<i64>) = ids.iter().partition(|id| is_refused(id));
    assert!(!refused.is_empty() && !taken.is_empty());
    let due = taken.iter().map(|id| (*id, Status::Delivered));
    let due = due.chain(refused.iter().map(|id| (*id, Status::Blocked))).collect();
    world.ended("known at last", api, due).await;
    world.until_none_waits().await;
    world.until_late(&refused).await;
    assert!(!world.states(&taken).await.values().any(MessageState::late_receipt));
    world.end(vec![ingest, reconciler, rest]).await;
}

/// Nothing names a message to us but the operator's own id, and what was said before its call was
/// answered is kept.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_only_the_operators_ids_name() {
    let settings = [
        ("DLR_RECONCILER__POLL_SCHEDULE_S", "3600"),
        ("DLR_RECONCILER__OPERATOR_IDS", "magfa"),
        ("INGEST__RECEIPTS__MAGFA__BY_OPERATOR_ID", "true"),
    ];
    let mut world = World::new(operator(), &settings).await;
    let process = world.gateway.start("all", "all").await;
    let api = process.api;
    // The answers to the calls are late: the operator has the messages, and nobody knows its ids.
    world.faults(r#"[{"fault":"timeout_after"}]"#);
    let ids = world.send(api, 30, 2).await;
    let taken = |world: &World| ids.iter().all(|id| !world.gateway.operator.submissions(*id).is_empty());
    until("the operator has them all", async || taken(&world)).await;
    let due = world.by_fate(&ids);
    let said = ids.iter().map(|id| {
        let mid = world.gateway.operator.submissions(*id)[0].0;
        let code = if due[id] == Status::Delivered { 1 } else { 2 };
        // As a number and as a text.
        if id % 2 == 0 {
            json!({"mid": mid, "status": code})
        } else {
            json!({"mid": format!("0{mid}"), "status": code})
        }
    });
    let said: Vec<Value> = said.chain([json!({"mid": "nobody", "status": 1})]).collect();
    for _ in 0..2 {
        world.push_said(api, &said).await;
    }
    assert!(world.states(&ids).await.values().all(|state| !state.status().is_final()));
    world.faults("[]");
    world.ended("named by the operator", api, due).await;
    assert!(!world.states(&ids).await.values().any(MessageState::late_receipt));
    assert_eq!(world.count("select count(*) from named_receipt").await, 2, "those of nobody");
    world.end(vec![process]).await;
}
