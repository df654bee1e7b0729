//! What was installed, and that it is still there: partitions, hash, topics, positions.

use crate::kafka::KafkaProblem;
use crate::kafka::topics::{Described, TopicAdmin, Topics};
use crate::ownership::Role;
use domain::partition::HASH_NAME;
use sqlx::PgPool;
use std::collections::BTreeMap;

/// Why this installation must not run as it is.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// Nothing is installed yet.
    #[error("nothing is installed: run `smshub migrate` and `smshub topics create` first")]
    Missing,
    /// A setting or a topic differs from what was installed.
    #[error("{what} is {found}, but {installed} was installed: {advice}")]
    Differs {
        /// What differs.
        what: String,
        /// How it is now.
        found: String,
        /// How it was installed.
        installed: String,
        /// What to do.
        advice: &'static str,
    },
    /// A topic ends before a stored position: Kafka lost records.
    #[error(
        "{topic}/{partition} ends at {end}, before the position {position} of {role}: Kafka lost its tail"
    )]
    LostTail {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// Its end.
        end: i64,
        /// The stored position.
        position: i64,
        /// Whose position.
        role: String,
    },
    /// Kafka.
    #[error(transparent)]
    Kafka(#[from] KafkaProblem),
    /// Postgres.
    #[error("postgres: {0}")]
    Postgres(#[from] sqlx::Error),
}

/// What was installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Install {
    /// The generation of topics, from 1.
    pub generation: i32,
    /// Partitions of every topic.
    pub partitions: i32,
}

/// Reads what was installed.
pub async fn read(pool: &PgPool) -> Result<Install, InstallError> {
    let row: Option<(i32, i32, String)> =
        sqlx::query_as("select generation, partitions, hash_name from install").fetch_optional(pool).await?;
    let (generation, partitions, hash_name) = row.ok_or(InstallError::Missing)?;
    if hash_name != HASH_NAME {
        return Err(InstallError::Differs {
            what: "the hash that finds an account's partition".into(),
            found: HASH_NAME.into(),
            installed: hash_name,
            advice: "run the version of smshub that was installed",
        });
    }
    Ok(Install { generation, partitions })
}

/// Makes the topics, and stores what was made: the first time, and again after a part of it
/// failed. Returns the names of the topics made now.
pub async fn create(
    pool: &PgPool,
    admin: &TopicAdmin,
    prefix: &str,
    partitions: i32,
) -> Result<Vec<String>, InstallError> {
    sqlx::query(
        "insert into install (generation, partitions, hash_name) values (1, $1, $2) on conflict do nothing",
    )
    .bind(partitions)
    .bind(HASH_NAME)
    .execute(pool)
    .await?;
    let install = read(pool).await?;
    same_partitions(partitions, install.partitions)?;
    let topics = Topics::new(prefix, install.generation);
    let known = known_topics(pool).await?;
    let made = admin.create(&topics).await?;
    if let Some(name) = made.iter().find(|name| known.contains_key(*name)) {
        return Err(made_anew(name, "made anew", "the one of the installation"));
    }
    // The topics' rows come last: without them a start says that nothing is installed.
    ensure_positions(pool, &topics, install.partitions).await?;
    for (name, described) in describe_when_known(admin, &topics).await? {
        sqlx::query(
            "insert into topic (name, generation, topic_id) values ($1, $2, $3) on conflict do nothing",
        )
        .bind(&name)
        .bind(install.generation)
        .bind(&described.id)
        .execute(pool)
        .await?;
    }
    check(pool, admin, prefix, partitions).await?;
    Ok(made)
}

/// Compares the settings and the topics with what was installed. At every start.
pub async fn check(
    pool: &PgPool,
    admin: &TopicAdmin,
    prefix: &str,
    partitions: i32,
) -> Result<Install, InstallError> {
    let install = read(pool).await?;
    same_partitions(partitions, install.partitions)?;
    let topics = Topics::new(prefix, install.generation);
    let known = known_topics(pool).await?;
    let found = tokio::task::block_in_place(|| admin.describe(&topics))?;
    for (name, described) in found {
        let installed = known.get(&name).ok_or(InstallError::Missing)?;
        if *installed != described.id {
            return Err(made_anew(&name, &described.id, installed));
        }
        if usize::try_from(install.partitions) != Ok(described.partitions) {
            return Err(InstallError::Differs {
                what: format!("the number of partitions of {name}"),
                found: described.partitions.to_string(),
                installed: install.partitions.to_string(),
                advice: "partitions are never added to a topic: an account's records would part",
            });
        }
    }
    tails(pool, admin).await?;
    Ok(install)
}

/// No log may end before a stored position: what comes next would be taken for what is lost.
async fn tails(pool: &PgPool, admin: &TopicAdmin) -> Result<(), InstallError> {
    let rows: Vec<(String, String, i32, i64)> = sqlx::query_as(
        "select role, topic, partition, next_offset from position where next_offset > 0 order by 2, 3, 1",
    )
    .fetch_all(pool)
    .await?;
    for (role, topic, partition, position) in rows {
        let end = tokio::task::block_in_place(|| admin.end(&topic, partition))?;
        if end < position {
            return Err(InstallError::LostTail { topic, partition, end, position, role });
        }
    }
    Ok(())
}

/// A new topic takes a moment to be known everywhere.
async fn describe_when_known(
    admin: &TopicAdmin,
    topics: &Topics,
) -> Result<BTreeMap<String, Described>, KafkaProblem> {
    let mut last = tokio::task::block_in_place(|| admin.describe(topics));
    for _ in 0..50 {
        if last.is_ok() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        last = tokio::task::block_in_place(|| admin.describe(topics));
    }
    last
}

async fn known_topics(pool: &PgPool) -> Result<BTreeMap<String, String>, InstallError> {
    let rows: Vec<(String, String)> =
        sqlx::query_as("select name, topic_id from topic").fetch_all(pool).await?;
    Ok(rows.into_iter().collect())
}

async fn ensure_positions(pool: &PgPool, topics: &Topics, partitions: i32) -> Result<(), sqlx::Error> {
    for role in Role::ALL {
        for topic in role.reads(topics) {
            sqlx::query(
                "insert into position (role, topic, partition)
                 select $1, $2, generate_series(0, $3 - 1) on conflict do nothing",
            )
            .bind(role.as_str())
            .bind(topic)
            .bind(partitions)
            .execute(pool)
            .await?;
        }
        if !role.reads(topics).is_empty() {
            sqlx::query(
                "insert into ownership (role, partition) select $1, generate_series(0, $2 - 1) on conflict do nothing",
            )
            .bind(role.as_str())
            .bind(partitions)
            .execute(pool)
            .await?;
        }
    }
    Ok(())
}

fn same_partitions(setting: i32, installed: i32) -> Result<(), InstallError> {
    if setting == installed {
        return Ok(());
    }
    Err(InstallError::Differs {
        what: "kafka.partitions".into(),
        found: setting.to_string(),
        installed: installed.to_string(),
        advice: "set it back; a change needs a new generation of topics",
    })
}

fn made_anew(name: &str, found: &str, installed: &str) -> InstallError {
    InstallError::Differs {
        what: format!("Kafka's id of topic {name}"),
        found: found.into(),
        installed: installed.into(),
        advice: "the topic was made anew, and what was in it is gone; restore it, or reset this installation",
    }
}
