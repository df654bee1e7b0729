//! The metrics of ingest, in one place: dashboards and alerts are written against their names.
//! Labels are lanes, codes, and connectors that have a secret only.

use std::time::Duration;

use domain::lane::Lane;
use domain::magfa;
use domain::outcome::Receipt;
use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use platform::http::problem::Code;

use crate::funds::Why;
use crate::receipts::{Of, Pushed};

/// Counter: messages answered with 2xx, by the `lane` travelled in.
pub const ACCEPTED: &str = "smshub_ingest_accepted_messages_total";
/// Counter: messages left out of bulk calls that were otherwise accepted.
pub const REJECTED: &str = "smshub_ingest_rejected_messages_total";
/// Counter: standard calls of many messages above their account's rate, which went to lane bulk.
pub const MOVED_TO_BULK: &str = "smshub_ingest_moved_to_bulk_calls_total";
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
/// Counter: how calls were judged against the balance before producing, by `lane` and `how`.
pub const DECIDED: &str = "smshub_ingest_funds_calls_total";
/// Counter: balances read for calls, by `lane`; calls of one account share reads.
pub const BALANCE_READS: &str = "smshub_ingest_balance_reads_total";
/// Counter: calls that waited for the ledger's verdict, by `lane` and `verdict`.
pub const VERDICTS: &str = "smshub_ingest_verdict_calls_total";
/// Histogram: seconds such a call waited after Kafka had it, by `lane`.
pub const VERDICT_SECONDS: &str = "smshub_ingest_verdict_seconds";
/// Counter: messages accepted without a verdict and refused later, by `why`.
pub const REFUSED_LATER: &str = "smshub_ingest_refused_later_messages_total";
/// Counter: chunks accepted without a verdict of which it will not be known.
pub const NOT_FOLLOWED: &str = "smshub_ingest_not_followed_chunks_total";
/// Gauge: chunks promised by this process and not yet billed.
pub const PROMISED: &str = "smshub_ingest_promised_chunks";
/// Gauge: accounts whose balances this process keeps.
pub const BALANCES: &str = "smshub_ingest_known_balances";
/// Counter: requests with an `Idempotency-Key` that were begun, by `outcome`: `first`, `replayed`
/// (it was answered before), `taken_over` (of a process that died or gave up), `in_progress`,
/// `conflict`.
pub const KEYED: &str = "smshub_ingest_keyed_requests_total";
/// Histogram: seconds that one transaction with keys took.
pub const KEYS_SECONDS: &str = "smshub_ingest_keys_transaction_seconds";
/// Counter: old keys deleted.
pub const KEYS_DELETED: &str = "smshub_ingest_keys_deleted_total";
/// Gauge: the tariff version that prices new messages.
pub const TARIFF_VERSION: &str = "smshub_ingest_tariff_version";

