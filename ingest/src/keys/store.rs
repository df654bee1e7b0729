//! The table `api_key`.

use platform::config::Secret;
use rand::rand_core::OsError;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Key, Scope};
use crate::chunking::LINE_BYTES_MAX;

/// A key that was just made. The key itself is nowhere else: it is shown once.
#[derive(Debug)]
pub struct NewKey {
    /// Its id, for lists and revocation.
    pub id: Uuid,
    /// The key.
    pub key: Secret,
}

/// Why no key was made.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// There is no such account.
    #[error("no account {0}")]
    NoAccount(i64),
    /// There is no key of this id.
    #[error("no key {0}")]
    NoKey(Uuid),
    /// The key opens nothing any more: it was revoked, or another took its place.
    #[error("key {0} is not in use any more")]
    NotInUse(Uuid),
    /// A key that may do nothing.
    #[error("expected at least one scope")]
    NoScope,
    /// The system gave no randomness.
    #[error("no randomness: {0}")]
    Randomness(#[from] OsError),
    /// Postgres.
    #[error("postgres: {0}")]
    Postgres(#[from] sqlx::Error),
}

/// Whom a key speaks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The key's id.
    pub key: Uuid,
    /// The account.
    pub account: i64,
    /// What the key may do.
    pub scopes: Vec<Scope>,
    /// The sender lines the account may use; the first is its default.
    pub lines: Vec<String>,
    /// Whether the account may not send.
    pub suspended: bool,
    /// Segments a minute the account may send in lane standard; none: as the settings say.
    pub rate_limit_per_minute: Option<u32>,
    /// The same of lane express.
    pub express_rate_limit_per_minute: Option<u32>,
}

/// Makes a key of an account.
pub(crate) async fn create(
    connection: &mut PgConnection,
    account: i64,
    scopes: &[Scope],
) -> Result<NewKey, KeyError> {
    if scopes.is_empty() {
        return Err(KeyError::NoScope);
    }
    let (hash, key) = Key::generate()?;
    let id = Uuid::now_v7();
    let made = sqlx::query(
        "insert into api_key (id, account_id, hash, scopes) select $1, id, $3, $4 from account where id = $2",
    )
    .bind(id)
    .bind(account)
    .bind(hash.hash())
    .bind(scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    if made.rows_affected() == 0 {
        return Err(KeyError::NoAccount(account));
    }
    Ok(NewKey { id, key })
}

/// Whom a key speaks for; nobody where it is unknown, revoked or over.
pub async fn verify(connection: &mut PgConnection, key: Key) -> Result<Option<Identity>, sqlx::Error> {
    let row: Option<(Uuid, i64, Vec<String>)> = sqlx::query_as(
        "select id, account_id, scopes from api_key
         where hash = $1 and revoked_at is null and (expires_at is null or expires_at > clock_timestamp())",
    )
    .bind(key.hash())
    .fetch_optional(&mut *connection)
    .await?;
    let Some((key, account, scopes)) = row else { return Ok(None) };
    // Scopes of a newer program mean nothing to this one.
    let scopes = scopes.iter().filter_map(|scope| scope.parse().ok()).collect();
    speaks_for(connection, key, account, scopes).await
}

/// A caller whose key speaks for this account with these scopes; nobody where there is no such account.
pub(crate) async fn speaks_for(
    connection: &mut PgConnection,
    key: Uuid,
    account: i64,
    scopes: Vec<Scope>,
) -> Result<Option<Identity>, sqlx::Error> {
    let account = ledger::account::read(connection, account).await?;
    Ok(account.map(|mut account| {
        account.lines.retain(|line| line.len() <= LINE_BYTES_MAX);
        Identity {
            key,
            account: account.id,
            scopes,
            lines: account.lines,
            suspended: account.suspended,
            rate_limit_per_minute: account.rate_limit_per_minute,
            express_rate_limit_per_minute: account.express_rate_limit_per_minute,
        }
    }))
}
