//! Submitting: the order of steps from a checked call to the moment it may be confirmed.
//!
//! In two halves, for whoever must write something down between them. [`Ready::new`] has the
//! call covered by the balance and its ids reserved; nothing is produced yet, and a `Ready` that
//! is dropped leaves nothing behind. [`Ready::send`] produces, waits until Kafka has every chunk,
//! and, where the balance was close, until the ledger has judged them.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use domain::id::Run;
use domain::money::Money;
use domain::partition;
use platform::http::problem::{Code, Problem};
use platform::ownership::NoIds;
use wire::submitted::CHUNK_BYTES_MAX;

use crate::app::App;
use crate::chunking::{Call, Row, build};
use crate::funds::{Covered, Promise};
use crate::metrics;
use crate::produce::Produced;

/// A call of more messages than this is encoded beside the threads that serve requests.
const ENCODED_AT_ONCE: usize = 8;

/// A call that may be produced.
pub(crate) struct Ready {
    call: Arc<Call>,
    cuts: Vec<Range<usize>>,
    run: Run,
    covered: Covered,
}

/// A call that Kafka has, and how much of it is accepted: at least one message.
pub(crate) struct Submitted {
    pub(crate) run: Run,
    pub(crate) call: Arc<Call>,
    /// The rows of each chunk.
    pub(crate) cuts: Vec<Range<usize>>,
    /// Of each chunk how many of its rows are accepted, the first ones. The balance did not
    /// cover the others: they cost nothing and are not sent.
    accepted: Vec<usize>,
}

/// Submits a call: the balance covers it, its chunks have ids, Kafka has all of them.
///
/// # Errors
/// 402 where the balance does not cover it; 503. Before the first chunk is produced every
/// refusal means that nothing was taken; after it, 503 means a missing acknowledgement.
pub(crate) async fn submit(
    app: &Arc<App>,
    call: Call,
    cuts: Vec<Range<usize>>,
) -> Result<Submitted, Problem> {
    Ready::new(app, call, cuts).await?.send(app).await
}

impl Ready {
    /// The balance covers the call, as far as can be known beforehand, and its chunks have ids.
    ///
    /// # Errors
    /// As [`submit`]; nothing was taken.
    pub(crate) async fn new(app: &Arc<App>, call: Call, cuts: Vec<Range<usize>>) -> Result<Self, Problem> {
        let covered = app.funds.cover(call.account, call.lane, &costs(&call, &cuts)).await?;
        let run = app.ids.reserve(u32::try_from(cuts.len()).unwrap_or(u32::MAX)).map_err(no_ids)?;
        Ok(Ready { call: Arc::new(call), cuts, run, covered })
    }

    /// A call that may have been produced before, under these ids: whether it was, nobody knows
    /// any more. Nothing is asked of the balance: the ledger's verdict is waited for.
    ///
    /// # Errors
    /// 503 where too many wait; nothing was produced.
    pub(crate) fn again(
        app: &Arc<App>,
        call: Call,
        cuts: Vec<Range<usize>>,
        run: Run,
    ) -> Result<Self, Problem> {
        let covered = app.funds.again(call.account, call.lane, &costs(&call, &cuts))?;
        Ok(Ready { call: Arc::new(call), cuts, run, covered })
    }

    /// The call.
    pub(crate) fn call(&self) -> &Call {
        &self.call
    }

    /// The ids of its chunks.
    pub(crate) fn run(&self) -> Run {
        self.run
    }

    /// Produces the call and waits until it may be confirmed.
    ///
    /// # Errors
    /// As [`submit`].
    pub(crate) async fn send(self, app: &Arc<App>) -> Result<Submitted, Problem> {
        let Ready { call, cuts, run, covered } = self;
        let (promises, place) = covered.into_parts(run);
        let produced = if call.rows.len() <= ENCODED_AT_ONCE {
            produce(app, &call, &cuts, run, promises)?
        } else {
            let (call, cuts) = (Arc::clone(&call), cuts.clone());
            app.aside(move |app| produce(app, &call, &cuts, run, promises)).await?
        };
        produced.acknowledged().await?;

        let accepted = match place {
            Some(place) => app.funds.verdicts(call.lane, place, run, cuts.iter().map(Range::len)).await,
            None => cuts.iter().map(Range::len).collect(),
        };
        let submitted = Submitted::new(run, call, cuts, accepted);
        submitted.note();
        if submitted.accepted.iter().any(|accepted| *accepted > 0) {
            return Ok(submitted);
        }
        Err(app.funds.refused(submitted.call.account, submitted.call.lane, price(&submitted.call.rows)).await)
    }
}

impl Submitted {
    /// `accepted` says of each chunk how many of its rows are, the first ones.
    pub(crate) fn new(run: Run, call: Arc<Call>, cuts: Vec<Range<usize>>, accepted: Vec<usize>) -> Self {
        Submitted { run, call, cuts, accepted }
    }

    /// The messages that are accepted.
    pub(crate) fn accepted_rows(&self) -> impl Iterator<Item = &Row> {
        self.chunks().flat_map(|(rows, accepted)| &self.call.rows[rows][..accepted])
    }

    /// The messages that the balance did not cover.
    pub(crate) fn refused_rows(&self) -> impl Iterator<Item = &Row> {
        self.chunks().flat_map(|(rows, accepted)| &self.call.rows[rows][accepted..])
    }

    /// The rows of each chunk, and how many of them are accepted.
    pub(crate) fn chunks(&self) -> impl Iterator<Item = (Range<usize>, usize)> {
        self.cuts.iter().cloned().zip(self.accepted.iter().copied())
    }

    fn note(&self) {
        let messages: usize = self.accepted.iter().sum();
        metrics::accepted(self.call.lane, messages);
        tracing::info!(
            account = self.call.account,
            chunk = self.run.first.get(),
            chunks = self.run.count,
            messages,
            refused = self.call.rows.len() - messages,
            lane = self.call.lane.as_str(),
            "submitted"
        );
    }
}

/// What each chunk costs.
fn costs(call: &Call, cuts: &[Range<usize>]) -> Vec<Money> {
    cuts.iter().map(|rows| price(&call.rows[rows.clone()])).collect()
}

fn price<'r>(rows: impl IntoIterator<Item = &'r Row>) -> Money {
    // The sum of the whole call is known to fit.
    Money::checked_sum(rows.into_iter().map(|row| row.price)).unwrap_or(Money::new(i64::MAX))
}

fn produce(
    app: &App,
    call: &Call,
    cuts: &[Range<usize>],
    run: Run,
    promises: Vec<Promise>,
) -> Result<Produced, Problem> {
    let version = app.standing.write_version();
    let chunks = cuts.iter().cloned().zip(run.ids());
    let records: Vec<Bytes> = chunks.map(|(rows, id)| build(call, rows, id, run).encode(version)).collect();
    // Neither can be: the estimate is from above, and a run has as many ids as were asked for.
    if records.len() != cuts.len() || records.iter().any(|record| record.len() > CHUNK_BYTES_MAX) {
        tracing::error!(chunk = run.first.get(), "a call was cut wrongly; nothing was produced");
        return Err(Problem::new(Code::InternalError));
    }
    app.lane(call.lane).produce(partition::of_account(call.account, app.partitions), &records, promises)
}

#[allow(clippy::needless_pass_by_value)] // the form that map_err wants
pub(crate) fn no_ids(error: NoIds) -> Problem {
    tracing::warn!(%error, "no ids");
    Problem::new(Code::Unavailable).detail("no ids can be given out now; nothing was taken")
}
