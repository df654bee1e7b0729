//! One chunk in hand.

use super::{Leaving, Now, Paid, Wait};
use crate::deferred::{Row, Waiting, Why};
use crate::scan::{Attempted, Past, Stands};
use bytes::Bytes;
use domain::bits::Bits;
use domain::time::UnixMillis;
use platform::kafka::budget::Charge;
use std::sync::Arc;
use wire::submitted::Chunk;

/// A chunk between its arrival and the frontier's passing it, or from the table `deferred`.
pub(super) struct Flight {
    /// Its offset in sms.billed.
    pub(super) offset: i64,
    /// Whether it comes from the table: the frontier does not wait for it.
    pub(super) from_table: bool,
    /// Nothing that a successor must read of this chunk lies below this offset of
    /// sms.attempts.
    pub(super) first_record: Option<i64>,
    /// Orders that were carried out on it, to be deleted with its next row.
    pub(super) orders: Vec<i64>,
    /// What is still to be done. Nothing is left of it when all is closed: the chunk then
    /// only waits for the frontier, because the point must not pass its intents before.
    pub(super) work: Option<Work>,
}

/// A chunk of which messages are open.
pub(super) struct Work {
    pub(super) chunk: Arc<Chunk>,
    pub(super) open: Bits,
    record: Bytes,
    messages: Vec<Message>,
    _charge: Option<Charge>,
}

/// What is known of one message.
#[derive(Clone, Default)]
pub(super) struct Message {
    /// The number of its last attempt.
    pub(super) attempt: u8,
    /// How often it was tried in vain.
    pub(super) tries: u8,
    /// How often the operator was asked about it in vain.
    pub(super) questions: u8,
    /// What it waits for, where it does.
    pub(super) waits: Option<Wait>,
    /// When the last attempt was made.
    pub(super) attempted_at: UnixMillis,
    /// The connector of the last attempt, where that is another than the route of now.
    pub(super) elsewhere: Option<Arc<str>>,
}

impl Flight {
    /// A chunk that arrives, with what a scan found of it.
    pub(super) fn new(offset: i64, paid: Paid, past: Option<&Past>, route: &str) -> Self {
        let closed = past.map_or(Bits::EMPTY, |past| past.bits(Stands::Closed));
        let message = |position| {
            let attempt = past.map_or(0, |past| past.attempt(position));
            let message = Message { attempt, ..Message::default() };
            message.attempted(past.and_then(|past| past.attempted(position)), route)
        };
        let messages = (0..=u8::MAX).zip(&paid.chunk.recipients).map(|(position, _)| message(position));
        let work = Work {
            messages: messages.collect(),
            open: Bits::prefix(usize::from(paid.paid)).minus(closed),
            record: paid.record,
            chunk: paid.chunk,
            _charge: Some(paid.charge),
        };
        Flight {
            offset,
            from_table: false,
            first_record: past.map(|past| past.first_intent),
            orders: Vec::new(),
            work: Some(work),
        }
    }

    /// A chunk from the table, with what a scan found behind its row.
    pub(super) fn of_row(row: Row, chunk: Arc<Chunk>, past: Option<&Past>, route: &str) -> Self {
        let mut messages = vec![Message::default(); chunk.len()];
        for waiting in &row.messages {
            let Some(message) = messages.get_mut(usize::from(waiting.position)) else { continue };
            let attempt = past.map_or(0, |past| past.attempt(waiting.position)).max(waiting.attempt);
            let (tries, questions) = (waiting.tries, waiting.questions);
            let attempted = past.and_then(|past| past.attempted(waiting.position));
            *message = Message { attempt, tries, questions, ..Message::default() }
                .attempted(attempted.or_else(|| waiting.attempted.clone()), route);
        }
        let closed = past.map_or(Bits::EMPTY, |past| past.bits(Stands::Closed));
        let open: Bits = row.messages.iter().map(|message| message.position).collect();
        let work = Work { chunk, open: open.minus(closed), record: row.record, messages, _charge: None };
        Flight {
            offset: row.offset,
            from_table: true,
            first_record: past.map(|past| past.first_intent),
            orders: Vec::new(),
            work: Some(work),
        }
    }
}

