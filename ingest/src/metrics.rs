//! The metrics of ingest, in one place: dashboards and alerts are written against their names.
//! Labels are lanes, codes, and connectors that have a secret only.

use std::time::Duration;

use domain::lane::Lane;
use domain::magfa;
use domain::outcome::Receipt;
use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use platform::http::problem::Code;

use crate::receipts::{Of, Pushed};

/// Counter: messages answered with 2xx, by the `lane` travelled in.
pub const ACCEPTED: &str = "smshub_ingest_accepted_messages_total";
/// Counter: messages left out of bulk calls that were otherwise accepted.
pub const REJECTED: &str = "smshub_ingest_rejected_messages_total";
/// Counter: requests refused, by problem `code`.
pub const REFUSED: &str = "smshub_ingest_refused_requests_total";
/// Histogram: seconds from producing a call to its last acknowledgement, or to giving up, by `lane`.
pub const ACK_SECONDS: &str = "smshub_ingest_acknowledgement_seconds";
/// Gauge: bytes produced and not yet acknowledged, by `lane`, in steps of 1 KiB.
pub const UNACKNOWLEDGED: &str = "smshub_ingest_unacknowledged_bytes";
/// Counter: broken producers replaced, by `lane`.
pub const PRODUCERS_REPLACED: &str = "smshub_ingest_producers_replaced_total";
/// Gauge: uploads of campaigns that run.
pub const UPLOADS: &str = "smshub_ingest_campaign_uploads";
/// Counter: receipts that operators pushed and Kafka has, by `connector` and `receipt`.
pub const PUSHED: &str = "smshub_receipts_pushed_total";
/// Counter: those of them with a code that the operator's contract does not have.
pub const UNKNOWN_CODES: &str = "smshub_receipts_unknown_codes_total";
/// Counter: pushed receipts of ids that we never give, left out, by `connector`.
pub const NOBODYS: &str = "smshub_receipts_nobodys_total";
/// Counter: calls with receipts that were refused, by `reason` (a problem code).
pub const PUSHES_REFUSED: &str = "smshub_receipts_refused_calls_total";
/// Gauge: the tariff version that prices new messages.
pub const TARIFF_VERSION: &str = "smshub_ingest_tariff_version";

/// Tells the recorder what they mean.
pub(crate) fn describe() {
    describe_counter!(ACCEPTED, "Messages answered with 2xx, by the lane travelled in");
    describe_counter!(REJECTED, "Messages left out of accepted bulk calls");
    describe_counter!(REFUSED, "Requests refused, by problem code");
    describe_histogram!(ACK_SECONDS, Unit::Seconds, "Time from producing a call to its acknowledgement");
    describe_gauge!(UNACKNOWLEDGED, Unit::Bytes, "Produced and not yet acknowledged, by lane");
    describe_counter!(PRODUCERS_REPLACED, "Broken producers replaced, by lane");
    describe_gauge!(UPLOADS, "Uploads of campaigns that run");
    describe_counter!(PUSHED, "Receipts that operators pushed and Kafka has");
    describe_counter!(UNKNOWN_CODES, "Pushed receipts with a code that nobody knows");
    describe_counter!(NOBODYS, "Pushed receipts of ids that we never give, left out");
    describe_counter!(PUSHES_REFUSED, "Calls with receipts that were refused, by problem code");
    describe_gauge!(TARIFF_VERSION, "The tariff version that prices new messages");
}

pub(crate) fn accepted(lane: Lane, messages: usize) {
    counter!(ACCEPTED, "lane" => lane.as_str()).increment(messages as u64);
}

pub(crate) fn rejected(messages: usize) {
    counter!(REJECTED).increment(messages as u64);
}

pub(crate) fn uploads(more: i32) {
    gauge!(UPLOADS).increment(more);
}

pub(crate) fn refused(code: Code) {
    counter!(REFUSED, "code" => code.as_str()).increment(1);
}

pub(crate) fn acknowledged(lane: Lane, after: Duration) {
    histogram!(ACK_SECONDS, "lane" => lane.as_str()).record(after);
}

#[allow(clippy::cast_precision_loss)] // far below 2^52
pub(crate) fn unacknowledged(lane: Lane, kib: i64) {
    gauge!(UNACKNOWLEDGED, "lane" => lane.as_str()).increment((kib * 1_024) as f64);
}

pub(crate) fn producer_replaced(lane: Lane) {
    counter!(PRODUCERS_REPLACED, "lane" => lane.as_str()).increment(1);
}

pub(crate) fn pushed(connector: &str, pushed: &[Pushed]) {
    for Pushed { of, code } in pushed {
        let connector = connector.to_owned();
        if *of == Of::Nobody {
            counter!(NOBODYS, "connector" => connector).increment(1);
            continue;
        }
        match magfa::receipt_of(*code) {
            Some(receipt) => {
                counter!(PUSHED, "connector" => connector, "receipt" => receipt.as_str()).increment(1);
            }
            None => {
                counter!(UNKNOWN_CODES, "connector" => connector.clone()).increment(1);
                counter!(PUSHED, "connector" => connector, "receipt" => Receipt::Nothing.as_str())
                    .increment(1);
            }
        }
    }
}

pub(crate) fn push_refused(code: Code) {
    counter!(PUSHES_REFUSED, "reason" => code.as_str()).increment(1);
}

pub(crate) fn tariff_version(version: u32) {
    gauge!(TARIFF_VERSION).set(version);
}
