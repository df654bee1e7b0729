//! What goes out, and what follows from what came back.

use crate::call::{Ended, Heard};
use crate::desk::{Leaving, Wait};
use crate::lane::{AFTER_FAILURE, CANNOT_BEGIN, Event, LaneLoop, What};
use crate::magfa::{Class, class_of};
use domain::outcome::Outcome;
use domain::time::UnixMillis;
use platform::ownership::clock;
use std::sync::Arc;
use wire::WireError;

/// Alarm: the operator refuses our configuration.
const REFUSES_US: &str = "connector_refuses_us";
/// Alarm: the operator refuses what we ask as wrong.
const REFUSES_REQUEST: &str = "connector_refuses_request";
/// Beyond so many tries a message waits for its `send_by`: attempts are numbered in a byte.
const TRIES_MAX: u8 = 200;
/// After so many tries the rest is spread over the time until `send_by`.
const SPREAD_AFTER: u8 = 20;
/// Further doublings of the pause would overflow nothing but the reader's patience.
const DOUBLINGS_MAX: u8 = 16;

impl LaneLoop {
    /// Gives every partition in turn what it may do now, as long as there are free slots.
    pub(crate) fn dispatch(&mut self) {
        let (boot, now) = (clock::boot_ms(), self.now());
        // Who was served last comes last: slots that come back one by one go round.
        let (later, earlier) =
            (self.parts.range(self.served_last + 1..), self.parts.range(..=self.served_last));
        let turns: Vec<i32> = later.chain(earlier).map(|(partition, _)| *partition).collect();
        for partition in &turns {
            self.look_again(*partition, boot);
            self.wait_over(*partition, boot);
        }
        let mut sent = true;
        while sent && self.calls < self.settings.calls_at_once {
            sent = false;
            for partition in &turns {
                sent |= self.call(*partition, now);
            }
        }
    }

    /// The database's time of day: `send_by` was stamped elsewhere.
    fn now(&self) -> UnixMillis {
        clock::unix_now().plus(-self.common.standing.clock_skew_ms())
    }

    /// One call of a partition. Returns whether anything left the desk.
    fn call(&mut self, partition: i32, now: UnixMillis) -> bool {
        if self.calls >= self.settings.calls_at_once {
            return false;
        }
        let Some(part) = self.parts.get_mut(&partition).filter(|part| part.drained.is_none()) else {
            return false;
        };
        if !part.hold.lease.holds() {
            return false;
        }
        let Some(desk) = part.desk.as_mut().filter(|desk| desk.has_ready()) else { return false };
        let (call, expired) = desk.next_call(self.line.magfa.call_messages(), now);
        self.served_last = partition;
        if !call.is_empty() {
            self.meters.calls.increment(1);
            self.meters.call_messages.record(u32::try_from(call.len()).unwrap_or(u32::MAX));
            self.spawn_call(partition, call, None);
        }
        if !expired.is_empty() {
            self.spawn_call(partition, expired, Some(Outcome::Expired));
        }
        true
    }

    /// A call, or outcomes that need none.
    fn spawn_call(&mut self, partition: i32, messages: Vec<Leaving>, outcome: Option<Outcome>) {
        let Some(part) = self.parts.get_mut(&partition) else { return };
        part.under_way += 1;
        self.calls += 1;
        let (hold, number) = (part.hold.clone(), part.number);
        let (line, events) = (Arc::clone(&self.line), self.events.clone());
        tokio::spawn(async move {
            let ended = match outcome {
                None => line.call(&hold, messages).await,
                Some(outcome) => line.end(&hold, messages, outcome).await,
            };
            let _ = events.send(Event { partition, number, what: What::Called(ended) });
        });
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

    /// What waited long enough: retries are ready, look-ups are made.
    fn wait_over(&mut self, partition: i32, boot: i64) {
        let free = self.settings.questions_at_once.saturating_sub(self.questions);
        let Some(part) = self.parts.get_mut(&partition).filter(|part| part.drained.is_none()) else { return };
        let Some(desk) = part.desk.as_mut() else { return };
        desk.retry_due(boot);
        // Only the holder asks: what it hears closes messages for every later holder.
        if part.look_again_due || part.looking_again || !part.hold.lease.holds() {
            return;
        }
        let due = desk.look_ups_due(boot, free);
        for message in due {
            part.under_way += 1;
            self.questions += 1;
            self.meters.look_ups.increment(1);
            let (hold, number) = (part.hold.clone(), part.number);
            let (line, events) = (Arc::clone(&self.line), self.events.clone());
            tokio::spawn(async move {
                let ended = line.look_up(&hold, message).await;
                let _ = events.send(Event { partition, number, what: What::LookedUp(ended) });
            });
        }
    }

    /// What a task tells.
    pub(crate) fn event(&mut self, event: Event) {
        // The slots are the lane's: they come back whatever became of the partition.
        match event.what {
            What::Called(_) => self.calls = self.calls.saturating_sub(1),
            What::LookedUp(_) => self.questions = self.questions.saturating_sub(1),
            What::Began(_) | What::LookedAgain(_) => {}
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
            What::Called(ended) | What::LookedUp(ended) => {
                part.under_way = part.under_way.saturating_sub(1);
                self.ended(partition, ended);
            }
        }
    }

    fn ended(&mut self, partition: i32, ended: Ended) {
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
            // No bytes went out. Should the hold come back, or never have been lost, they are
            // tried again; else the owner takes the partition away.
            Ended::NotHeld(messages) => {
                let at = clock::boot_ms() + i64::try_from(self.settings.retry_first_ms).unwrap_or(i64::MAX);
                if let Some(desk) = self.desk(partition) {
                    for message in messages {
                        desk.wait(message.chunk.id, message.position, at, Wait::Retry);
                    }
                }
            }
            // The loop sees the broken producer and begins again.
            Ended::Broken => {}
        }
    }

