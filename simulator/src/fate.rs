//! What becomes of a message: a pure function, so a run can be repeated and predicted.

use crate::Settings;
use crate::store::NO_UID;

/// What the decisions about one message are drawn from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// The client's own id; one uid has one fate, however often it is submitted.
    Uid(i64),
    /// Where no uid was given: the ten national digits of the recipient (`9…`).
    Recipient(u64),
}

impl Key {
    /// The uid, or the recipient's national digits where the uid is 0.
    pub(crate) fn of(uid: i64, national: u64) -> Self {
        if uid == NO_UID { Self::Recipient(national) } else { Self::Uid(uid) }
    }

    /// What is drawn from; a number is not the twin of an equal uid.
    pub(crate) fn bits(self) -> u64 {
        match self {
            Self::Uid(uid) => uid.cast_unsigned(),
            Self::Recipient(digits) => digits | 1 << 63,
        }
    }
}

/// How an accepted message ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Delivered to the handset: status 1.
    Delivered,
    /// Not delivered to the handset: status 2.
    Undelivered,
    /// Did not reach the telecom operator: status 16.
    NotReached,
}

/// The decision about one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Refused at submission with this code of the operator.
    Refused(u16),
    /// Accepted; final after so many milliseconds.
    Accepted {
        /// The final status.
        outcome: Outcome,
        /// Milliseconds from submission until the final status can be polled.
        delay_ms: u32,
    },
}

impl Outcome {
    /// Magfa's status number.
    pub fn status(self) -> i8 {
        match self {
            Self::Delivered => 1,
            Self::Undelivered => 2,
            Self::NotReached => 16,
        }
    }

    /// The outcome that this status says; none for a status that is not final.
    pub(crate) fn of_status(status: i8) -> Option<Self> {
        [Self::Delivered, Self::Undelivered, Self::NotReached].into_iter().find(|end| end.status() == status)
    }
}

// Each decision draws from its own stream, so that changing one ratio moves no other one.
const REFUSAL: u64 = 1;
const OUTCOME: u64 = 2;
const DELAY: u64 = 3;
const LATENCY: u64 = 4;
// Those of faults.
pub(crate) const GARBAGE: u64 = 5;
pub(crate) const CUT: u64 = 6;
/// One stream for each fault, by its octet.
pub(crate) const FAULTS: u64 = 0x100;
/// One stream for each place in an answer.
pub(crate) const ORDER: u64 = 0x200;

/// The fate of a message whose form is in order.
pub fn decide(settings: &Settings, key: Key) -> Fate {
    let key = key.bits();
    if fraction(settings.seed, REFUSAL, key) < settings.refuse_ratio {
        return Fate::Refused(settings.refuse_code);
    }
    let drawn = fraction(settings.seed, OUTCOME, key);
    let outcome = if drawn < settings.delivery_ratio {
        Outcome::Delivered
    } else if drawn < f64::midpoint(settings.delivery_ratio, 1.0) {
        Outcome::Undelivered
    } else {
        Outcome::NotReached
    };
    let (min, max) = (settings.delivery_min_ms, settings.delivery_max_ms);
    let delay_ms = min.saturating_add(below(settings.seed, DELAY, key, max.saturating_sub(min)));
    Fate::Accepted { outcome, delay_ms }
}

/// How many milliseconds the answer to this call is held back.
pub fn latency_ms(settings: &Settings, call: u64) -> u32 {
    settings.latency_ms.saturating_add(below(settings.seed, LATENCY, call, settings.latency_jitter_ms))
}

/// A number from 0 to `max`, both included.
pub(crate) fn below(seed: u64, stream: u64, key: u64, max: u32) -> u32 {
    let wide = u128::from(draw(seed, stream, key)) * (u128::from(max) + 1);
    u32::try_from(wide >> 64).unwrap_or(max)
}

/// A number from 0 (included) to 1 (excluded).
#[allow(clippy::cast_precision_loss)] // 53 bits are kept, which is what an f64 holds.
pub(crate) fn fraction(seed: u64, stream: u64, key: u64) -> f64 {
    (draw(seed, stream, key) >> 11) as f64 / (1_u64 << 53) as f64
}

pub(crate) fn draw(seed: u64, stream: u64, key: u64) -> u64 {
    mix(mix(seed.wrapping_add(stream.wrapping_mul(0x9E37_79B9_7F4A_7C15))) ^ key)
}

/// The finaliser of SplitMix64: every input bit reaches every output bit.
pub(crate) fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}
