//! When a chunk's unanswered messages end. Pure.

use domain::bits::Bits;
use domain::id::ChunkId;
use domain::time::UnixMillis;
use std::sync::Arc;

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
    /// When its operators are asked about it next; nothing: no more.
    pub(crate) due: Option<UnixMillis>,
    /// The connectors that the open messages went by, at least one.
    pub(crate) by: Vec<By>,
}

/// A connector that messages went by.
#[derive(Clone, Debug)]
pub(crate) struct By {
    pub(crate) connector: Arc<str>,
    /// When it was last heard of, if ever.
    pub(crate) heard_at: Option<UnixMillis>,
    /// Whether there is an id of the operator's to ask about any of the messages by.
    pub(crate) ids: bool,
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
    /// All that is missing is a sign of life of some connector that they went by.
    Silent,
}

impl Rules {
    /// Judges a candidate at `now`, when everything that was written until `seen` is known.
    ///
    /// An operator that is well says nothing of messages that it was not asked about: after an
    /// outage of ours there is much to ask, and the first answer is a sign of life for all of
    /// it. So what is still to be asked, and what is asked just now, waits for that.
    ///
    /// The hard cap too counts by what is seen: what is still unread in our own topics may be a
    /// delivery, however late it is.
    pub(crate) fn judge(&self, candidate: &Candidate, seen: UnixMillis, now: UnixMillis) -> Verdict {
        let over = self.over(candidate);
        let asked = candidate.due.is_none_or(|due| due > now);
        let silent = self.silent(candidate).next().is_some();
        if seen <= over {
            Verdict::Wait
        } else if candidate.content && asked && !silent {
            Verdict::Unanswered
        } else if seen > over.plus(self.hard_cap_ms) {
            Verdict::HardCap
        } else if candidate.content && silent {
            Verdict::Silent
        } else {
            Verdict::Wait
        }
    }

    /// The connectors that were not heard of since the time for the messages was over.
    pub(crate) fn silent<'a>(&self, candidate: &'a Candidate) -> impl Iterator<Item = &'a By> + use<'a> {
        let over = self.over(candidate);
        candidate.by.iter().filter(move |by| by.heard_at.is_none_or(|heard| heard <= over))
    }

    fn over(&self, candidate: &Candidate) -> UnixMillis {
        let minted = candidate.chunk.minted_at();
        let send_by = candidate.send_by.unwrap_or_else(|| minted.plus(SEND_BY_MAX_MS));
        send_by.plus(self.window_ms)
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

    /// Long before anything is asked for again.
    const NOW: UnixMillis = MINTED;

    fn heard_at(heard: &[Option<i64>]) -> Vec<By> {
        let by = |heard: &Option<i64>| By {
            connector: "any".into(),
            heard_at: heard.map(|heard| MINTED.plus(heard)),
            ids: true,
        };
        heard.iter().map(by).collect()
    }

    fn candidate() -> Candidate {
        Candidate {
            chunk: ChunkId::new(ChunkId::floor(MINTED)).unwrap(),
            partition: 0,
            open: Bits::prefix(1),
            send_by: Some(MINTED.plus(100)),
            content: true,
            due: None,
            by: heard_at(&[Some(1_101)]),
        }
    }

    #[test]
    fn every_condition_is_needed() {
        let seen = MINTED.plus(1_101);
        assert_eq!(RULES.judge(&candidate(), seen, NOW), Verdict::Unanswered);
        assert_eq!(RULES.judge(&candidate(), MINTED.plus(1_100), NOW), Verdict::Wait, "not seen so far");
        for silent in [&[Some(1_100)][..], &[None], &[Some(1_101), Some(1_100)], &[None, Some(1_101)]] {
            let silent = Candidate { by: heard_at(silent), ..candidate() };
            assert_eq!(RULES.judge(&silent, seen, NOW), Verdict::Silent);
            assert_eq!(RULES.silent(&silent).count(), 1);
        }
        let both = Candidate { by: heard_at(&[Some(1_101); 2]), ..candidate() };
        assert_eq!(RULES.judge(&both, seen, NOW), Verdict::Unanswered);
        let unknown = Candidate { content: false, send_by: None, ..candidate() };
        assert_eq!(RULES.judge(&unknown, seen, NOW), Verdict::Wait);
    }

    #[test]
    fn what_is_to_be_asked_is_asked_first() {
        let seen = MINTED.plus(1_101);
        let due = Candidate { due: Some(NOW.plus(1)), ..candidate() };
        assert_eq!(RULES.judge(&due, seen, NOW), Verdict::Unanswered, "the answer would come too late");
        assert_eq!(RULES.judge(&due, seen, NOW.plus(1)), Verdict::Wait, "it is asked now, or should be");
        assert_eq!(RULES.judge(&due, MINTED.plus(6_100), NOW.plus(1)), Verdict::Wait);
        assert_eq!(RULES.judge(&due, MINTED.plus(6_101), NOW.plus(1)), Verdict::HardCap);
    }

    #[test]
    fn the_hard_cap_ends_what_cannot_be_known() {
        let silent = Candidate { by: heard_at(&[Some(9_000), None]), ..candidate() };
        assert_eq!(RULES.judge(&silent, MINTED.plus(6_100), NOW), Verdict::Silent);
        assert_eq!(RULES.judge(&silent, MINTED.plus(6_101), NOW), Verdict::HardCap);
        let unknown = Candidate { content: false, send_by: None, ..candidate() };
        let latest = MINTED.plus(SEND_BY_MAX_MS + 6_000);
        assert_eq!(RULES.judge(&unknown, latest, NOW), Verdict::Wait);
        assert_eq!(RULES.judge(&unknown, latest.plus(1), NOW), Verdict::HardCap);
    }

    proptest! {
        /// What has come to an end stays there, and what may be looked at is.
        #[test]
        fn time_only_brings_ends(
            seen in 0i64..400_000_000, more in 0i64..400_000_000,
            heard in prop::collection::vec(prop::option::of(0i64..10_000), 1..4),
            content in any::<bool>(), send_by in prop::option::of(0..SEND_BY_MAX_MS),
        ) {
            let send_by = send_by.map(|send_by| MINTED.plus(send_by));
            let candidate = Candidate { by: heard_at(&heard), content, send_by, ..candidate() };
            let (now, later) = (MINTED.plus(seen), MINTED.plus(seen + more));
            let ends =
                |at| matches!(RULES.judge(&candidate, at, NOW), Verdict::Unanswered | Verdict::HardCap);
            prop_assert!(!ends(now) || ends(later));
            if ends(now) {
                prop_assert!(candidate.chunk.minted_at() < RULES.latest(now));
                prop_assert!(send_by.unwrap_or(MINTED.plus(SEND_BY_MAX_MS)) < RULES.latest(now));
            }
        }
    }
}
