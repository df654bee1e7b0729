//! What one message can be heard of.

use super::super::{Fact, MessageState};
use crate::outcome::{CLOSING_ATTEMPT, Outcome, Receipt, Refusal};
use crate::status::Status;
use proptest::prelude::*;

/// What may come before the attempt that closes a message.
const OPEN: [Outcome; 3] = [Outcome::Retry, Outcome::NotSent, Outcome::Unknown];

const CLOSING: [Outcome; 8] = [
    Outcome::Taken,
    Outcome::LeftToReceipt,
    Outcome::Expired,
    Outcome::Refused(Refusal::Operator),
    Outcome::Refused(Refusal::Blocked),
    Outcome::Refused(Refusal::OptedOut),
    Outcome::Refused(Refusal::Canceled),
    Outcome::Refused(Refusal::Dropped),
];

const RECEIPTS: [Receipt; 4] =
    [Receipt::Nothing, Receipt::OnTheWay, Receipt::Delivered, Receipt::Undelivered];

/// Attempts and receipts of one message, in the order of the journey.
#[derive(Clone, Debug)]
pub(super) struct Life {
    /// Outcomes of the attempts before the closing one.
    pub(super) open: Vec<Outcome>,
    pub(super) closing: Option<Outcome>,
    /// The closing attempt was also left to its receipt, by another holder of the partition.
    pub(super) also_left: bool,
    /// Each with whether it says which attempt it belongs to.
    pub(super) receipts: Vec<(bool, Receipt)>,
}

impl Life {
    /// The attempt that closes it, or would.
    pub(super) fn last(&self) -> u8 {
        u8::try_from(self.open.len()).unwrap_or(u8::MAX) + 1
    }

    /// The status that all facts together make, where receipts do not contradict.
    pub(super) fn ends_in(&self) -> Status {
        let heard = |receipt| self.receipts.iter().any(|(_, heard)| *heard == receipt);
        match self.closing {
            Some(Outcome::Expired) => Status::Expired,
            Some(Outcome::Refused(Refusal::Blocked | Refusal::OptedOut)) => Status::Blocked,
            Some(Outcome::Refused(Refusal::Canceled)) => Status::Canceled,
            Some(Outcome::Refused(_)) => Status::Failed,
            _ if heard(Receipt::Delivered) => Status::Delivered,
            Some(_) if heard(Receipt::Undelivered) => Status::Undelivered,
            Some(_) => Status::Sent,
            None => Status::Queued,
        }
    }
}

/// Without contradiction: receipts of one kind, and none where no operator can have it.
pub(super) fn a_life() -> impl Strategy<Value = Life> {
    (a_wild_life(), any::<bool>()).prop_map(|(mut life, delivered)| {
        let may_be_heard_of = matches!(life.closing, None | Some(Outcome::Taken | Outcome::LeftToReceipt));
        let other = if delivered { Receipt::Undelivered } else { Receipt::Delivered };
        life.receipts.retain(|(_, receipt)| may_be_heard_of && *receipt != other);
        life
    })
}

/// Everything, contradicting receipts too.
pub(super) fn a_wild_life() -> impl Strategy<Value = Life> {
    (
        prop::collection::vec(prop::sample::select(&OPEN[..]), 0..4),
        prop::option::of(prop::sample::select(&CLOSING[..])),
        any::<bool>(),
        prop::collection::vec((any::<bool>(), prop::sample::select(&RECEIPTS[..])), 0..5),
    )
        .prop_map(|(open, closing, left, receipts)| {
            let also_left = left && closing == Some(Outcome::Taken);
            Life { open, closing, also_left, receipts }
        })
}

/// A life in facts, in the order of the journey.
pub(super) fn facts_of(life: &Life) -> Vec<Fact> {
    let outcome = |attempt, outcome, at| Fact::Outcome { attempt, outcome, code: 0, at };
    let mut facts: Vec<Fact> = (1..).zip(&life.open).map(|(n, open)| outcome(n, *open, 5)).collect();
    facts.extend(life.closing.map(|closing| outcome(life.last(), closing, 10)));
    facts.extend(life.also_left.then(|| outcome(life.last(), Outcome::LeftToReceipt, 12)));
    facts.extend(life.receipts.iter().map(|(says, receipt)| {
        let attempt = if *says { life.last() } else { CLOSING_ATTEMPT };
        Fact::Receipt { attempt, receipt: *receipt, code: 2, at: 20 }
    }));
    facts
}

pub(super) fn merged(facts: &[Fact]) -> MessageState {
    let mut state = MessageState::default();
    facts.iter().for_each(|fact| state.merge(*fact));
    state
}
