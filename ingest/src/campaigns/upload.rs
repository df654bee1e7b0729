//! An upload: the order of steps from a body to what is taken in of it.

mod steps;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use domain::lane::Lane;
use domain::money::Money;
use domain::rows::Prefix;
use domain::template::Template;
use platform::http::Pieces;
use platform::http::problem::{Code, Problem};
use uuid::Uuid;

pub(super) use steps::{not_open, stored, unreadable};

use super::campaign::{Campaign, Taken};
use super::claim;
use super::file::{FileRow, Format, Rows, Wanted};
use super::segment::{Paid, Plan, Segment};
use super::source::{Next, Source};
use super::verdict;
use crate::app::App;
use crate::chunking::{Call, cut};
use crate::keys::Identity;
use crate::metrics;
use crate::prepare::CheckedRows;

/// How a body is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Written {
    pub(crate) format: Format,
    pub(crate) gzip: bool,
}

/// An upload under way.
pub(super) struct Upload {
    app: Arc<App>,
    caller: Arc<Identity>,
    campaign: Arc<Campaign>,
    /// Its token; nothing of a dry run, which stores nothing.
    token: Option<Uuid>,
    source: Source,
    taken: Taken,
    pending: Option<Segment>,
}

impl Upload {
    /// Of a campaign that was claimed under the token, or of one that was read, for a dry run.
    pub(super) fn new(
        (app, caller): (Arc<App>, Arc<Identity>),
        campaign: Campaign,
        token: Option<Uuid>,
        pending: Option<Segment>,
        (pieces, body): (Pieces, Written),
    ) -> Result<Self, Problem> {
        // It was a template when it was made one.
        let template = Template::parse(&campaign.text).map_err(|_| Problem::new(Code::InternalError))?;
        let settings = &app.campaigns;
        let taken = if token.is_some() { campaign.taken.clone() } else { Taken::default() };
        let times = body.gzip.then_some(settings.gzip_times);
        let rows = Rows::new(body.format, times, Arc::new(template), wanted(&taken, pending.as_ref()));
        let wait = Duration::from_millis(settings.segment_wait_ms);
        let source = Source::new(Arc::clone(&app), pieces, rows, wait);
        Ok(Upload { app, caller, campaign: Arc::new(campaign), token, source, taken, pending })
    }

    /// What is taken in so far.
    pub(super) fn taken(&self) -> &Taken {
        &self.taken
    }

    /// The rest of the body.
    pub(super) fn into_pieces(self) -> Pieces {
        self.source.into_pieces()
    }

    /// Takes the file in: first what was taken in before is recognised and what is owed of it
    /// is sent, then its other rows are, a segment at a time.
    pub(super) async fn run(&mut self) -> Result<(), Problem> {
        let recognised = recognised(&self.taken, self.pending.as_ref());
        if recognised.rows > 0 {
            let known = self.recognise(recognised).await?;
            if let Some(pending) = self.pending.take() {
                self.again(pending, &known).await?;
            }
            self.owed(known).await?;
        }
        loop {
            let (rows, next) = self.source.next(self.app.campaigns.segment_rows).await;
            if !rows.is_empty() {
                let before = self.taken.prefix.rows;
                let (rows, mut checked) = self.check(rows).await?;
                self.leave_out_opted_out(&rows, &mut checked).await?;
                self.segment(rows, checked, before).await?;
            }
            match next {
                Next::More => {}
                Next::End => return Ok(()),
                Next::Fault(problem) => return Err(problem),
            }
        }
    }

    /// Reads the rows that were taken in before. Those of them that are needed again come back.
    async fn recognise(&mut self, recognised: Prefix) -> Result<BTreeMap<u64, FileRow>, Problem> {
        let needed = wanted(&self.taken, self.pending.as_ref()).also.len();
        let mut known = BTreeMap::new();
        let mut last = Prefix::default();
        while known.len() < needed {
            let (rows, next) = self.source.next(needed - known.len()).await;
            for row in rows {
                last = row.prefix;
                known.insert(row.prefix.rows, row);
            }
            match next {
                Next::Fault(problem) if known.len() < needed => return Err(problem),
                Next::End if known.len() < needed => break,
                _ => {}
            }
        }
        if last == recognised { Ok(known) } else { Err(steps::mismatch(recognised.rows)) }
    }

    /// Produces a segment once more of which it is not known what became.
    async fn again(&mut self, pending: Segment, known: &BTreeMap<u64, FileRow>) -> Result<(), Problem> {
        let rows: Vec<FileRow> = pending.plan.rows().filter_map(|row| known.get(&row)).cloned().collect();
        let (_, checked) = self.check(rows).await?;
        let mut call = checked.call;
        (call.line, call.tariff_version) = (pending.line.clone(), pending.tariff_version);
        (call.created_at, call.send_by) = (pending.created_at, pending.send_by);
        let prices: Vec<Money> = call.rows.iter().map(|row| row.price).collect();
        let cuts = cuts(&pending.chunks);
        let rebuilt = if cuts.last().is_some_and(|last| last.end == call.rows.len()) {
            Some(self.encode(call, cuts, pending.run()).await?)
        } else {
            None
        };
        let Some((records, _)) = rebuilt.filter(|(_, hash)| *hash == pending.hash) else {
            tracing::error!(
                campaign = self.campaign.id,
                "rows do not make the records that they made before: were settings changed in between?"
            );
            return Err(Problem::new(Code::InternalError));
        };
        tracing::info!(campaign = self.campaign.id, chunk = %pending.first_chunk, "a segment is produced again");
        self.finish(pending, records, &prices).await
    }

