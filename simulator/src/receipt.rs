//! What is said of a message after it was taken, by poll and by push, with the faults that
//! its receipts were given at submission.

use crate::answer::StatusOf;
use crate::fate::{Fate, Outcome};
use crate::fault::{Fault, Rule, UNKNOWN_ID_BIT};
use crate::journal::Mark;

/// A delay longer than any status is known: the message is never final.
pub(crate) const NEVER_MS: u32 = u32::MAX;

/// One receipt to push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Receipt {
    pub(crate) uid: i64,
    pub(crate) mid: i64,
    pub(crate) status: i8,
    pub(crate) date_ms: i64,
}

/// The fate of an accepted message whose receipts a rule hits, and what is to be remembered.
pub(crate) fn marked(rule: &Rule, outcome: Outcome, delay_ms: u32) -> (Fate, Mark) {
    let delay_ms = match rule.fault {
        Fault::ReceiptEarly => 0,
        Fault::ReceiptLate => delay_ms.saturating_add(rule.delay_ms()),
        Fault::ReceiptNever => NEVER_MS,
        _ => delay_ms,
    };
    let ms = match rule.fault {
        Fault::ClockOff => rule.offset_ms(),
        _ => i32::try_from(rule.delay_ms()).unwrap_or(i32::MAX),
    };
    (Fate::Accepted { outcome, delay_ms }, Mark { fault: rule.fault, ms })
}

/// Whether a mark still matters after submission; the others are in the fate.
pub(crate) fn is_lasting(mark: Mark) -> bool {
    use Fault::{ClockOff, ReceiptTwice, ReceiptUnknown, ReceiptWrong};
    matches!(mark.fault, ReceiptTwice | ReceiptWrong | ReceiptUnknown | ClockOff)
}

/// What a poll is answered for a message with a lasting mark, whose true status is `of`.
pub(crate) fn polled(of: StatusOf, mark: Mark, now_ms: i64) -> Vec<StatusOf> {
    let ms = i64::from(mark.ms);
    let dated = |by: i64| StatusOf { at_ms: of.at_ms.map(|at_ms| at_ms + by), ..of };
    let is_final = Outcome::of_status(of.status).is_some();
    match (mark.fault, of.at_ms) {
        (Fault::ClockOff, _) => vec![dated(ms)],
        (Fault::ReceiptTwice, _) if is_final => vec![of, of],
        (Fault::ReceiptUnknown, _) if is_final => vec![of, StatusOf { mid: of.mid | UNKNOWN_ID_BIT, ..of }],
        (Fault::ReceiptWrong, Some(at_ms)) if is_final && now_ms < at_ms + ms => {
            vec![StatusOf { status: opposite(of.status), ..of }]
        }
        (Fault::ReceiptWrong, _) if is_final => vec![dated(ms)],
        _ => vec![of],
    }
}

/// What is pushed of a message taken at `at_ms`, each with the time when it is due.
pub(crate) fn pushed(
    (uid, mid): (i64, i64),
    at_ms: i64,
    fate: Fate,
    mark: Option<Mark>,
) -> Vec<(i64, Receipt)> {
    let Fate::Accepted { outcome, delay_ms } = fate else { return Vec::new() };
    if delay_ms == NEVER_MS {
        return Vec::new();
    }
    let due_ms = at_ms + i64::from(delay_ms);
    let plain = Receipt { uid, mid, status: outcome.status(), date_ms: due_ms };
    let Some(Mark { fault, ms }) = mark else { return vec![(due_ms, plain)] };
    let later_ms = due_ms + i64::from(ms);
    match fault {
        Fault::ClockOff => vec![(due_ms, Receipt { date_ms: later_ms, ..plain })],
        Fault::ReceiptTwice => vec![(due_ms, plain), (later_ms, plain)],
        Fault::ReceiptUnknown => {
            let (uid, mid) = (uid | UNKNOWN_ID_BIT, mid | UNKNOWN_ID_BIT);
            vec![(due_ms, plain), (due_ms, Receipt { uid, mid, ..plain })]
        }
        Fault::ReceiptWrong => {
            let wrong = Receipt { status: opposite(plain.status), ..plain };
            vec![(due_ms, wrong), (later_ms, Receipt { date_ms: later_ms, ..plain })]
        }
        _ => vec![(due_ms, plain)],
    }
}

/// The final status that contradicts this one.
fn opposite(status: i8) -> i8 {
    let delivered = Outcome::Delivered.status();
    if status == delivered { Outcome::Undelivered.status() } else { delivered }
}
