//! What a list is asked for.

use domain::id::{ChunkId, EPOCH};
use domain::lane::Lane;
use domain::phone::Msisdn;
use domain::search::{recipient_key, reference_key};
use domain::status::Status;
use domain::time::UnixMillis;

use super::chunks::Span;
use super::sought::Keys;
use crate::reports::rows::Loaded;

/// Which messages are listed.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    pub(crate) account: i64,
    /// Those submitted at or after this time,
    pub(crate) from: UnixMillis,
    /// and before this one, by their ids.
    pub(crate) to: UnixMillis,
    pub(crate) statuses: StatusSet,
    /// The lane travelled in.
    pub(crate) lane: Option<Lane>,
    pub(crate) recipient: Option<Msisdn>,
    pub(crate) reference: Option<String>,
    pub(crate) campaign: Option<i64>,
}

/// Some of the statuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StatusSet(u16);

impl StatusSet {
    pub(crate) const ALL: StatusSet = StatusSet((1 << Status::ALL.len()) - 1);

    pub(crate) fn of(statuses: impl IntoIterator<Item = Status>) -> Self {
        let all: Vec<Status> = statuses.into_iter().collect();
        let bits = Status::ALL.iter().enumerate().filter(|(_, status)| all.contains(status));
        StatusSet(bits.fold(0, |set, (place, _)| set | 1 << place))
    }

    pub(crate) fn contains(self, status: Status) -> bool {
        self.places().any(|(_, known)| known == status)
    }

    pub(crate) fn is_all(self) -> bool {
        self == StatusSet::ALL
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those in it, with their places in [`Status::ALL`].
    pub(super) fn places(self) -> impl Iterator<Item = (usize, Status)> {
        Status::ALL.into_iter().enumerate().filter(move |(place, _)| self.0 >> place & 1 == 1)
    }

    /// The others.
    pub(super) fn others(self) -> StatusSet {
        StatusSet(!self.0 & StatusSet::ALL.0)
    }
}

impl Filter {
    /// All messages of an account between two times.
    pub(crate) fn of(account: i64, from: UnixMillis, to: UnixMillis) -> Self {
        let statuses = StatusSet::ALL;
        Filter { account, from, to, statuses, lane: None, recipient: None, reference: None, campaign: None }
    }

    /// The chunks of the time that is asked for.
    pub(super) fn span(&self) -> Span {
        // Later than this no id can be.
        let last = UnixMillis(EPOCH.0 + (1 << 41) - 1);
        Span { from: ChunkId::floor(self.from.min(last)), to: ChunkId::floor(self.to.min(last)) }
    }

    /// Whether counters say nothing about it.
    pub(super) fn is_sought(&self) -> bool {
        self.recipient.is_some() || self.reference.is_some() || self.campaign.is_some()
    }

    /// What its chunks are found by.
    pub(super) fn keys(&self) -> Option<Keys> {
        let recipient = self.recipient.map(|recipient| recipient_key(self.account, recipient));
        let reference = self.reference.as_ref().map(|reference| reference_key(self.account, reference));
        match (recipient, reference) {
            (None, None) => None,
            (recipient, reference) => Some(Keys { recipient, reference }),
        }
    }

    /// Whether a message fits, but for its status.
    pub(super) fn fits(&self, loaded: &Loaded, index: usize) -> bool {
        let chunk = &loaded.chunk;
        self.lane.is_none_or(|lane| loaded.lane == lane.as_str())
            && self.campaign.is_none_or(|campaign| loaded.campaign == Some(campaign))
            && self.recipient.is_none_or(|recipient| chunk.recipients.get(index) == Some(&recipient))
            && self.reference.as_deref().is_none_or(|reference| chunk.reference(index) == Some(reference))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_was_put_in() {
        for status in Status::ALL {
            let set = StatusSet::of([status]);
            assert!(Status::ALL.into_iter().all(|other| set.contains(other) == (other == status)));
            assert!(!set.others().contains(status) && !set.is_all() && !set.is_empty());
        }
        assert_eq!(StatusSet::of(Status::ALL), StatusSet::ALL);
        assert!(StatusSet::of([]).is_empty() && StatusSet::ALL.others().is_empty());
    }
}
