use crate::fate::Outcome;
use crate::fault::Fault;
use crate::stats::StatusCounts;

/// One call as the operator received it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When it was taken, in milliseconds since 1970.
    pub at_ms: i64,
    /// The call's number, from 1, over all restarts. A reset carries that of the call before.
    pub call: u64,
    /// What it was.
    pub what: What,
    /// The fault that its answer met.
    pub fault: Option<Fault>,
}

impl Event {
    /// What the operator took in this call: uid and mid of each message, in order. (A uid may
    /// be there more than once; 0 stands where none was given.)
    pub fn taken(&self) -> impl Iterator<Item = (i64, i64)> {
        let elements = if let What::Send(elements) = &self.what { elements.as_slice() } else { &[] };
        elements.iter().filter_map(|element| match element.result {
            Submitted::Accepted { mid, .. } => Some((element.uid, mid)),
            Submitted::Refused(_) | Submitted::NotTaken => None,
        })
    }
}

/// The kinds of calls, with what the journal keeps of each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// `POST /send` whose elements were judged, in the order of the arrays.
    Send(Vec<Element>),
    /// `POST /send` of which a fault let nothing be taken: no element was judged.
    NotTaken(Vec<Element>),
    /// `GET /mid/{uid}` and its answer (with a fault: what the answer would have been).
    Mid {
        /// The uid that was asked for.
        uid: i64,
        /// The mid that was answered; none for −1.
        mid: Option<i64>,
    },
    /// `GET /statuses/{…}`: how many ids were answered with which status (with a fault: would
    /// have been).
    Statuses(StatusCounts),
    /// `GET /balance`.
    Balance,
    /// A call refused as a whole, with its top-level status.
    Refused(u16),
    /// `POST /control/reset`: what came before is forgotten by the operator, not by the journal.
    Reset,
}

/// One element of a send call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    /// The client's id; 0 where none was given.
    pub uid: i64,
    /// `98…` for a good number, else what was received (its first 64 octets).
    pub recipient: String,
    /// The line as received (its first 64 octets).
    pub sender: String,
    /// Parts of the text; 0 where it was refused before they were counted.
    pub parts: u32,
    /// What became of it.
    pub result: Submitted,
    /// The faults that hit it: of its place in the answer, and of its receipts.
    pub marks: Vec<Mark>,
}

/// One fault that hit an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Which.
    pub fault: Fault,
    /// Its delay or offset in milliseconds, 0 where it has none.
    pub ms: i32,
}

/// What an element was answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Submitted {
    /// Taken.
    Accepted {
        /// The operator's id of the message.
        mid: i64,
        /// How it ends.
        outcome: Outcome,
        /// Milliseconds from `at_ms` to its end.
        delay_ms: u32,
    },
    /// Refused with this code; there is no mid.
    Refused(u16),
    /// Neither: a fault came before.
    NotTaken,
}
