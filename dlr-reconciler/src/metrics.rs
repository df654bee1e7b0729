//! What the reconciler counts. `worker` is a lane, or `receipts`.

use crate::flush::Stored;
use crate::sweep::Swept;
use domain::money::Money;
use domain::status::Status;
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

mod webhooks;

pub(crate) use webhooks::WebhookMeters;

const RECORDS: &str = "smshub_dlr_reconciler_records_total";
const RECORDED: &str = "smshub_dlr_reconciler_recorded_messages_total";
const FINAL: &str = "smshub_dlr_reconciler_final_messages_total";
const SETTLED: &str = "smshub_dlr_reconciler_settled_amount_total";
const REFUNDED: &str = "smshub_dlr_reconciler_refunded_amount_total";
const LATE: &str = "smshub_dlr_reconciler_late_receipts_total";
const BEYOND: &str = "smshub_dlr_reconciler_positions_beyond_chunk_total";
const DISAGREEMENTS: &str = "smshub_dlr_reconciler_disagreements_total";
const PENDED: &str = "smshub_dlr_reconciler_pended_receipts_total";
const FOREIGN: &str = "smshub_dlr_reconciler_foreign_receipts_total";
const DROPPED: &str = "smshub_dlr_reconciler_dropped_receipts_total";
const PENDING: &str = "smshub_dlr_reconciler_pending_receipts";
const PARKED: &str = "smshub_dlr_reconciler_parked_records_total";
const IDS_REFUSED: &str = "smshub_dlr_reconciler_operator_ids_refused_total";
const TRANSACTION: &str = "smshub_dlr_reconciler_transaction_seconds";
const CHUNKS: &str = "smshub_dlr_reconciler_transaction_chunks";
const FAILED: &str = "smshub_dlr_reconciler_transactions_failed_total";
const IN_HAND: &str = "smshub_dlr_reconciler_in_hand_bytes";

const EVENTS: &str = "smshub_dlr_reconciler_webhook_events_total";
const SWEPT: &str = "smshub_dlr_reconciler_swept_messages_total";
const ASKED_AGAIN: &str = "smshub_dlr_reconciler_asked_once_more_chunks_total";
const SWEEPS_FAILED: &str = "smshub_dlr_reconciler_sweeps_failed_total";
const SEEN_BEHIND: &str = "smshub_dlr_reconciler_seen_behind_seconds";
const MOVED: &str = "smshub_dlr_reconciler_moved_chunks_total";
const MOVES_FAILED: &str = "smshub_dlr_reconciler_moves_failed_total";

/// The meters of the sweep.
pub(crate) struct SweepMeters {
    stored: Meters,
    unanswered: Counter,
    hard_cap: Counter,
    asked: Counter,
    /// Rounds that failed.
    pub(crate) failed: Counter,
    /// Seconds since the time until which everything is seen.
    pub(crate) behind: Gauge,
}

/// The meters of moving to history.
pub(crate) struct HistoryMeters {
    /// Chunks that left the open tables.
    pub(crate) moved: Counter,
    /// Rounds that failed.
    pub(crate) failed: Counter,
}

/// The meters of one worker, made once.
pub(crate) struct Meters {
    worker: &'static str,
    recorded: Counter,
    ended: [Counter; Status::ALL.len()],
    settled: Counter,
    refunded: Counter,
    late: Counter,
    beyond: Counter,
    disagreements: Counter,
    pended: Counter,
    events: Counter,
    /// Receipts that waited too long.
    pub(crate) dropped: Counter,
    /// Receipts that wait for their chunk or attempt.
    pub(crate) pending: Gauge,
    /// Records parked.
    pub(crate) parked: Counter,
    /// Operators' ids that cannot be kept.
    pub(crate) ids_refused: Counter,
    /// Bytes in hand.
    pub(crate) in_hand: Gauge,
}

/// The meters of one stream of a worker.
pub(crate) struct StreamMeters {
    /// Records read.
    pub(crate) records: Counter,
    /// Seconds of one transaction.
    pub(crate) transaction: Histogram,
    /// Chunks in one transaction.
    pub(crate) chunks: Histogram,
    /// Transactions that failed or lost a race.
    pub(crate) failed: Counter,
}

impl Meters {
    pub(crate) fn new(worker: &'static str) -> Self {
        let of = |name: &'static str| counter!(name, "worker" => worker);
        Meters {
            worker,
            recorded: of(RECORDED),
            ended: Status::ALL.map(|status| counter!(FINAL, "worker" => worker, "status" => status.as_str())),
            settled: of(SETTLED),
            refunded: of(REFUNDED),
            late: of(LATE),
            beyond: of(BEYOND),
            disagreements: of(DISAGREEMENTS),
            pended: of(PENDED),
            events: of(EVENTS),
            dropped: of(DROPPED),
            pending: gauge!(PENDING),
            parked: of(PARKED),
            ids_refused: of(IDS_REFUSED),
            in_hand: gauge!(IN_HAND, "worker" => worker),
        }
    }

