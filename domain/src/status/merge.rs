//! Merging what is heard of a message, in whatever order, into one state.

use super::{Reason, Status};
use crate::outcome::{Outcome, Receipt, Refusal};

/// The size of a stored state.
pub const STATE_BYTES: usize = 16;

/// The attempt number that stands for "none yet".
const NO_ATTEMPT: u8 = 0;

/// One thing heard of a message. Times are milliseconds after its chunk was minted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// It lies beyond the prefix that was paid for: it is not sent and costs nothing.
    Unpaid,
    /// An attempt ended.
    Outcome {
        /// Number of the attempt, from 1.
        attempt: u8,
        /// What became of it.
        outcome: Outcome,
        /// The operator's own code, zero where there is none.
        code: i16,
        /// When.
        at: u32,
    },
    /// A receipt came.
    Receipt {
        /// Number of the attempt it belongs to, from 1.
        attempt: u8,
        /// What it says.
        receipt: Receipt,
        /// The operator's own code.
        code: i16,
        /// When.
        at: u32,
    },
}

/// All that is kept of one message besides its content and its operator id.
///
/// It cannot be built in breach of its rules: the fields change only by [`MessageState::merge`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageState {
    status: Status,
    reason: Reason,
    /// The attempt whose outcome closed the message to further attempts.
    closed: u8,
    /// The highest attempt with a failing receipt: money ends on it only together with the
    /// closing outcome of the same attempt, and no attempt is higher than the closing one.
    failed: u8,
    /// A receipt contradicted the final status; shown, moves no money.
    late_receipt: bool,
    code: i16,
    sent_at: u32,
    final_at: u32,
}

/// Stored bytes that are no state.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("these bytes are no message state")]
pub struct Corrupt;

impl Default for MessageState {
    fn default() -> Self {
        MessageState {
            status: Status::Queued,
            reason: Reason::None,
            closed: NO_ATTEMPT,
            failed: NO_ATTEMPT,
            late_receipt: false,
            code: 0,
            sent_at: 0,
            final_at: 0,
        }
    }
}

impl MessageState {
    /// The status.
    pub fn status(&self) -> Status {
        self.status
    }

    /// Why, where the status alone does not say it.
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// The operator's own code behind the status, where there is one.
    pub fn operator_code(&self) -> Option<i16> {
        (self.code != 0).then_some(self.code)
    }

    /// Whether a later receipt contradicted the final status.
    pub fn late_receipt(&self) -> bool {
        self.late_receipt
    }

    /// When an operator took it, in milliseconds after its chunk was minted.
    pub fn sent_after(&self) -> Option<u32> {
        (self.sent_at != 0).then_some(self.sent_at)
    }

    /// When it became final, in milliseconds after its chunk was minted.
    pub fn final_after(&self) -> Option<u32> {
        self.status.is_final().then_some(self.final_at)
    }

    /// The attempt that closed the message, where one did.
    pub fn closed_attempt(&self) -> Option<u8> {
        (self.closed != NO_ATTEMPT).then_some(self.closed)
    }

    /// Whether an operator has it, or may have, and no final receipt came: it is polled.
    pub fn awaits_receipt(&self) -> bool {
        self.status == Status::Sent && self.closed != NO_ATTEMPT
    }

    /// Takes one fact in. Facts may come repeated and in any order: as long as receipts do
    /// not contradict each other the end is the same, and a final status stands for ever.
    pub fn merge(&mut self, fact: Fact) {
        match fact {
            Fact::Unpaid => self.end(Status::Refused, Reason::InsufficientFunds, 0, 0),
            Fact::Outcome { attempt, outcome, code, at } => self.outcome(attempt, outcome, code, at),
            Fact::Receipt { attempt, receipt, code, at } => self.receipt(attempt, receipt, code, at),
        }
    }

    /// Takes in facts that came together: of contradicting receipts the delivery wins.
    pub fn merge_together(&mut self, facts: &[Fact]) {
        let delivered = |fact: &&Fact| matches!(fact, Fact::Receipt { receipt: Receipt::Delivered, .. });
        facts.iter().filter(delivered).for_each(|fact| self.merge(*fact));
        facts.iter().filter(|fact| !delivered(fact)).for_each(|fact| self.merge(*fact));
    }

