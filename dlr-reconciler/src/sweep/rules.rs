//! When a chunk's unanswered messages end. Pure.

use domain::bits::Bits;
use domain::id::ChunkId;
use domain::time::UnixMillis;

/// No message may be sent later than so long after it was submitted, in milliseconds: what is
/// supposed of a chunk whose content is not there.
pub(crate) const SEND_BY_MAX_MS: i64 = 72 * 3_600_000;

/// How long an operator's answers are waited for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// After `send_by`, in milliseconds.
    pub(crate) window_ms: i64,
    /// After that, where it cannot be known whether the operator would have answered.
    pub(crate) hard_cap_ms: i64,
}

/// A chunk with messages that await a receipt.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) chunk: ChunkId,
    pub(crate) partition: i32,
    pub(crate) open: Bits,
    /// Nothing where it was not recorded.
    pub(crate) send_by: Option<UnixMillis>,
    /// Whether the chunk's content is there.
    pub(crate) content: bool,
    /// Of all connectors that it went by: when the one was last heard of that was heard of
    /// least lately. Nothing where one of them never was.
    pub(crate) heard_at: Option<UnixMillis>,
}

/// What is done with a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing yet.
    Wait,
    /// The operator answers, and had its time: its messages end.
    Unanswered,
    /// It cannot be known, and the hard cap is reached: its messages end too.
    HardCap,
    /// All that is missing is a sign of life of its connector.
    Silent,
}

impl Rules {
    /// Judges a candidate when everything that was written until `seen` is known.
    ///
    /// The hard cap too counts by what is seen: what is still unread in our own topics may be a
    /// delivery, however late it is.
    pub(crate) fn judge(&self, candidate: &Candidate, seen: UnixMillis) -> Verdict {
        let minted = candidate.chunk.minted_at();
        let send_by = candidate.send_by.unwrap_or_else(|| minted.plus(SEND_BY_MAX_MS));
        let over = send_by.plus(self.window_ms);
        let alive = candidate.heard_at.is_some_and(|heard| heard > over);
        if seen <= over {
            Verdict::Wait
        } else if candidate.content && alive {
            Verdict::Unanswered
        } else if seen > over.plus(self.hard_cap_ms) {
            Verdict::HardCap
        } else if candidate.content {
            Verdict::Silent
        } else {
            Verdict::Wait
        }
    }

    /// Chunks minted later, and those with a later `send_by`, need not be looked at.
    pub(crate) fn latest(&self, seen: UnixMillis) -> UnixMillis {
        seen.plus(-self.window_ms)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    const MINTED: UnixMillis = UnixMillis(1_795_000_000_000);
    const RULES: Rules = Rules { window_ms: 1_000, hard_cap_ms: 5_000 };

    fn candidate() -> Candidate {
        Candidate {
            chunk: ChunkId::new(ChunkId::floor(MINTED)).unwrap(),
            partition: 0,
            open: Bits::prefix(1),
            send_by: Some(MINTED.plus(100)),
            content: true,
            heard_at: Some(MINTED.plus(1_101)),
        }
    }

    #[test]
    fn every_condition_is_needed() {
        let seen = MINTED.plus(1_101);
        assert_eq!(RULES.judge(&candidate(), seen), Verdict::Unanswered);
        assert_eq!(RULES.judge(&candidate(), MINTED.plus(1_100)), Verdict::Wait, "not seen so far");
        let silent = Candidate { heard_at: Some(MINTED.plus(1_100)), ..candidate() };
        assert_eq!(RULES.judge(&silent, seen), Verdict::Silent);
        assert_eq!(RULES.judge(&Candidate { heard_at: None, ..candidate() }, seen), Verdict::Silent);
        let unknown = Candidate { content: false, send_by: None, ..candidate() };
        assert_eq!(RULES.judge(&unknown, seen), Verdict::Wait);
    }

    #[test]
    fn the_hard_cap_ends_what_cannot_be_known() {
        let silent = Candidate { heard_at: None, ..candidate() };
        assert_eq!(RULES.judge(&silent, MINTED.plus(6_100)), Verdict::Silent);
        assert_eq!(RULES.judge(&silent, MINTED.plus(6_101)), Verdict::HardCap);
        let unknown = Candidate { content: false, send_by: None, ..candidate() };
        let latest = MINTED.plus(SEND_BY_MAX_MS + 6_000);
        assert_eq!(RULES.judge(&unknown, latest), Verdict::Wait);
        assert_eq!(RULES.judge(&unknown, latest.plus(1)), Verdict::HardCap);
    }

    proptest! {
        /// What has come to an end stays there, and what may be looked at is.
        #[test]
        fn time_only_brings_ends(
            seen in 0i64..400_000_000, more in 0i64..400_000_000, heard in prop::option::of(0i64..10_000),
            content in any::<bool>(), send_by in prop::option::of(0..SEND_BY_MAX_MS),
        ) {
            let heard_at = heard.map(|heard| MINTED.plus(heard));
            let send_by = send_by.map(|send_by| MINTED.plus(send_by));
            let candidate = Candidate { heard_at, content, send_by, ..candidate() };
            let (now, later) = (MINTED.plus(seen), MINTED.plus(seen + more));
            let ends = |at| matches!(RULES.judge(&candidate, at), Verdict::Unanswered | Verdict::HardCap);
            prop_assert!(!ends(now) || ends(later));
            if ends(now) {
                prop_assert!(candidate.chunk.minted_at() < RULES.latest(now));
                prop_assert!(send_by.unwrap_or(MINTED.plus(SEND_BY_MAX_MS)) < RULES.latest(now));
            }
        }
    }
}
