//! The faults by name, and what is true of each.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

/// Set in the uid and the mid of a receipt for a message that nobody ever sent: smshub numbers
/// messages by time, and has this bit in 2060.
pub(crate) const UNKNOWN_ID_BIT: i64 = 1 << 62;

/// What the operator does wrong. In JSON as `timeout_before` and so on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)] // The journal's octets: a number is never given again.
pub enum Fault {
    /// Nothing is taken; the connection stays open without an answer for `delay_ms`, then
    /// it is closed.
    TimeoutBefore = 1,
    /// As before, but the messages are taken.
    TimeoutAfter = 2,
    /// Taken; a part of the answer's octets, then a reset (RST).
    ResetAfter = 3,
    /// Nothing is taken; HTTP 500, or another 5xx in `code`.
    #[serde(rename = "error_500_before")]
    Error500Before = 4,
    /// Taken; HTTP 500, or another 5xx in `code`.
    #[serde(rename = "error_500_after")]
    Error500After = 5,
    /// Taken; the elements that are hit are missing from the answer.
    Partial = 6,
    /// Taken; the elements that are hit stand twice in the answer.
    Duplicated = 7,
    /// Taken; the elements of the answer are in another order.
    Reordered = 8,
    /// Taken; the answer is cut off, or no JSON, or none of Magfa's.
    Garbage = 9,
    /// Nothing is taken; status 15 or 23, or HTTP 429 (`code`).
    Throttle = 10,
    /// Nothing is taken; status 14: our credit there is exhausted.
    Credit = 11,
    /// The elements that are hit are refused with `code`.
    Refuse = 12,
    /// Nothing is taken; `code` is the status of the whole answer.
    RefuseCall = 13,
    /// The operator's port refuses connections, and those that stood are gone, for `for_ms`.
    Dead = 14,
    /// Every call is read and never answered, for `for_ms`; nothing is taken.
    Hang = 15,
    /// Taken, and final at once; the answer comes `delay_ms` later.
    ReceiptEarly = 16,
    /// Final `delay_ms` later than it would be.
    ReceiptLate = 17,
    /// Pushed again after `delay_ms`; listed twice in an answer to a poll.
    ReceiptTwice = 18,
    /// Never final: 0 for as long as it is known.
    ReceiptNever = 19,
    /// First the opposite final status, after `delay_ms` the true one.
    ReceiptWrong = 20,
    /// With the receipt comes one for a message that nobody ever sent.
    ReceiptUnknown = 21,
    /// The dates of the receipts are `offset_ms` off.
    ClockOff = 22,
}

/// The kinds of calls that a fault can be set on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum On {
    /// `POST /send`.
    Send,
    /// `GET /mid/{uid}`.
    Mid,
    /// `GET /statuses/{mid,…}`.
    Statuses,
    /// `GET /balance`.
    Balance,
}

/// What a fault befalls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The answer to a call, as a whole.
    Call,
    /// Some elements of the answer to a call.
    Elements,
    /// Everything, for a time.
    Operator,
    /// What is said later of a message.
    Receipt,
}

/// The parameter `code` of a fault.
pub(crate) struct Codes {
    pub(crate) default: Option<u16>,
    pub(crate) allowed: &'static [RangeInclusive<u16>],
    pub(crate) said: &'static str,
}

impl Fault {
    /// All of them.
    pub const ALL: [Fault; 22] = [
        Fault::TimeoutBefore,
        Fault::TimeoutAfter,
        Fault::ResetAfter,
        Fault::Error500Before,
        Fault::Error500After,
        Fault::Partial,
        Fault::Duplicated,
        Fault::Reordered,
        Fault::Garbage,
        Fault::Throttle,
        Fault::Credit,
        Fault::Refuse,
        Fault::RefuseCall,
        Fault::Dead,
        Fault::Hang,
        Fault::ReceiptEarly,
        Fault::ReceiptLate,
        Fault::ReceiptTwice,
        Fault::ReceiptNever,
        Fault::ReceiptWrong,
        Fault::ReceiptUnknown,
        Fault::ClockOff,
    ];

    pub(crate) fn octet(self) -> u8 {
        self as u8
    }

    pub(crate) fn from_octet(octet: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|fault| fault.octet() == octet)
    }

    pub(crate) fn stage(self) -> Stage {
        match self {
            Self::Partial | Self::Duplicated | Self::Refuse => Stage::Elements,
            Self::Dead | Self::Hang => Stage::Operator,
            Self::ReceiptEarly
            | Self::ReceiptLate
            | Self::ReceiptTwice
            | Self::ReceiptNever
            | Self::ReceiptWrong
            | Self::ReceiptUnknown
            | Self::ClockOff => Stage::Receipt,
            _ => Stage::Call,
        }
    }

    /// Whether the messages of a send call are taken in spite of it.
    pub(crate) fn takes(self) -> bool {
        !matches!(
            self,
            Self::TimeoutBefore
                | Self::Error500Before
                | Self::Throttle
                | Self::Credit
                | Self::RefuseCall
                | Self::Dead
                | Self::Hang
        )
    }

    /// The calls it can be set on; none where there is nothing to choose.
    pub(crate) fn on(self) -> &'static [On] {
        match self {
            Self::Partial | Self::Duplicated | Self::Reordered => &[On::Send, On::Statuses],
            Self::Credit | Self::Refuse => &[On::Send],
            _ if self.stage() == Stage::Call => &[On::Send, On::Mid, On::Statuses, On::Balance],
            _ => &[],
        }
    }

    /// What `delay_ms` is where the rule has none; none where the fault takes no delay.
    pub(crate) fn delay_ms(self) -> Option<u32> {
        match self {
            Self::TimeoutBefore | Self::TimeoutAfter | Self::ReceiptLate => Some(60_000),
            Self::ReceiptEarly | Self::ReceiptTwice | Self::ReceiptWrong => Some(1_000),
            _ => None,
        }
    }

    /// What `code` may be; none where the fault takes no code.
    pub(crate) fn codes(self) -> Option<Codes> {
        match self {
            Self::Error500Before | Self::Error500After => {
                Some(Codes { default: Some(500), allowed: &[500..=599], said: "from 500 to 599" })
            }
            Self::Throttle => {
                let allowed = &[15..=15, 23..=23, 429..=429];
                Some(Codes { default: Some(15), allowed, said: "15, 23 or 429" })
            }
            Self::Refuse | Self::RefuseCall => {
                Some(Codes { default: None, allowed: &[1..=999], said: "from 1 to 999" })
            }
            _ => None,
        }
    }
}