impl Message {
    /// With what is known of its last attempt.
    fn attempted(self, attempted: Option<Attempted>, route: &str) -> Self {
        let Some(Attempted { by, at }) = attempted else { return self };
        Message { attempted_at: at, elsewhere: Some(by).filter(|by| **by != *route), ..self }
    }
}

impl Work {
    /// The message as it leaves for a new attempt at `now`, which is counted.
    pub(super) fn attempt(&mut self, position: u8, now: UnixMillis) -> Leaving {
        let message = self.messages.get_mut(usize::from(position));
        let attempt = message.map_or(1, |message| {
            message.attempt = message.attempt.saturating_add(1);
            message.elsewhere = None;
            message.attempted_at = now;
            message.attempt
        });
        Leaving { chunk: Arc::clone(&self.chunk), position, attempt, attempted_at: now, elsewhere: None }
    }

    /// The message as it leaves with its last attempt.
    pub(super) fn as_it_is(&self, position: u8) -> Leaving {
        let message = self.message(position);
        let attempt = message.map_or(1, |message| message.attempt.max(1));
        let attempted_at = message.map_or(UnixMillis(0), |message| message.attempted_at);
        let elsewhere = message.and_then(|message| message.elsewhere.clone());
        Leaving { chunk: Arc::clone(&self.chunk), position, attempt, attempted_at, elsewhere }
    }

    pub(super) fn message(&self, position: u8) -> Option<&Message> {
        self.messages.get(usize::from(position))
    }

    pub(super) fn message_mut(&mut self, position: u8) -> Option<&mut Message> {
        self.messages.get_mut(usize::from(position))
    }

    /// The messages that wait for anything but an answer about their last attempt: they do so no
    /// longer.
    pub(super) fn wait_no_longer(&mut self) -> Bits {
        let open = self.open;
        let messages = (0..=u8::MAX).zip(&mut self.messages).filter(|(position, _)| open.contains(*position));
        let waiting = messages.filter_map(|(position, message)| {
            message.waits.take_if(|wait| wait.why != Why::LookUp).map(|_| position)
        });
        waiting.collect()
    }

    pub(super) fn send_by(&self) -> UnixMillis {
        self.chunk.send_by
    }

    /// Whether nothing can happen to it before `at` but by an order.
    pub(super) fn only_waits_until(&self, at: i64) -> bool {
        let waits = |position| self.message(position).and_then(|message| message.waits);
        !self.open.is_empty()
            && self.open.iter().all(|position| waits(position).is_some_and(|wait| wait.at >= at))
    }

    /// The row that says that nothing is left to be done.
    pub(super) fn ended_row(&self, offset: i64) -> Row {
        let (chunk, account, send_by) = (self.chunk.id, self.chunk.account, self.send_by());
        Row { chunk, account, campaign: 0, offset, send_by, record: Bytes::new(), messages: Vec::new() }
    }

    /// The row that says where its messages stand: all of them wait.
    pub(super) fn row(&self, offset: i64, now: Now, route: &Arc<str>) -> Row {
        let waiting = |position| {
            let message = self.message(position)?;
            let wait = message.waits?;
            let due = match wait.why {
                // A clock that was set must not move it behind the time it expires at.
                Why::Dead => self.send_by(),
                Why::Retry | Why::Patience | Why::LookUp | Why::Quiet => now.unix.plus(wait.at - now.boot),
            };
            let Message { attempt, tries, questions, .. } = *message;
            // Only a message whose outcome is unknown is asked about, and only where it went.
            let attempted = (wait.why == Why::LookUp).then(|| Attempted {
                by: message.elsewhere.clone().unwrap_or_else(|| Arc::clone(route)),
                at: message.attempted_at,
            });
            let (why, code) = (wait.why, wait.code);
            Some(Waiting { position, attempt, tries, questions, why, code, due, attempted })
        };
        Row {
            chunk: self.chunk.id,
            account: self.chunk.account,
            campaign: self.chunk.campaign,
            offset,
            send_by: self.send_by(),
            record: self.record.clone(),
            messages: self.open.iter().filter_map(waiting).collect(),
        }
    }
}
