//! One chunk of which messages wait for long: what its row says. Pure.

use bytes::Bytes;
use domain::bits::Bits;
use domain::id::ChunkId;
use domain::time::UnixMillis;

/// The first octet of the stored messages.
const VERSION: u8 = 1;
const MESSAGE_OCTETS: usize = 15;

/// Why a message waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Why {
    /// It is tried again when its time comes.
    Retry,
    /// The operator is asked whether it has it.
    LookUp,
    /// A person must look; when its time comes it expires.
    Dead,
}

impl Why {
    const ALL: [Why; 3] = [Why::Retry, Why::LookUp, Why::Dead];

    const fn code(self) -> u8 {
        match self {
            Why::Retry => 1,
            Why::LookUp => 2,
            Why::Dead => 3,
        }
    }
}

/// A message that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Waiting {
    /// Its position in the chunk.
    pub(crate) position: u8,
    /// The number of its last attempt, zero before the first.
    pub(crate) attempt: u8,
    /// How often it was tried in vain.
    pub(crate) tries: u8,
    /// How often the operator was asked about it in vain.
    pub(crate) questions: u8,
    /// Why it waits.
    pub(crate) why: Why,
    /// The operator's code that made it wait, zero where there is none.
    pub(crate) code: i16,
    /// Until when.
    pub(crate) due: UnixMillis,
}

/// A chunk that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// The chunk.
    pub(crate) chunk: ChunkId,
    /// Whose it is.
    pub(crate) account: i64,
    /// The offset of its record in sms.billed.
    pub(crate) offset: i64,
    /// When its messages expire.
    pub(crate) send_by: UnixMillis,
    /// The record of sms.billed, envelope and all.
    pub(crate) record: Bytes,
    /// The messages that are not closed, all of which wait.
    pub(crate) messages: Vec<Waiting>,
}

/// Stored messages that cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the messages of a deferred chunk cannot be read")]
pub(crate) struct Corrupt;

impl Row {
    /// When the first of its messages is due.
    pub(crate) fn due(&self) -> UnixMillis {
        self.messages.iter().map(|message| message.due).min().unwrap_or(self.send_by)
    }

    /// The messages for which a person must look.
    pub(crate) fn dead(&self) -> Bits {
        self.messages
            .iter()
            .filter(|message| message.why == Why::Dead)
            .map(|message| message.position)
            .collect()
    }
}

/// The messages as they are stored.
pub(super) fn encode(messages: &[Waiting]) -> Vec<u8> {
    let mut octets = Vec::with_capacity(1 + messages.len() * MESSAGE_OCTETS);
    octets.push(VERSION);
    for message in messages {
        let Waiting { position, attempt, tries, questions, why, code, due } = message;
        octets.extend_from_slice(&[*position, *attempt, *tries, *questions, why.code()]);
        octets.extend_from_slice(&code.to_be_bytes());
        octets.extend_from_slice(&due.0.to_be_bytes());
    }
    octets
}

/// The messages that were stored.
pub(super) fn decode(octets: &[u8]) -> Result<Vec<Waiting>, Corrupt> {
    let Some((&VERSION, rest)) = octets.split_first() else { return Err(Corrupt) };
    let (messages, []) = rest.as_chunks::<MESSAGE_OCTETS>() else { return Err(Corrupt) };
    messages.iter().map(decode_one).collect()
}

fn decode_one(octets: &[u8; MESSAGE_OCTETS]) -> Result<Waiting, Corrupt> {
    let [position, attempt, tries, questions, why, c0, c1, due @ ..] = *octets;
    let why = Why::ALL.into_iter().find(|known| known.code() == why).ok_or(Corrupt)?;
    let (code, due) = (i16::from_be_bytes([c0, c1]), UnixMillis(i64::from_be_bytes(due)));
    Ok(Waiting { position, attempt, tries, questions, why, code, due })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn waiting() -> impl Strategy<Value = Waiting> {
        let counts = (any::<u8>(), any::<u8>(), any::<u8>(), any::<u8>());
        (counts, 0usize..3, any::<i16>(), any::<i64>()).prop_map(|(counts, why, code, due)| {
            let (position, attempt, tries, questions) = counts;
            Waiting { position, attempt, tries, questions, why: Why::ALL[why], code, due: UnixMillis(due) }
        })
    }

    proptest! {
        #[test]
        fn what_is_stored_is_read(messages in prop::collection::vec(waiting(), 0..256)) {
            prop_assert_eq!(decode(&encode(&messages)), Ok(messages));
        }

        #[test]
        fn what_was_not_stored_by_us_is_refused_or_read_but_never_a_panic(octets in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(messages) = decode(&octets) {
                prop_assert_eq!(encode(&messages), octets);
            }
        }
    }
}
