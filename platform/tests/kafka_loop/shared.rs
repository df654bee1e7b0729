//! Making topics takes time: the tests of this file share one set, each with a topic of its
//! own. The last to go deletes it.

use domain::lane::Lane;
use platform::kafka::KafkaSettings;
use platform::kafka::producer::{Acks, Producer};
use platform::kafka::topics::{Stage, TopicAdmin, Topics};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use std::sync::{Arc, Mutex, Weak};

/// The topics of one run.
pub(crate) struct Shared {
    pub(crate) settings: KafkaSettings,
    pub(crate) topics: Topics,
    /// Topics made besides.
    others: Mutex<Vec<String>>,
}

static SHARED: Mutex<Weak<Shared>> = Mutex::new(Weak::new());

impl Shared {
    pub(crate) fn get() -> Arc<Shared> {
        let mut shared = SHARED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(shared) = shared.upgrade() {
            return shared;
        }
        let new = Shared::with(testkit::kafka::settings());
        *shared = Arc::downgrade(&new);
        new
    }

    /// A set for one test alone.
    pub(crate) fn with(settings: KafkaSettings) -> Arc<Shared> {
        let topics = Topics::new(&settings.topic_prefix, 1);
        let admin = TopicAdmin::new(&settings).unwrap();
        let made = block_on(admin.create(&topics)).unwrap();
        assert_eq!(made.len(), 10);
        Arc::new(Shared { settings, topics, others: Mutex::default() })
    }

    pub(crate) fn topic(&self, stage: Stage, lane: Lane) -> String {
        self.topics.of(stage, lane)
    }

    /// One more topic of four partitions, for a test that cannot share.
    pub(crate) async fn another(&self, name: &str) -> String {
        let name = format!("{}{name}", self.settings.topic_prefix);
        let topic = NewTopic::new(&name, 4, TopicReplication::Fixed(1));
        let made = admin(&self.settings).create_topics([&topic], &AdminOptions::new()).await.unwrap();
        assert_eq!(made, [Ok(name.clone())]);
        self.others.lock().unwrap().push(name.clone());
        name
    }

    /// Records to a partition, each acknowledged, in order.
    pub(crate) fn fill(&self, topic: &str, partition: i32, records: &[Vec<u8>]) {
        let producer = Producer::new(&self.settings, 0).unwrap();
        let (acks, done) = Acks::new(records.len());
        for record in records {
            producer.send(topic, partition, record, acks.delivered()).unwrap();
        }
        done.blocking_recv().unwrap().unwrap();
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // A topic left behind is no failure: the parts of the tests are made anew.
        if let Ok(admin) = TopicAdmin::new(&self.settings) {
            let _ = block_on(admin.delete(&self.topics));
        }
        let others = self.others.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        let others: Vec<&str> = others.iter().map(String::as_str).collect();
        let _ = block_on(admin(&self.settings).delete_topics(&others, &AdminOptions::new()));
    }
}

/// Kafka's administration, for what our own does not do.
pub(crate) fn admin(settings: &KafkaSettings) -> AdminClient<DefaultClientContext> {
    ClientConfig::new().set("bootstrap.servers", &settings.bootstrap).create().unwrap()
}

/// On a thread of its own: callers may be inside a runtime.
fn block_on<T: Send>(work: impl Future<Output = T> + Send) -> T {
    std::thread::scope(|scope| {
        let here = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        scope.spawn(move || here().block_on(work)).join().unwrap()
    })
}

/// `count` records that say their offset, of different lengths.
pub(crate) fn numbered(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|k| format!("{k}:{}", "x".repeat(k * 7 % 400)).into_bytes()).collect()
}

/// What a numbered record says.
pub(crate) fn number(value: &[u8]) -> i64 {
    std::str::from_utf8(value).unwrap().split(':').next().unwrap().parse().unwrap()
}
