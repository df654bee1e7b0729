//! Reading by hand.

use crate::shared::{Shared, number, numbered};
use domain::lane::Lane;
use platform::kafka::KafkaSettings;
use platform::kafka::tail::Tail;
use platform::kafka::topics::Stage;
use std::time::Duration;

#[test]
fn bounds_the_last_record_and_stretches() {
    let shared = Shared::get();
    let topic = shared.topic(Stage::Billed, Lane::Bulk);
    let tail = Tail::new(&shared.settings).unwrap();
    assert_eq!(tail.bounds(&topic, 3).unwrap(), 0..0);
    assert!(tail.last(&topic, 3).unwrap().is_none());
    shared.fill(&topic, 3, &numbered(700));
    assert_eq!(tail.bounds(&topic, 3).unwrap(), 0..700);
    let last = tail.last(&topic, 3).unwrap().unwrap();
    assert_eq!((last.offset, number(&last.value)), (699, 699));
    assert!(last.at_ms > 1_700_000_000_000, "the broker's time");
    // In any order, again and again, with one client.
    for range in [0..700, 650..651, 0..1, 100..400, 699..700, 5..5, 3..700] {
        let mut read = Vec::new();
        tail.read(&topic, 3, range.clone(), |record| {
            assert_eq!(number(&record.value), record.offset);
            read.push(record.offset);
        })
        .unwrap();
        assert_eq!(read, range.collect::<Vec<_>>());
    }
    shared.fill(&topic, 3, &[b"700:".to_vec()]);
    assert_eq!(tail.last(&topic, 3).unwrap().unwrap().offset, 700);
}

#[test]
fn a_stretch_that_is_not_there_is_an_error() {
    let shared = Shared::get();
    let topic = shared.topic(Stage::Billed, Lane::Bulk);
    shared.fill(&topic, 1, &numbered(10));
    let settings = KafkaSettings { request_timeout_ms: 1_500, ..shared.settings.clone() };
    let tail = Tail::new(&settings).unwrap();
    let mut read = 0;
    let short = tail.read(&topic, 1, 5..20, |_| read += 1);
    assert!(short.is_err(), "{short:?}");
    assert_eq!(read, 5);
    assert!(tail.read(&topic, 1, 15..20, |_| panic!("nothing is there")).is_err());
    assert!(tail.bounds(&topic, 99).is_err());
    // And the client is as good as before.
    let mut read = 0;
    tail.read(&topic, 1, 0..10, |_| read += 1).unwrap();
    assert_eq!(read, 10);
}

#[test]
fn the_time_that_a_reader_takes_is_no_silence_of_the_topic() {
    let shared = Shared::get();
    let topic = shared.topic(Stage::Billed, Lane::Bulk);
    shared.fill(&topic, 2, &numbered(10));
    let settings = KafkaSettings { request_timeout_ms: 1_500, ..shared.settings.clone() };
    let tail = Tail::new(&settings).unwrap();
    let mut read = 0;
    let slow = |_| {
        read += 1;
        if read == 1 {
            std::thread::sleep(Duration::from_millis(1_600)); // on purpose: longer than the timeout
        }
    };
    tail.read(&topic, 2, 0..10, slow).unwrap();
    assert_eq!(read, 10);
}
