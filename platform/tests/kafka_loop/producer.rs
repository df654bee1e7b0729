//! Producing.

use crate::shared::{Shared, number, numbered};
use domain::lane::Lane;
use platform::kafka::KafkaSettings;
use platform::kafka::producer::{Acks, Producer, RECORD_BYTES_MAX, SendError};
use platform::kafka::tail::Tail;
use platform::kafka::topics::Stage;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[test]
fn one_completion_for_many_records_in_order_within_each_partition() {
    let shared = Shared::get();
    let topic = shared.topic(Stage::Attempts, Lane::Express);
    let producer = Producer::new(&shared.settings, 2).unwrap();
    let records = numbered(1_000);
    let (acks, done) = Acks::new(4_000);
    for record in &records {
        for partition in 0..4 {
            producer.send(&topic, partition, record, acks.delivered()).unwrap();
        }
    }
    done.blocking_recv().unwrap().unwrap();
    assert!(!producer.has_failed());
    let tail = Tail::new(&shared.settings).unwrap();
    for partition in 0..4 {
        assert_eq!(tail.bounds(&topic, partition).unwrap(), 0..1_000);
        tail.read(&topic, partition, 0..1_000, |record| assert_eq!(number(&record.value), record.offset))
            .unwrap();
    }
}

#[test]
fn each_record_is_told_its_offset_once() {
    let shared = Shared::get();
    let topic = shared.topic(Stage::Attempts, Lane::Standard);
    let producer = Producer::new(&shared.settings, 5).unwrap();
    let offsets = Arc::new(Mutex::new(Vec::new()));
    for _ in 0..500 {
        let offsets = Arc::clone(&offsets);
        let told = Box::new(move |result: Result<i64, _>| offsets.lock().unwrap().push(result.unwrap()));
        producer.send(&topic, 1, b"x", told).unwrap();
    }
    producer.flush(Duration::from_secs(30)).unwrap();
    assert_eq!(*offsets.lock().unwrap(), (0..500).collect::<Vec<_>>());
}

#[test]
fn the_longest_record_and_one_byte_more() {
    let shared = Shared::get();
    let topic = shared.topic(Stage::Attempts, Lane::Bulk);
    let producer = Producer::new(&shared.settings, 0).unwrap();
    // What cannot be compressed.
    let mut state = 1_u64;
    let noise = std::iter::from_fn(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Some(state.to_be_bytes()[0])
    });
    let longest: Vec<u8> = noise.take(RECORD_BYTES_MAX + 1).collect();
    let (acks, done) = Acks::new(1);
    let refused = producer.send(&topic, 0, &longest, acks.delivered());
    assert!(
        matches!(refused, Err(SendError::TooLong(bytes)) if bytes == RECORD_BYTES_MAX + 1),
        "{refused:?}"
    );
    producer.send(&topic, 0, &longest[1..], acks.delivered()).unwrap();
    done.blocking_recv().unwrap().unwrap();
    let tail = Tail::new(&shared.settings).unwrap();
    assert_eq!(tail.last(&topic, 0).unwrap().unwrap().value, longest[1..]);
    assert!(!producer.has_failed());
}

/// Without a broker: the producer takes what it may hold, says that it is full, and when it
/// is discarded each record is told that it failed.
#[test]
fn a_full_producer_says_so_and_a_discarded_one_tells_every_record() {
    // A port that is taken here and answers nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let settings = KafkaSettings {
        bootstrap: silent.local_addr().unwrap().to_string(),
        producer_queue_bytes: 1 << 20,
        ..testkit::kafka::settings()
    };
    let producer = Producer::new(&settings, 0).unwrap();
    let failed = Arc::new(AtomicUsize::new(0));
    let mut taken = 0;
    let full = loop {
        let failed = Arc::clone(&failed);
        let told = Box::new(move |result: Result<i64, _>| {
            assert!(result.is_err());
            failed.fetch_add(1, Ordering::SeqCst);
        });
        match producer.send("anything", 0, &[7; 50_000], told) {
            Ok(()) => taken += 1,
            Err(error) => break error,
        }
        assert!(taken < 100, "a mebibyte has room for twenty");
    };
    assert!(matches!(full, SendError::QueueFull), "{full:?}");
    assert!(!producer.has_failed(), "full is not broken");
    producer.purge();
    producer.flush(Duration::from_secs(30)).unwrap();
    assert_eq!(failed.load(Ordering::SeqCst), taken);
    assert!(producer.has_failed());
}

#[test]
fn a_completion_says_the_first_error_after_the_last_record() {
    use rdkafka::error::{KafkaError, RDKafkaErrorCode};
    let error = |code| Err(KafkaError::MessageProduction(code));
    let (acks, mut done) = Acks::new(3);
    acks.delivered()(Ok(1));
    acks.delivered()(error(RDKafkaErrorCode::MessageTimedOut));
    assert!(done.try_recv().is_err(), "one is missing");
    acks.delivered()(error(RDKafkaErrorCode::QueueFull));
    assert_eq!(done.try_recv().unwrap(), error(RDKafkaErrorCode::MessageTimedOut).map(|_: i64| ()));
    // Nobody waits any more: no matter.
    let (acks, done) = Acks::new(1);
    drop(done);
    acks.delivered()(Ok(0));
}
