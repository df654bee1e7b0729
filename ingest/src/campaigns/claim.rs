//! Which upload of a campaign runs, and what it stores: the table `campaign_segment`, and how
//! far the file is taken in.
//!
//! Every write names the upload. A later one puts itself in its place only when the process
//! of the former is dead; from then on the former stores nothing.

use std::collections::BTreeSet;

use domain::id::ChunkId;
use domain::rows::Prefix;
use domain::time::UnixMillis;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use uuid::Uuid;

use super::campaign::{Campaign, State, Taken};
use super::segment::{Plan, Segment};
use super::store::{COLUMNS, Stored};

/// An upload that was let in.
pub(super) struct Claimed {
    pub(super) campaign: Campaign,
    /// The segment of which it is not known what became.
    pub(super) pending: Option<Segment>,
}

/// How a write ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Write {
    Stored,
    /// Another upload runs in the place of this one.
    PassedOver,
    /// The campaign takes no more rows.
    NotOpen(State),
}

#[derive(sqlx::FromRow)]
struct StoredSegment {
    rows_before: i64,
    rows_after: i64,
    hash_after: i64,
    left_out: Vec<i32>,
    invalid: Vec<i32>,
    errors: String,
    first_chunk: i64,
    chunks: Vec<i16>,
    segments: Vec<u8>,
    hash: i64,
    line: String,
    tariff_version: i32,
    created_at_ms: i64,
    send_by_ms: i64,
}

/// Lets an upload in, unless another of a living process runs; nothing comes back then.
pub(super) async fn claim(
    connection: &mut PgConnection,
    campaign: &Campaign,
    upload: Uuid,
    process: Uuid,
) -> Result<Option<Claimed>, sqlx::Error> {
    let mut transaction = connection.begin().await?;
    let statement = format!(
        "update campaign c set upload = $3, upload_process = $4
         where id = $1 and account_id = $2
           and not exists (select from process p where c.upload is not null and p.id = c.upload_process
                           and not p.dead and p.alive_until > clock_timestamp())
         returning {COLUMNS}"
    );
    let stored: Option<Stored> = sqlx::query_as(AssertSqlSafe(statement))
        .bind(campaign.id)
        .bind(campaign.account)
        .bind(upload)
        .bind(process)
        .fetch_optional(&mut *transaction)
        .await?;
    let Some(stored) = stored else { return Ok(None) };
    let segment: Option<StoredSegment> = sqlx::query_as(
        "select rows_before, rows_after, hash_after, left_out, invalid, errors::text as errors, first_chunk,
                chunks, segments, hash, line, tariff_version, created_at_ms, send_by_ms
         from campaign_segment where campaign_id = $1",
    )
    .bind(campaign.id)
    .fetch_optional(&mut *transaction)
    .await?;
    transaction.commit().await?;
    let pending = segment.map(StoredSegment::segment).transpose()?;
    Ok(Some(Claimed { campaign: stored.campaign()?, pending }))
}

/// Ends an upload: the next is let in at once.
pub(super) async fn release(
    connection: &mut PgConnection,
    campaign: i64,
    upload: Uuid,
) -> Result<(), sqlx::Error> {
    sqlx::query("update campaign set upload = null, upload_process = null where id = $1 and upload = $2")
        .bind(campaign)
        .bind(upload)
        .execute(connection)
        .await?;
    Ok(())
}

