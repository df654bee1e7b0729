//! Making, describing and deleting topics.

use crate::shared::Shared;
use platform::kafka::topics::{Described, TopicAdmin, Topics};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use std::collections::{BTreeMap, BTreeSet};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topics_are_made_once_and_have_ids() {
    let shared = tokio::task::spawn_blocking(Shared::get).await.unwrap();
    let admin = TopicAdmin::new(&shared.settings).unwrap();
    assert_eq!(admin.create(&shared.topics).await.unwrap(), Vec::<String>::new());
    let described = described(&admin, &shared.topics);
    assert_eq!(described.keys().cloned().collect::<BTreeSet<_>>(), shared.topics.all().into_iter().collect());
    assert!(described.values().all(|topic| topic.partitions == 4));
    let ids: BTreeSet<_> = described.values().map(|topic| topic.id.clone()).collect();
    assert_eq!(ids.len(), 10, "an id each");
    assert!(!ids.iter().any(|id| id.is_empty() || id.starts_with("AAAAAAAAAAAA")), "{ids:?}");
}

fn described(admin: &TopicAdmin, topics: &Topics) -> BTreeMap<String, Described> {
    tokio::task::block_in_place(|| admin.describe(topics)).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_is_not_there_is_an_error() {
    let shared = tokio::task::spawn_blocking(Shared::get).await.unwrap();
    let admin = TopicAdmin::new(&shared.settings).unwrap();
    let none = Topics::new("nobody-made-these.", 1);
    let error = tokio::task::block_in_place(|| admin.describe(&none)).unwrap_err();
    assert!(error.to_string().contains("nobody-made-these."), "{error}");
}

#[tokio::test]
async fn topics_keep_what_is_unread() {
    let shared = tokio::task::spawn_blocking(Shared::get).await.unwrap();
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", &shared.settings.bootstrap).create().unwrap();
    for name in shared.topics.all() {
        let wanted = [ResourceSpecifier::Topic(&name)];
        let config = admin.describe_configs(&wanted, &AdminOptions::new()).await.unwrap().remove(0).unwrap();
        let value = |key: &str| config.get(key).and_then(|entry| entry.value.clone()).unwrap();
        assert_eq!(value("message.timestamp.type"), "LogAppendTime", "{name}");
        assert_eq!(value("retention.ms"), (168 * 3_600_000).to_string(), "{name}");
        assert_eq!(value("retention.bytes"), "-1", "{name}");
        assert_eq!(value("cleanup.policy"), "delete", "{name}");
        assert!(value("max.message.bytes").parse::<usize>().unwrap() >= 900_000, "{name}");
    }
}
