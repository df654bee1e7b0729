//! What goes out, and what follows from what came back.

use crate::call::{Ended, Heard};
use crate::deferred::Why;
use crate::desk::{Desk, EXPIRED_MAX, Leaving, Now, Wait};
use crate::lane::{AFTER_FAILURE, CANNOT_BEGIN, Event, LaneLoop, What};
use crate::magfa::{Class, class_of};
use crate::retry::{ATTEMPTS_MAX, InVain, pause};
use domain::outcome::Outcome;
use platform::ownership::clock;
use std::collections::BTreeMap;
use std::sync::Arc;
use wire::WireError;

/// What expires while nothing of it may leave is looked for so often, and so often it is told
/// how much is ready (that is agreed on once a second), in milliseconds.
const EXPIRE_EVERY_MS: i64 = 500;
/// Records of what is not to be sent under way at once, of one partition: a cancelled campaign
/// ends quickly, and Kafka is not flooded.
const CLOSING_MAX: usize = 4;

impl LaneLoop {
    /// Gives every partition in turn what it may do now, as long as there are free slots and
    /// the connector admits something.
    pub(crate) fn dispatch(&mut self) {
        let now = self.now();
        // Who was served last comes last: slots that come back one by one go round.
        let (later, earlier) =
            (self.parts.range(self.served_last + 1..), self.parts.range(..=self.served_last));
        let turns: Vec<i32> = later.chain(earlier).map(|(partition, _)| *partition).collect();
        for partition in &turns {
            self.look_again(*partition, now.boot);
        }
        self.waiting_over(now);
        if now.boot - self.expired_at >= EXPIRE_EVERY_MS {
            self.expired_at = now.boot;
            for partition in &turns {
                self.mind(*partition, now);
                self.expire(*partition, now);
            }
            let desks = self.parts.values().filter_map(|part| part.desk.as_ref());
            self.line.route.connector.backlog_is(self.lane, desks.map(Desk::backlog).sum());
        }
        let mut sent = true;
        while sent && self.calls < self.settings.calls_at_once {
            sent = false;
            for partition in &turns {
                sent |= self.call(*partition, now);
            }
        }
        turns.iter().for_each(|partition| self.refuse(*partition));
    }

    /// The time, and the database's: `send_by` was stamped elsewhere.
    pub(crate) fn now(&self) -> Now {
        Now { boot: clock::boot_ms(), unix: self.common.standing.database_now() }
    }

    /// One call of a partition. Returns whether anything left the desk.
    fn call(&mut self, partition: i32, now: Now) -> bool {
        if self.calls >= self.settings.calls_at_once {
            return false;
        }
        if !self.desk_to_send(partition).is_some_and(|desk| desk.has_ready()) || !self.is_courteous(partition)
        {
            return false;
        }
        let connector = Arc::clone(&self.line.route.connector);
        let admitted = connector.admits(self.lane, self.line.route.magfa.call_messages());
        if admitted == 0 {
            return false;
        }
        let courtesy = Arc::clone(&self.line.courtesy);
        let rules = courtesy.rules();
        let ask = rules.are_not_all();
        let Some(desk) = self.desk(partition) else { return false };
        let call = desk.next_call(admitted, now, &rules);
        drop(rules);
        connector.left(self.lane, call.len());
        if call.is_empty() {
            return false;
        }
        self.served_last = partition;
        self.meters.calls.increment(1);
        self.meters.call_messages.record(u32::try_from(call.len()).unwrap_or(u32::MAX));
        let Some(part) = self.parts.get_mut(&partition) else { return false };
        part.under_way += 1;
        self.calls += 1;
        let (hold, number) = (part.hold.clone(), part.number);
        let (line, events) = (Arc::clone(&self.line), self.events.clone());
        tokio::spawn(async move {
            let ended = line.call(&hold, call, ask).await;
            let _ = events.send(Event { partition, number, what: What::Called(ended) });
        });
        true
    }

    /// Whose time is over ends, whether the connector can be used or not.
    fn expire(&mut self, partition: i32, now: Now) {
        let Some(desk) = self.desk_to_send(partition) else { return };
        let expired = desk.expired(now.unix);
        self.close(partition, expired, Outcome::Expired);
    }

    /// What is cancelled ends, and what is advertising waits for its hours, whether the connector
    /// can be used or not.
    pub(crate) fn mind(&mut self, partition: i32, now: Now) {
        if !self.is_courteous(partition) {
            return;
        }
        let courtesy = Arc::clone(&self.line.courtesy);
        if let Some(desk) = self.desk_to_send(partition) {
            desk.mind(now, &courtesy.rules());
        }
    }

