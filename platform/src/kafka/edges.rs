//! Where partitions begin and end, asked for many at once.

use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::{Offset, TopicPartitionList};
use std::collections::HashMap;
use std::time::Duration;

/// An offset of each partition (topic and number).
pub(super) type Offsets = HashMap<(String, i32), i64>;

/// The first offset kept (`Offset::Beginning`) or the one behind the last (`Offset::End`) of
/// partitions: one request for each broker that leads any of them. What one of them could
/// not be asked for is left out. Blocks.
pub(super) fn edges<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    partitions: &[(&str, i32)],
    edge: Offset,
    timeout: Duration,
) -> KafkaResult<Offsets> {
    let mut asked = TopicPartitionList::with_capacity(partitions.len());
    for (topic, partition) in partitions {
        // The request has the edges in place of a time.
        asked.add_partition_offset(topic, *partition, edge)?;
    }
    let found = consumer.offsets_for_times(asked, timeout)?;
    let mut offsets = Offsets::with_capacity(partitions.len());
    let mut refused: Option<KafkaError> = None;
    for element in found.elements() {
        match (element.error(), element.offset()) {
            (Ok(()), Offset::Offset(offset)) => {
                offsets.insert((element.topic().to_owned(), element.partition()), offset);
            }
            (error, _) => refused = error.err(),
        }
    }
    match refused {
        Some(error) if offsets.is_empty() => Err(error),
        _ => Ok(offsets),
    }
}
