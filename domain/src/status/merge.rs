//! Merging what is heard of a message, in whatever order, into one state.

use super::{Reason, Status};
use crate::outcome::{CLOSING_ATTEMPT, Outcome, Receipt, Refusal};

#[cfg(test)]
mod tests;

/// The size of a stored state.
pub const STATE_BYTES: usize = 16;

/// The attempt number that stands for "none yet".
const NO_ATTEMPT: u8 = 0;
/// Stands in [`MessageState`] for the attempt of a failing receipt that does not say which.
/// It can be taken for an attempt of this number without harm: no attempt is higher than the
/// closing one, so a failing receipt of attempt 255 ends just what attempt 255 closed.
const WHICHEVER_CLOSED: u8 = u8::MAX;

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
        /// Number of the attempt it belongs to, from 1; [`CLOSING_ATTEMPT`] where it belongs to
        /// whichever closed the message.
        attempt: u8,
        /// What it says.
        receipt: Receipt,
        /// The operator's own code.
        code: i16,
        /// When.
        at: u32,
    },
    /// No final receipt came within the operator's window: the sweep ends what awaits one.
    Unanswered {
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
    /// [`WHICHEVER_CLOSED`] where the receipt did not say which.
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
            Fact::Unanswered { at } => {
                if self.awaits_receipt() {
                    self.end(Status::Undelivered, Reason::Unconfirmed, 0, at);
                }
            }
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
            self.closed = self.closed.max(attempt);
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
                let of = if attempt == CLOSING_ATTEMPT { WHICHEVER_CLOSED } else { attempt };
                if of > self.failed {
                    self.failed = of;
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
        let of_closing = self.failed == self.closed || self.failed == WHICHEVER_CLOSED;
        if self.closed != NO_ATTEMPT && of_closing && !self.status.is_final() {
            self.status = Status::Undelivered;
            self.reason = Reason::NotReached;
        }
    }

    /// Of several such outcomes (a former holder's comes late) the earliest time stands, and
    /// what an operator confirmed is not unconfirmed again.
    fn sent(&mut self, reason: Reason, at: u32) {
        // Zero says "not sent": the first millisecond counts as the second.
        let at = at.max(1);
        self.sent_at = if self.sent_at == 0 { at } else { self.sent_at.min(at) };
        if self.status.is_final() {
            return;
        }
        let confirmed = self.status == Status::Sent && self.reason == Reason::None;
        self.status = Status::Sent;
        self.reason = if confirmed { Reason::None } else { reason };
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