    /// What is not to be sent ends, so many records at once.
    fn refuse(&mut self, partition: i32) {
        while self.parts.get(&partition).is_some_and(|part| part.closing < CLOSING_MAX) {
            let Some((why, messages)) =
                self.desk_to_send(partition).and_then(|desk| desk.refused(EXPIRED_MAX))
            else {
                return;
            };
            self.close(partition, messages, Outcome::Refused(why));
        }
    }

    /// Whether it is known who is not to be written to: it was read since the partition began,
    /// and not long ago.
    fn is_courteous(&self, partition: i32) -> bool {
        let began_at = self.parts.get(&partition).map(|part| part.began_at);
        began_at.is_some_and(|began_at| self.line.courtesy.is_known(began_at, clock::boot_ms()))
    }

    /// Outcomes that need no call, under the connectors that the messages went by: receipts of
    /// others are not theirs.
    pub(crate) fn close(&mut self, partition: i32, messages: Vec<Leaving>, outcome: Outcome) {
        let mut by_connector: BTreeMap<Option<Arc<str>>, Vec<Leaving>> = BTreeMap::new();
        for message in messages {
            by_connector.entry(message.elsewhere.clone()).or_default().push(message);
        }
        let Some(part) = self.parts.get_mut(&partition) else { return };
        let calls = by_connector.iter().flat_map(|(elsewhere, messages)| {
            messages.chunks(EXPIRED_MAX).map(|messages| (elsewhere.clone(), messages.to_vec()))
        });
        for (elsewhere, messages) in calls {
            part.under_way += 1;
            part.closing += 1;
            let (hold, number) = (part.hold.clone(), part.number);
            let (line, events) = (Arc::clone(&self.line), self.events.clone());
            tokio::spawn(async move {
                let connector = elsewhere.as_deref().unwrap_or(&line.route.connector.name);
                let ended = line.end(&hold, connector, messages, outcome).await;
                let _ = events.send(Event { partition, number, what: What::Closed(ended) });
            });
        }
    }

    /// Open intents of a former holder: its calls are over now, so what it wrote about them
    /// is there, or never will be.
    fn look_again(&mut self, partition: i32, boot: i64) {
        let Some(part) = self.parts.get_mut(&partition) else { return };
        if !part.look_again_due || boot < part.look_up_at {
            return;
        }
        part.look_again_due = false;
        // Look-ups wait for what it finds.
        part.looking_again = true;
        part.under_way += 1;
        let (reader, hold, fence, number) = (self.reader.clone(), part.hold.clone(), part.fence, part.number);
        let events = self.events.clone();
        tokio::spawn(async move {
            let found = reader.look_again(&hold.lease, fence).await;
            if found.is_err() {
                tokio::time::sleep(AFTER_FAILURE).await;
            }
            let _ = events.send(Event { partition, number, what: What::LookedAgain(found) });
        });
    }

    /// What a task tells.
    pub(crate) fn event(&mut self, event: Event) {
        // The slots are the lane's: they come back whatever became of the partition.
        match event.what {
            What::Called(_) => self.calls = self.calls.saturating_sub(1),
            What::LookedUp(_) => self.questions = self.questions.saturating_sub(1),
            What::Began(_) | What::LookedAgain(_) | What::Closed(_) => {}
        }
        let (partition, number) = (event.partition, event.number);
        let Some(part) = self.parts.get_mut(&partition).filter(|part| part.number == number) else { return };
        match event.what {
            What::Began(began) => self.began(partition, began),
            What::LookedAgain(found) => {
                part.under_way = part.under_way.saturating_sub(1);
                part.looking_again = false;
                match (found, part.desk.as_mut()) {
                    (Ok(found), Some(desk)) => desk.found_closed(&found),
                    (Err(error), _) if error.is::<WireError>() => {
                        self.stop_part(partition, CANNOT_BEGIN, &format!("{error:#}"));
                    }
                    (Err(error), _) => {
                        tracing::warn!(
                            partition,
                            error = format!("{error:#}"),
                            "the second look failed; again"
                        );
                        part.look_again_due = true;
                    }
                    (Ok(_), None) => {}
                }
            }
            What::Closed(ended) => {
                part.under_way = part.under_way.saturating_sub(1);
                part.closing = part.closing.saturating_sub(1);
                self.ended(partition, ended);
            }
            What::Called(ended) | What::LookedUp(ended) => {
                part.under_way = part.under_way.saturating_sub(1);
                self.ended(partition, ended);
            }
        }
    }

