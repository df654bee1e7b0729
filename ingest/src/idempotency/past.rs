//! The rules and tariffs of earlier days: a call is rebuilt by those that it was taken by.

use std::sync::Arc;

use domain::tariff::Tariff;
use ledger::LedgerError;
use moka::future::Cache;
use platform::http::problem::{Code, Problem};
use platform::postgres::Pool;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use tokio::sync::OnceCell;

use super::stamps::Stamps;
use crate::config::{ByLane, Limits, Settings};
use crate::keys::Identity;
use crate::prepare::Ground;
use crate::rules::Rules;
use crate::tariffs::Tariffs;

/// Sets of rules, and versions of the tariff, remembered at most: more than change in a week.
const REMEMBERED: u64 = 64;

/// What of the settings decides about a call's messages. Written in the table
/// `idempotency_rules`; what is added later needs a default.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Noted {
    countries: Vec<String>,
    text_segments: u32,
    reference_characters: usize,
    bulk_messages: usize,
    bulk_lane_messages: usize,
    chunk_messages: usize,
    ttl_seconds_min: u32,
    ttl_seconds_max: u32,
    ttl_seconds_default: ByLane<u32>,
}

/// Reads what held when calls were taken.
pub(super) struct Past {
    pool: Pool,
    today: Noted,
    limits: Limits,
    number: OnceCell<i32>,
    rules: Cache<i32, Arc<Rules>>,
    tariffs: Cache<u32, Arc<Tariff>>,
    current: Arc<Tariffs>,
}

/// Why a call cannot be rebuilt now.
#[derive(Debug, thiserror::Error)]
enum Lost {
    #[error("postgres: {0}")]
    Postgres(#[from] sqlx::Error),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error("there are no rules of this number")]
    NoRules,
    #[error("there is no tariff of this version")]
    NoTariff,
    #[error("the rules cannot be read: {0}")]
    Unreadable(String),
}

impl Past {
    pub(super) fn new(settings: &Settings, pool: Pool, current: Arc<Tariffs>) -> Self {
        let limits = settings.limits.clone();
        let today = Noted {
            countries: settings.countries.clone(),
            text_segments: limits.text_segments,
            reference_characters: limits.reference_characters,
            bulk_messages: limits.bulk_messages,
            bulk_lane_messages: limits.bulk_lane_messages,
            chunk_messages: limits.chunk_messages,
            ttl_seconds_min: limits.ttl_seconds_min,
            ttl_seconds_max: limits.ttl_seconds_max,
            ttl_seconds_default: limits.ttl_seconds_default,
        };
        let (rules, tariffs) = (Cache::new(REMEMBERED), Cache::new(REMEMBERED));
        Past { pool, today, limits, number: OnceCell::new(), rules, tariffs, current }
    }

    /// The number of this process's rules. Written when they are first needed.
    pub(super) async fn today(&self) -> Result<i32, Problem> {
        let number = self.number.get_or_try_init(async || {
            let noted =
                serde_json::to_string(&self.today).map_err(|error| Lost::Unreadable(error.to_string()))?;
            Ok(self.pool.within(async |connection| number(connection, &noted).await).await?)
        });
        number.await.copied().map_err(|error: Lost| unavailable(&error))
    }

    /// What a call is to be checked against to become what it was.
    pub(super) async fn ground(&self, stamps: &Stamps, caller: &Identity) -> Result<Ground, Problem> {
        let rules = self.rules.try_get_with(stamps.rules, self.rules(stamps.rules));
        let rules = rules.await.map_err(|error| unavailable(&error))?;
        let tariff = self.tariffs.try_get_with(stamps.tariff_version, self.tariff(stamps.tariff_version));
        let tariff = tariff.await.map_err(|error| unavailable(&error))?;
        let left_out = stamps.left_out.as_slice().into();
        // The line that the call has is the one that it may have.
        let caller = Identity { lines: vec![stamps.line.clone()], ..caller.clone() };
        Ok(Ground { rules, caller: Arc::new(caller), tariff, now: stamps.taken_at, is_new: false, left_out })
    }

    async fn rules(&self, number: i32) -> Result<Arc<Rules>, Lost> {
        let read = self.pool.within(async |connection| read(connection, number).await).await?;
        let noted: Noted = serde_json::from_str(&read.ok_or(Lost::NoRules)?)
            .map_err(|error| Lost::Unreadable(error.to_string()))?;
        let limits = Limits {
            text_segments: noted.text_segments,
            reference_characters: noted.reference_characters,
            bulk_messages: noted.bulk_messages,
            bulk_lane_messages: noted.bulk_lane_messages,
            chunk_messages: noted.chunk_messages,
            ttl_seconds_min: noted.ttl_seconds_min,
            ttl_seconds_max: noted.ttl_seconds_max,
            ttl_seconds_default: noted.ttl_seconds_default,
            ..self.limits.clone()
        };
        let rules = Rules::new(&noted.countries, limits);
        rules.map(Arc::new).map_err(|error| Lost::Unreadable(error.to_string()))
    }

    async fn tariff(&self, version: u32) -> Result<Arc<Tariff>, Lost> {
        if let Some(current) = self.current.current().ok().filter(|tariff| tariff.version() == version) {
            return Ok(current);
        }
        let read = self.pool.within(async |connection| ledger::tariff::version(connection, version).await);
        read.await?.map(Arc::new).ok_or(Lost::NoTariff)
    }
}

fn unavailable(error: &Lost) -> Problem {
    tracing::warn!(%error, "what a call was taken by cannot be read");
    Problem::new(Code::Unavailable).detail("the first request with this key cannot be looked up now")
}

async fn number(connection: &mut PgConnection, noted: &str) -> Result<i32, sqlx::Error> {
    // The same rules have one number, whoever writes them first.
    let written: Option<(i32,)> = sqlx::query_as(
        "insert into idempotency_rules (rules) values ($1::jsonb) on conflict (rules) do nothing returning id",
    )
    .bind(noted)
    .fetch_optional(&mut *connection)
    .await?;
    if let Some((id,)) = written {
        return Ok(id);
    }
    let (id,): (i32,) = sqlx::query_as("select id from idempotency_rules where rules = $1::jsonb")
        .bind(noted)
        .fetch_one(connection)
        .await?;
    Ok(id)
}

async fn read(connection: &mut PgConnection, number: i32) -> Result<Option<String>, sqlx::Error> {
    let row: Option<(String,)> = sqlx::query_as("select rules::text from idempotency_rules where id = $1")
        .bind(number)
        .fetch_optional(connection)
        .await?;
    Ok(row.map(|(rules,)| rules))
}
