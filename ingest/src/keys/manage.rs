//! Listing and revoking keys: what `smshub key` does.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::KeyError;

/// Keys listed at most: an account has a handful.
const LISTED_MAX: i64 = 10_000;

/// A key as it is listed. The key itself is not kept anywhere.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Listed {
    /// Its id.
    pub id: Uuid,
    /// What it may do.
    pub scopes: Vec<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Since when it opens nothing, where it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
}

/// The keys of an account, oldest first.
///
/// # Errors
/// [`KeyError::NoAccount`], or Postgres.
pub async fn list(connection: &mut PgConnection, account: i64) -> Result<Vec<Listed>, KeyError> {
    ledger::account::read(&mut *connection, account).await?.ok_or(KeyError::NoAccount(account))?;
    let keys = sqlx::query_as(
        "select id, scopes, created_at, revoked_at from api_key where account_id = $1
         order by created_at, id limit $2",
    );
    Ok(keys.bind(account).bind(LISTED_MAX).fetch_all(connection).await?)
}

/// Revokes a key. A key that was revoked before stays as it is, with its first time.
///
/// # Errors
/// [`KeyError::NoKey`], or Postgres.
pub async fn revoke(connection: &mut PgConnection, id: Uuid) -> Result<(), KeyError> {
    let revoked =
        sqlx::query("update api_key set revoked_at = coalesce(revoked_at, clock_timestamp()) where id = $1")
            .bind(id)
            .execute(connection)
            .await?;
    if revoked.rows_affected() == 0 { Err(KeyError::NoKey(id)) } else { Ok(()) }
}
