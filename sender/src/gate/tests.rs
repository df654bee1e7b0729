use super::*;

const LIMITS: BreakerLimits =
    BreakerLimits { failures: 2, open_first_ms: 1_000, open_longest_ms: 8_000, probe_lost_ms: 20_000 };

const FOR_EVER: i64 = i64::MAX;

fn gate(permitted: Option<f64>) -> Gate {
    let mut gate = Gate::new(LIMITS, 0);
    gate.agreed(None, permitted, FOR_EVER);
    gate
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
    gate.agreed(None, None, FOR_EVER);
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
    gate.agreed(None, Some(20.0), FOR_EVER);
    let second = sent(&mut gate, 5_000, 5_000);
    assert!((90..=115).contains(&second), "{second}");
    gate.agreed(None, Some(0.0), FOR_EVER);
    assert!(sent(&mut gate, 10_000, 5_000) <= 3);
}

#[test]
fn nothing_goes_before_it_was_agreed_on_and_after_what_was_granted_has_lapsed() {
    let mut gate = Gate::new(LIMITS, 0);
    assert_eq!((gate.admits(Lane::Express, 1, 0), gate.admits_look_up(0)), (0, false));
    // Another process had stopped it.
    gate.agreed(Some(18), None, 0);
    assert_eq!((gate.admits(Lane::Express, 1, 0), gate.stopped()), (0, Some(18)));
    gate.agreed(None, Some(100.0), 3_000);
    assert_eq!((gate.admits(Lane::Express, 1, 2_999), gate.admits(Lane::Express, 1, 3_000)), (1, 0));
    // What is not limited cannot lapse.
    gate.agreed(None, None, 3_000);
    assert_eq!(gate.admits(Lane::Express, 1, 3_000), 1);
}

/// An operator that answers questions and takes nothing stays left alone, and the other way
/// round.
#[test]
fn questions_and_calls_do_not_speak_for_each_other() {
    let mut gate = gate(None);
    for now in [0, 1] {
        gate.heard(Signal::NoAnswer, now);
        gate.heard_look_up(Signal::Answered, now);
        gate.heard_poll(false, now);
    }
    assert!(!gate.breaker().is_closed() && gate.look_ups().is_closed() && !gate.polls().is_closed());
    assert!(gate.admits(Lane::Express, 1, 10) == 0 && gate.admits_look_up(10) && !gate.admits_poll(10));
    gate.heard(Signal::Answered, 20);
    for now in [30, 31] {
        gate.heard(Signal::Answered, now);
        gate.heard_look_up(Signal::NoAnswer, now);
        gate.heard_poll(true, now);
    }
    assert!(gate.breaker().is_closed() && !gate.look_ups().is_closed());
    assert!(gate.admits(Lane::Express, 1, 40) == 1 && !gate.admits_look_up(40) && gate.admits_poll(40));
}

/// After a silence, what the operator has not read yet may still come.
#[test]
fn how_long_it_has_answered_counts_from_the_end_of_a_silence() {
    let mut gate = gate(None);
    assert!(gate.answers_for(0) > 1_000_000);
    gate.heard_look_up(Signal::NoAnswer, 0);
    gate.heard_look_up(Signal::Answered, 500);
    assert!(gate.answers_for(500) > 1_000_000, "one that is lost now and then was not silent");
    // The side that takes messages is silent, the other answers.
    [1_000, 1_001].into_iter().for_each(|now| gate.heard(Signal::NoAnswer, now));
    gate.heard_look_up(Signal::Answered, 1_500);
    assert_eq!(gate.answers_for(1_501), 500);
    gate.heard(Signal::Answered, 5_000);
    assert_eq!(gate.answers_for(5_200), 200);
    [6_000, 6_001].into_iter().for_each(|now| gate.heard_look_up(Signal::NoAnswer, now));
    gate.heard_look_up(Signal::Answered, 9_000);
    gate.heard_look_up(Signal::Answered, 9_100);
    assert_eq!(gate.answers_for(9_200), 200);
}
