//! What the sweep ends, and what it leaves alone.

use super::super::{Fact, MessageState};
use super::lives::{a_wild_life, facts_of, merged};
use crate::outcome::{Outcome, Receipt};
use crate::status::{Reason, Status};
use proptest::prelude::*;

const SWEPT: Fact = Fact::Unanswered { at: 99 };

fn outcome(outcome: Outcome) -> Fact {
    Fact::Outcome { attempt: 1, outcome, code: 0, at: 3 }
}

fn receipt(receipt: Receipt) -> Fact {
    Fact::Receipt { attempt: 1, receipt, code: 2, at: 5 }
}

proptest! {
    /// Wherever the sweep comes in whatever is heard: it ends just what awaits a receipt then,
    /// once, and nothing that is heard later changes that.
    #[test]
    fn it_ends_what_awaits_a_receipt_and_nothing_else(life in a_wild_life(), cut in 0usize..20) {
        let facts = facts_of(&life);
        let (before, after) = facts.split_at(cut.min(facts.len()));
        let heard = merged(before);
        let mut swept = heard;
        swept.merge(SWEPT);
        if heard.awaits_receipt() {
            prop_assert_eq!((swept.status(), swept.reason()), (Status::Undelivered, Reason::Unconfirmed));
            prop_assert_eq!((swept.final_after(), swept.sent_after()), (Some(99), heard.sent_after()));
        } else {
            prop_assert_eq!(swept, heard);
        }
        let ended = swept.status().is_final().then_some((swept.status(), swept.reason(), swept.final_after()));
        let mut later = swept;
        for fact in after.iter().chain([&SWEPT]) {
            later.merge(*fact);
            prop_assert!(later.status() >= swept.status());
        }
        if let Some(ended) = ended {
            prop_assert_eq!((later.status(), later.reason(), later.final_after()), ended);
        }
        prop_assert_eq!(MessageState::from_bytes(later.to_bytes()), Ok(later));
    }
}

#[test]
fn whoever_comes_first_decides() {
    let (taken, good) = (outcome(Outcome::Taken), receipt(Receipt::Delivered));
    let first_swept = merged(&[taken, SWEPT, good, SWEPT]);
    assert_eq!((first_swept.status(), first_swept.late_receipt()), (Status::Undelivered, true));
    let first_good = merged(&[taken, good, SWEPT]);
    assert_eq!((first_good.status(), first_good.late_receipt()), (Status::Delivered, false));
    // A failing receipt says the same as the sweep: no contradiction.
    assert!(!merged(&[taken, SWEPT, receipt(Receipt::Undelivered)]).late_receipt());
    // Together the delivery wins.
    let mut together = merged(&[taken]);
    together.merge_together(&[SWEPT, good]);
    assert_eq!(together.status(), Status::Delivered);
}

#[test]
fn a_message_is_the_senders_until_it_is_closed() {
    for open in [Outcome::Retry, Outcome::NotSent, Outcome::Unknown] {
        assert_eq!(merged(&[outcome(open), SWEPT]).status(), Status::Queued, "{open:?}");
    }
    for closed in [Outcome::Taken, Outcome::LeftToReceipt] {
        assert_eq!(merged(&[outcome(closed), SWEPT]).status(), Status::Undelivered, "{closed:?}");
    }
    assert_eq!(merged(&[outcome(Outcome::Expired), SWEPT]).status(), Status::Expired);
    assert_eq!(merged(&[Fact::Unpaid, SWEPT]).status(), Status::Refused);
}
