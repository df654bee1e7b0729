//! `sms.billed.<lane>`: the verdict on one submitted offset.

use crate::envelope::{Version, WireError, body, invalid, open, seal};
use crate::proto;
use crate::submitted::Chunk;
use bytes::Bytes;

/// What billing decided. It is a pure function of the input record and of the ledger row
/// that names this very source, so a repetition is always the same record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The first `paid` messages are held for and may be sent; the rest is refused.
    Paid {
        /// 1 to the chunk's length.
        paid: u16,
        /// The chunk as it was submitted.
        chunk: Chunk,
    },
    /// The balance covered none of it.
    Refused {
        /// The chunk as it was submitted.
        chunk: Chunk,
    },
    /// Nothing to do: a repetition of an earlier chunk, or parked.
    Noop,
}

/// One record of `sms.billed.<lane>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Billed {
    /// The offset in `sms.submitted.<lane>` that this answers.
    pub source: i64,
    /// What was decided.
    pub verdict: Verdict,
}

/// A verdict without its chunk: what the ledger knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The first so many messages are held for.
    Paid(u16),
    /// The balance covered none of it.
    Refused,
    /// Nothing to do.
    Noop,
}

/// The value of the billed record that answers the submitted record at `source`. The chunk's
/// bytes are carried over as they came, never encoded again.
pub fn answer(version: Version, source: i64, answer: Answer, record: &Bytes) -> Bytes {
    let (verdict, paid, submitted) = match answer {
        Answer::Paid(paid) => (1, paid, body(record)),
        Answer::Refused => (2, 0, body(record)),
        Answer::Noop => (3, 0, Bytes::new()),
    };
    seal(version, &proto::Billed { source_offset: source, verdict, paid: paid.into(), submitted })
}

impl Billed {
    /// As a record's value.
    pub fn encode(&self, version: Version) -> Bytes {
        let (verdict, chunk) = match &self.verdict {
            Verdict::Paid { paid, chunk } => (Answer::Paid(*paid), Some(chunk)),
            Verdict::Refused { chunk } => (Answer::Refused, Some(chunk)),
            Verdict::Noop => (Answer::Noop, None),
        };
        let record = chunk.map(|chunk| chunk.encode(version)).unwrap_or_default();
        answer(version, self.source, verdict, &record)
    }

    /// From a record's value.
    pub fn decode(record: &Bytes) -> Result<Self, WireError> {
        let message: proto::Billed = open(record)?;
        if message.source_offset < 0 {
            return Err(invalid("source_offset", "an offset"));
        }
        let verdict = match message.verdict {
            1 => {
                let chunk = Chunk::decode_bare(message.submitted)?;
                let paid = u16::try_from(message.paid).ok();
                let fits = paid.filter(|paid| *paid >= 1 && usize::from(*paid) <= chunk.len());
                Verdict::Paid { paid: fits.ok_or(invalid("paid", "1 to the chunk's length"))?, chunk }
            }
            2 => Verdict::Refused { chunk: Chunk::decode_bare(message.submitted)? },
            3 => Verdict::Noop,
            _ => return Err(invalid("verdict", "1, 2 or 3")),
        };
        Ok(Billed { source: message.source_offset, verdict })
    }

    /// The source offset alone, without decoding the chunk: for finding the end of what is
    /// published.
    pub fn decode_source(record: &Bytes) -> Result<i64, WireError> {
        let message: proto::Billed = open(record)?;
        Ok(message.source_offset)
    }
}
