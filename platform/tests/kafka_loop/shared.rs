//! Making topics takes time: the tests of this file share one set, each with a topic of its
//! own. The last to go deletes it.

use domain::lane::Lane;
use platform::kafka::KafkaSettings;
use platform::kafka::producer::{Acks, Producer};
use platform::kafka::topics::{Stage, TopicAdmin, Topics};
use std::sync::{Arc, Mutex, Weak};

/// The topics of one run.
pub(crate) struct Shared {
    pub(crate) settings: KafkaSettings,
    pub(crate) topics: Topics,
}

static SHARED: Mutex<Weak<Shared>> = Mutex::new(Weak::new());

impl Shared {
    pub(crate) fn get() -> Arc<Shared> {
        let mut shared = SHARED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(shared) = shared.upgrade() {
            return shared;
        }
        let settings = testkit::kafka::settings();
        let topics = Topics::new(&settings.topic_prefix, 1);
        let admin = TopicAdmin::new(&settings).unwrap();
        let made = block_on(admin.create(&topics)).unwrap();
        assert_eq!(made.len(), 10);
        let new = Arc::new(Shared { settings, topics });
        *shared = Arc::downgrade(&new);
        new
    }

    pub(crate) fn topic(&self, stage: Stage, lane: Lane) -> String {
        self.topics.of(stage, lane)
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
    }
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
