//! The single steps of an upload, and what is said where one ends it.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use domain::id::Run;
use domain::lane::Lane;
use domain::money::Money;
use domain::partition;
use domain::phone::Msisdn;
use ledger::{LedgerError, account};
use platform::http::problem::{Code, FieldCode, FieldError, Problem};
use platform::ownership::clock::unix_now;
use wire::submitted::{CHUNK_BYTES_MAX, Chunk};

use super::Upload;
use crate::campaigns::campaign::{RowError, State};
use crate::campaigns::claim::Write;
use crate::campaigns::file::FileRow;
use crate::campaigns::segment::hash;
use crate::chunking::{Call, build};
use crate::prepare::{CheckedRows, Context, rows as check};
use crate::produce::Produced;

/// Between two tries to find room in the lane's queue.
const ROOM_EVERY: Duration = Duration::from_millis(50);

/// (A body may move between threads and not be shared by them; so may what holds one. This is
/// why nothing here takes `&self`.)
impl Upload {
    /// Checks rows, on the threads of bulk.
    pub(super) async fn check(&mut self, rows: Vec<FileRow>) -> Result<(Vec<FileRow>, CheckedRows), Problem> {
        let (campaign, caller) = (Arc::clone(&self.campaign), Arc::clone(&self.caller));
        let tariff = self.app.tariffs.current()?;
        let checked = self.app.aside(move |app| {
            let context = Context { rules: &app.rules, caller: &caller, tariff: &tariff, now: unix_now() };
            let checked = check(&rows, &campaign, context);
            Ok((rows, checked))
        });
        checked.await
    }

    /// Rows to recipients that opted out are at fault. The stamps keep which: what is produced once
    /// more does not ask again.
    pub(super) async fn leave_out_opted_out(
        &mut self,
        rows: &[FileRow],
        checked: &mut CheckedRows,
    ) -> Result<(), Problem> {
        let recipients: Vec<Msisdn> = checked.call.rows.iter().map(|row| row.recipient).collect();
        let (pool, campaign) = (self.app.pools.lane(Lane::Bulk), &self.campaign);
        let blocked = self.app.opt_outs.blocked(pool, campaign.account, &campaign.line, &recipients).await?;
        checked.leave_out(rows, campaign.stops_at_faults, &blocked);
        Ok(())
    }

    /// Leaves of the rows what the balance covers now; says so where that is not all of them.
    pub(super) async fn cover(&mut self, checked: &mut CheckedRows) -> Result<Option<Problem>, Problem> {
        let required = checked.price()?;
        if required == Money::ZERO {
            return Ok(None);
        }
        let balance = self.balance().await?;
        let (mut left, mut uncovered) = (balance, None);
        for row in &checked.call.rows {
            match left.checked_sub(row.price).filter(|left| *left >= Money::ZERO) {
                Some(rest) => left = rest,
                None => {
                    uncovered = Some(row.index as usize);
                    break;
                }
            }
        }
        let Some(uncovered) = uncovered else { return Ok(None) };
        let covered = balance.checked_sub(left).unwrap_or_default();
        let missing = required.checked_sub(covered).unwrap_or_default();
        checked.truncate(uncovered);
        Ok(Some(short(left, missing, &self.app.currency)))
    }

    /// What the account can spend now.
    pub(super) async fn balance(&mut self) -> Result<Money, Problem> {
        let account = self.caller.account;
        let read = async |connection: &mut _| account::read(connection, account).await;
        let read = self.app.pools.lane(Lane::Bulk).within(read).await;
        let read = read.map_err(|error| unreadable(&LedgerError::from(error)))?;
        Ok(read.map_or(Money::ZERO, |account| account.balance))
    }

    /// The records of a call, and the hash over what they ask for.
    pub(super) async fn encode(
        &mut self,
        call: Call,
        cuts: Vec<Range<usize>>,
        run: Run,
    ) -> Result<(Vec<Bytes>, u64), Problem> {
        let version = self.app.standing.write_version();
        let encoded = self.app.aside(move |_| {
            let chunks = cuts.into_iter().zip(run.ids()).map(|(rows, id)| build(&call, rows, id, run));
            let chunks: Vec<Chunk> = chunks.collect();
            let records: Vec<Bytes> = chunks.iter().map(|chunk| chunk.encode(version)).collect();
            // Cannot be: the estimate is from above.
            if records.iter().any(|record| record.len() > CHUNK_BYTES_MAX) {
                tracing::error!(chunk = %run.first, "rows were cut wrongly; nothing was produced");
                return Err(Problem::new(Code::InternalError));
            }
            Ok((records, hash(&chunks)))
        });
        encoded.await
    }

    /// Hands records to Kafka. Where there is no room the body waits: it is not read meanwhile.
    pub(super) async fn produce(&mut self, records: &[Bytes]) -> Result<Produced, Problem> {
        let partition = partition::of_account(self.caller.account, self.app.partitions);
        let until = Instant::now() + Duration::from_millis(self.app.campaigns.room_timeout_ms);
        loop {
            match self.app.lane(Lane::Bulk).produce(partition, records, vec![]) {
                // Nothing of it was taken.
                Err(problem) if problem.code() == Code::Overloaded && Instant::now() < until => {
                    tokio::time::sleep(ROOM_EVERY).await;
                }
                done => return done,
            }
        }
    }
}

/// The answer where the balance does not cover the next rows.
pub(super) fn short(balance: Money, required: Money, currency: &str) -> Problem {
    Problem::new(Code::InsufficientFunds)
        .detail("the balance does not cover the next rows: charge the account, then send the same file again")
        .member("balance", balance.get())
        .member("required", required.get())
        .member("currency", currency)
}

/// The answer where a row at fault stops the upload.
pub(super) fn stopped(error: &RowError) -> Problem {
    let detail = format!("row {} stops the upload: {} ({})", error.row, error.detail, error.code);
    Problem::new(Code::MalformedRow).detail(detail).member("row", error.row)
}

/// The answer where the file does not begin as the one before.
pub(super) fn mismatch(rows: u64) -> Problem {
    let detail =
        format!("{rows} rows were taken in, and the file does not begin with them: send the same file again");
    Problem::new(Code::UploadMismatch).detail(detail)
}

/// The answer where the same file would go on another time.
pub(super) fn again_later(why: &str) -> Problem {
    Problem::new(Code::Unavailable).detail(format!("{why}; send the same file again to go on"))
}

/// The answer where the database does not say what is needed.
pub(crate) fn unreadable(error: &LedgerError) -> Problem {
    tracing::warn!(%error, "a campaign's rows could not be read or stored");
    again_later("rows cannot be stored now")
}

/// The answer where a write did not happen.
pub(crate) fn stored(write: Result<Write, sqlx::Error>) -> Result<(), Problem> {
    match write {
        Ok(Write::Stored) => Ok(()),
        Ok(Write::PassedOver) => Err(Problem::new(Code::IdempotencyInProgress)
            .detail("another upload of this campaign took the place of this one")),
        Ok(Write::NotOpen(state)) => Err(not_open(state)),
        Err(error) => Err(unreadable(&error.into())),
    }
}

/// The answer where a campaign takes no rows any more.
pub(crate) fn not_open(state: State) -> Problem {
    let detail = format!("the campaign is {}: it takes no rows any more", state.as_str());
    Problem::invalid(vec![FieldError::new("status", FieldCode::OutOfRange, detail)])
}
