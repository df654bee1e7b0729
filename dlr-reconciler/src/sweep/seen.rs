//! Until when everything is known that was written to topics. Pure.
//!
//! The end of a partition is asked for; once the stored position has come to that end, the
//! effects of all that was there when it was asked for are stored. So the database's clock,
//! read before the question, is how far is seen. That holds for partitions that are idle and
//! for those that are never quite read to their end, and whoever holds them; the clocks of
//! brokers do not matter.

use domain::time::UnixMillis;
use std::collections::{BTreeMap, HashMap};

/// What was said at some time may be on its way to its topic for so long, in milliseconds.
pub(crate) const ON_ITS_WAY_MS: i64 = 5_000;

/// A topic and partition.
pub(crate) type Key = (String, i32);

/// The topics that the sweep must have seen.
pub(crate) struct Topics {
    /// Attempts, one a lane: of the chunk's own partition.
    pub(crate) attempts: Vec<String>,
    /// Receipts: of every partition.
    pub(crate) receipts: String,
    /// Partitions of every topic.
    pub(crate) partitions: i32,
}

/// What is seen of each partition.
#[derive(Default)]
pub(crate) struct Seen(BTreeMap<Key, Of>);

#[derive(Clone, Copy)]
struct Of {
    /// An end that the position has not come to yet, and when it was asked for.
    ahead: Option<(i64, UnixMillis)>,
    until: Option<UnixMillis>,
}

impl Topics {
    /// Everything that must be seen for chunks of these partitions.
    pub(crate) fn keys(&self, held: &[i32]) -> Vec<Key> {
        let attempts = self.attempts.iter().flat_map(|topic| held.iter().map(move |p| (topic.clone(), *p)));
        attempts.chain((0..self.partitions).map(|partition| (self.receipts.clone(), partition))).collect()
    }
}

impl Seen {
    /// Takes in what a look found: the database's clock, and after it the ends of partitions,
    /// and after these the stored positions. Partitions that were not looked at are forgotten.
    pub(crate) fn look(
        &mut self,
        keys: &[Key],
        clock: UnixMillis,
        ends: &HashMap<Key, i64>,
        positions: &HashMap<Key, i64>,
    ) {
        let mut next = BTreeMap::new();
        for key in keys {
            let mut of = self.0.get(key).copied().unwrap_or(Of { ahead: None, until: None });
            if let (Some(end), Some(position)) = (ends.get(key), positions.get(key)) {
                of.look((*end, clock), *position);
            }
            next.insert(key.clone(), of);
        }
        self.0 = next;
    }

    /// Until when everything is seen that must be for chunks of `partition`; nothing where it
    /// is not known yet.
    pub(crate) fn until(&self, topics: &Topics, partition: i32) -> Option<UnixMillis> {
        let until = topics.keys(&[partition]);
        let until = until.iter().map(|key| self.0.get(key).and_then(|of| of.until));
        until.min().flatten()
    }

    /// The partition that is seen least far, and until when.
    pub(crate) fn least(&self) -> Option<(&Key, Option<UnixMillis>)> {
        self.0.iter().map(|(key, of)| (key, of.until)).min_by_key(|(_, until)| *until)
    }
}

