//! Kafka, as a command or a process begins with it.

use platform::install::{self, Install, InstallError};
use platform::kafka::topics::{TopicAdmin, Topics};
use platform::kafka::{KafkaProblem, KafkaSettings};
use sqlx::PgPool;

/// Whether topics and settings are as they were installed.
pub(crate) async fn check(settings: &KafkaSettings, pool: &PgPool) -> anyhow::Result<Install> {
    let admin = TopicAdmin::new(settings)?;
    let checked = install::check(pool, &admin, &settings.topic_prefix, settings.partitions).await;
    explained(settings, checked)
}

/// What was installed, and the names of its topics.
pub(crate) async fn installed(settings: &KafkaSettings, pool: &PgPool) -> anyhow::Result<(Install, Topics)> {
    let install = install::read(pool).await?;
    Ok((install, Topics::new(&settings.topic_prefix, install.generation)))
}

/// Makes the topics that are missing. Returns their names.
pub(crate) async fn create(settings: &KafkaSettings, pool: &PgPool) -> anyhow::Result<Vec<String>> {
    let admin = TopicAdmin::new(settings)?;
    let made = install::create(pool, &admin, &settings.topic_prefix, settings.partitions).await;
    explained(settings, made)
}

/// Errors of Kafka alone do not say which Kafka was meant.
pub(crate) fn unreachable(settings: &KafkaSettings, error: KafkaProblem) -> anyhow::Error {
    anyhow::Error::new(error).context(format!(
        "Kafka at {} cannot be used: is it up? (setting kafka.bootstrap)",
        settings.bootstrap
    ))
}

fn explained<T>(settings: &KafkaSettings, result: Result<T, InstallError>) -> anyhow::Result<T> {
    result.map_err(|error| match error {
        InstallError::Kafka(error) => unreachable(settings, error),
        other => other.into(),
    })
}
