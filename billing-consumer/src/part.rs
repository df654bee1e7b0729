//! One partition in the hands of a lane's loop.

use bytes::Bytes;
use domain::id::ChunkId;
use platform::kafka::budget::Charge;
use platform::kafka::consumer::{Flow, Record};
use platform::ownership::Lease;
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::oneshot;

/// Publishing fails so often at one source before the partition stops.
const FAILURES_MAX: u32 = 3;

/// A partition: what is read, what is billed, what is published.
pub(crate) struct Part {
    pub(crate) lease: Lease,
    /// The assignment whose records count.
    pub(crate) serial: u64,
    flow: Arc<Flow>,
    /// Read and not yet answered, in order.
    pub(crate) pending: VecDeque<Record>,
    /// The position: everything below it is billed.
    pub(crate) next_offset: i64,
    /// Everything below it is acknowledged in sms.billed.
    pub(crate) published: i64,
    /// Answers that are not acknowledged yet, in order; the first `sent` of them were given
    /// to the producer.
    answers: VecDeque<Unacknowledged>,
    sent: usize,
    /// Where the producer broke last, how often in a row, and whether it did since the last
    /// beginning.
    failures: (i64, u32, bool),
    /// The beginning under way: until it ends nothing is read.
    pub(crate) beginning: Option<u64>,
    pub(crate) drained: Option<oneshot::Sender<()>>,
}

struct Unacknowledged {
    source: i64,
    value: Bytes,
    /// Given back when the answer is acknowledged.
    _charge: Charge,
}

impl Part {
    pub(crate) fn new(lease: Lease, next_offset: i64, published: i64) -> Self {
        Part {
            lease,
            serial: 0,
            flow: Arc::default(),
            pending: VecDeque::new(),
            next_offset,
            published,
            answers: VecDeque::new(),
            sent: 0,
            failures: (-1, 0, false),
            beginning: None,
            drained: None,
        }
    }

    /// Starts over from `published`: what was read or answered beyond it comes again.
    pub(crate) fn start_over(&mut self, published: i64) {
        self.published = published;
        self.pending.clear();
        self.answers.clear();
        self.sent = 0;
    }

    pub(crate) fn assigned(&mut self, serial: u64, flow: Arc<Flow>) {
        self.serial = serial;
        self.flow = flow;
        self.beginning = None;
    }

    /// The producer broke while it had, or may have had, answers of this partition.
    pub(crate) fn failed(&mut self) {
        self.failures.2 = true;
    }

    /// Publishing begins at `source`. Returns whether it failed there once too often.
    pub(crate) fn failed_since(&mut self, source: i64) -> bool {
        let (last, count, failed) = self.failures;
        let count = match (failed, last == source) {
            (false, _) => 0,
            (true, true) => count + 1,
            (true, false) => 1,
        };
        self.failures = (source, count, false);
        count >= FAILURES_MAX
    }

    /// A beginning is under way: what was read or answered comes again after it.
    pub(crate) fn begins(&mut self, number: u64) {
        self.beginning = Some(number);
        self.serial = 0;
        self.start_over(self.published);
    }

    pub(crate) fn unacknowledged(&self) -> usize {
        self.answers.len()
    }

    /// Keeps an answer until it is acknowledged.
    pub(crate) fn answer(&mut self, source: i64, value: Bytes, charge: Charge) {
        self.answers.push_back(Unacknowledged { source, value, _charge: charge });
    }

    /// The next answer that the producer was not given yet.
    pub(crate) fn to_send(&self) -> Option<(i64, &Bytes)> {
        self.answers.get(self.sent).map(|answer| (answer.source, &answer.value))
    }

    pub(crate) fn sent_one(&mut self) {
        self.sent += 1;
    }

    /// An answer is acknowledged. Acknowledgements come in the order of sending.
    pub(crate) fn acknowledged(&mut self, source: i64) {
        while self.answers.front().is_some_and(|answer| answer.source <= source) {
            self.answers.pop_front();
            self.sent = self.sent.saturating_sub(1);
        }
        self.published = self.published.max(source + 1);
        self.flow.done_below(self.published);
    }

    /// Records to answer now, at most `max`: only such as are all below the position, or
    /// all from it on.
    pub(crate) fn take(&mut self, max: usize) -> (Vec<Record>, Judged) {
        let judged = match self.pending.front() {
            Some(record) if record.offset < self.next_offset => Judged::Before,
            _ => Judged::Now,
        };
        let border = self.next_offset;
        let same_side = |record: &Record| (record.offset < border) == (judged == Judged::Before);
        let count = self.pending.iter().take(max).take_while(|record| same_side(record)).count();
        (self.pending.drain(..count).collect(), judged)
    }

    /// Puts records back that could not be billed.
    pub(crate) fn put_back(&mut self, records: Vec<Record>) {
        for record in records.into_iter().rev() {
            self.pending.push_front(record);
        }
    }
}

/// Whether records are already judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judged {
    /// They lie below the position: the ledger knows.
    Before,
    /// They are to be billed.
    Now,
}

/// What a record below the position is looked up by.
pub(crate) fn keys(records: &[Record]) -> Vec<(i64, Option<ChunkId>)> {
    records.iter().map(|record| (record.offset, crate::read::chunk_id(&record.value))).collect()
}
