//! The billed records of one partition, read in blocks as they are needed.

use super::outputs::Sources;
use domain::id::ChunkId;
use domain::time::UnixMillis;
use ledger::audit::Report;
use platform::kafka::KafkaProblem;
use platform::kafka::tail::Tail;
use std::ops::Range;
use wire::billed::{Billed, Verdict};

/// Records read at once: few enough to be little ahead, enough to be worth the request.
const BLOCK_RECORDS: i64 = 20_000;
/// How far the clocks of the brokers, and of those who mint ids, may be apart.
const CLOCKS_MS: i64 = 60_000;

/// A chunk that was paid for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paid {
    pub(super) chunk: ChunkId,
    /// Messages in it, paid or not.
    pub(super) messages: usize,
    pub(super) send_by: UnixMillis,
}

/// What is read of a billed partition, and what is not yet.
pub(super) struct Answers<'a> {
    tail: &'a Tail,
    topic: String,
    partition: i32,
    left: Range<i64>,
    /// O1, of what was read.
    pub(super) sources: Sources,
    /// When the first record was written, where the log no longer has its beginning.
    first_at: Option<UnixMillis>,
    /// When the last record that was read was written.
    read_until: UnixMillis,
}

impl<'a> Answers<'a> {
    /// Nothing read yet.
    pub(super) fn new(tail: &'a Tail, topic: String, partition: i32) -> Result<Self, KafkaProblem> {
        let left = tail.bounds(&topic, partition)?;
        let sources = Sources::new(format!("{topic}/{partition}"), left.start == 0);
        // Where nothing is kept any more, nothing is known of what was made until now.
        let first_at = (left.start > 0).then_some(UnixMillis(i64::MAX));
        let read_until = UnixMillis(i64::MIN);
        Ok(Answers { tail, topic, partition, left, sources, first_at, read_until })
    }

    /// Reads the next block and tells what was paid for. Nothing where all is read.
    pub(super) fn next_block(
        &mut self,
        report: &mut Report,
        mut paid: impl FnMut(Paid),
    ) -> Result<bool, KafkaProblem> {
        let Range { start, end } = self.left;
        let block = start..end.min(start.saturating_add(BLOCK_RECORDS));
        if block.is_empty() {
            return Ok(false);
        }
        self.left.start = block.end;
        let Answers { tail, topic, partition, sources, first_at, read_until, .. } = self;
        tail.read(topic, *partition, block, |record| {
            let at = UnixMillis(record.at_ms);
            *read_until = at.max(*read_until);
            if let Some(first_at) = first_at {
                *first_at = at.min(*first_at);
            }
            match Billed::decode(&record.value) {
                Ok(billed) => {
                    sources.take(record.offset, billed.source, report);
                    if let Verdict::Paid { chunk, .. } = billed.verdict {
                        paid(Paid { chunk: chunk.id, messages: chunk.len(), send_by: chunk.send_by });
                    }
                }
                Err(error) => sources.unreadable(record.offset, &error, report),
            }
        })?;
        Ok(true)
    }

    /// Whether a record that is not read yet may have been written before `time`.
    pub(super) fn may_precede(&self, time: UnixMillis) -> bool {
        !self.left.is_empty() && self.read_until <= time.plus(CLOCKS_MS)
    }

    /// What was paid for and made at this time or later stands in the log.
    pub(super) fn known_since(&self) -> UnixMillis {
        self.first_at.map_or(UnixMillis(i64::MIN), |at| at.plus(CLOCKS_MS))
    }
}
