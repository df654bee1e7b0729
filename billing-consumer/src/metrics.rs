//! What billing counts.

use domain::lane::Lane;
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use wire::billed::Answer;

/// The meters of one lane, made once.
pub(crate) struct Meters {
    paid: Counter,
    refused: Counter,
    noop: Counter,
    messages_paid: Counter,
    /// Seconds of one transaction.
    pub(crate) transaction: Histogram,
    /// Chunks in one transaction.
    pub(crate) batch: Histogram,
    /// Answers not acknowledged yet.
    pub(crate) unacknowledged: Gauge,
    /// Producers discarded.
    pub(crate) producers_discarded: Counter,
    /// Records kept for a person.
    pub(crate) parked: Counter,
}

impl Meters {
    pub(crate) fn new(lane: Lane) -> Self {
        let lane = lane.as_str();
        let chunks = |verdict: &'static str| counter!("smshub_billing_chunks_total", "lane" => lane, "verdict" => verdict);
        Meters {
            paid: chunks("paid"),
            refused: chunks("refused"),
            noop: chunks("noop"),
            messages_paid: counter!("smshub_billing_messages_paid_total", "lane" => lane),
            transaction: histogram!("smshub_billing_transaction_seconds", "lane" => lane),
            batch: histogram!("smshub_billing_batch_chunks", "lane" => lane),
            unacknowledged: gauge!("smshub_billing_unacknowledged_records", "lane" => lane),
            producers_discarded: counter!("smshub_billing_producers_discarded_total", "lane" => lane),
            parked: counter!("smshub_billing_parked_total", "lane" => lane),
        }
    }

    pub(crate) fn answered(&self, answer: Answer) {
        match answer {
            Answer::Paid(paid) => {
                self.paid.increment(1);
                self.messages_paid.increment(paid.into());
            }
            Answer::Refused => self.refused.increment(1),
            Answer::Noop => self.noop.increment(1),
        }
    }
}
