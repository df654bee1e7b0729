//! What is promised of a balance for one chunk, from the decision to Kafka's answer.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use domain::id::{ChunkId, Run};

use super::book::Book;
use super::verdicts::Place;

/// The book, shared with what is under way.
#[derive(Clone)]
pub(super) struct Shelf(Arc<Mutex<Book>>);

impl Shelf {
    pub(super) fn new(book: Book) -> Self {
        Shelf(Arc::new(Mutex::new(book)))
    }

    pub(super) fn book(&self) -> MutexGuard<'_, Book> {
        // Whoever panicked with it changed one account at most, and counted too much rather
        // than too little.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call whose cost is promised. Dropped, it takes the promises back.
pub(crate) struct Covered {
    promises: Vec<Promise>,
    /// Where it waits for the ledger's verdict.
    place: Option<Place>,
}

/// A promise. Dropped before [`Promise::delivered`], it was not produced, and ends.
pub(crate) struct Promise {
    shelf: Shelf,
    account: i64,
    number: u64,
    /// Known when ids are.
    chunk: Option<ChunkId>,
    delivered: bool,
}

impl Covered {
    pub(super) fn new(shelf: &Shelf, account: i64, numbers: Range<u64>, place: Option<Place>) -> Self {
        let promise =
            |number| Promise { shelf: shelf.clone(), account, number, chunk: None, delivered: false };
        Covered { promises: numbers.map(promise).collect(), place }
    }

    /// The promises of the chunks of a run, and the place where their verdict is waited for,
    /// where it is.
    pub(crate) fn into_parts(mut self, run: Run) -> (Vec<Promise>, Option<Place>) {
        for (promise, chunk) in self.promises.iter_mut().zip(run.ids()) {
            promise.chunk = Some(chunk);
        }
        (self.promises, self.place)
    }
}

impl Promise {
    /// Kafka has the chunk at this offset, or it will never be known where, or whether it has.
    pub(crate) fn delivered(mut self, offset: Option<i64>) {
        self.delivered = true;
        let mut book = self.shelf.book();
        // After a retry the client can know that a record is stored, and not where.
        match (offset.filter(|offset| *offset >= 0), self.chunk) {
            (Some(offset), Some(chunk)) => book.confirm(self.account, self.number, chunk, offset),
            _ => book.lose(self.account, self.number, Instant::now()),
        }
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        if !self.delivered {
            self.shelf.book().forget(self.account, self.number);
        }
    }
}
