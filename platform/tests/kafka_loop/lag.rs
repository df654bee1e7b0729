//! Lag, from positions in Postgres and ends in Kafka.

use crate::assignments::filled;
use crate::shared::Shared;
use domain::lane::Lane;
use platform::install::create;
use platform::kafka::KafkaSettings;
use platform::kafka::probe::Probe;
use platform::kafka::topics::{Stage, TopicAdmin};
use platform::lag::{Behind, Lag};
use platform::ownership::{DataFolder, OwnershipSettings, Registration, Role, heartbeat};
use sqlx::PgPool;
use std::sync::Arc;
use testkit::postgres::Schema;
use uuid::Uuid;

async fn hold(pool: &PgPool, process: Option<Uuid>, role: Role, partition: i32) {
    sqlx::query("update ownership set process = $1 where role = $2 and partition = $3")
        .bind(process)
        .bind(role.as_str())
        .bind(partition)
        .execute(pool)
        .await
        .unwrap();
}

async fn stand(pool: &PgPool, role: Role, topic: &str, partition: i32, next: i64) {
    sqlx::query("update position set next_offset = $1 where role = $2 and topic = $3 and partition = $4")
        .bind(next)
        .bind(role.as_str())
        .bind(topic)
        .bind(partition)
        .execute(pool)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ends_less_positions_of_the_partitions_that_this_process_holds() {
    let settings = testkit::kafka::settings();
    let own = tokio::task::spawn_blocking(move || Shared::with(settings)).await.unwrap();
    let schema = Schema::new(&ledger::MIGRATIONS).await;
    let pool = schema.pool();
    let admin = TopicAdmin::new(&own.settings).unwrap();
    create(pool, &admin, &own.settings.topic_prefix, 4).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let ownership = OwnershipSettings { alive_ms: 60_000, ..testkit::ownership(folder.path().to_owned()) };
    let roles = vec![Role::Sender, Role::DlrReconciler];
    let registration = Registration { roles: roles.clone(), mints: false };
    let data = Arc::new(DataFolder::open(folder.path()).unwrap());
    let (_heart, standing, _ids) =
        heartbeat(schema.pools().common().clone(), &ownership, registration, data).await.unwrap();
    let process = Some(standing.process());

    let (billed, receipts) = (own.topic(Stage::Billed, Lane::Bulk), own.topics.receipts());
    for (topic, partition, count) in [(&billed, 0, 10), (&billed, 1, 20), (&billed, 2, 40), (&receipts, 3, 5)]
    {
        filled(&own, topic, partition, count).await;
    }
    for (role, partition) in [(Role::Sender, 0), (Role::Sender, 1), (Role::DlrReconciler, 3)] {
        hold(pool, process, role, partition).await;
    }
    stand(pool, Role::Sender, &billed, 0, 4).await;
    stand(pool, Role::Sender, &billed, 1, 5).await;

    let probe = |settings: &KafkaSettings| Arc::new(Probe::new(settings, own.topics.receipts()).unwrap());
    let common = schema.pools().common();
    let lag = Lag::new(common.clone(), probe(&own.settings), Arc::clone(&standing), &roles, &own.topics);
    let found = lag.look().await.unwrap();
    let of = |role: Role, topic: &str| found[&(role.to_string(), topic.to_owned())];
    // Partition 2 is nobody's; the reconciler holds another one of the same topic.
    assert_eq!(of(Role::Sender, &billed), Behind { sum: 6 + 15, max: 15 });
    assert_eq!(of(Role::DlrReconciler, &billed), Behind::default());
    assert_eq!(of(Role::DlrReconciler, &receipts), Behind { sum: 5, max: 5 });
    assert_eq!(found.len(), 6 + 7, "one for each topic that a role reads");

    // What is done, and what was given back, does not count any more.
    stand(pool, Role::Sender, &billed, 1, 20).await;
    hold(pool, None, Role::DlrReconciler, 3).await;
    let found = lag.look().await.unwrap();
    let of = |role: Role, topic: &str| found[&(role.to_string(), topic.to_owned())];
    assert_eq!(of(Role::Sender, &billed), Behind { sum: 6, max: 6 });
    assert_eq!(of(Role::DlrReconciler, &receipts), Behind::default());

    // Kafka away: no figure rather than a wrong one.
    let nowhere = KafkaSettings { bootstrap: "127.0.0.1:1".into(), ..own.settings.clone() };
    let lost = Lag::new(common.clone(), probe(&nowhere), standing, &roles, &own.topics);
    assert!(lost.look().await.is_err());
    schema.drop().await;
}
