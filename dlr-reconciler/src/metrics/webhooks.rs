//! What is counted of webhooks.

use crate::webhooks::{Marked, Tidied};
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
use platform::webhook::Called;

const CALLS: &str = "smshub_dlr_reconciler_webhook_calls_total";
const TOLD: &str = "smshub_dlr_reconciler_webhook_events_told_total";
const DROPPED: &str = "smshub_dlr_reconciler_webhook_events_dropped_total";
const CALL: &str = "smshub_dlr_reconciler_webhook_call_seconds";
const WAITING: &str = "smshub_dlr_reconciler_webhook_backlog_rows";
const OLDEST: &str = "smshub_dlr_reconciler_webhook_backlog_seconds";
const DISABLED: &str = "smshub_dlr_reconciler_webhook_disabled_endpoints";
const DISABLINGS: &str = "smshub_dlr_reconciler_webhook_disabled_total";
const FAILED: &str = "smshub_dlr_reconciler_webhook_rounds_failed_total";

/// The meters of telling endpoints.
pub(crate) struct WebhookMeters {
    delivered: Counter,
    again: Counter,
    given_up: Counter,
    told: Counter,
    dropped: Counter,
    call: Histogram,
    waiting: Gauge,
    oldest: Gauge,
    disabled: Gauge,
    /// Rounds that failed.
    pub(crate) failed: Counter,
}

impl WebhookMeters {
    pub(crate) fn new() -> Self {
        WebhookMeters {
            delivered: counter!(CALLS, "outcome" => "delivered"),
            again: counter!(CALLS, "outcome" => "again"),
            given_up: counter!(CALLS, "outcome" => "failed"),
            told: counter!(TOLD),
            dropped: counter!(DROPPED),
            call: histogram!(CALL),
            waiting: gauge!(WAITING),
            oldest: gauge!(OLDEST),
            disabled: gauge!(DISABLED),
            failed: counter!(FAILED),
        }
    }

    /// Counts a call that was made.
    pub(crate) fn called(&self, called: &Called) {
        self.call.record(f64::from(called.took_ms) / 1_000.0);
    }

    /// Counts what was stored of calls.
    pub(crate) fn marked(&self, marked: &Marked) {
        self.delivered.increment(marked.delivered);
        self.again.increment(marked.again);
        self.given_up.increment(marked.failed);
        self.told.increment(marked.told);
        self.dropped.increment(marked.dropped);
        for (_, reason) in &marked.disabled {
            counter!(DISABLINGS, "reason" => reason.as_str()).increment(1);
        }
    }

    /// Shows how things stand.
    pub(crate) fn tidied(&self, tidied: &Tidied) {
        self.waiting.set(tidied.waiting as f64);
        self.oldest.set(tidied.oldest_s);
        self.disabled.set(tidied.disabled as f64);
        self.dropped.increment(tidied.dropped.unsigned_abs());
        counter!(DISABLINGS, "reason" => "backlog").increment(tidied.overflowed.len() as u64);
    }
}

/// Tells the recorder what they mean.
pub(super) fn describe() {
    describe_counter!(CALLS, "Calls to webhook endpoints, by what became of the delivery");
    describe_counter!(TOLD, "Changes of status that webhook endpoints took");
    describe_counter!(DROPPED, "Changes of status that webhook endpoints will not be told");
    describe_histogram!(CALL, Unit::Seconds, "Time of a call to a webhook endpoint");
    describe_gauge!(WAITING, "Rows of events that wait for webhook endpoints");
    describe_gauge!(OLDEST, Unit::Seconds, "Age of the oldest of them");
    describe_gauge!(DISABLED, "Webhook endpoints that are disabled");
    describe_counter!(DISABLINGS, "Webhook endpoints that were disabled, by reason");
    describe_counter!(FAILED, "Rounds of delivering webhooks that failed, tried again");
}
