//! What is read when: offsets, bounds, errors.

use crate::reader::{Reader, limits, wide};
use crate::shared::{Shared, number, numbered};
use domain::lane::Lane;
use platform::kafka::consumer::Consumer;
use platform::kafka::topics::Stage;
use std::sync::Arc;
use std::time::Duration;

pub(crate) async fn filled(shared: &Arc<Shared>, topic: &str, partition: i32, count: usize) {
    let (shared, topic) = (Arc::clone(shared), topic.to_owned());
    let fill = move || shared.fill(&topic, partition, &numbered(count));
    tokio::task::spawn_blocking(fill).await.unwrap();
}

#[tokio::test]
async fn reading_begins_at_the_given_offset_and_under_a_new_serial() {
    let shared = tokio::task::spawn_blocking(Shared::get).await.unwrap();
    let topics = [Lane::Standard, Lane::Bulk].map(|lane| shared.topic(Stage::Submitted, lane));
    filled(&shared, &topics[0], 0, 50).await;
    filled(&shared, &topics[1], 0, 20).await;
    let mut reader = Reader::start(&shared.settings, &wide(), topics.to_vec());
    let (first, _flow) = reader.records.assign(0, 0, 37);
    let records = reader.take(13).await;
    let offsets: Vec<i64> = records.iter().map(|record| record.offset).collect();
    assert_eq!(offsets, (37..50).collect::<Vec<_>>());
    assert!(records.iter().all(|record| (record.serial, record.topic, record.partition) == (first, 0, 0)));
    assert!(records.iter().all(|record| number(&record.value) == record.offset && record.at_ms > 0));
    // The same partition of another topic, and this one from the start, without a word before.
    let (second, _flow) = reader.records.assign(1, 0, 5);
    let (third, _flow) = reader.records.assign(0, 0, 0);
    assert!(first < second && second < third);
    let records = reader.take(65).await;
    for (topic, serial, from, count) in [(1, second, 5, 15), (0, third, 0, 50)] {
        let of: Vec<_> = records.iter().filter(|record| record.topic == topic).collect();
        assert!(of.iter().all(|record| record.serial == serial));
        assert_eq!(
            of.iter().map(|record| record.offset).collect::<Vec<_>>(),
            (from..from + count).collect::<Vec<_>>()
        );
    }
    // At the end nothing comes until something is written.
    let (fourth, _flow) = reader.records.assign(0, 0, 50);
    assert!(reader.within(Duration::from_millis(300)).await.is_empty());
    filled(&shared, &topics[0], 0, 1).await;
    let last = reader.take(1).await;
    assert_eq!((last[0].offset, last[0].serial), (50, fourth));
    // Unassigned: what is written is not read.
    reader.records.unassign(0, 0);
    filled(&shared, &topics[0], 0, 1).await;
    let late = reader.within(Duration::from_millis(300)).await;
    assert!(late.is_empty(), "{late:?}");
    assert!(reader.stop().is_ok());
}

/// One record that takes long stops its own partition at the bound, and no other; when it is
/// done, reading goes on. The other bound is that of everything in hand.
#[tokio::test]
async fn reading_stops_at_both_bounds_and_goes_on() {
    const COUNT: usize = 3_000;
    let shared = tokio::task::spawn_blocking(Shared::get).await.unwrap();
    let topic = shared.topic(Stage::Billed, Lane::Express);
    filled(&shared, &topic, 0, COUNT).await;
    filled(&shared, &topic, 1, COUNT).await;
    let mut reader = Reader::start(&shared.settings, &limits(100_000, 1 << 30, 200), vec![topic.clone()]);
    let (_, stuck) = reader.records.assign(0, 0, 0);
    let (_, free) = reader.records.assign(0, 1, 0);
    let mut read = [0, 0];
    while read[1] < COUNT || read[0] < 200 {
        for record in reader.next().await {
            read[usize::try_from(record.partition).unwrap()] += 1;
        }
        free.done_below(i64::try_from(read[1]).unwrap());
    }
    assert!(reader.within(Duration::from_millis(200)).await.iter().all(|record| record.partition == 1));
    assert!(read[0] < 200 + 512, "{} read ahead of a record that takes long", read[0]);
    stuck.done_below(i64::try_from(read[0]).unwrap());
    assert_eq!(reader.take(1).await[0].partition, 0, "it goes on");
    assert!(reader.stop().is_ok());

    let mut reader = Reader::start(&shared.settings, &limits(50, 1 << 30, 100_000), vec![topic]);
    let (_serial, _flow) = reader.records.assign(0, 0, 0);
    let mut in_hand = reader.take(50).await;
    assert_eq!(in_hand.len(), 50);
    assert!(reader.within(Duration::from_millis(200)).await.is_empty());
    // Room is made when half has come back.
    in_hand.truncate(26);
    assert!(reader.within(Duration::from_millis(200)).await.is_empty());
    in_hand.truncate(25);
    let more = reader.take(25).await;
    assert_eq!(more[0].offset, 50, "nothing was lost while it was paused");
    assert_eq!(more.len(), 25);
    drop((in_hand, more));
    assert!(reader.stop().is_ok());
}

/// The client library remembers a pause across assignments.
#[tokio::test]
async fn a_partition_paused_when_it_was_given_up_is_read_when_it_comes_back() {
    let shared = tokio::task::spawn_blocking(Shared::get).await.unwrap();
    let topic = shared.topic(Stage::Billed, Lane::Standard);
    filled(&shared, &topic, 0, 1_500).await;
    let mut reader = Reader::start(&shared.settings, &limits(100_000, 1 << 30, 10), vec![topic]);
    for round in 0..4 {
        let (serial, _flow) = reader.records.assign(0, 0, 0);
        let read = reader.take(10).await;
        assert_eq!((read[0].offset, read[0].serial), (0, serial), "round {round}");
        // Nothing is done with: it is paused at the bound, wherever that left it.
        reader.within(Duration::from_millis(200)).await;
        if round % 2 == 0 {
            reader.records.unassign(0, 0);
        }
    }
    assert!(reader.stop().is_ok());
}

#[tokio::test]
async fn the_loop_ends_with_its_worker() {
    let shared = tokio::task::spawn_blocking(Shared::get).await.unwrap();
    let (consumer, records) =
        Consumer::new(&shared.settings, &wide(), vec![shared.topics.receipts()]).unwrap();
    let running = tokio::task::spawn_blocking(move || consumer.run(|| false));
    drop(records);
    let ended = tokio::time::timeout(Duration::from_secs(30), running).await.expect("it ends unasked");
    assert!(ended.unwrap().is_ok());
}
