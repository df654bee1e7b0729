//! `sms.attempts.<lane>`: fences, intents and outcomes of the sender.

mod fences;

use crate::envelope::{Version, WireError, invalid, open, seal};
use crate::proto::{self, attempt::Kind};
use bytes::Bytes;
use domain::bits::Bits;
use domain::id::{CHUNK_MESSAGES_MAX, ChunkId};
use domain::outcome::Outcome;
use domain::time::UnixMillis;
pub use fences::{Behind, Fences};

/// One record of `sms.attempts.<lane>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The epoch of the writer's hold on the partition.
    pub epoch: i64,
    /// When it was written, by the writer's clock.
    pub at: UnixMillis,
    /// What it says.
    pub kind: AttemptKind,
}

/// What a record of `sms.attempts.<lane>` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttemptKind {
    /// A new holder begins: open intents of lower epochs behind this are void.
    Fence,
    /// One call is about to be made.
    Intent {
        /// The connector that makes it.
        connector: String,
        /// The messages in it.
        slices: Vec<IntentSlice>,
    },
    /// What became of messages.
    Outcomes {
        /// The connector that made the call.
        connector: String,
        /// The messages.
        slices: Vec<OutcomeSlice>,
    },
}

/// Whose messages a slice is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SliceOf {
    /// The customer.
    pub account: i64,
    /// The chunk.
    pub chunk: ChunkId,
    /// Messages in the chunk: 1 to 256.
    pub chunk_size: u16,
    /// The part of a long message that is sent part by part; zero where it is sent whole.
    pub part: u8,
    /// The attempt, from 1.
    pub attempt: u8,
}

/// The messages of one chunk in a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntentSlice {
    /// Whose messages.
    pub of: SliceOf,
    /// Which messages.
    pub bits: Bits,
}

/// What became of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageOutcome {
    /// Its position in the chunk.
    pub position: u8,
    /// What became of it.
    pub outcome: Outcome,
    /// The operator's own code, zero where there is none.
    pub code: i16,
    /// The operator's id, empty where it gave none.
    pub operator_id: String,
}

/// Outcomes of messages of one chunk that share an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutcomeSlice {
    /// Whose messages.
    pub of: SliceOf,
    /// The messages.
    pub messages: Vec<MessageOutcome>,
}

impl Attempt {
    /// As a record's value.
    pub fn encode(&self, version: Version) -> Bytes {
        let kind = match &self.kind {
            AttemptKind::Fence => Kind::Fence(proto::Fence {}),
            AttemptKind::Intent { connector, slices } => Kind::Intent(proto::Intent {
                connector: connector.clone(),
                slices: slices.iter().map(IntentSlice::to_proto).collect(),
            }),
            AttemptKind::Outcomes { connector, slices } => Kind::Outcomes(proto::Outcomes {
                connector: connector.clone(),
                slices: slices.iter().map(OutcomeSlice::to_proto).collect(),
            }),
        };
        seal(version, &proto::Attempt { epoch: self.epoch, at_ms: self.at.0, kind: Some(kind) })
    }

    /// From a record's value.
    pub fn decode(record: &Bytes) -> Result<Self, WireError> {
        let message: proto::Attempt = open(record)?;
        let kind = match message.kind.ok_or(invalid("kind", "a fence, an intent or outcomes"))? {
            Kind::Fence(_) => AttemptKind::Fence,
            Kind::Intent(intent) => AttemptKind::Intent {
                connector: intent.connector,
                slices: intent.slices.into_iter().map(IntentSlice::from_proto).collect::<Result<_, _>>()?,
            },
            Kind::Outcomes(outcomes) => AttemptKind::Outcomes {
                connector: outcomes.connector,
                slices: outcomes
                    .slices
                    .into_iter()
                    .map(OutcomeSlice::from_proto)
                    .collect::<Result<_, _>>()?,
            },
        };
        Ok(Attempt { epoch: message.epoch, at: UnixMillis(message.at_ms), kind })
    }
}

impl IntentSlice {
    fn to_proto(&self) -> proto::IntentSlice {
        proto::IntentSlice {
            account_id: self.of.account,
            chunk_id: self.of.chunk.get(),
            chunk_size: self.of.chunk_size.into(),
            bits: self.bits.to_bytes().into(),
            part: self.of.part.into(),
            attempt: self.of.attempt.into(),
        }
    }

    fn from_proto(slice: proto::IntentSlice) -> Result<Self, WireError> {
        let of = slice_of(slice.account_id, slice.chunk_id, slice.chunk_size, slice.part, slice.attempt)?;
        let bits = Bits::from_bytes(&slice.bits).map_err(|_| invalid("bits", "at most 32 bytes"))?;
        Ok(IntentSlice { of, bits })
    }
}

impl OutcomeSlice {
    fn to_proto(&self) -> proto::OutcomeSlice {
        let messages = &self.messages;
        let no_codes = messages.iter().all(|message| message.code == 0);
        let no_ids = messages.iter().all(|message| message.operator_id.is_empty());
        proto::OutcomeSlice {
            account_id: self.of.account,
            chunk_id: self.of.chunk.get(),
            chunk_size: self.of.chunk_size.into(),
            part: self.of.part.into(),
            attempt: self.of.attempt.into(),
            positions: messages.iter().map(|message| message.position).collect(),
            outcomes: messages.iter().map(|message| message.outcome.code()).collect(),
            codes: if no_codes {
                vec![]
            } else {
                messages.iter().map(|message| message.code.into()).collect()
            },
            operator_ids: if no_ids {
                vec![]
            } else {
                messages.iter().map(|message| message.operator_id.clone()).collect()
            },
        }
    }

    fn from_proto(slice: proto::OutcomeSlice) -> Result<Self, WireError> {
        let of = slice_of(slice.account_id, slice.chunk_id, slice.chunk_size, slice.part, slice.attempt)?;
        let count = slice.positions.len();
        let beside = |length: usize| length == count || length == 0;
        if slice.outcomes.len() != count || !beside(slice.codes.len()) || !beside(slice.operator_ids.len()) {
            return Err(invalid("positions", "one outcome a position"));
        }
        let mut ids = slice.operator_ids.into_iter();
        let mut codes = slice.codes.into_iter();
        let messages = slice.positions.iter().zip(&slice.outcomes).map(|(position, outcome)| {
            Ok(MessageOutcome {
                position: *position,
                outcome: Outcome::from_code(*outcome).ok_or(invalid("outcomes", "a known outcome"))?,
                code: i16::try_from(codes.next().unwrap_or(0)).map_err(|_| invalid("codes", "16 bits"))?,
                operator_id: ids.next().unwrap_or_default(),
            })
        });
        Ok(OutcomeSlice { of, messages: messages.collect::<Result<_, _>>()? })
    }
}

fn slice_of(account: i64, chunk: i64, size: u32, part: u32, attempt: u32) -> Result<SliceOf, WireError> {
    let size_fits =
        u16::try_from(size).ok().filter(|size| (1..=CHUNK_MESSAGES_MAX).contains(&usize::from(*size)));
    let attempt_fits = u8::try_from(attempt).ok().filter(|attempt| *attempt > 0);
    Ok(SliceOf {
        account,
        chunk: ChunkId::new(chunk).ok_or(invalid("chunk_id", "a chunk's id"))?,
        chunk_size: size_fits.ok_or(invalid("chunk_size", "1 to 256"))?,
        part: u8::try_from(part).map_err(|_| invalid("part", "8 bits"))?,
        attempt: attempt_fits.ok_or(invalid("attempt", "1 to 255"))?,
    })
}
