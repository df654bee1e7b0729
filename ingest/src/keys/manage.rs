//! Making, listing, revoking and replacing keys, as the commands and the API for administrators
//! do it. Each change and the row that tells of it are made on the caller's connection: inside a
//! transaction they are stored together or not at all.

use std::time::Duration;

use chrono::{DateTime, Utc};
use ledger::admin::change::{NewChange, note};
use ledger::admin::{Who, subject_of_account};
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use super::key::Key;
use super::store::create;
use super::{KeyError, NewKey, Scope};

/// How long a replaced key may go on at most.
pub const GRACE_MAX: Duration = Duration::from_secs(30 * 86_400);

/// How long it goes on where nothing else is said.
pub const GRACE_DEFAULT: Duration = Duration::from_secs(86_400);

/// A key as it is listed. The key itself is not kept anywhere.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Listed {
    /// Its id.
    pub id: Uuid,
    /// What it may do.
    pub scopes: Vec<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was used last, to within a minute or so.
    pub last_used_at: Option<DateTime<Utc>>,
    /// When it ends, or ended, because another took its place.
    pub expires_at: Option<DateTime<Utc>>,
    /// Since when it opens nothing, where it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
    /// Whether it opens anything now.
    pub in_use: bool,
}

/// A key that took the place of another.
#[derive(Debug)]
pub struct Rotated {
    /// The new one.
    pub new: NewKey,
    /// When the old one ends.
    pub old_expires_at: DateTime<Utc>,
}

/// Makes a key of an account.
///
/// # Errors
/// [`KeyError::NoScope`], [`KeyError::NoAccount`], or Postgres.
pub async fn issue(
    connection: &mut PgConnection,
    who: &Who,
    account: i64,
    scopes: &[Scope],
) -> Result<NewKey, KeyError> {
    // In one order, and each once.
    let scopes: Vec<Scope> = Scope::ALL.into_iter().filter(|scope| scopes.contains(scope)).collect();
    let made = create(&mut *connection, account, &scopes).await?;
    let words: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
    let after = json!({ "key": made.id, "scopes": words });
    tell(connection, who, "key.create", account, None, after).await?;
    Ok(made)
}

/// The keys of an account below an id, the newest first.
///
/// # Errors
/// [`KeyError::NoAccount`], or Postgres.
pub async fn list(
    connection: &mut PgConnection,
    account: i64,
    below: Option<Uuid>,
    limit: u32,
) -> Result<Vec<Listed>, KeyError> {
    ledger::account::read(&mut *connection, account).await?.ok_or(KeyError::NoAccount(account))?;
    let keys = sqlx::query_as(
        "select id, scopes, created_at, last_used_at, expires_at, revoked_at,
                revoked_at is null and (expires_at is null or expires_at > clock_timestamp()) as in_use
         from api_key where account_id = $1 and id < $2 order by id desc limit $3",
    );
    let keys = keys.bind(account).bind(below.unwrap_or(Uuid::max())).bind(i64::from(limit));
    Ok(keys.fetch_all(connection).await?)
}

/// How many keys of an account open something now.
pub async fn in_use(connection: &mut PgConnection, account: i64) -> Result<i64, sqlx::Error> {
    let count = sqlx::query_scalar(
        "select count(*) from api_key where account_id = $1 and revoked_at is null
         and (expires_at is null or expires_at > clock_timestamp())",
    );
    count.bind(account).fetch_one(connection).await
}

/// Revokes a key. A key that was revoked before stays as it is, with its first time.
///
/// # Errors
/// [`KeyError::NoKey`], or Postgres.
pub async fn revoke(connection: &mut PgConnection, who: &Who, id: Uuid) -> Result<(), KeyError> {
    let old = locked(&mut *connection, id).await?;
    if old.revoked {
        return Ok(());
    }
    sqlx::query("update api_key set revoked_at = clock_timestamp() where id = $1")
        .bind(id)
        .execute(&mut *connection)
        .await?;
    let before = json!({ "key": id, "revoked": false });
    let after = json!({ "key": id, "revoked": true });
    tell(connection, who, "key.revoke", old.account_id, Some(before), after).await?;
    Ok(())
}

/// Makes a key that may do what another may, which ends after the grace time: so a customer can
/// change over without a moment in which nothing opens. A key that ends earlier already keeps
/// its end.
///
/// # Errors
/// [`KeyError::NoKey`], [`KeyError::NotInUse`], or Postgres.
pub async fn rotate(
    connection: &mut PgConnection,
    who: &Who,
    id: Uuid,
    grace: Duration,
) -> Result<Rotated, KeyError> {
    let old = locked(&mut *connection, id).await?;
    if !old.in_use {
        return Err(KeyError::NotInUse(id));
    }
    let (hash, key) = Key::generate()?;
    let new = NewKey { id: Uuid::now_v7(), key };
    // Taken over as they stand: scopes of a newer program, too.
    sqlx::query(
        "insert into api_key (id, account_id, hash, scopes)
         select $1, account_id, $2, scopes from api_key where id = $3",
    )
    .bind(new.id)
    .bind(hash.hash())
    .bind(id)
    .execute(&mut *connection)
    .await?;
    let grace_ms = i64::try_from(grace.min(GRACE_MAX).as_millis()).unwrap_or(i64::MAX);
    let old_expires_at: DateTime<Utc> = sqlx::query_scalar(
        "update api_key
         set expires_at = least(expires_at, clock_timestamp() + $2 * interval '1 millisecond')
         where id = $1 returning expires_at",
    )
    .bind(id)
    .bind(grace_ms)
    .fetch_one(&mut *connection)
    .await?;
    let ends = |at: Option<DateTime<Utc>>| at.map(|at| at.to_rfc3339());
    let before = json!({ "key": id, "expires_at": ends(old.expires_at) });
    let after = json!({
        "key": id, "expires_at": ends(Some(old_expires_at)), "new_key": new.id, "scopes": old.scopes,
    });
    tell(connection, who, "key.rotate", old.account_id, Some(before), after).await?;
    Ok(Rotated { new, old_expires_at })
}

#[derive(sqlx::FromRow)]
struct Locked {
    account_id: i64,
    scopes: Vec<String>,
    expires_at: Option<DateTime<Utc>>,
    revoked: bool,
    in_use: bool,
}

async fn locked(connection: &mut PgConnection, id: Uuid) -> Result<Locked, KeyError> {
    let row = sqlx::query_as(
        "select account_id, scopes, expires_at, revoked_at is not null as revoked,
                revoked_at is null and (expires_at is null or expires_at > clock_timestamp()) as in_use
         from api_key where id = $1 for update",
    );
    row.bind(id).fetch_optional(connection).await?.ok_or(KeyError::NoKey(id))
}

/// Under the account, where who asks what happened to a customer finds it.
async fn tell(
    connection: &mut PgConnection,
    who: &Who,
    what: &'static str,
    account: i64,
    before: Option<Value>,
    after: Value,
) -> Result<(), sqlx::Error> {
    let change = NewChange { what, subject: subject_of_account(account), before, after: Some(after) };
    note(connection, who, change).await
}