    fn outcome(&mut self, attempt: u8, outcome: Outcome, code: i16, at: u32) {
        if outcome.closes() {
            self.closed = attempt;
        }
        match outcome {
            Outcome::Taken => self.sent(Reason::None, at),
            Outcome::LeftToReceipt => self.sent(Reason::Unconfirmed, at),
            Outcome::Expired => self.end(Status::Expired, Reason::None, code, at),
            Outcome::Refused(why) => {
                let (status, reason) = refused(why);
                self.end(status, reason, code, at);
            }
            Outcome::Retry | Outcome::NotSent | Outcome::Unknown => {}
        }
        self.end_if_failed();
    }

    fn receipt(&mut self, attempt: u8, receipt: Receipt, code: i16, at: u32) {
        match receipt {
            Receipt::Nothing | Receipt::OnTheWay => {}
            Receipt::Delivered if self.status.is_final() => {
                self.late_receipt |= self.status != Status::Delivered;
            }
            Receipt::Delivered => self.end(Status::Delivered, Reason::None, code, at),
            Receipt::Undelivered => {
                self.late_receipt |= self.status == Status::Delivered;
                if attempt > self.failed {
                    self.failed = attempt;
                    if !self.status.is_final() {
                        self.code = code;
                        self.final_at = at;
                    }
                }
                self.end_if_failed();
            }
        }
    }

    /// A failing receipt ends the message once the same attempt is known to have closed it.
    fn end_if_failed(&mut self) {
        if self.closed != NO_ATTEMPT && self.failed == self.closed && !self.status.is_final() {
            self.status = Status::Undelivered;
            self.reason = Reason::NotReached;
        }
    }

    fn sent(&mut self, reason: Reason, at: u32) {
        if self.sent_at == 0 {
            // Zero says "not sent": the first millisecond counts as the second.
            self.sent_at = at.max(1);
        }
        if !self.status.is_final() {
            self.status = Status::Sent;
            self.reason = reason;
        }
    }

    fn end(&mut self, status: Status, reason: Reason, code: i16, at: u32) {
        if !self.status.is_final() {
            *self = MessageState { status, reason, code, final_at: at, ..*self };
        }
    }

    /// The stored form.
    pub fn to_bytes(self) -> [u8; STATE_BYTES] {
        let [code_low, code_high] = self.code.to_le_bytes();
        let [s0, s1, s2, s3] = self.sent_at.to_le_bytes();
        let [f0, f1, f2, f3] = self.final_at.to_le_bytes();
        [
            self.status.code(),
            self.reason as u8,
            self.closed,
            self.failed,
            u8::from(self.late_receipt),
            0,
            code_low,
            code_high,
            s0,
            s1,
            s2,
            s3,
            f0,
            f1,
            f2,
            f3,
        ]
    }

    /// From the stored form.
    pub fn from_bytes(bytes: [u8; STATE_BYTES]) -> Result<Self, Corrupt> {
        let [status, reason, closed, failed, late, 0, c0, c1, s0, s1, s2, s3, f0, f1, f2, f3] = bytes else {
            return Err(Corrupt);
        };
        if late > 1 {
            return Err(Corrupt);
        }
        Ok(MessageState {
            status: Status::from_code(status).ok_or(Corrupt)?,
            reason: Reason::from_code(reason).ok_or(Corrupt)?,
            closed,
            failed,
            late_receipt: late == 1,
            code: i16::from_le_bytes([c0, c1]),
            sent_at: u32::from_le_bytes([s0, s1, s2, s3]),
            final_at: u32::from_le_bytes([f0, f1, f2, f3]),
        })
    }
}

