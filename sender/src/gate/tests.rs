use super::*;

const LIMITS: BreakerLimits =
    BreakerLimits { failures: 2, open_first_ms: 1_000, open_longest_ms: 8_000, probe_lost_ms: 20_000 };

fn gate(permitted: Option<f64>) -> Gate {
    Gate::new(LIMITS, permitted, 0)
}

/// Messages that leave in `ms` milliseconds when a hundred are asked for in each.
fn sent(gate: &mut Gate, from: i64, ms: i64) -> usize {
    let mut sum = 0;
    for now in from..from + ms {
        let admitted = gate.admits(Lane::Bulk, 100, now);
        gate.left(Lane::Bulk, admitted, now);
        sum += admitted;
    }
    sum
}

#[test]
fn an_unlimited_one_admits_what_is_asked_for() {
    assert_eq!(gate(None).admits(Lane::Bulk, 100, 0), 100);
    assert_eq!(gate(None).admits(Lane::Bulk, 0, 0), 0);
}

#[test]
fn a_stopped_one_admits_nothing_until_it_is_resumed() {
    let mut gate = gate(None);
    gate.heard(Signal::RefusesUs(18), 0);
    assert_eq!((gate.admits(Lane::Express, 1, 1_000_000), gate.stopped()), (0, Some(18)));
    // Answers to what was under way change nothing.
    gate.heard(Signal::Answered, 0);
    assert_eq!(gate.admits(Lane::Express, 1, 1_000_000), 0);
    gate.set_stopped(None);
    assert_eq!(gate.admits(Lane::Express, 1, 1_000_000), 1);
}

#[test]
fn an_unreachable_one_is_probed_with_one_message() {
    let mut gate = gate(None);
    gate.heard(Signal::NoAnswer, 0);
    gate.heard(Signal::NoAnswer, 0);
    assert_eq!(gate.admits(Lane::Bulk, 100, 999), 0);
    assert_eq!(gate.admits(Lane::Bulk, 100, 1_000), 1);
    gate.left(Lane::Bulk, 1, 1_000);
    assert_eq!(gate.admits(Lane::Express, 1, 1_001), 0);
    gate.heard(Signal::Answered, 1_010);
    assert_eq!(gate.admits(Lane::Bulk, 100, 1_011), 100);
}

/// The lane that was let through had nothing to send after all.
#[test]
fn a_probe_that_is_not_used_is_anothers() {
    let mut gate = gate(None);
    gate.heard(Signal::NoAnswer, 0);
    gate.heard(Signal::NoAnswer, 0);
    assert_eq!(gate.admits(Lane::Bulk, 100, 1_000), 1);
    gate.left(Lane::Bulk, 0, 1_000);
    assert_eq!(gate.admits(Lane::Express, 1, 1_000), 1);
}

#[test]
fn too_much_halves_what_was_really_sent() {
    let mut gate = gate(None);
    // A hundred every ten milliseconds, for two seconds.
    for now in (0..2_000).step_by(10) {
        let admitted = gate.admits(Lane::Bulk, 100, now);
        gate.left(Lane::Bulk, admitted, now);
    }
    gate.heard(Signal::TooMuch, 2_000);
    assert!(gate.is_slowed());
    let next = sent(&mut gate, 2_001, 1_000);
    // Half of ten thousand, grown by a part of 5 %, and what the bucket had.
    assert!((4_500..6_700).contains(&next), "{next}");
    let later = sent(&mut gate, 17_000, 1_000);
    assert!(later > next, "{later}");
    assert_eq!(gate.admits(Lane::Bulk, 100, 60_000), 100);
    assert!(!gate.is_slowed());
}

#[test]
fn a_permitted_rate_is_kept_and_may_change() {
    let mut gate = gate(Some(200.0));
    let first = sent(&mut gate, 0, 5_000);
    assert!((950..=1_100).contains(&first), "{first}");
    gate.permit(Some(20.0));
    let second = sent(&mut gate, 5_000, 5_000);
    assert!((90..=115).contains(&second), "{second}");
    gate.permit(Some(0.0));
    assert!(sent(&mut gate, 10_000, 5_000) <= 3);
}