    /// One acknowledged outcome: the message ends here, or waits for what follows.
    fn heard(&mut self, partition: i32, heard: &Heard) {
        let (first, longest) = (self.settings.retry_first_ms, self.settings.retry_longest_ms);
        let look_up_after = i64::try_from(self.settings.look_up_after_ms).unwrap_or(i64::MAX);
        let (boot, now) = (clock::boot_ms(), self.now());
        self.alarm(heard);
        let Some(desk) = self.desk(partition) else { return };
        desk.outcome(heard.chunk, heard.position, heard.outcome);
        match heard.outcome {
            Outcome::Retry | Outcome::NotSent => {
                let Some((tries, send_by)) = desk.count_try(heard.chunk, heard.position) else { return };
                let until_send_by = send_by.0.saturating_sub(now.0).max(0);
                let given_up = tries >= TRIES_MAX
                    || heard.outcome == Outcome::Retry && class_of(heard.code) == Class::Defect;
                let pause =
                    if given_up { until_send_by } else { pause(tries, first, longest, until_send_by) };
                let at = boot + pause;
                desk.wait(heard.chunk, heard.position, at, Wait::Retry);
            }
            Outcome::Unknown => {
                desk.wait(heard.chunk, heard.position, boot + look_up_after, Wait::LookUp);
            }
            Outcome::Taken | Outcome::Refused(_) | Outcome::Expired | Outcome::LeftToReceipt => {}
        }
    }

    /// A look-up without answer is tried again; in the end a receipt must tell.
    fn no_answer(&mut self, partition: i32, message: Leaving) {
        let (max, after) = (self.settings.look_ups_max, self.settings.look_up_after_ms);
        let Some(desk) = self.desk(partition) else { return };
        let (chunk, position) = (message.chunk.id, message.position);
        match desk.count_question(chunk, position) {
            Some(asked) if asked < max => {
                let after = i64::try_from(after).unwrap_or(i64::MAX).saturating_mul(i64::from(asked) + 1);
                desk.wait(chunk, position, clock::boot_ms() + after, Wait::LookUp);
            }
            Some(_) => self.spawn_call(partition, vec![message], Some(Outcome::LeftToReceipt)),
            None => {}
        }
    }

    /// Refusals of our own configuration, or by our own defect, need a person. A message that
    /// is taken says that it is over.
    fn alarm(&mut self, heard: &Heard) {
        let (health, connector) = (&self.common.health, &self.line.connector);
        let refused = heard.outcome == Outcome::Retry;
        let code = match class_of(heard.code) {
            Class::Stop if refused => REFUSES_US,
            Class::Defect if refused => REFUSES_REQUEST,
            _ => {
                if heard.outcome == Outcome::Taken && std::mem::take(&mut self.connector_alarm) {
                    health.clear_alarm(REFUSES_US, connector);
                    health.clear_alarm(REFUSES_REQUEST, connector);
                }
                return;
            }
        };
        let detail = format!("the operator answers with code {}; messages wait", heard.code);
        health.raise_alarm(code, connector, &detail);
        self.connector_alarm = true;
    }

    fn desk(&mut self, partition: i32) -> Option<&mut crate::desk::Desk> {
        self.parts.get_mut(&partition)?.desk.as_mut()
    }
}

/// How long a message waits after `tries` tries in vain, in milliseconds: doubled each time
/// up to the longest, and so that the numbers of attempts last for the time that is left.
fn pause(tries: u8, first: u64, longest: u64, until_send_by: i64) -> i64 {
    let doubled = first.saturating_mul(1 << tries.saturating_sub(1).min(DOUBLINGS_MAX)).min(longest);
    let doubled = i64::try_from(doubled).unwrap_or(i64::MAX);
    let left = i64::from(TRIES_MAX.saturating_sub(tries)).max(1);
    let spread = if tries > SPREAD_AFTER { until_send_by / left } else { 0 };
    doubled.max(spread).min(until_send_by)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_last_until_send_by() {
        let of = |tries| pause(tries, 1_000, 60_000, 1_000_000);
        assert_eq!([of(1), of(2), of(3), of(7), of(20)], [1_000, 2_000, 4_000, 60_000, 60_000]);
        // 72 hours of throttling do not use the numbers up.
        let (mut left, mut tries) = (72 * 3_600_000_i64, 0_u8);
        while left > 0 && tries < TRIES_MAX {
            tries += 1;
            left -= pause(tries, 1_000, 60_000, left);
        }
        assert_eq!(left, 0);
        assert_eq!(pause(1, 1_000, 60_000, 300), 300);
    }
}