    pub(crate) fn stream(&self, stream: &'static str) -> StreamMeters {
        let worker = self.worker;
        StreamMeters {
            records: counter!(RECORDS, "worker" => worker, "stream" => stream),
            transaction: histogram!(TRANSACTION, "worker" => worker, "stream" => stream),
            chunks: histogram!(CHUNKS, "worker" => worker, "stream" => stream),
            failed: counter!(FAILED, "worker" => worker, "stream" => stream),
        }
    }

    /// Counts what was committed.
    pub(crate) fn stored(&self, stored: &Stored) {
        self.recorded.increment(stored.recorded);
        for (counter, messages) in self.ended.iter().zip(stored.ended) {
            if messages > 0 {
                counter.increment(messages);
            }
        }
        self.settled.increment(units(stored.settled));
        self.refunded.increment(units(stored.refunded));
        self.late.increment(stored.late);
        self.beyond.increment(stored.beyond);
        self.disagreements.increment(stored.disagreements);
        self.pended.increment(stored.pending);
        self.events.increment(stored.events);
        for (connector, receipts) in &stored.foreign {
            counter!(FOREIGN, "worker" => self.worker, "connector" => connector.to_string())
                .increment(*receipts);
        }
    }
}

impl SweepMeters {
    pub(crate) fn new() -> Self {
        SweepMeters {
            stored: Meters::new("sweep"),
            unanswered: counter!(SWEPT, "cause" => "unanswered"),
            hard_cap: counter!(SWEPT, "cause" => "hard_cap"),
            asked: counter!(ASKED_AGAIN),
            failed: counter!(SWEEPS_FAILED),
            behind: gauge!(SEEN_BEHIND),
        }
    }

    /// Counts what a page brought.
    pub(crate) fn swept(&self, swept: &Swept) {
        for (stored, counter) in [(&swept.unanswered, &self.unanswered), (&swept.hard_cap, &self.hard_cap)] {
            self.stored.stored(stored);
            counter.increment(stored.ended.iter().sum());
        }
        self.asked.increment(swept.asked);
    }
}

impl HistoryMeters {
    pub(crate) fn new() -> Self {
        HistoryMeters { moved: counter!(MOVED), failed: counter!(MOVES_FAILED) }
    }
}

fn units(amount: Money) -> u64 {
    u64::try_from(amount.get()).unwrap_or(0)
}

/// Tells the recorder what they mean.
pub(crate) fn describe() {
    describe_counter!(RECORDS, "Records read, by worker and stream");
    describe_counter!(RECORDED, "Messages recorded as they were billed");
    describe_counter!(FINAL, "Messages that became final, by status");
    describe_counter!(SETTLED, "Money that became revenue, in the smallest unit");
    describe_counter!(REFUNDED, "Money that went back to balances, in the smallest unit");
    describe_counter!(LATE, "Receipts that contradict a final status");
    describe_counter!(BEYOND, "Outcomes and receipts of messages that their chunk does not have");
    describe_counter!(DISAGREEMENTS, "Messages whose final status did not move the money it should");
    describe_counter!(PENDED, "Receipts that came before their chunk or attempt was known");
    describe_counter!(DROPPED, "Receipts that waited in vain until their time was over");
    describe_counter!(FOREIGN, "Receipts of messages that went by another connector, left out");
    describe_gauge!(PENDING, "Receipts that wait for their chunk or attempt, up to 100000");
    describe_counter!(PARKED, "Records of receipts that nobody can read");
    describe_counter!(IDS_REFUSED, "Operators' ids with control characters, left out");
    describe_histogram!(TRANSACTION, Unit::Seconds, "Time of one transaction");
    describe_histogram!(CHUNKS, "Chunks in one transaction");
    describe_counter!(FAILED, "Transactions that failed or lost a race, tried again");
    describe_gauge!(IN_HAND, Unit::Bytes, "Bytes read and not yet stored");
    describe_counter!(EVENTS, "Changes of status that webhook endpoints are to be told");
    webhooks::describe();
    describe_counter!(SWEPT, "Messages that nobody answered, by why they were ended");
    describe_counter!(ASKED_AGAIN, "Chunks asked about once more, for a sign of life of their connector");
    describe_counter!(SWEEPS_FAILED, "Rounds of the sweep that failed, tried again");
    describe_gauge!(SEEN_BEHIND, Unit::Seconds, "Age of what the sweep has seen of everything");
    describe_counter!(MOVED, "Finished chunks that went to history");
    describe_counter!(MOVES_FAILED, "Rounds of moving to history that failed, tried again");
}
