//! The topics: their names, how they are made, and that they are still the same.

use super::topic_ids::describe;
use super::{KafkaProblem, KafkaSettings};
use domain::lane::Lane;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::types::RDKafkaErrorCode;
use std::collections::BTreeMap;

/// What a topic carries between two roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// Chunks as customers asked for them.
    Submitted,
    /// The verdicts of billing.
    Billed,
    /// Fences, intents and outcomes of the sender.
    Attempts,
}

impl Stage {
    /// All stages.
    pub const ALL: [Stage; 3] = [Stage::Submitted, Stage::Billed, Stage::Attempts];

    const fn as_str(self) -> &'static str {
        match self {
            Stage::Submitted => "submitted",
            Stage::Billed => "billed",
            Stage::Attempts => "attempts",
        }
    }
}

/// The names of one installation's topics.
#[derive(Clone, Debug)]
pub struct Topics {
    prefix: String,
    generation: i32,
}

impl Topics {
    /// The names under `prefix` in a generation (from 1).
    pub fn new(prefix: &str, generation: i32) -> Self {
        Topics { prefix: prefix.to_owned(), generation }
    }

    /// The topic of a stage and lane.
    pub fn of(&self, stage: Stage, lane: Lane) -> String {
        format!("{}sms.{}.{lane}{}", self.prefix, stage.as_str(), self.suffix())
    }

    /// The topic of all receipts.
    pub fn receipts(&self) -> String {
        format!("{}sms.receipts{}", self.prefix, self.suffix())
    }

    /// All topics.
    pub fn all(&self) -> Vec<String> {
        let of_lanes = Stage::ALL.into_iter().flat_map(|stage| Lane::ALL.map(|lane| self.of(stage, lane)));
        of_lanes.chain([self.receipts()]).collect()
    }

    /// The first generation has plain names; later ones carry their number.
    fn suffix(&self) -> String {
        if self.generation == 1 { String::new() } else { format!(".g{}", self.generation) }
    }
}

/// Kafka's administration, as far as we need it.
pub struct TopicAdmin {
    admin: AdminClient<DefaultClientContext>,
    settings: KafkaSettings,
}

impl TopicAdmin {
    /// A client of its own.
    pub fn new(settings: &KafkaSettings) -> Result<Self, KafkaProblem> {
        Ok(TopicAdmin { admin: settings.client().create()?, settings: settings.clone() })
    }

    /// Makes the topics that do not exist yet. Returns the names of those it made.
    pub async fn create(&self, topics: &Topics) -> Result<Vec<String>, KafkaProblem> {
        let retention_ms = (u64::from(self.settings.retention_hours) * 3_600_000).to_string();
        let copies = self.settings.min_insync_replicas.to_string();
        let names = topics.all();
        let wanted = names.iter().map(|name| {
            let topic = NewTopic::new(
                name,
                self.settings.partitions,
                TopicReplication::Fixed(self.settings.replication),
            )
            .set("message.timestamp.type", "LogAppendTime")
            .set("retention.ms", &retention_ms)
            // No limit by size could delete what is unread.
            .set("retention.bytes", "-1")
            .set("max.message.bytes", "1000000")
            .set("min.insync.replicas", &copies);
            if self.settings.flush_each_record { topic.set("flush.messages", "1") } else { topic }
        });
        let wanted: Vec<_> = wanted.collect();
        let options = AdminOptions::new().operation_timeout(Some(self.settings.request_timeout()));
        let mut made = Vec::new();
        for result in self.admin.create_topics(&wanted, &options).await? {
            match result {
                Ok(name) => made.push(name),
                Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((name, code)) => {
                    let why = format!("{name}: {code}");
                    return Err(KafkaProblem::Admin { doing: "making topics", why });
                }
            }
        }
        Ok(made)
    }

    /// Deletes the topics: for tests and `make reset`.
    pub async fn delete(&self, topics: &Topics) -> Result<(), KafkaProblem> {
        let names = topics.all();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        self.admin.delete_topics(&names, &AdminOptions::new()).await?;
        Ok(())
    }

    /// The offset behind the last record of a partition. Blocks.
    pub fn end(&self, topic: &str, partition: i32) -> Result<i64, KafkaProblem> {
        let timeout = self.settings.request_timeout();
        Ok(self.admin.inner().fetch_watermarks(topic, partition, timeout)?.1)
    }

    /// Kafka's id and the number of partitions of each topic. Blocks.
    pub fn describe(&self, topics: &Topics) -> Result<BTreeMap<String, Described>, KafkaProblem> {
        describe(&self.admin, &topics.all(), self.settings.request_timeout())
    }
}

/// What Kafka says of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// Kafka's own id: a topic made anew has another.
    pub id: String,
    /// How many partitions it has.
    pub partitions: usize,
}
