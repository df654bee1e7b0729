//! A partition that cannot be read on goes to the worker by name; the others go on.

use crate::assignments::filled;
use crate::reader::{Reader, wide};
use crate::shared::{Shared, admin};
use platform::kafka::consumer::Batch;
use platform::kafka::unreadable::{Unreadable, Why};
use rdkafka::admin::AdminOptions;
use rdkafka::{Offset, TopicPartitionList};
use std::time::Duration;

/// Waits until `count` partitions are named; counts the records that come meanwhile, by
/// partition.
async fn named(reader: &mut Reader, count: usize) -> (Vec<Unreadable>, [usize; 4]) {
    let (mut named, mut records) = (Vec::new(), [0; 4]);
    while named.len() < count {
        let Batch { records: read, unreadable } = reader.next_batch().await;
        for record in read {
            records[usize::try_from(record.partition).unwrap()] += 1;
        }
        named.extend(unreadable);
    }
    named.sort_by_key(|one| one.partition);
    (named, records)
}

#[tokio::test]
async fn offsets_out_of_range_are_named_and_the_others_go_on() {
    let shared = tokio::task::spawn_blocking(Shared::get).await.unwrap();
    let topic = shared.another("gone").await;
    for partition in 0..4 {
        filled(&shared, &topic, partition, 30).await;
    }
    let mut gone = TopicPartitionList::new();
    gone.add_partition_offset(&topic, 2, Offset::Offset(10)).unwrap();
    admin(&shared.settings).delete_records(&gone, &AdminOptions::new()).await.unwrap();

    let mut reader = Reader::start(&shared.settings, &wide(), vec![topic.clone()]);
    let (good, _) = reader.records.assign(0, 0, 0);
    let (beyond, _) = reader.records.assign(0, 1, 31);
    let (before, _) = reader.records.assign(0, 2, 9);
    // At the end, where nothing comes: not to be confused with those that cannot be read.
    let (waiting, _) = reader.records.assign(0, 3, 30);
    let (found, mut records) = named(&mut reader, 2).await;
    let one = |partition, serial, next, kept| Unreadable {
        topic: 0,
        partition,
        serial,
        name: topic.clone(),
        next,
        why: Why::OutOfRange(Some(kept)),
    };
    assert_eq!(found, [one(1, beyond, 31, 0..30), one(2, before, 9, 10..30)]);
    assert!(found[0].to_string().contains("offset 31 is next, and the topic ends at 30"), "{}", found[0]);
    assert!(found[1].to_string().contains("offset 9 is next, and the topic begins at 10"), "{}", found[1]);

    // The others go on, and those two can be had again from where they are.
    filled(&shared, &topic, 0, 1).await;
    filled(&shared, &topic, 3, 1).await;
    let (again, _) = reader.records.assign(0, 2, 10);
    let mut serials = Vec::new();
    while records != [31, 0, 20, 1] {
        for record in reader.next().await {
            records[usize::try_from(record.partition).unwrap()] += 1;
            serials.push(record.serial);
        }
    }
    assert!(serials.iter().all(|serial| [good, waiting, again].contains(serial)), "{serials:?}");
    assert!(reader.stop().is_ok());
}

/// The log is cut and grows again before anybody can look: its bounds do not show whose
/// error it was.
#[tokio::test]
async fn it_is_named_though_the_log_has_grown_over_its_offset() {
    let shared = tokio::task::spawn_blocking(Shared::get).await.unwrap();
    let topic = shared.another("grown").await;
    filled(&shared, &topic, 0, 10).await;
    filled(&shared, &topic, 1, 10).await;
    let mut reader = Reader::start(&shared.settings, &wide(), vec![topic.clone()]);
    let _ = reader.records.assign(0, 0, 10);
    let (serial, _) = reader.records.assign(0, 1, 11);
    // The broker refuses in milliseconds; the statistics come after seconds.
    assert!(reader.within(Duration::from_millis(500)).await.is_empty());
    filled(&shared, &topic, 1, 10).await;
    let (found, records) = named(&mut reader, 1).await;
    assert_eq!((found[0].partition, found[0].serial, found[0].next), (1, serial, 11));
    assert_eq!(found[0].why, Why::OutOfRange(Some(0..20)));
    assert!(found[0].to_string().contains("its log was cut"), "{}", found[0]);
    assert_eq!(records, [0; 4], "nothing was skipped");
    assert!(reader.stop().is_ok());
}

#[tokio::test]
async fn a_deleted_topic_is_named_and_the_other_goes_on() {
    let shared = tokio::task::spawn_blocking(Shared::get).await.unwrap();
    let names = [shared.another("deleted").await, shared.another("kept").await];
    for name in &names {
        filled(&shared, name, 0, 5).await;
    }
    let mut reader = Reader::start(&shared.settings, &wide(), names.to_vec());
    let (serial, _) = reader.records.assign(0, 0, 0);
    let (_other, _) = reader.records.assign(1, 0, 0);
    assert_eq!(reader.take(10).await.len(), 10);
    admin(&shared.settings).delete_topics(&[&names[0]], &AdminOptions::new()).await.unwrap();
    let (found, _) = named(&mut reader, 1).await;
    assert_eq!((found[0].topic, found[0].partition, found[0].serial), (0, 0, serial));
    assert_eq!((found[0].next, &found[0].why), (5, &Why::Missing));
    assert!(found[0].to_string().contains("Kafka does not know the partition"), "{}", found[0]);
    filled(&shared, &names[1], 0, 1).await;
    let last = reader.take(1).await;
    assert_eq!((last[0].topic, last[0].offset), (1, 5));
    assert!(reader.stop().is_ok());
}
