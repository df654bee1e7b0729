//! `sms.receipts`: what an operator says became of messages.

use crate::envelope::{Version, WireError, invalid, open, seal};
use crate::proto;
use bytes::Bytes;
use domain::id::ChunkId;
use domain::outcome::Receipt;
use domain::time::UnixMillis;

/// One record of `sms.receipts`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipts {
    /// The connector that heard it.
    pub connector: String,
    /// When it was heard.
    pub at: UnixMillis,
    /// Whether we asked: consuming it moves the chunks' next poll on.
    pub polled: bool,
    /// What was heard, by chunk.
    pub slices: Vec<ReceiptSlice>,
}

/// Receipts of messages of one chunk that share an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptSlice {
    /// The chunk.
    pub chunk: ChunkId,
    /// The attempt they belong to, from 1; [`CLOSING_ATTEMPT`](domain::outcome::CLOSING_ATTEMPT)
    /// where they came with our id alone and belong to whichever attempt closed the message.
    pub attempt: u8,
    /// The messages.
    pub messages: Vec<MessageReceipt>,
}

/// What was heard of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageReceipt {
    /// Its position in the chunk.
    pub position: u8,
    /// What was heard.
    pub receipt: Receipt,
    /// The operator's own code.
    pub code: i16,
}

impl Receipts {
    /// As a record's value.
    pub fn encode(&self, version: Version) -> Bytes {
        let message = proto::Receipts {
            connector: self.connector.clone(),
            at_ms: self.at.0,
            polled: self.polled,
            slices: self.slices.iter().map(ReceiptSlice::to_proto).collect(),
        };
        seal(version, &message)
    }

    /// From a record's value.
    pub fn decode(record: &Bytes) -> Result<Self, WireError> {
        let message: proto::Receipts = open(record)?;
        Ok(Receipts {
            connector: message.connector,
            at: UnixMillis(message.at_ms),
            polled: message.polled,
            slices: message.slices.into_iter().map(ReceiptSlice::from_proto).collect::<Result<_, _>>()?,
        })
    }
}

impl ReceiptSlice {
    fn to_proto(&self) -> proto::ReceiptSlice {
        proto::ReceiptSlice {
            chunk_id: self.chunk.get(),
            attempt: self.attempt.into(),
            positions: self.messages.iter().map(|message| message.position).collect(),
            receipts: self.messages.iter().map(|message| message.receipt.code()).collect(),
            codes: self.messages.iter().map(|message| message.code.into()).collect(),
        }
    }

    fn from_proto(slice: proto::ReceiptSlice) -> Result<Self, WireError> {
        if slice.receipts.len() != slice.positions.len() || slice.codes.len() != slice.positions.len() {
            return Err(invalid("positions", "one receipt and one code a position"));
        }
        let beside = slice.positions.iter().zip(&slice.receipts).zip(&slice.codes);
        let messages = beside.map(|((position, receipt), code)| {
            Ok(MessageReceipt {
                position: *position,
                receipt: Receipt::from_code(*receipt).ok_or(invalid("receipts", "a known receipt"))?,
                code: i16::try_from(*code).map_err(|_| invalid("codes", "16 bits"))?,
            })
        });
        let attempt = u8::try_from(slice.attempt).map_err(|_| invalid("attempt", "0 to 255"))?;
        Ok(ReceiptSlice {
            chunk: ChunkId::new(slice.chunk_id).ok_or(invalid("chunk_id", "a chunk's id"))?,
            attempt,
            messages: messages.collect::<Result<_, _>>()?,
        })
    }
}