    /// Sends what was refused before.
    async fn owed(&mut self, mut known: BTreeMap<u64, FileRow>) -> Result<(), Problem> {
        let owed: Vec<u64> = self.taken.owed.iter().copied().collect();
        for rows in owed.chunks(self.app.campaigns.segment_rows) {
            let before = rows.first().map_or(0, |first| first - 1);
            let rows: Vec<FileRow> = rows.iter().filter_map(|row| known.remove(row)).collect();
            // Who opted out since they were taken in is found by the sender.
            let (rows, checked) = self.check(rows).await?;
            self.segment(rows, checked, before).await?;
        }
        Ok(())
    }

    /// Takes rows in, as far as nothing stops them.
    async fn segment(
        &mut self,
        rows: Vec<FileRow>,
        mut checked: CheckedRows,
        before: u64,
    ) -> Result<(), Problem> {
        if self.app.stopping.load(Ordering::Relaxed) {
            return Err(steps::again_later("the gateway is stopping"));
        }
        let short = if self.token.is_some() { self.cover(&mut checked).await? } else { None };
        if checked.count > 0 {
            let plan = Plan::new(&rows, &checked, before);
            self.take(plan, checked.call).await?;
        }
        short.or(checked.stopped.as_ref().map(steps::stopped)).map_or(Ok(()), Err)
    }

    /// Takes in rows that are planned.
    async fn take(&mut self, plan: Plan, call: Call) -> Result<(), Problem> {
        let prices: Vec<Money> = call.rows.iter().map(|row| row.price).collect();
        let Some(token) = self.token else {
            let messages = u16::try_from(prices.len()).unwrap_or(u16::MAX);
            let cost = Money::checked_sum(prices).unwrap_or_default();
            plan.settle(&[messages], &[Paid { messages, cost }], &mut self.taken);
            return Ok(());
        };
        if prices.is_empty() {
            plan.settle(&[], &[], &mut self.taken);
            return self.store().await;
        }
        let cuts = cut(&call, self.app.rules.limits.chunk_messages);
        let run = self.app.ids.reserve(u32::try_from(cuts.len()).unwrap_or(u32::MAX)).map_err(|error| {
            tracing::warn!(%error, "no ids");
            steps::again_later("no ids can be given out now")
        })?;
        let chunks = cuts.iter().map(|rows| u16::try_from(rows.len()).unwrap_or(u16::MAX)).collect();
        let (line, tariff_version) = (call.line.clone(), call.tariff_version);
        let (created_at, send_by) = (call.created_at, call.send_by);
        let (records, hash) = self.encode(call, cuts, run).await?;
        let segment =
            Segment { plan, first_chunk: run.first, chunks, hash, line, tariff_version, created_at, send_by };

        let id = self.campaign.id;
        let stamp = async |connection: &mut _| claim::stamp(connection, id, token, &segment).await;
        stored(self.app.pools.lane(Lane::Bulk).within(stamp).await)?;
        self.finish(segment, records, &prices).await
    }

    /// Produces a segment whose stamps are stored, waits for billing's verdict, and takes it in.
    async fn finish(
        &mut self,
        segment: Segment,
        records: Vec<Bytes>,
        prices: &[Money],
    ) -> Result<(), Problem> {
        self.produce(&records).await?.acknowledged().await?;
        let limit = Duration::from_millis(self.app.campaigns.verdict_timeout_ms);
        let paid = verdict::wait(self.app.pools.lane(Lane::Bulk), segment.run(), limit).await;
        let paid = paid.map_err(|error| unreadable(&error))?.ok_or_else(|| {
            steps::again_later("the last rows are not billed yet, so whether they are paid for is not known")
        })?;
        let before = self.taken.accepted;
        segment.settle(&paid, &mut self.taken);
        self.store().await?;
        metrics::accepted(Lane::Bulk, usize::try_from(self.taken.accepted - before).unwrap_or(usize::MAX));
        metrics::rejected(segment.plan.invalid.len());

        let refused = segment.plan.rows().zip(prices).filter(|(row, _)| self.taken.owed.contains(row));
        let required = Money::checked_sum(refused.map(|(_, price)| *price)).unwrap_or_default();
        if required == Money::ZERO {
            return Ok(());
        }
        let balance = self.balance().await?;
        Err(steps::short(balance, required, &self.app.currency))
    }

    async fn store(&mut self) -> Result<(), Problem> {
        let Some(token) = self.token else { return Ok(()) };
        let (id, taken) = (self.campaign.id, &self.taken);
        let take_in = async |connection: &mut _| claim::take_in(connection, id, token, taken).await;
        stored(self.app.pools.lane(Lane::Bulk).within(take_in).await)
    }
}

/// The rows of each chunk, by how many it has.
fn cuts(chunks: &[u16]) -> Vec<Range<usize>> {
    let mut start = 0;
    let cut = |size: &u16| {
        let from = start;
        start += usize::from(*size);
        from..start
    };
    chunks.iter().map(cut).collect()
}

/// The rows that the file must begin with.
fn recognised(taken: &Taken, pending: Option<&Segment>) -> Prefix {
    let pending = pending.map(|pending| pending.plan.after).unwrap_or_default();
    if pending.rows > taken.prefix.rows { pending } else { taken.prefix }
}

/// The rows that are needed: those behind what is recognised, its last for its hash, and those
/// in it that may have to be sent again.
fn wanted(taken: &Taken, pending: Option<&Segment>) -> Wanted {
    let behind = recognised(taken, pending).rows;
    let mut also: BTreeSet<u64> = taken.owed.clone();
    also.extend(pending.iter().flat_map(|pending| pending.plan.rows()));
    also.extend((behind > 0).then_some(behind));
    Wanted { behind, also: Arc::new(also) }
}