fn refused(why: Refusal) -> (Status, Reason) {
    match why {
        Refusal::Operator => (Status::Failed, Reason::RefusedByOperator),
        Refusal::Blocked => (Status::Blocked, Reason::Blacklisted),
        Refusal::OptedOut => (Status::Blocked, Reason::OptedOut),
        Refusal::Canceled => (Status::Canceled, Reason::None),
        Refusal::Dropped => (Status::Failed, Reason::Dropped),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    const CLOSING: [Outcome; 5] = [
        Outcome::Taken,
        Outcome::LeftToReceipt,
        Outcome::Expired,
        Outcome::Refused(Refusal::Operator),
        Outcome::Refused(Refusal::Canceled),
    ];

    /// Everything that one message can be heard of, without contradiction: open attempts, at
    /// most one closing outcome, and receipts of one kind where an operator has it.
    fn a_history() -> impl Strategy<Value = Vec<Fact>> {
        (0u8..4, prop::option::of(prop::sample::select(&CLOSING[..])), 0u8..3, any::<bool>()).prop_map(
            |(open, closing, receipts, delivered)| {
                let outcome = |attempt, outcome| Fact::Outcome { attempt, outcome, code: 0, at: 10 };
                let mut facts: Vec<_> = (1..=open).map(|n| outcome(n, Outcome::Retry)).collect();
                let last = open + 1;
                facts.extend(closing.map(|closing| outcome(last, closing)));
                if matches!(closing, Some(Outcome::Taken | Outcome::LeftToReceipt)) {
                    let receipt = if delivered { Receipt::Delivered } else { Receipt::Undelivered };
                    let heard = [Receipt::Nothing, Receipt::OnTheWay, receipt];
                    facts.extend(heard.iter().take(usize::from(receipts) + 1).map(|receipt| Fact::Receipt {
                        attempt: last,
                        receipt: *receipt,
                        code: 2,
                        at: 20,
                    }));
                }
                facts
            },
        )
    }

    fn merged(facts: &[Fact]) -> MessageState {
        let mut state = MessageState::default();
        facts.iter().for_each(|fact| state.merge(*fact));
        state
    }

    fn shuffled_with_repetitions() -> impl Strategy<Value = (Vec<Fact>, Vec<Fact>)> {
        a_history().prop_flat_map(|facts| {
            let twice: Vec<Fact> = facts.iter().chain(&facts).copied().collect();
            (Just(facts), Just(twice).prop_shuffle())
        })
    }

    proptest! {
        /// Any order, any repetition, any grouping: one end.
        #[test]
        fn merging_is_commutative_and_idempotent((facts, shuffled) in shuffled_with_repetitions(), cut in 0usize..20) {
            let expected = merged(&facts);
            prop_assert_eq!(merged(&shuffled), expected);
            let mut grouped = MessageState::default();
            let (first, second) = shuffled.split_at(cut.min(shuffled.len()));
            grouped.merge_together(first);
            grouped.merge_together(second);
            prop_assert_eq!(grouped, expected);
        }

        /// M2: whatever is heard, even contradictions, the status never moves backwards, a
        /// final one never changes, and the stored form leads back.
        #[test]
        fn a_status_never_moves_backwards(histories in prop::collection::vec(a_history(), 1..4)) {
            let mut state = MessageState::default();
            for fact in histories.concat() {
                let before = state;
                state.merge(fact);
                prop_assert!(state.status() >= before.status());
                prop_assert!(!before.status().is_final() || state.status() == before.status());
                prop_assert_eq!(MessageState::from_bytes(state.to_bytes()), Ok(state));
            }
        }
    }

    #[test]
    fn a_failing_receipt_waits_for_the_closing_outcome_of_its_attempt() {
        let failing = |attempt| Fact::Receipt { attempt, receipt: Receipt::Undelivered, code: 2, at: 5 };
        let taken = |attempt| Fact::Outcome { attempt, outcome: Outcome::Taken, code: 0, at: 3 };
        assert_eq!(merged(&[failing(1)]).status(), Status::Queued);
        assert_eq!(merged(&[failing(1), taken(2)]).status(), Status::Sent);
        let ended = merged(&[failing(2), taken(2)]);
        assert_eq!((ended.status(), ended.operator_code()), (Status::Undelivered, Some(2)));
        assert_eq!(ended.final_after(), Some(5));
    }

    #[test]
    fn contradictions_only_leave_a_mark() {
        let taken = Fact::Outcome { attempt: 1, outcome: Outcome::Taken, code: 0, at: 3 };
        let receipt = |receipt| Fact::Receipt { attempt: 1, receipt, code: 1, at: 5 };
        let (good, bad) = (receipt(Receipt::Delivered), receipt(Receipt::Undelivered));
        let first_good = merged(&[taken, good, bad]);
        assert_eq!((first_good.status(), first_good.late_receipt()), (Status::Delivered, true));
        let first_bad = merged(&[taken, bad, good]);
        assert_eq!((first_bad.status(), first_bad.late_receipt()), (Status::Undelivered, true));
        let mut together = MessageState::default();
        together.merge_together(&[taken, bad, good]);
        assert_eq!(together.status(), Status::Delivered);
        assert!(merged(&[taken, good]).final_after() == Some(5) && !merged(&[taken, good]).late_receipt());
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
}
