#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;

use super::*;

const LIMIT_MS: u64 = 1_000;

fn health() -> (Health, Arc<AtomicU64>) {
    let now = Arc::new(AtomicU64::new(5));
    let read = now.clone();
    (Health::with_clock(Clock::new(move || read.load(Ordering::Relaxed))), now)
}

fn detail(health: &Health) -> Option<String> {
    health.report().checks[0].detail.clone()
}

#[test]
fn a_check_is_ready_while_it_moves() {
    let (health, now) = health();
    assert!(health.report().ready, "nothing to wait for");

    let check = health.check("billing", Duration::from_millis(LIMIT_MS));
    assert_eq!(detail(&health).as_deref(), Some("has not reported yet"));

    check.progress();
    now.fetch_add(LIMIT_MS, Ordering::Relaxed);
    assert!(health.report().ready);

    now.fetch_add(1, Ordering::Relaxed);
    assert!(!health.report().ready);
    assert_eq!(detail(&health).as_deref(), Some("no progress for 1001 ms, at most 1000 ms expected"));

    check.progress();
    assert!(health.report().ready);
}

#[test]
fn a_failure_lasts_until_ok() {
    let (health, _) = health();
    let check = health.check("postgres", Duration::from_millis(LIMIT_MS));
    check.fail("no connection");
    check.progress();
    assert_eq!(detail(&health).as_deref(), Some("no connection"));
    check.clone().ok();
    assert!(health.report().ready);
}

#[test]
fn one_check_that_stands_still_is_enough() {
    let (health, _) = health();
    health.check("a", Duration::MAX).progress();
    health.check("b", Duration::MAX);
    let report = health.report();
    assert!(!report.ready);
    assert_eq!(report.checks.iter().map(|check| check.ok).collect::<Vec<_>>(), [true, false]);
}

#[test]
fn alarms_are_shown_and_do_not_change_readiness() {
    let (health, _) = health();
    health.raise_alarm("partition_stopped", "billing bulk 3", "undecodable");
    health.raise_alarm("partition_stopped", "billing bulk 4", "first");
    health.raise_alarm("partition_stopped", "billing bulk 4", "second");
    health.clear_alarm("partition_stopped", "billing bulk 3");
    health.clear_alarm("partition_stopped", "never raised");
    assert_eq!(
        serde_json::to_value(health.report()).unwrap(),
        serde_json::json!({
            "ready": true,
            "checks": [],
            "alarms": [{"code": "partition_stopped", "subject": "billing bulk 4", "detail": "second"}]
        })
    );
}

#[test]
fn the_gauge_counts_the_alarms_of_a_code() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    metrics::with_local_recorder(&recorder, || {
        let (health, _) = health();
        health.raise_alarm("parked", "a", "x");
        health.raise_alarm("parked", "b", "x");
        assert!(handle.render().contains("smshub_alarm{code=\"parked\"} 2"), "{}", handle.render());
        health.clear_alarm("parked", "a");
        health.clear_alarm("parked", "b");
        assert!(handle.render().contains("smshub_alarm{code=\"parked\"} 0"), "{}", handle.render());
    });
}

#[test]
fn the_list_of_alarms_is_bounded() {
    let (health, _) = health();
    for subject in 0..2_000 {
        health.raise_alarm("flood", &subject.to_string(), "x");
    }
    assert_eq!(health.report().alarms.len(), 1_024);
}

proptest! {
    #[test]
    fn ready_exactly_while_the_last_progress_is_recent(steps in prop::collection::vec((0..700_u64, any::<bool>()), 1..40)) {
        let (health, now) = health();
        let check = health.check("loop", Duration::from_millis(LIMIT_MS));
        let mut last = None;
        for (advance, moved) in steps {
            let at = now.fetch_add(advance, Ordering::Relaxed) + advance;
            if moved {
                check.progress();
                last = Some(at);
            }
            let recent = last.is_some_and(|last| at - last <= LIMIT_MS);
            prop_assert_eq!(health.report().ready, recent);
        }
    }
}