/// Stores the stamps of a segment that is about to be produced.
pub(super) async fn stamp(
    connection: &mut PgConnection,
    campaign: i64,
    upload: Uuid,
    segment: &Segment,
) -> Result<Write, sqlx::Error> {
    let mut transaction = connection.begin().await?;
    // Locked, so that nobody closes, cancels or passes over in between.
    let found: Option<(Option<Uuid>, String)> =
        sqlx::query_as("select upload, status from campaign where id = $1 for no key update")
            .bind(campaign)
            .fetch_optional(&mut *transaction)
            .await?;
    let state = match found {
        Some((holder, _)) if holder != Some(upload) => return Ok(Write::PassedOver),
        Some((_, status)) => status,
        None => return Ok(Write::PassedOver),
    };
    match state.as_str() {
        "open" => {}
        "closed" => return Ok(Write::NotOpen(State::Closed)),
        _ => return Ok(Write::NotOpen(State::Canceled)),
    }
    let places = |places: &BTreeSet<u32>| -> Vec<i32> {
        places.iter().map(|place| i32::try_from(*place).unwrap_or(i32::MAX)).collect()
    };
    sqlx::query(
        "insert into campaign_segment
                (campaign_id, rows_before, rows_after, hash_after, left_out, invalid, errors, first_chunk,
                 chunks, segments, hash, line, tariff_version, created_at_ms, send_by_ms)
         values ($1, $2, $3, $4, $5, $6, $7::jsonb, $8, $9, $10, $11, $12, $13, $14, $15)",
    )
    .bind(campaign)
    .bind(segment.plan.before.cast_signed())
    .bind(segment.plan.after.rows.cast_signed())
    .bind(segment.plan.after.hash.cast_signed())
    .bind(places(&segment.plan.left_out))
    .bind(places(&segment.plan.invalid))
    .bind(json(&segment.plan.errors)?)
    .bind(segment.first_chunk.get())
    .bind(segment.chunks.iter().map(|size| size.cast_signed()).collect::<Vec<_>>())
    .bind(&segment.plan.segments)
    .bind(segment.hash.cast_signed())
    .bind(&segment.line)
    .bind(segment.tariff_version.cast_signed())
    .bind(segment.created_at.0)
    .bind(segment.send_by.0)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(Write::Stored)
}

/// Stores how far the file is taken in; nothing is pending any more.
pub(super) async fn take_in(
    connection: &mut PgConnection,
    campaign: i64,
    upload: Uuid,
    taken: &Taken,
) -> Result<Write, sqlx::Error> {
    let mut transaction = connection.begin().await?;
    let updated = sqlx::query(
        "update campaign set rows = $3, row_hash = $4, accepted = $5, segments = $6, price = $7, invalid = $8,
                errors = $9::jsonb, owed = $10, uploaded_at = clock_timestamp()
         where id = $1 and upload = $2",
    )
    .bind(campaign)
    .bind(upload)
    .bind(taken.prefix.rows.cast_signed())
    .bind(taken.prefix.hash.cast_signed())
    .bind(taken.accepted.cast_signed())
    .bind(taken.segments.cast_signed())
    .bind(taken.price.get())
    .bind(taken.invalid.cast_signed())
    .bind(json(&taken.errors)?)
    .bind(taken.owed.iter().map(|row| row.cast_signed()).collect::<Vec<_>>())
    .execute(&mut *transaction)
    .await?;
    if updated.rows_affected() == 0 {
        return Ok(Write::PassedOver);
    }
    sqlx::query("delete from campaign_segment where campaign_id = $1")
        .bind(campaign)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(Write::Stored)
}

/// Postgres keeps no NUL in JSON, and none can be in what we write.
fn json(errors: &[super::RowError]) -> Result<String, sqlx::Error> {
    serde_json::to_string(errors).map_err(|error| sqlx::Error::Encode(error.into()))
}

impl StoredSegment {
    fn segment(self) -> Result<Segment, sqlx::Error> {
        let corrupt = |what: &str| sqlx::Error::Decode(format!("campaign_segment: {what}").into());
        let places = |places: &[i32]| -> Result<BTreeSet<u32>, sqlx::Error> {
            places.iter().map(|place| u32::try_from(*place).map_err(|_| corrupt("a place"))).collect()
        };
        let plan = Plan {
            before: self.rows_before.cast_unsigned(),
            after: Prefix { rows: self.rows_after.cast_unsigned(), hash: self.hash_after.cast_unsigned() },
            left_out: places(&self.left_out)?,
            invalid: places(&self.invalid)?,
            errors: serde_json::from_str(&self.errors).map_err(|_| corrupt("errors"))?,
            segments: self.segments,
        };
        Ok(Segment {
            plan,
            first_chunk: ChunkId::new(self.first_chunk).ok_or_else(|| corrupt("first_chunk"))?,
            chunks: self.chunks.iter().map(|size| size.cast_unsigned()).collect(),
            hash: self.hash.cast_unsigned(),
            tariff_version: self.tariff_version.cast_unsigned(),
            created_at: UnixMillis(self.created_at_ms),
            send_by: UnixMillis(self.send_by_ms),
            line: self.line,
        })
    }
}
