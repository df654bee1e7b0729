//! The table `webhook_endpoint`, as far as customers change it.

use domain::time::UnixMillis;
use platform::postgres::Pool;
use platform::webhook::{SECRET_BYTES, WebhookSecret};
use rand::TryRngCore;
use rand::rngs::OsRng;
use sqlx::{Connection, PgConnection};

use super::WebhookError;

/// An endpoint as it is listed.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct Endpoint {
    pub(crate) id: i64,
    pub(crate) url: String,
    pub(crate) events: Vec<String>,
    pub(crate) batch_size: i16,
    /// Calls in a row that failed.
    pub(crate) failures: i32,
    /// Events that it was not told, and will not be.
    pub(crate) dropped: i64,
    pub(crate) disabled_reason: Option<String>,
    created_ms: i64,
    last_success_ms: Option<i64>,
    disabled_ms: Option<i64>,
}

const COLUMNS: &str = "id, url, events, batch_size, failures, dropped, disabled_reason,
     (extract(epoch from created_at) * 1000)::bigint as created_ms,
     (extract(epoch from last_success_at) * 1000)::bigint as last_success_ms,
     (extract(epoch from disabled_at) * 1000)::bigint as disabled_ms";

/// What is asked for.
pub(crate) struct NewEndpoint {
    pub(crate) account: i64,
    pub(crate) partition: i32,
    pub(crate) url: String,
    /// Statuses by their words.
    pub(crate) events: Vec<String>,
    pub(crate) batch_size: i16,
}

impl Endpoint {
    pub(crate) fn created_at(&self) -> UnixMillis {
        UnixMillis(self.created_ms)
    }

    pub(crate) fn last_success_at(&self) -> Option<UnixMillis> {
        self.last_success_ms.map(UnixMillis)
    }

    pub(crate) fn disabled_at(&self) -> Option<UnixMillis> {
        self.disabled_ms.map(UnixMillis)
    }
}

/// Makes an endpoint, where the account has fewer than `max`.
pub(crate) async fn create(
    pool: &Pool,
    new: &NewEndpoint,
    max: u32,
) -> Result<(Endpoint, WebhookSecret), WebhookError> {
    let secret = generate()?;
    let endpoint = pool.within(async |connection| insert(connection, new, &secret, max).await).await?;
    Ok((endpoint, secret))
}

async fn insert(
    connection: &mut PgConnection,
    new: &NewEndpoint,
    secret: &WebhookSecret,
    max: u32,
) -> Result<Endpoint, WebhookError> {
    let mut transaction = connection.begin().await?;
    // Two at once are counted one after the other.
    sqlx::query("select from account where id = $1 for no key update")
        .bind(new.account)
        .execute(&mut *transaction)
        .await?;
    let count = "select count(*) from webhook_endpoint where account_id = $1 and deleted_at is null";
    let (count,): (i64,) = sqlx::query_as(count).bind(new.account).fetch_one(&mut *transaction).await?;
    if count >= i64::from(max) {
        return Err(WebhookError::TooMany(max));
    }
    let statement = format!(
        "insert into webhook_endpoint (account_id, partition, url, events, batch_size, secret)
         values ($1, $2, $3, $4, $5, $6) returning {COLUMNS}"
    );
    let endpoint = sqlx::query_as(sqlx::AssertSqlSafe(statement))
        .bind(new.account)
        .bind(new.partition)
        .bind(&new.url)
        .bind(&new.events)
        .bind(new.batch_size)
        .bind(secret.bytes())
        .fetch_one(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(endpoint)
}

/// The endpoints of an account, the newest first. They are few.
pub(crate) async fn list(pool: &Pool, account: i64) -> Result<Vec<Endpoint>, WebhookError> {
    let statement = format!(
        "select {COLUMNS} from webhook_endpoint
         where account_id = $1 and deleted_at is null order by id desc limit 500"
    );
    let list = async |connection: &mut PgConnection| {
        sqlx::query_as(sqlx::AssertSqlSafe(statement)).bind(account).fetch_all(connection).await
    };
    Ok(pool.within(list).await?)
}

/// Whether the account has such an endpoint.
///
/// # Errors
/// [`WebhookError::NotFound`], or Postgres.
pub(crate) async fn exists(pool: &Pool, account: i64, id: i64) -> Result<(), WebhookError> {
    let find = "select id from webhook_endpoint where id = $1 and account_id = $2 and deleted_at is null";
    let find = async |connection: &mut PgConnection| {
        sqlx::query_as::<_, (i64,)>(find).bind(id).bind(account).fetch_optional(connection).await
    };
    pool.within(find).await?.map(|_| ()).ok_or(WebhookError::NotFound)
}

/// Deletes an endpoint: it is told nothing from now on, and its secrets are gone. What was noted
/// for it is cleared away by dlr-reconciler.
pub(crate) async fn delete(pool: &Pool, account: i64, id: i64) -> Result<(), WebhookError> {
    let delete = "update webhook_endpoint
                  set deleted_at = clock_timestamp(), secret = '', previous_secret = null, previous_until = null
                  where id = $1 and account_id = $2 and deleted_at is null";
    let delete = async |connection: &mut PgConnection| {
        sqlx::query(delete).bind(id).bind(account).execute(connection).await
    };
    let deleted = pool.within(delete).await?.rows_affected();
    if deleted == 0 { Err(WebhookError::NotFound) } else { Ok(()) }
}

/// Gives an endpoint a new secret. Returns it, and until when the former signs too. One that was
/// former already signs no more: there are never more than two.
pub(crate) async fn rotate(
    pool: &Pool,
    account: i64,
    id: i64,
    hours: u32,
) -> Result<(WebhookSecret, UnixMillis), WebhookError> {
    let secret = generate()?;
    let rotate = "update webhook_endpoint
                  set previous_secret = secret, secret = $3,
                      previous_until = clock_timestamp() + make_interval(hours => $4)
                  where id = $1 and account_id = $2 and deleted_at is null
                  returning (extract(epoch from previous_until) * 1000)::bigint";
    let rotate = async |connection: &mut PgConnection| {
        sqlx::query_as::<_, (i64,)>(rotate)
            .bind(id)
            .bind(account)
            .bind(secret.bytes())
            .bind(i32::try_from(hours).unwrap_or(i32::MAX))
            .fetch_optional(connection)
            .await
    };
    let (until,) = pool.within(rotate).await?.ok_or(WebhookError::NotFound)?;
    Ok((secret, UnixMillis(until)))
}

fn generate() -> Result<WebhookSecret, WebhookError> {
    let mut bytes = vec![0; SECRET_BYTES];
    OsRng.try_fill_bytes(&mut bytes)?;
    Ok(WebhookSecret::new(bytes))
}
