//! By which connectors a chunk's messages went. Pure.

use domain::bits::Bits;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Messages that an operator has, or may have, by one attempt.
#[derive(Clone, Debug)]
pub(crate) struct Carried {
    pub(crate) attempt: u8,
    pub(crate) messages: Bits,
    pub(crate) connector: Arc<str>,
    /// Whether the operator gave an id of its own for each of them: it can be asked.
    pub(crate) ids: bool,
}

/// By which connectors a chunk's messages went, as far as that is known.
#[derive(Debug, Default)]
pub(crate) struct Carriers {
    carried: Vec<Carried>,
    others: Vec<Arc<str>>,
}

impl Carriers {
    /// Messages of the chunk went like this.
    pub(crate) fn add(&mut self, carried: Carried) {
        self.carried.push(carried);
    }

    /// Messages of the chunk went by this connector; which, is not known. (Rows of before told
    /// that only where the operator gave an id.)
    pub(crate) fn other(&mut self, connector: Arc<str>) {
        self.others.push(connector);
    }

    /// Whether the operator behind this connector has the message, or may have it, by any
    /// attempt.
    pub(crate) fn had(&self, position: u8, connector: &str) -> bool {
        self.of(position).any(|carried| *carried.connector == *connector)
    }

    /// Whether the attempt that closed the message may have gone by this connector. Where it is
    /// not known by which it went, it is one of those that the chunk went by.
    pub(crate) fn closed(&self, attempt: Option<u8>, position: u8, connector: &str) -> bool {
        let mut closing = self.of(position).filter(|carried| Some(carried.attempt) == attempt).peekable();
        if closing.peek().is_some() {
            return closing.any(|carried| *carried.connector == *connector);
        }
        let mut any = self.carried.iter().map(|carried| &carried.connector).chain(&self.others).peekable();
        any.peek().is_none() || any.any(|known| **known == *connector)
    }

    /// The connectors that an answer about these messages is awaited from, and whether there is
    /// any that can be asked for by an id of the operator's. No attempt follows the one that
    /// closed a message: it is the last.
    pub(crate) fn awaited(&self, open: Bits) -> BTreeMap<Arc<str>, bool> {
        let mut awaited: BTreeMap<Arc<str>, bool> = BTreeMap::new();
        for position in open.iter() {
            let last = self.of(position).map(|carried| carried.attempt).max();
            let closing = self.of(position).filter(|carried| Some(carried.attempt) == last);
            for carried in closing {
                *awaited.entry(Arc::clone(&carried.connector)).or_default() |= carried.ids;
            }
            if last.is_none() {
                self.others.iter().for_each(|other| *awaited.entry(Arc::clone(other)).or_default() |= false);
            }
        }
        awaited
    }

    fn of(&self, position: u8) -> impl Iterator<Item = &Carried> {
        self.carried.iter().filter(move |carried| carried.messages.contains(position))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn carriers(carried: &[(u8, &[u8], &str, bool)], others: &[&str]) -> Carriers {
        let mut carriers = Carriers::default();
        for (attempt, messages, connector, ids) in carried {
            let messages = messages.iter().copied().collect();
            carriers.add(Carried { attempt: *attempt, messages, connector: (*connector).into(), ids: *ids });
        }
        others.iter().for_each(|other| carriers.other((*other).into()));
        carriers
    }

    fn awaited(carriers: &Carriers, open: &[u8]) -> Vec<(String, bool)> {
        let awaited = carriers.awaited(open.iter().copied().collect());
        awaited.into_iter().map(|(connector, ids)| (connector.to_string(), ids)).collect()
    }

    #[test]
    fn each_message_by_its_own_connector() {
        let mixed = carriers(&[(1, &[0, 1], "a", true), (1, &[2], "b", false)], &["a"]);
        for (position, connector, due) in [(0, "a", true), (1, "b", false), (2, "a", false), (2, "b", true)] {
            assert_eq!(mixed.had(position, connector), due, "{position} {connector}");
            assert_eq!(mixed.closed(Some(1), position, connector), due, "{position} {connector}");
        }
        assert_eq!(awaited(&mixed, &[0, 1]), [("a".to_owned(), true)]);
        assert_eq!(awaited(&mixed, &[2]), [("b".to_owned(), false)], "the others are not waited for");
        assert_eq!(awaited(&mixed, &[1, 2]), [("a".to_owned(), true), ("b".to_owned(), false)]);
        assert_eq!(awaited(&mixed, &[]), []);
    }

    #[test]
    fn of_several_attempts_the_last_closed_it() {
        let twice = carriers(&[(1, &[0], "a", false), (2, &[0], "b", true)], &[]);
        assert!(twice.had(0, "a") && twice.had(0, "b"));
        assert!(twice.closed(Some(2), 0, "b") && !twice.closed(Some(2), 0, "a"));
        assert_eq!(awaited(&twice, &[0]), [("b".to_owned(), true)]);
    }

    #[test]
    fn what_is_not_known_went_by_one_of_those_of_the_chunk() {
        let unknown = carriers(&[(1, &[0], "a", true)], &["b"]);
        assert!(unknown.closed(Some(1), 5, "a") && unknown.closed(Some(1), 5, "b"));
        assert!(!unknown.closed(Some(1), 5, "c") && !unknown.had(5, "a"));
        assert_eq!(awaited(&unknown, &[5]), [("b".to_owned(), false)]);
        assert!(carriers(&[], &[]).closed(None, 0, "anybody"));
    }
}
