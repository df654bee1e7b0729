//! Faults on demand: rules that a test or a person sets, and what they do to whom.
//!
//! A [`Rule`] names one [`Fault`] and whom it hits. Rules are looked at in their order; of
//! those that hit, the first decides the answer to a call, and the first the receipts of a
//! message. Whether a rule with a probability hits is a pure function of the seed, the fault
//! and the uid or the call's ordinal number ([`drawn`]). Without rules none of this runs.

mod active;
mod ending;
mod rule;
mod spoil;
mod word;

pub(crate) use active::{Faults, Hit, Subject, Verdict};
pub(crate) use ending::{Disturbed, Ending};
pub use rule::{Rule, parse};
pub use word::{Fault, On};
pub(crate) use word::{Stage, UNKNOWN_ID_BIT};

/// What a rule's probability is compared with, from 0 to 1 (excluded): the rule hits where
/// this is below it. `key` is the message's uid (its mid in a call of `/statuses`), or, for
/// faults of a whole call, the ordinal number of the call since the rule was set, from 1.
/// Rules of the same fault draw the same: the one with the smaller share hits a part of
/// what the other hits.
pub fn drawn(seed: u64, fault: Fault, key: u64) -> f64 {
    crate::fate::fraction(seed, crate::fate::FAULTS + u64::from(fault.octet()), key)
}

#[cfg(test)]
mod tests;
