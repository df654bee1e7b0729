//! What is known of campaigns, recipients and lines, as of the last reading. Pure.

use super::known::{Change, Known};
use domain::bits::Bits;
use domain::hours::Hours;
use domain::time::UnixMillis;
use std::collections::HashSet;
use wire::submitted::Chunk;

/// How much is kept at most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(super) opt_outs: usize,
    pub(super) canceled: usize,
}

/// What may be sent.
#[derive(Debug)]
pub(crate) struct Rules {
    /// Nothing: advertising is sent at any hour.
    hours: Option<Hours>,
    bounds: Bounds,
    canceled: HashSet<i64>,
    canceled_overflow: bool,
    advertising: HashSet<String>,
    opt_outs: Known,
    opt_outs_overflow: bool,
    /// When the last whole reading began.
    read_at: Option<i64>,
}

impl Rules {
    pub(super) fn new(hours: Option<Hours>, bounds: Bounds) -> Self {
        Rules {
            hours,
            bounds,
            canceled: HashSet::new(),
            canceled_overflow: false,
            advertising: HashSet::new(),
            opt_outs: Known::default(),
            opt_outs_overflow: false,
            read_at: None,
        }
    }

    /// Whether this campaign is cancelled; 0 is none.
    pub(crate) fn is_canceled(&self, campaign: i64) -> bool {
        campaign != 0 && self.canceled.contains(&campaign)
    }

    /// The cancelled campaigns.
    pub(crate) fn canceled(&self) -> impl Iterator<Item = i64> {
        self.canceled.iter().copied()
    }

    /// Those of a chunk's messages whose recipients opted out.
    pub(crate) fn opted_out(&self, chunk: &Chunk, messages: Bits) -> Bits {
        if self.opt_outs.len() == 0 {
            return Bits::EMPTY;
        }
        let is_out = |position: &u8| {
            let recipient = chunk.recipients.get(usize::from(*position)).copied();
            recipient.is_some_and(|recipient| self.opt_outs.contains(chunk.account, &chunk.line, recipient))
        };
        messages.iter().filter(is_out).collect()
    }

    /// Whether a message is not to be sent any more.
    pub(crate) fn refuse(&self, chunk: &Chunk, position: u8) -> bool {
        let message = [position].into_iter().collect();
        self.is_canceled(chunk.campaign) || !self.opted_out(chunk, message).is_empty()
    }

    /// Until when messages of this line wait, where they do at `now`.
    pub(crate) fn quiet_until(&self, line: &str, now: UnixMillis) -> Option<UnixMillis> {
        let quiet_until = self.hours?.closed_until(now)?;
        self.advertising.contains(line).then_some(quiet_until)
    }

    /// Whether advertising may be sent at `now`.
    pub(crate) fn is_day(&self, now: UnixMillis) -> bool {
        self.hours.is_none_or(|hours| hours.closed_until(now).is_none())
    }

    /// Whether there is something that could keep a whole chunk from being sent at `now`.
    pub(crate) fn concern_chunks(&self, now: UnixMillis) -> bool {
        !self.canceled.is_empty() || !self.advertising.is_empty() && !self.is_day(now)
    }

    /// Whether Postgres is to be asked besides: there is more than is kept here.
    pub(crate) fn are_not_all(&self) -> bool {
        self.canceled_overflow || self.opt_outs_overflow
    }

    /// When the last whole reading began.
    pub(crate) fn read_at(&self) -> Option<i64> {
        self.read_at
    }

    /// Takes a page of changes in.
    pub(super) fn changed(&mut self, changes: &[Change]) {
        if self.opt_outs_overflow {
            return;
        }
        changes.iter().for_each(|change| self.opt_outs.take(change));
        if self.opt_outs.len() > self.bounds.opt_outs {
            self.opt_outs_overflow = true;
            self.opt_outs = Known::default();
        }
    }

    /// Forgets changes before this one.
    pub(super) fn forget_before(&mut self, oldest: Option<i64>) {
        self.opt_outs.forget_before(oldest);
    }

    /// Takes what was read anew from the beginning, after there was too much.
    pub(super) fn renew(&mut self, mut anew: Rules) {
        std::mem::swap(&mut self.opt_outs, &mut anew.opt_outs);
        self.opt_outs_overflow = anew.opt_outs_overflow;
    }

    /// As many as are kept, and one more where there are more, tell of an overflow.
    pub(super) fn campaigns(&mut self, canceled: HashSet<i64>) {
        self.canceled_overflow = canceled.len() > self.bounds.canceled;
        self.canceled = canceled;
    }

    pub(super) fn lines(&mut self, advertising: HashSet<String>) {
        self.advertising = advertising;
    }

    /// A whole reading that began at `at` is taken in.
    pub(super) fn read(&mut self, at: i64) {
        self.read_at = Some(at);
    }

    /// One like it that knows nothing.
    pub(super) fn empty(&self) -> Rules {
        Rules::new(self.hours, self.bounds)
    }

    pub(super) const fn bounds(&self) -> Bounds {
        self.bounds
    }

    pub(super) fn opt_outs_overflow(&self) -> bool {
        self.opt_outs_overflow
    }

    pub(super) fn opt_outs_len(&self) -> usize {
        self.opt_outs.len()
    }
}

#[cfg(test)]
impl Rules {
    /// Rules of a test: these campaigns, opt-outs of account and number, and advertising lines.
    pub(crate) fn of(canceled: &[i64], opt_outs: &[(i64, i64)], quiet: Option<(&str, Hours)>) -> Self {
        let bounds = Bounds { opt_outs: 1_000, canceled: 1_000 };
        let mut rules = Rules::new(quiet.map(|(_, hours)| hours), bounds);
        rules.campaigns(canceled.iter().copied().collect());
        rules.lines(quiet.iter().map(|(line, _)| (*line).to_owned()).collect());
        let change = |(id, (account, number)): (i64, &(i64, i64))| Change {
            id,
            account: *account,
            number: *number,
            line: String::new(),
            removed: false,
        };
        rules.changed(&(0..).zip(opt_outs).map(change).collect::<Vec<_>>());
        rules
    }
}
