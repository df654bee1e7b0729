//! Asking what became of messages whose outcome is not known, and how long.

use crate::deferred::Why;
use crate::desk::{Desk, Leaving, Now};
use crate::lane::{Event, LaneLoop, What};
use domain::outcome::Outcome;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What could not be asked now is looked at again no sooner, in milliseconds.
const ASKED_AGAIN_MS: i64 = 100;
/// An operator that is stopped is not asked again before this, in milliseconds: longer than
/// `sender.defer_after_ms` by default, so that the chunks leave memory and the frontier passes
/// them.
const SILENT_AGAIN_MS: i64 = 10_000;

/// Messages whose turn has not come, by the connector they went by.
type PutOff = BTreeMap<Option<Arc<str>>, i64>;

impl LaneLoop {
    /// What waited long enough: retries are ready, look-ups are made. Partitions take turns.
    pub(crate) fn waiting_over(&mut self, now: Now) {
        let (later, earlier) =
            (self.parts.range(self.asked_last + 1..), self.parts.range(..=self.asked_last));
        let turns: Vec<i32> = later.chain(earlier).map(|(partition, _)| *partition).collect();
        // What came back for a route that is stopped would only keep others from coming back.
        let stopped = self.line.route.connector.is_stopped();
        let not_before = stopped.then(|| now.boot.saturating_add(self.silent_again_ms()));
        let mut put_off = PutOff::new();
        for partition in turns {
            let Some(part) = self.parts.get_mut(&partition).filter(|part| part.drained.is_none()) else {
                continue;
            };
            let Some(desk) = part.desk.as_mut() else { continue };
            desk.retry_due(now, not_before);
            // Only the holder asks: what it hears closes messages for every later holder.
            if !part.look_again_due && !part.looking_again && part.hold.lease.holds() {
                self.look_ups_due(partition, now, &mut put_off);
            }
        }
    }

    fn look_ups_due(&mut self, partition: i32, now: Now, put_off: &mut PutOff) {
        let mut left = Vec::new();
        while self.questions < self.settings.questions_at_once {
            let Some(message) = self.desk(partition).and_then(|desk| desk.next_look_up(now.boot)) else {
                break;
            };
            if self.is_given_up(&message, now) {
                left.push(message);
            } else if self.admits(&message) {
                self.look_up(partition, message);
            } else {
                self.put_off(partition, &message, put_off);
            }
        }
        self.close(partition, left, Outcome::LeftToReceipt);
    }

    fn look_up(&mut self, partition: i32, message: Leaving) {
        let Some(part) = self.parts.get_mut(&partition) else { return };
        part.under_way += 1;
        self.questions += 1;
        self.asked_last = partition;
        self.meters.look_ups.increment(1);
        let (hold, number) = (part.hold.clone(), part.number);
        let (line, events) = (Arc::clone(&self.line), self.events.clone());
        tokio::spawn(async move {
            let ended = line.look_up(&hold, message).await;
            let _ = events.send(Event { partition, number, what: What::LookedUp(ended) });
        });
    }

    /// Where nobody told for long after it could have been sent, only a receipt can tell.
    fn is_given_up(&self, message: &Leaving, now: Now) -> bool {
        let longest = i64::from(self.settings.look_up_longest_s) * 1_000;
        now.unix >= message.chunk.send_by.plus(longest)
    }

    fn admits(&self, message: &Leaving) -> bool {
        let link = self.line.link(message.elsewhere.as_deref());
        link.is_some_and(|link| link.connector.admits_look_up(self.lane))
    }

    /// Its turn comes when the operator answers again and those before it have been asked, a
    /// second's worth each second. One that is stopped waits for a person; one that is not
    /// configured may be in the settings of another process, or again in ours.
    fn put_off(&mut self, partition: i32, message: &Leaving, put_off: &mut PutOff) {
        let link = self.line.link(message.elsewhere.as_deref());
        let before = put_off.entry(message.elsewhere.clone()).or_insert(0);
        let after = match link.and_then(|link| Some((link, link.connector.no_look_ups_for()?))) {
            Some((link, silent_ms)) => {
                let per_second = i64::from(link.connector.look_ups_per_second().max(1));
                silent_ms.max(ASKED_AGAIN_MS) + *before * 1_000 / per_second
            }
            None => self.silent_again_ms(),
        };
        *before += 1;
        self.wait_for(partition, message, Why::LookUp, after);
    }

    fn silent_again_ms(&self) -> i64 {
        SILENT_AGAIN_MS.max(i64::try_from(self.settings.defer_after_ms).unwrap_or(i64::MAX))
    }

    /// A look-up without answer is tried again, a few times; then a receipt must tell. An operator
    /// that answers nobody is not counted.
    pub(crate) fn no_answer(&mut self, partition: i32, message: Leaving) {
        let link = self.line.link(message.elsewhere.as_deref());
        let silent_ms = link.map_or(0, |link| link.connector.no_look_ups_for().unwrap_or(0));
        let (max, after) = (self.settings.look_ups_max, self.settings.look_up_after_ms);
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        let (chunk, position) = (message.chunk.id, message.position);
        let count = |desk: &mut Desk| desk.count_question(chunk, position);
        let after = match silent_ms > 0 {
            true => silent_ms.max(after),
            false => match self.desk(partition).and_then(count) {
                None => return,
                Some(asked) if asked < max => after.saturating_mul(i64::from(asked) + 1),
                Some(_) => return self.close(partition, vec![message], Outcome::LeftToReceipt),
            },
        };
        self.wait_for(partition, &message, Why::LookUp, after);
    }
}
