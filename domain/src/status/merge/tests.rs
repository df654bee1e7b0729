#![allow(clippy::unwrap_used)]

mod lives;
mod money;
mod unanswered;

use super::*;
use lives::{Life, a_life, a_wild_life, facts_of, merged};
use proptest::prelude::*;

fn shuffled_with_repetitions() -> impl Strategy<Value = (Life, Vec<Fact>)> {
    a_life().prop_flat_map(|life| {
        let once = facts_of(&life);
        let twice: Vec<Fact> = once.iter().chain(&once).copied().collect();
        (Just(life), Just(twice).prop_shuffle())
    })
}

proptest! {
    /// Any order, any repetition, any grouping: one end.
    #[test]
    fn merging_is_commutative_and_idempotent((life, shuffled) in shuffled_with_repetitions(), cut in 0usize..30) {
        let expected = merged(&facts_of(&life));
        prop_assert_eq!(expected.status(), life.ends_in());
        prop_assert!(!expected.late_receipt());
        prop_assert_eq!(merged(&shuffled), expected);
        let mut grouped = MessageState::default();
        let (first, second) = shuffled.split_at(cut.min(shuffled.len()));
        grouped.merge_together(first);
        grouped.merge_together(second);
        prop_assert_eq!(grouped, expected);
    }

    /// A receipt that does not say which attempt it belongs to says as much as one that does.
    #[test]
    fn whichever_attempt_closed_it_is_the_closing_one((life, shuffled) in shuffled_with_repetitions()) {
        let silent: Vec<Fact> = shuffled.iter().map(|fact| match *fact {
            Fact::Receipt { receipt, code, at, .. } => Fact::Receipt { attempt: CLOSING_ATTEMPT, receipt, code, at },
            other => other,
        }).collect();
        let (said, unsaid) = (merged(&shuffled), merged(&silent));
        prop_assert_eq!((said.status(), said.reason(), said.code), (unsaid.status(), unsaid.reason(), unsaid.code));
        prop_assert_eq!(unsaid.status(), life.ends_in());
    }

    /// M2: whatever is heard, even contradictions, the status never moves backwards, a
    /// final one never changes, and the stored form leads back.
    #[test]
    fn a_status_never_moves_backwards(lives in prop::collection::vec(a_wild_life(), 1..4)) {
        let mut state = MessageState::default();
        for fact in lives.iter().flat_map(facts_of) {
            let before = state;
            state.merge(fact);
            prop_assert!(state.status() >= before.status());
            prop_assert!(!before.status().is_final() || state.status() == before.status());
            prop_assert_eq!(MessageState::from_bytes(state.to_bytes()), Ok(state));
        }
    }
}

fn failing(attempt: u8) -> Fact {
    Fact::Receipt { attempt, receipt: Receipt::Undelivered, code: 2, at: 5 }
}

fn outcome(attempt: u8, outcome: Outcome, at: u32) -> Fact {
    Fact::Outcome { attempt, outcome, code: 0, at }
}

fn taken(attempt: u8) -> Fact {
    outcome(attempt, Outcome::Taken, 3)
}

#[test]
fn a_failing_receipt_waits_for_the_closing_outcome_of_its_attempt() {
    assert_eq!(merged(&[failing(1)]).status(), Status::Queued);
    assert_eq!(merged(&[failing(1), taken(2)]).status(), Status::Sent);
    let ended = merged(&[failing(2), taken(2)]);
    assert_eq!((ended.status(), ended.operator_code()), (Status::Undelivered, Some(2)));
    assert_eq!(ended.final_after(), Some(5));
}

#[test]
fn a_failing_receipt_of_whichever_attempt_waits_for_any_closing_outcome() {
    let silent = failing(CLOSING_ATTEMPT);
    assert_eq!(merged(&[silent]).status(), Status::Queued);
    assert_eq!(merged(&[silent, outcome(1, Outcome::Unknown, 3)]).status(), Status::Queued);
    for attempt in [1, 2, 254, 255] {
        for order in [[silent, taken(attempt)], [taken(attempt), silent]] {
            let ended = merged(&order);
            assert_eq!((ended.status(), ended.operator_code()), (Status::Undelivered, Some(2)), "{attempt}");
            assert_eq!((ended.final_after(), ended.closed_attempt()), (Some(5), Some(attempt)));
        }
    }
    // What we ended ourselves stays as it is.
    for closing in [Outcome::Expired, Outcome::Refused(Refusal::Blocked)] {
        let (first, last) =
            (merged(&[silent, outcome(1, closing, 3)]), merged(&[outcome(1, closing, 3), silent]));
        assert_eq!(first.status(), last.status());
        assert!(!first.late_receipt() && !last.late_receipt());
    }
}

#[test]
fn contradictions_only_leave_a_mark() {
    for attempt in [CLOSING_ATTEMPT, 1] {
        let receipt = |receipt| Fact::Receipt { attempt, receipt, code: 1, at: 5 };
        let (good, bad) = (receipt(Receipt::Delivered), receipt(Receipt::Undelivered));
        let first_good = merged(&[taken(1), good, bad]);
        assert_eq!((first_good.status(), first_good.late_receipt()), (Status::Delivered, true));
        let first_bad = merged(&[taken(1), bad, good]);
        assert_eq!((first_bad.status(), first_bad.late_receipt()), (Status::Undelivered, true));
        let mut together = MessageState::default();
        together.merge_together(&[taken(1), bad, good]);
        assert_eq!(together.status(), Status::Delivered);
        let only_good = merged(&[taken(1), good]);
        assert!(only_good.final_after() == Some(5) && !only_good.late_receipt());
    }
}

/// A former holder's outcome of the same attempt may come late.
#[test]
fn what_an_operator_confirmed_is_not_unconfirmed_again() {
    let (taken, left) = (outcome(1, Outcome::Taken, 30), outcome(1, Outcome::LeftToReceipt, 20));
    for order in [[taken, left], [left, taken]] {
        let state = merged(&order);
        assert_eq!(
            (state.status(), state.reason(), state.sent_after()),
            (Status::Sent, Reason::None, Some(20))
        );
    }
    assert_eq!(merged(&[left]).reason(), Reason::Unconfirmed);
    // Of two attempts that both closed it, whatever the order, the later one is the closing one.
    assert_eq!(merged(&[super::tests::taken(2), taken]).closed_attempt(), Some(2));
}

/// Rows of earlier versions: the stored form of a failing receipt of a known attempt.
#[test]
fn stored_states_stay_readable() {
    let waiting = [1, 0, 0, 3, 0, 0, 2, 0, 0, 0, 0, 0, 5, 0, 0, 0];
    let mut state = MessageState::from_bytes(waiting).unwrap();
    assert_eq!(state.status(), Status::Queued);
    state.merge(taken(3));
    assert_eq!(state.status(), Status::Undelivered);
    assert_eq!(state.to_bytes().len(), STATE_BYTES);
}

#[test]
fn other_bytes_are_no_state() {
    let good = MessageState::default().to_bytes();
    for (position, byte) in [(0, 3), (1, 99), (4, 2), (5, 1)] {
        let mut bad = good;
        bad[position] = byte;
        assert_eq!(MessageState::from_bytes(bad), Err(Corrupt));
    }
}
