#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::cast_possible_truncation)]

mod deaths;
mod receiver;
mod rig;
mod telling;
mod trouble;

use crate::WebhookDelivery;
use platform::webhook::WebhookSettings;

/// Everything as short as the settings allow.
pub(crate) fn settings() -> WebhookDelivery {
    WebhookDelivery {
        every_ms: 50,
        look_endpoints: 100,
        calls_at_once: 4,
        slow_calls_at_once: 2,
        slow_ms: 400,
        turn_calls: 20,
        turn_ms: 1_000,
        retry_schedule_s: vec![5, 60, 3_600],
        give_up_hours: 48,
        pause_longest_s: 300,
        pending_deliveries: 100,
        backlog_rows: 1_000,
        log_rows: 50,
        tidy_every_ms: 100,
    }
}

/// Receivers are on this machine.
pub(crate) fn calls() -> WebhookSettings {
    WebhookSettings {
        allow: vec!["127.0.0.0/8".into()],
        connect_timeout_ms: 500,
        call_timeout_ms: 1_000,
        look_ups: 2,
    }
}