    fn ended(&mut self, partition: i32, ended: Ended) {
        let ms = |setting: u64| i64::try_from(setting).unwrap_or(i64::MAX);
        let look_up_after = ms(self.settings.look_up_after_ms);
        let retry_first = ms(self.settings.retry_first_ms);
        match ended {
            Ended::Wrote { offset, heard } => {
                if let Some(desk) = self.desk(partition) {
                    desk.wrote(offset);
                }
                for heard in heard {
                    self.meters.outcome(heard.outcome);
                    self.heard(partition, &heard);
                }
            }
            Ended::NoAnswer(message) => self.no_answer(partition, message),
            Ended::AskLater(message) => self.wait_for(partition, &message, Why::LookUp, look_up_after),
            // No bytes went out. Should the hold come back, or never have been lost (or Postgres
            // only not have said who opted out), they are tried again; else the owner takes the partition away.
            Ended::NotHeld(messages) => {
                messages
                    .iter()
                    .for_each(|message| self.wait_for(partition, message, Why::Retry, retry_first));
            }
            // The loop sees the broken producer and begins again, or loses the partition.
            Ended::Broken | Ended::Over => {}
        }
    }

    /// A message waits for so long, in milliseconds.
    pub(crate) fn wait_for(&mut self, partition: i32, message: &Leaving, why: Why, after_ms: i64) {
        let at = clock::boot_ms().saturating_add(after_ms);
        if let Some(desk) = self.desk(partition) {
            desk.wait(message.chunk.id, message.position, Wait { at, why, code: 0 });
        }
    }

    /// One acknowledged outcome: the message ends here, or waits for what follows.
    fn heard(&mut self, partition: i32, heard: &Heard) {
        let look_up_after = i64::try_from(self.settings.look_up_after_ms).unwrap_or(i64::MAX);
        let now = self.now();
        let Some(desk) = self.desk(partition) else { return };
        desk.outcome(heard.chunk, heard.position, heard.outcome);
        match heard.outcome {
            Outcome::Retry | Outcome::NotSent => self.in_vain(partition, heard, now),
            Outcome::Unknown => {
                let wait = Wait { at: now.boot + look_up_after, why: Why::LookUp, code: 0 };
                desk.wait(heard.chunk, heard.position, wait);
            }
            Outcome::Taken | Outcome::Refused(_) | Outcome::Expired | Outcome::LeftToReceipt => {}
        }
    }

    /// An attempt in vain: the message is tried again, or a person must look.
    fn in_vain(&mut self, partition: i32, heard: &Heard, now: Now) {
        let (first, longest) = (self.settings.retry_first_ms, self.settings.retry_longest_ms);
        let tries_max = self.settings.tries_max;
        let Some(desk) = self.desk(partition) else { return };
        let class = (heard.outcome == Outcome::Retry).then(|| class_of(heard.code));
        // What the connector is told to have patience with is no fault of the message.
        let patience = matches!(class, Some(Class::Throttle | Class::Stop));
        let (chunk, position) = (heard.chunk, heard.position);
        let Some((attempts, tries, send_by)) = desk.count_try(chunk, position, !patience) else { return };
        let left_ms = send_by.0.saturating_sub(now.unix.0).max(0);
        let in_vain = InVain { chunk, position, attempts, tries, patience, left_ms };
        let dead = class == Some(Class::Defect) || tries >= tries_max || attempts >= ATTEMPTS_MAX;
        let (why, after) = match (dead, patience) {
            (true, _) => (Why::Dead, left_ms),
            (false, true) => (Why::Patience, pause(in_vain, first, longest)),
            (false, false) => (Why::Retry, pause(in_vain, first, longest)),
        };
        desk.wait(chunk, position, Wait { at: now.boot + after, why, code: heard.code });
    }

    /// The desk of a partition of which anything may leave now.
    fn desk_to_send(&mut self, partition: i32) -> Option<&mut Desk> {
        let part = self.parts.get_mut(&partition).filter(|part| part.drained.is_none())?;
        part.desk.as_mut().filter(|_| part.hold.lease.holds())
    }

    pub(crate) fn desk(&mut self, partition: i32) -> Option<&mut Desk> {
        self.parts.get_mut(&partition)?.desk.as_mut()
    }
}
