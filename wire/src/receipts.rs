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
    /// What was heard of messages that only the operator's own ids name.
    pub named: Vec<NamedReceipt>,
}

/// A receipt that came with the operator's own id alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedReceipt {
    /// The operator's id, as [`operator_id`] writes it.
    pub operator_id: String,
    /// What was heard.
    pub receipt: Receipt,
    /// The operator's own code.
    pub code: i16,
}

/// Characters of an operator's id at most.
pub const OPERATOR_ID_MAX: usize = 64;

/// An operator's id as it is compared: without the zeros in front and in small letters, which
/// is how an id that came as a number and one that came as a text meet. Nothing where it can be
/// none: empty, too long, or with anything but visible ASCII characters.
pub fn operator_id(written: &str) -> Option<String> {
    let fits =
        (1..=OPERATOR_ID_MAX).contains(&written.len()) && written.bytes().all(|b| b.is_ascii_graphic());
    let significant = written.trim_start_matches('0');
    fits.then(|| if significant.is_empty() { "0".to_owned() } else { significant.to_ascii_lowercase() })
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
            named: self.named.iter().map(NamedReceipt::to_proto).collect(),
        };
        seal(version, &message)
    }

    /// From a record's value.
    ///
    /// # Errors
    /// Any part of it that cannot be read.
    pub fn decode(record: &Bytes) -> Result<Self, WireError> {
        match Self::decode_readable(record)? {
            (receipts, None) => Ok(receipts),
            (_, Some(error)) => Err(error),
        }
    }

    /// From a record's value, as far as it can be read: chunks have nothing to do with each
    /// other, so one slice that is impossible must not take the receipts of the others with it.
    /// Beside it why the first of such slices cannot be read, where there is any.
    ///
    /// # Errors
    /// What cannot be read at all.
    pub fn decode_readable(record: &Bytes) -> Result<(Self, Option<WireError>), WireError> {
        let message: proto::Receipts = open(record)?;
        let (mut slices, mut unreadable) = (Vec::with_capacity(message.slices.len()), None);
        let mut named = Vec::with_capacity(message.named.len());
        for slice in message.slices {
            match ReceiptSlice::from_proto(slice) {
                Ok(slice) => slices.push(slice),
                Err(error) => unreadable = unreadable.or(Some(error)),
            }
        }
        for one in message.named {
            match NamedReceipt::from_proto(&one) {
                Ok(one) => named.push(one),
                Err(error) => unreadable = unreadable.or(Some(error)),
            }
        }
        let receipts = Receipts {
            connector: message.connector,
            at: UnixMillis(message.at_ms),
            polled: message.polled,
            slices,
            named,
        };
        Ok((receipts, unreadable))
    }
}

impl NamedReceipt {
    fn to_proto(&self) -> proto::NamedReceipt {
        proto::NamedReceipt {
            operator_id: self.operator_id.clone(),
            receipt: self.receipt.code().into(),
            code: self.code.into(),
        }
    }

    fn from_proto(one: &proto::NamedReceipt) -> Result<Self, WireError> {
        let receipt = u8::try_from(one.receipt).ok().and_then(Receipt::from_code);
        Ok(NamedReceipt {
            operator_id: operator_id(&one.operator_id).ok_or(invalid("operator_id", "an operator's id"))?,
            receipt: receipt.ok_or(invalid("receipt", "a known receipt"))?,
            code: i16::try_from(one.code).map_err(|_| invalid("code", "16 bits"))?,
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn good(chunk: i64) -> proto::ReceiptSlice {
        let (positions, receipts, codes) = (vec![0, 7], vec![3, 4], vec![1, 2]);
        proto::ReceiptSlice {
            chunk_id: chunk << 8,
            attempt: 1,
            positions: positions.into(),
            receipts: receipts.into(),
            codes,
        }
    }

    fn record(slices: Vec<proto::ReceiptSlice>) -> Bytes {
        let message =
            proto::Receipts { connector: "magfa".into(), at_ms: 5, polled: false, slices, named: vec![] };
        seal(Version::NEWEST, &message)
    }

    #[test]
    fn an_operators_id_is_the_same_however_it_is_written() {
        let of = |written: &str| operator_id(written);
        assert_eq!(of("0042"), of("42"));
        assert_eq!(of("00FF-9"), Some("ff-9".into()));
        assert_eq!((of("0"), of("000")), (Some("0".into()), Some("0".into())));
        assert_eq!(of(&"9".repeat(64)).map(|id| id.len()), Some(64));
        for none in ["", " 7", "7\n", "\u{0}", "۷", &"9".repeat(65)] {
            assert_eq!(of(none), None, "{none:?}");
        }
    }

    #[test]
    fn an_impossible_slice_takes_no_other_with_it() {
        let impossible = [
            proto::ReceiptSlice { chunk_id: 0, ..good(1) },
            proto::ReceiptSlice { chunk_id: 255, ..good(1) },
            proto::ReceiptSlice { chunk_id: -256, ..good(1) },
            proto::ReceiptSlice { attempt: 256, ..good(1) },
            proto::ReceiptSlice { receipts: vec![3].into(), ..good(1) },
            proto::ReceiptSlice { receipts: vec![3, 99].into(), ..good(1) },
            proto::ReceiptSlice { codes: vec![1, 40_000], ..good(1) },
        ];
        for bad in impossible {
            let whole = record(vec![good(1), bad.clone(), good(2), bad]);
            let (receipts, unreadable) = Receipts::decode_readable(&whole).unwrap();
            let chunks: Vec<i64> = receipts.slices.iter().map(|slice| slice.chunk.get()).collect();
            assert_eq!((chunks, receipts.connector.as_str()), (vec![256, 512], "magfa"));
            assert_eq!(Receipts::decode(&whole), Err(unreadable.unwrap()));
        }
        let (receipts, unreadable) = Receipts::decode_readable(&record(vec![good(1), good(2)])).unwrap();
        assert_eq!((receipts.slices.len(), unreadable), (2, None));

        let one = |id: &str, receipt| proto::NamedReceipt { operator_id: id.into(), receipt, code: 1 };
        let named = vec![one("a b", 3), one("7", 99), one("7", 3)];
        let message = proto::Receipts { connector: "magfa".into(), at_ms: 5, named, ..Default::default() };
        let (receipts, unreadable) = Receipts::decode_readable(&seal(Version::NEWEST, &message)).unwrap();
        assert_eq!((receipts.named.len(), unreadable.is_some()), (1, true));
        assert!(Receipts::decode_readable(&Bytes::from_static(b"rubbish")).is_err());
    }
}
