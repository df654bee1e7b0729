//! Between the desk and the table `deferred`: what only waits leaves memory, what is due comes
//! back, and orders from people are carried out.

use super::flight::Flight;
use super::{Desk, Leaving, Now, Wait};
use crate::deferred::{Order, Row, Verb, Why};
use crate::retry::ATTEMPTS_MAX;
use crate::scan::Stands;
use domain::bits::Bits;
use domain::id::ChunkId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use wire::WireError;
use wire::billed::{Billed, Verdict};

/// What the next transaction of the positions is to carry out.
#[derive(Debug, Default)]
pub(crate) struct Unsaved {
    /// Of each chunk its new row, or nothing where it is done with.
    pub(crate) rows: BTreeMap<ChunkId, Option<Row>>,
    /// Chunks that have no row yet.
    pub(crate) first: BTreeSet<ChunkId>,
    /// Orders that were carried out.
    pub(crate) orders: Vec<i64>,
}

impl Unsaved {
    /// Whether the positions are all there is to store.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.orders.is_empty()
    }
}

impl Desk {
    /// Lets chunks go that only wait, and longer than `after_ms`: of those that have no row yet at
    /// most `room`. The frontier passes them; their rows are written by the transaction that
    /// stores it.
    pub(crate) fn defer(&mut self, now: Now, after_ms: i64, room: usize) {
        let waits = |flight: &Flight| {
            flight.work.as_ref().is_some_and(|work| work.only_waits_until(now.boot.saturating_add(after_ms)))
        };
        let waiting = self.flights.iter().filter(|(_, flight)| waits(flight));
        let (back, new): (Vec<_>, Vec<_>) =
            waiting.map(|(id, flight)| (*id, flight.from_table)).partition(|(_, from_table)| *from_table);
        for (id, _) in back.into_iter().chain(new.into_iter().take(room)) {
            let Some(flight) = self.flights.remove(&id) else { continue };
            let Some(work) = flight.work else { continue };
            self.unsaved.rows.insert(id, Some(work.row(flight.offset, now, &self.route)));
            self.unsaved.orders.extend(flight.orders);
            if !flight.from_table {
                self.unsaved.first.insert(id);
                self.leave(flight.offset);
            }
        }
    }

    /// What the next transaction is to carry out besides the positions.
    pub(crate) fn unsaved(&self) -> &Unsaved {
        &self.unsaved
    }

    /// The transaction was committed.
    pub(crate) fn saved(&mut self) {
        self.unsaved = Unsaved::default();
    }

    /// Chunks from the table that are in hand, and those whose rows are about to change: what
    /// the table says of them is not to be looked at.
    pub(crate) fn kept_chunks(&self) -> impl Iterator<Item = ChunkId> {
        let in_hand = self.flights.iter().filter(|(_, flight)| flight.from_table).map(|(id, _)| *id);
        in_hand.chain(self.unsaved.rows.keys().copied())
    }

    /// Orders that were carried out, whose chunks have not been stored since.
    pub(crate) fn carried_out(&self) -> impl Iterator<Item = i64> {
        let in_hand = self.flights.values().flat_map(|flight| &flight.orders);
        in_hand.chain(&self.unsaved.orders).copied()
    }

    /// Takes a row in hand. `look_up_at` is that of [`Desk::take`].
    ///
    /// # Errors
    /// When its record cannot be read.
    pub(crate) fn load(&mut self, row: Row, now: Now, look_up_at: i64) -> Result<(), WireError> {
        let id = row.chunk;
        if row.messages.is_empty() {
            // It has ended. What the scan found of it is not needed: see `Desk::ended`.
            self.scan.remove(id);
            return Ok(());
        }
        if self.flights.contains_key(&id) || self.unsaved.rows.contains_key(&id) {
            return Ok(());
        }
        let (Verdict::Paid { chunk, .. } | Verdict::Refused { chunk }) = Billed::decode(&row.record)?.verdict
        else {
            return Ok(());
        };
        let past = self.scan.remove(id);
        let waiting = row.messages.clone();
        let flight = Flight::of_row(row, Arc::new(chunk), past.as_ref(), &self.route);
        let open = flight.work.as_ref().map_or(Bits::EMPTY, |work| work.open);
        self.flights.insert(id, flight);
        for message in waiting.iter().filter(|message| open.contains(message.position)) {
            // What was written behind the row says more than the row.
            let later = past.as_ref().filter(|past| past.attempt(message.position) > message.attempt);
            let wait = match later.map(|past| past.stands(message.position)) {
                Some(Stands::Open) => Wait { at: look_up_at, why: Why::LookUp, code: 0 },
                Some(Stands::MayRetry) => Wait { at: now.boot, why: Why::Retry, code: 0 },
                // The hours, or the line, may have been changed since: it is asked anew, before it
                // could be let go again.
                _ if message.why == Why::Quiet => Wait { at: now.boot - 1, why: Why::Quiet, code: 0 },
                _ => {
                    let at = now.boot + (message.due.0 - now.unix.0);
                    Wait { at, why: message.why, code: message.code }
                }
            };
            self.wait(id, message.position, wait);
        }
        self.finish(id);
        Ok(())
    }

    /// Carries an order out, on a chunk that was loaded before it. Returns the messages that
    /// are to be dropped.
    pub(crate) fn obey(&mut self, order: &Order) -> Vec<Leaving> {
        let mut dropped = Vec::new();
        if self.unsaved.orders.contains(&order.id) || self.unsaved.rows.contains_key(&order.chunk) {
            return dropped;
        }
        let Some(flight) = self.flights.get_mut(&order.chunk) else {
            // Nothing of it waits any more.
            self.unsaved.orders.push(order.id);
            return dropped;
        };
        if flight.orders.contains(&order.id) {
            return dropped;
        }
        flight.orders.push(order.id);
        let Some(work) = flight.work.as_mut() else { return dropped };
        let mut again = Bits::EMPTY;
        for position in order.messages.intersection(work.open).iter() {
            let Some(message) = work.message_mut(position) else { continue };
            if message.waits.is_none_or(|wait| wait.why != Why::Dead) {
                continue;
            }
            match order.verb {
                // Their numbers are used up: one would be given twice.
                Verb::Requeue if message.attempt >= ATTEMPTS_MAX => {}
                Verb::Requeue => {
                    message.waits = None;
                    message.tries = 0;
                    again.insert(position);
                }
                Verb::Drop => {
                    message.waits = None;
                    dropped.push(work.as_it_is(position));
                }
            }
        }
        let account = work.chunk.account;
        if !again.is_empty() {
            self.ready.push(account, order.chunk, again);
        }
        if !dropped.is_empty() {
            self.will_write(order.chunk);
        }
        dropped
    }
}
