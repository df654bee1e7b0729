//! What was installed, and that nothing runs on anything else.

use crate::shared::{Shared, numbered};
use domain::lane::Lane;
use platform::install::{InstallError, check, create, read};
use platform::kafka::KafkaSettings;
use platform::kafka::topics::{Stage, TopicAdmin, Topics};
use std::sync::Arc;
use testkit::postgres::Schema;

struct Site {
    schema: Schema,
    admin: TopicAdmin,
    settings: KafkaSettings,
}

impl Site {
    async fn new(settings: KafkaSettings) -> Site {
        let schema = Schema::new(&ledger::MIGRATIONS).await;
        Site { schema, admin: TopicAdmin::new(&settings).unwrap(), settings }
    }

    async fn create(&self, partitions: i32) -> Result<Vec<String>, InstallError> {
        create(self.schema.pool(), &self.admin, &self.settings.topic_prefix, partitions).await
    }

    async fn check(&self, partitions: i32) -> Result<(), InstallError> {
        let checked = check(self.schema.pool(), &self.admin, &self.settings.topic_prefix, partitions).await?;
        assert_eq!((checked.generation, checked.partitions), (1, partitions));
        Ok(())
    }

    async fn execute(&self, statement: &'static str) {
        sqlx::query(statement).execute(self.schema.pool()).await.unwrap();
    }
}

fn differs(result: Result<impl std::fmt::Debug, InstallError>, about: &str) {
    match result {
        Err(InstallError::Differs { what, .. }) if what.contains(about) => {}
        other => panic!("expected a difference about {about}, was {other:?}"),
    }
}

/// Topics of its own: they are deleted and made anew.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_installation_is_made_once_and_checked_ever_after() {
    let site = Site::new(testkit::kafka::settings()).await;
    assert!(matches!(site.check(4).await, Err(InstallError::Missing)));
    assert!(matches!(read(site.schema.pool()).await, Err(InstallError::Missing)));
    assert_eq!(site.create(4).await.unwrap().len(), 10);
    site.check(4).await.unwrap();
    // Positions and ownership of every partition of what each role reads, at the start.
    let rows: Vec<(String, i64, i64, i64, i64)> = sqlx::query_as(
        "select role, count(*), max(next_offset), max(published), max(last_source) from position group by 1 order by 1",
    )
    .fetch_all(site.schema.pool())
    .await
    .unwrap();
    let row = |role: &str, topics: i64| (role.to_owned(), topics * 4, 0, 0, -1);
    assert_eq!(rows, [row("billing-consumer", 3), row("dlr-reconciler", 7), row("sender", 6)]);
    let (owned,): (i64,) =
        sqlx::query_as("select count(*) from ownership").fetch_one(site.schema.pool()).await.unwrap();
    assert_eq!(owned, 12);

    // A second run finds everything and changes nothing.
    site.execute("update position set next_offset = 3, epoch = 2 where role = 'none'").await;
    assert_eq!(site.create(4).await.unwrap(), Vec::<String>::new());
    // Another number of partitions is refused, by either.
    differs(site.create(8).await, "kafka.partitions");
    differs(site.check(8).await, "kafka.partitions");
    site.check(4).await.unwrap();
    // Another hash would send accounts elsewhere.
    site.execute("update install set hash_name = 'crc32'").await;
    differs(site.check(4).await, "hash");
    site.execute("update install set hash_name = 'xxh3_64-le8-seed0'").await;

    // Deleted: refused; made anew by hand or by us: refused, and refused again.
    let topics = Topics::new(&site.settings.topic_prefix, 1);
    site.admin.delete(&topics).await.unwrap();
    gone(&site, &topics).await;
    assert!(site.check(4).await.is_err());
    differs(created_when_deleted(&site).await, "id of topic");
    differs(site.create(4).await, "id of topic");
    differs(site.check(4).await, "id of topic");
    site.admin.delete(&topics).await.unwrap();
    site.schema.drop().await;
}

/// Deleting takes a moment.
async fn gone(site: &Site, topics: &Topics) {
    for _ in 0..600 {
        if tokio::task::block_in_place(|| site.admin.describe(topics)).is_err() {
            return;
        }
        // Between two looks at a condition with a deadline.
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the topics are still there");
}

/// The broker may still be deleting some of them.
async fn created_when_deleted(site: &Site) -> Result<Vec<String>, InstallError> {
    for _ in 0..100 {
        match site.create(4).await {
            Err(InstallError::Kafka(_)) => {
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
            other => return other,
        }
    }
    panic!("the topics cannot be made");
}

/// The first run failed behind the topics: the second completes it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_begun_is_completed() {
    let shared = tokio::task::spawn_blocking(Shared::get).await.unwrap();
    let site = Site::new(shared.settings.clone()).await;
    assert_eq!(site.create(4).await.unwrap(), Vec::<String>::new());
    site.check(4).await.unwrap();
    // A topic whose id nobody stored is not taken on trust at a start.
    site.execute("delete from topic where name like '%receipts'").await;
    assert!(matches!(site.check(4).await, Err(InstallError::Missing)));
    site.create(4).await.unwrap();
    site.check(4).await.unwrap();
    site.schema.drop().await;
}

/// The topics have another number of partitions than was installed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topics_of_another_width_are_refused() {
    let shared = tokio::task::spawn_blocking(Shared::get).await.unwrap();
    let site = Site::new(shared.settings.clone()).await;
    differs(site.create(8).await, "the number of partitions of");
    differs(site.check(8).await, "the number of partitions of");
    site.schema.drop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_ends_before_a_stored_position_is_refused() {
    let shared = tokio::task::spawn_blocking(Shared::get).await.unwrap();
    let site = Site::new(shared.settings.clone()).await;
    site.create(4).await.unwrap();
    let topic = shared.topic(Stage::Submitted, Lane::Bulk);
    let (filling, to) = (Arc::clone(&shared), topic.clone());
    tokio::task::spawn_blocking(move || filling.fill(&to, 3, &numbered(12))).await.unwrap();
    let stand = async |next: i64| {
        sqlx::query("update position set next_offset = $1 where topic = $2 and partition = 3")
            .bind(next)
            .bind(&topic)
            .execute(site.schema.pool())
            .await
            .unwrap();
    };
    stand(12).await;
    site.check(4).await.unwrap();
    stand(13).await;
    let lost = site.check(4).await;
    let Err(InstallError::LostTail { topic: named, partition, end, position, role }) = lost else {
        panic!("{lost:?}");
    };
    assert_eq!((named, partition, end, position), (topic.clone(), 3, 12, 13));
    assert_eq!(role, "billing-consumer");
    site.schema.drop().await;
}