impl Of {
    fn look(&mut self, newest: (i64, UnixMillis), position: i64) {
        let reached = |(end, _): &(i64, UnixMillis)| position >= *end;
        let seen = Some(newest).filter(reached).or(self.ahead.filter(reached));
        if let Some((_, at)) = seen {
            self.until = self.until.max(Some(at.plus(-ON_ITS_WAY_MS)));
            self.ahead = None;
        }
        if !reached(&newest) {
            // The one that is nearest is kept: a later end would never be come to.
            self.ahead.get_or_insert(newest);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn topics() -> Topics {
        Topics { attempts: vec!["a".into(), "b".into()], receipts: "r".into(), partitions: 2 }
    }

    fn at(key: &str, partition: i32, offset: i64) -> HashMap<Key, i64> {
        HashMap::from([((key.to_owned(), partition), offset)])
    }

    proptest! {
        /// A partition to which records are written all the time, and that is read some way
        /// behind: what is said to be seen is stored, and it goes on as long as reading does.
        #[test]
        fn what_is_seen_is_stored(steps in prop::collection::vec((0i64..5, 0i64..5), 1..60)) {
            let key = vec![("a".to_owned(), 0)];
            let (mut seen, mut end, mut position) = (Seen::default(), 0i64, 0i64);
            // How many records there were by each time.
            let mut written: Vec<(UnixMillis, i64)> = Vec::new();
            for (step, (more, read)) in (0i64..).zip(steps) {
                let clock = UnixMillis(1_000_000 + step * 10_000);
                written.push((clock, end));
                end += more;
                let asked = end;
                end += more;
                position = (position + read).min(end);
                seen.look(&key, clock, &at("a", 0, asked), &at("a", 0, position));
                let until = seen.0[&key[0]].until;
                if let Some(until) = until {
                    let due = written.iter().rfind(|(time, _)| *time <= until.plus(ON_ITS_WAY_MS));
                    prop_assert!(position >= due.unwrap().1);
                }
                if position >= asked {
                    prop_assert_eq!(until, Some(clock.plus(-ON_ITS_WAY_MS)));
                }
            }
            // Once reading has come to where the end was at the last look, that is seen.
            let clock = UnixMillis(9_000_000);
            seen.look(&key, clock, &at("a", 0, end), &at("a", 0, end));
            prop_assert_eq!(seen.0[&key[0]].until, Some(clock.plus(-ON_ITS_WAY_MS)));
        }
    }

    #[test]
    fn a_partition_that_is_never_read_to_its_end_is_seen_all_the_same() {
        let key = vec![("a".to_owned(), 0)];
        for looks_behind in 1..6 {
            let mut seen = Seen::default();
            for look in 0..40 {
                let clock = |look: i64| UnixMillis(1_000_000 + look * 1_000);
                let position = (look - looks_behind).max(0) * 10;
                seen.look(&key, clock(look), &at("a", 0, look * 10 + 1), &at("a", 0, position));
                let until = seen.0[&key[0]].until.unwrap_or(UnixMillis(0));
                // Seen only when it is read, and never later than two such distances after.
                assert!(until <= clock(look - looks_behind).plus(-ON_ITS_WAY_MS));
                if look > 2 * looks_behind + 1 {
                    assert!(until >= clock(look - 2 * looks_behind - 2).plus(-ON_ITS_WAY_MS));
                }
            }
        }
    }

    #[test]
    fn a_chunk_needs_its_partition_in_every_lane_and_all_of_receipts() {
        let (topics, clock) = (topics(), UnixMillis(1_000_000));
        let keys = topics.keys(&[1]);
        assert_eq!(keys.len(), 4, "attempts of two lanes, receipts of both partitions");
        let all: HashMap<Key, i64> = keys.iter().map(|key| (key.clone(), 7)).collect();
        let mut seen = Seen::default();
        assert_eq!(seen.until(&topics, 1), None);
        seen.look(&keys, clock, &all, &all);
        assert_eq!(seen.until(&topics, 1), Some(clock.plus(-ON_ITS_WAY_MS)));
        assert_eq!(seen.until(&topics, 0), None, "nobody looked at its attempts");
        for key in &keys {
            let mut behind = all.clone();
            behind.insert(key.clone(), 6);
            let mut later = Seen::default();
            later.look(&keys, clock, &all, &all);
            later.look(&keys, clock.plus(60_000), &all, &behind);
            assert_eq!(later.until(&topics, 1), Some(clock.plus(-ON_ITS_WAY_MS)), "{key:?}");
            let mut never = Seen::default();
            never.look(&keys, clock, &all, &behind);
            assert_eq!(never.until(&topics, 1), None, "{key:?}");
            assert_eq!(never.least(), Some((key, None)));
            let mut unasked = Seen::default();
            let ends = all.iter().filter(|(of, _)| *of != key).map(|(of, end)| (of.clone(), *end)).collect();
            unasked.look(&keys, clock, &ends, &all);
            assert_eq!(unasked.until(&topics, 1), None, "{key:?}");
        }
    }
}
