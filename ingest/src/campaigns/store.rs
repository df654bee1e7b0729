//! The table `campaign`: made, read, listed, closed, cancelled. (How far a file is taken in is
//! written by `claim`.)

use domain::money::Money;
use domain::rows::Prefix;
use domain::time::UnixMillis;
use sqlx::{AssertSqlSafe, PgConnection};

use super::campaign::{Campaign, State, Taken};

/// What a campaign is made of.
pub(crate) struct New<'n> {
    pub(crate) account: i64,
    pub(crate) name: &'n str,
    pub(crate) text: &'n str,
    pub(crate) line: &'n str,
    pub(crate) ttl_seconds: u32,
    pub(crate) stops_at_faults: bool,
}

pub(super) const COLUMNS: &str = "id, account_id, name, text, line, ttl_seconds, on_error, status, \
     (extract(epoch from created_at) * 1000)::bigint as created_at, \
     (extract(epoch from closed_at) * 1000)::bigint as closed_at, \
     (extract(epoch from canceled_at) * 1000)::bigint as canceled_at, \
     (extract(epoch from uploaded_at) * 1000)::bigint as uploaded_at, \
     rows, row_hash, accepted, segments, price, invalid, errors::text as errors, owed";

#[derive(sqlx::FromRow)]
pub(super) struct Stored {
    id: i64,
    account_id: i64,
    name: String,
    text: String,
    line: String,
    ttl_seconds: i32,
    on_error: String,
    status: String,
    created_at: i64,
    closed_at: Option<i64>,
    canceled_at: Option<i64>,
    uploaded_at: Option<i64>,
    rows: i64,
    row_hash: i64,
    accepted: i64,
    segments: i64,
    price: i64,
    invalid: i64,
    errors: String,
    owed: Vec<i64>,
}

/// Makes a campaign.
pub(crate) async fn create(connection: &mut PgConnection, new: &New<'_>) -> Result<Campaign, sqlx::Error> {
    let statement = format!(
        "insert into campaign (account_id, name, text, line, ttl_seconds, on_error)
         values ($1, $2, $3, $4, $5, $6) returning {COLUMNS}"
    );
    let stored: Stored = sqlx::query_as(AssertSqlSafe(statement))
        .bind(new.account)
        .bind(new.name)
        .bind(new.text)
        .bind(new.line)
        .bind(i32::try_from(new.ttl_seconds).unwrap_or(i32::MAX))
        .bind(if new.stops_at_faults { "stop" } else { "skip" })
        .fetch_one(connection)
        .await?;
    stored.campaign()
}

/// A campaign of this account.
pub(crate) async fn read(
    connection: &mut PgConnection,
    account: i64,
    id: i64,
) -> Result<Option<Campaign>, sqlx::Error> {
    let statement = format!("select {COLUMNS} from campaign where id = $1 and account_id = $2");
    let stored: Option<Stored> =
        sqlx::query_as(AssertSqlSafe(statement)).bind(id).bind(account).fetch_optional(connection).await?;
    stored.map(Stored::campaign).transpose()
}

/// The newest campaigns of this account that are older than `before`.
pub(crate) async fn list(
    connection: &mut PgConnection,
    account: i64,
    before: Option<i64>,
    limit: u32,
) -> Result<Vec<Campaign>, sqlx::Error> {
    let statement =
        format!("select {COLUMNS} from campaign where account_id = $1 and id < $2 order by id desc limit $3");
    let stored: Vec<Stored> = sqlx::query_as(AssertSqlSafe(statement))
        .bind(account)
        .bind(before.unwrap_or(i64::MAX))
        .bind(i64::from(limit))
        .fetch_all(connection)
        .await?;
    stored.into_iter().map(Stored::campaign).collect()
}

/// Takes no more rows from now on. What is closed or cancelled already stays as it is.
pub(crate) async fn close(
    connection: &mut PgConnection,
    account: i64,
    id: i64,
) -> Result<Option<Campaign>, sqlx::Error> {
    sqlx::query(
        "update campaign set status = 'closed', closed_at = clock_timestamp()
         where id = $1 and account_id = $2 and status = 'open'",
    )
    .bind(id)
    .bind(account)
    .execute(&mut *connection)
    .await?;
    read(connection, account, id).await
}

/// Cancels: the senders read it every second.
pub(crate) async fn cancel(
    connection: &mut PgConnection,
    account: i64,
    id: i64,
) -> Result<Option<Campaign>, sqlx::Error> {
    sqlx::query(
        "update campaign set status = 'canceled', canceled_at = clock_timestamp()
         where id = $1 and account_id = $2 and status <> 'canceled'",
    )
    .bind(id)
    .bind(account)
    .execute(&mut *connection)
    .await?;
    read(connection, account, id).await
}

impl Stored {
    pub(super) fn campaign(self) -> Result<Campaign, sqlx::Error> {
        let corrupt = |what: &str| sqlx::Error::Decode(format!("campaign {}: {what}", self.id).into());
        let count = |number: i64| u64::try_from(number).map_err(|_| corrupt("a count"));
        let state = match self.status.as_str() {
            "open" => State::Open,
            "closed" => State::Closed,
            "canceled" => State::Canceled,
            _ => return Err(corrupt("status")),
        };
        let taken = Taken {
            prefix: Prefix { rows: count(self.rows)?, hash: self.row_hash.cast_unsigned() },
            accepted: count(self.accepted)?,
            segments: count(self.segments)?,
            price: Money::new(self.price),
            invalid: count(self.invalid)?,
            errors: serde_json::from_str(&self.errors).map_err(|_| corrupt("errors"))?,
            owed: self.owed.iter().map(|row| count(*row)).collect::<Result<_, _>>()?,
        };
        Ok(Campaign {
            id: self.id,
            account: self.account_id,
            ttl_seconds: u32::try_from(self.ttl_seconds).map_err(|_| corrupt("ttl_seconds"))?,
            stops_at_faults: self.on_error == "stop",
            state,
            created_at: UnixMillis(self.created_at),
            closed_at: self.closed_at.map(UnixMillis),
            canceled_at: self.canceled_at.map(UnixMillis),
            uploaded_at: self.uploaded_at.map(UnixMillis),
            taken,
            name: self.name,
            text: self.text,
            line: self.line,
        })
    }
}
