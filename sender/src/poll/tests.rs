//! The poller against Postgres, Kafka and the simulated operator.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod rig;

use super::*;
use domain::outcome::Receipt;
use rig::Rig;
use std::collections::BTreeSet;
use tokio::net::TcpListener;
use tokio::time::timeout;

/// How many messages have an answer in the topic, each in its chunk's own partition and once.
async fn answered(rig: &Rig) -> usize {
    let mut answered = BTreeSet::new();
    for (partition, records) in rig.receipts().await.unwrap() {
        for slice in records.into_iter().flat_map(|record| record.slices) {
            assert_eq!(slice.chunk.get() >> 8 & 3, i64::from(partition));
            for message in slice.messages {
                assert_eq!(message.receipt, Receipt::Delivered);
                assert!(answered.insert((slice.chunk, message.position)), "asked twice");
            }
        }
    }
    answered.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_are_filled_across_partitions_and_answers_go_to_their_own() {
    let rig = Rig::new().await;
    rig.make_topics().await;
    let line = rig.line(None).await;
    // 100 chunks of 3 messages and one of 250, in four partitions (by the last two bits).
    for number in 4..104 {
        rig.due(&line, i32::try_from(number & 3).unwrap(), number, 3).await;
    }
    rig.due(&line, 2, 106, 250).await;

    let held = Held::default();
    (0..4).for_each(|partition| held.insert(partition));
    let mut poller = Poller::on(rig.pool().clone(), &rig.settings(), Lane::Bulk, Arc::clone(&line), held);
    // Nobody takes the answers in: each look passes all that was asked.
    poller.places = Places::new(Limits { asked_max: 200, again_after_ms: 60_000, from_start_ms: 0 });
    let (stop, stopped) = Stop::manual();
    let running = tokio::spawn(poller.run(stopped));
    rig.until("all are answered", async || answered(&rig).await == 550).await;
    assert_eq!(rig.operator.stats().statuses_calls, 6, "550 messages, none twice, as few calls as can be");

    // What becomes due later, while those of before are still on their way.
    rig.due(&line, 1, 109, 5).await;
    rig.until("the last is answered", async || answered(&rig).await == 555).await;
    assert_eq!(rig.operator.stats().statuses_calls, 7);
    stop.cancel();
    running.await.unwrap().unwrap();
    rig.drop().await;
}

/// An operator that does not answer is left alone but for probes, and asked again soon: not only
/// when answers that never came should have been taken in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_asked_in_vain_is_asked_again() {
    let rig = Rig::new().await;
    rig.make_topics().await;
    let line = rig.line(None).await;
    for number in 4..24 {
        rig.due(&line, i32::try_from(number & 3).unwrap(), number, 100).await;
    }
    rig.operator.set_faults_json(br#"[{"fault":"error_500_before","on":"statuses"}]"#).unwrap();
    let held = Held::default();
    (0..4).for_each(|partition| held.insert(partition));
    let settings = Settings { questions_at_once: 1, ..rig.settings() };
    let mut poller = Poller::on(rig.pool().clone(), &settings, Lane::Bulk, Arc::clone(&line), held);
    poller.places = Places::new(Limits { asked_max: 200, again_after_ms: 600_000, from_start_ms: 100 });
    let (stop, stopped) = Stop::manual();
    let running = tokio::spawn(poller.run(stopped));
    rig.until("the operator is left alone", async || !line.route.connector.would_admit_poll()).await;
    let calls = rig.operator.stats().statuses_calls;
    assert!(calls <= 6, "{calls} calls of twenty: five failures, and a probe");
    rig.operator.set_faults_json(b"[]").unwrap();
    rig.until("all are answered", async || answered(&rig).await == 2_000).await;
    stop.cancel();
    running.await.unwrap().unwrap();
    rig.drop().await;
}

/// After a change of the routes chunks of two operators are due in turn.
#[test]
fn a_call_is_of_one_operator_and_as_full_as_can_be() {
    let asked = |position: u8, connector: &str| Asked {
        by: Some((position.to_string(), connector.into())),
        position,
        ..Rig::asked(1, 1).remove(0)
    };
    let mut queue: VecDeque<Asked> =
        (0..250).map(|n| asked(n, if n % 2 == 0 { "one" } else { "other" })).collect();
    let mut calls = Vec::new();
    while !queue.is_empty() {
        let call = next_call(&mut queue);
        assert!(call.iter().all(|asked| asked.connector() == call[0].connector()));
        assert!(call.is_sorted_by_key(|asked| asked.position));
        calls.push(call.len());
    }
    assert_eq!(calls, [100, 100, 25, 25]);
}

/// Kafka takes nothing: calls go on until so many answers wait for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_does_not_wait_for_kafka_but_so_many_answers_at_most_do() {
    let rig = Rig::new().await;
    let deaf = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = deaf.local_addr().unwrap().to_string();
    let mut under_way = UnderWay::new(rig.line(Some(&address)).await, 2);
    let calls = || rig.operator.stats().statuses_calls;
    let begin = |under_way: &mut UnderWay| {
        while under_way.has_room() {
            under_way.ask(Rig::asked(1, 2));
        }
    };
    let all_calls = async {
        for _ in 0..under_way::ANSWERS_MAX {
            begin(&mut under_way);
            // Of what can end here there are only calls.
            under_way.next().await;
        }
    };
    assert!(timeout(rig::DEADLINE, all_calls).await.is_ok(), "a call waited for Kafka");
    assert!(!under_way.has_room());
    assert_eq!(calls(), u64::try_from(under_way::ANSWERS_MAX).unwrap());
    drop(under_way);
    rig.drop().await;
}