/// Tells the recorder what they mean.
pub(crate) fn describe() {
    describe_counter!(ACCEPTED, "Messages answered with 2xx, by the lane travelled in");
    describe_counter!(REJECTED, "Messages left out of accepted bulk calls");
    describe_counter!(MOVED_TO_BULK, "Standard calls above their account's rate, sent in lane bulk");
    describe_counter!(REFUSED, "Requests refused, by problem code");
    describe_histogram!(ACK_SECONDS, Unit::Seconds, "Time from producing a call to its acknowledgement");
    describe_gauge!(UNACKNOWLEDGED, Unit::Bytes, "Produced and not yet acknowledged, by lane");
    describe_counter!(PRODUCERS_REPLACED, "Broken producers replaced, by lane");
    describe_gauge!(UPLOADS, "Uploads of campaigns that run");
    describe_counter!(PUSHED, "Receipts that operators pushed and Kafka has");
    describe_counter!(UNKNOWN_CODES, "Pushed receipts with a code that nobody knows");
    describe_counter!(NOBODYS, "Pushed receipts of ids that we never give, left out");
    describe_counter!(PUSHES_REFUSED, "Calls with receipts that were refused, by problem code");
    describe_counter!(DECIDED, "Calls judged against the balance, by how");
    describe_counter!(BALANCE_READS, "Balances read for calls");
    describe_counter!(VERDICTS, "Calls that waited for the ledger's verdict, by what it was");
    describe_histogram!(VERDICT_SECONDS, Unit::Seconds, "Time from Kafka's acknowledgement to the verdict");
    describe_counter!(REFUSED_LATER, "Messages accepted without a verdict and refused later, by why");
    describe_counter!(NOT_FOLLOWED, "Chunks accepted without a verdict of which it will not be known");
    describe_gauge!(PROMISED, "Chunks promised by this process and not yet billed");
    describe_gauge!(BALANCES, "Accounts whose balances this process keeps");
    describe_counter!(KEYED, "Requests with an Idempotency-Key, by outcome");
    describe_histogram!(KEYS_SECONDS, Unit::Seconds, "Time of one transaction with idempotency keys");
    describe_counter!(KEYS_DELETED, "Old idempotency keys deleted");
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

pub(crate) fn moved_to_bulk() {
    counter!(MOVED_TO_BULK).increment(1);
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

/// How a call was judged against the balance, before producing.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Decided {
    /// Promised without asking.
    AtOnce,
    /// Promised by a balance that was read anew.
    Read,
    /// Promised; the verdict is waited for.
    Close,
    /// Refused: 402.
    Short,
    /// Refused: billing is far behind.
    Behind,
    /// Refused: too many wait.
    Full,
    /// Refused: the balance cannot be read.
    Unreadable,
    /// Refused: Kafka does not acknowledge what was promised before.
    Uncertain,
}

impl Decided {
    const fn as_str(self) -> &'static str {
        match self {
            Decided::AtOnce => "at_once",
            Decided::Read => "read",
            Decided::Close => "close",
            Decided::Short => "short",
            Decided::Behind => "behind",
            Decided::Full => "full",
            Decided::Unreadable => "unreadable",
            Decided::Uncertain => "uncertain",
        }
    }
}

pub(crate) fn decided(lane: Lane, how: Decided) {
    counter!(DECIDED, "lane" => lane.as_str(), "how" => how.as_str()).increment(1);
}

pub(crate) fn balance_read(lane: Lane) {
    counter!(BALANCE_READS, "lane" => lane.as_str()).increment(1);
}

/// `paid` of each chunk as far as it is known, and how many messages it has.
pub(crate) fn verdict(lane: Lane, paid: &[Option<u16>], sizes: &[usize], after: Duration) {
    let of_all: Option<usize> = paid.iter().map(|paid| paid.map(usize::from)).sum();
    let verdict = match of_all {
        None => "late",
        Some(0) => "refused",
        Some(paid) if paid < sizes.iter().sum() => "part",
        Some(_) => "paid",
    };
    counter!(VERDICTS, "lane" => lane.as_str(), "verdict" => verdict).increment(1);
    histogram!(VERDICT_SECONDS, "lane" => lane.as_str()).record(after);
}

pub(crate) fn refused_later(why: Why, messages: u16) {
    counter!(REFUSED_LATER, "why" => why.as_str()).increment(messages.into());
}

pub(crate) fn not_followed() {
    counter!(NOT_FOLLOWED).increment(1);
}

#[allow(clippy::cast_precision_loss)] // far below 2^52
pub(crate) fn promised(chunks: usize, accounts: usize) {
    gauge!(PROMISED).set(chunks as f64);
    gauge!(BALANCES).set(accounts as f64);
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

pub(crate) fn keyed(outcome: &'static str) {
    counter!(KEYED, "outcome" => outcome).increment(1);
}

pub(crate) fn keys_written(after: Duration) {
    histogram!(KEYS_SECONDS).record(after);
}

pub(crate) fn keys_deleted(rows: u64) {
    counter!(KEYS_DELETED).increment(rows);
}

pub(crate) fn tariff_version(version: u32) {
    gauge!(TARIFF_VERSION).set(version);
}
