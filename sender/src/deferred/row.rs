//! One chunk of which messages wait for long: what its row says. Pure.

use crate::scan::Attempted;
use bytes::Bytes;
use domain::bits::Bits;
use domain::id::ChunkId;
use domain::time::UnixMillis;
use std::sync::Arc;

/// The first octet of the stored messages: connectors follow, then messages that name them.
const VERSION: u8 = 2;
/// Without connectors: messages went by the only route that there was.
const VERSION_WITHOUT_CONNECTORS: u8 = 1;
const MESSAGE_OCTETS: usize = 15;
const ATTEMPTED_OCTETS: usize = 9;

/// Why a message waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Why {
    /// It is tried again when its time comes.
    Retry,
    /// The same, but the operator only asked for patience: it keeps its place before the others.
    Patience,
    /// The operator is asked whether it has it.
    LookUp,
    /// A person must look; when its time comes it expires.
    Dead,
    /// It is advertising, and waits for the hours in which that may be sent.
    Quiet,
}

impl Why {
    const ALL: [Why; 5] = [Why::Retry, Why::Patience, Why::LookUp, Why::Dead, Why::Quiet];

    const fn code(self) -> u8 {
        match self {
            Why::Retry => 1,
            Why::LookUp => 2,
            Why::Dead => 3,
            Why::Patience => 4,
            Why::Quiet => 5,
        }
    }
}

/// A message that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// Who is to be asked about it, and when it was given to them, where it waits for that.
    pub(crate) attempted: Option<Attempted>,
}

/// A chunk that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// The chunk.
    pub(crate) chunk: ChunkId,
    /// Whose it is.
    pub(crate) account: i64,
    /// The campaign it belongs to; 0 where it belongs to none.
    pub(crate) campaign: i64,
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
    /// When the first of its messages is due. Nothing: none is left, and the row only says so
    /// until the frontier has passed its record.
    pub(crate) fn due(&self) -> Option<UnixMillis> {
        self.messages.iter().map(|message| message.due).min()
    }

    /// Whether all its messages wait for the hours of advertising.
    pub(crate) fn is_quiet(&self) -> bool {
        !self.messages.is_empty() && self.messages.iter().all(|message| message.why == Why::Quiet)
    }

    /// Its campaign, where messages end if that is cancelled: those that nobody can have.
    pub(crate) fn cancelable(&self) -> Option<i64> {
        let ends = |message: &Waiting| message.why != Why::LookUp;
        (self.campaign != 0 && self.messages.iter().any(ends)).then_some(self.campaign)
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

/// The messages as they are stored: the names of connectors, each behind its length, and of
/// each message its octets, which of these it went by (zero: none), and when.
pub(super) fn encode(messages: &[Waiting]) -> Vec<u8> {
    let mut names: Vec<&str> = Vec::new();
    for attempted in messages.iter().filter_map(|message| message.attempted.as_ref()) {
        if !names.contains(&&*attempted.by) {
            names.push(&attempted.by);
        }
    }
    let mut octets = Vec::with_capacity(2 + messages.len() * (MESSAGE_OCTETS + ATTEMPTED_OCTETS));
    // Settings bound the length of names, and a chunk has at most 256 messages.
    octets.extend_from_slice(&[VERSION, u8::try_from(names.len()).unwrap_or(u8::MAX)]);
    for name in &names {
        octets.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        octets.extend_from_slice(name.as_bytes());
    }
    for message in messages {
        let Waiting { position, attempt, tries, questions, why, code, due, attempted } = message;
        octets.extend_from_slice(&[*position, *attempt, *tries, *questions, why.code()]);
        octets.extend_from_slice(&code.to_be_bytes());
        octets.extend_from_slice(&due.0.to_be_bytes());
        let by =
            attempted.as_ref().and_then(|attempted| names.iter().position(|name| **name == *attempted.by));
        octets.push(by.and_then(|by| u8::try_from(by + 1).ok()).unwrap_or(0));
        octets.extend_from_slice(&attempted.as_ref().map_or(0, |attempted| attempted.at.0).to_be_bytes());
    }
    octets
}

/// The messages that were stored.
pub(super) fn decode(octets: &[u8]) -> Result<Vec<Waiting>, Corrupt> {
    match octets.split_first() {
        Some((&VERSION, rest)) => {
            let (names, rest) = decode_names(rest)?;
            let (messages, []) = rest.as_chunks::<{ MESSAGE_OCTETS + ATTEMPTED_OCTETS }>() else {
                return Err(Corrupt);
            };
            messages.iter().map(|octets| decode_attempted(octets, &names)).collect()
        }
        Some((&VERSION_WITHOUT_CONNECTORS, rest)) => {
            let (messages, []) = rest.as_chunks::<MESSAGE_OCTETS>() else { return Err(Corrupt) };
            messages.iter().map(decode_one).collect()
        }
        _ => Err(Corrupt),
    }
}

fn decode_attempted(
    octets: &[u8; MESSAGE_OCTETS + ATTEMPTED_OCTETS],
    names: &[Arc<str>],
) -> Result<Waiting, Corrupt> {
    let (message, [by, at @ ..]) = octets.split_first_chunk::<MESSAGE_OCTETS>().ok_or(Corrupt)? else {
        return Err(Corrupt);
    };
    let by = usize::from(*by).checked_sub(1).map(|by| names.get(by).cloned().ok_or(Corrupt)).transpose()?;
    let at = UnixMillis(i64::from_be_bytes(at.try_into().map_err(|_| Corrupt)?));
    Ok(Waiting { attempted: by.map(|by| Attempted { by, at }), ..decode_one(message)? })
}

fn decode_names(octets: &[u8]) -> Result<(Vec<Arc<str>>, &[u8]), Corrupt> {
    let (count, mut rest) = octets.split_first().ok_or(Corrupt)?;
    let mut names = Vec::new();
    for _ in 0..*count {
        let (length, behind) = rest.split_first().ok_or(Corrupt)?;
        let (name, behind) = behind.split_at_checked(usize::from(*length)).ok_or(Corrupt)?;
        names.push(Arc::from(str::from_utf8(name).map_err(|_| Corrupt)?));
        rest = behind;
    }
    Ok((names, rest))
}

fn decode_one(octets: &[u8; MESSAGE_OCTETS]) -> Result<Waiting, Corrupt> {
    let [position, attempt, tries, questions, why, c0, c1, due @ ..] = *octets;
    let why = Why::ALL.into_iter().find(|known| known.code() == why).ok_or(Corrupt)?;
    let (code, due) = (i16::from_be_bytes([c0, c1]), UnixMillis(i64::from_be_bytes(due)));
    Ok(Waiting { position, attempt, tries, questions, why, code, due, attempted: None })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn waiting() -> impl Strategy<Value = Waiting> {
        let counts = (any::<u8>(), any::<u8>(), any::<u8>(), any::<u8>());
        let by = prop::sample::select(vec![None, Some("magfa"), Some("کاوه‌نگار"), Some("")]);
        (counts, 0usize..5, any::<i16>(), any::<i64>(), by).prop_map(|(counts, why, code, due, by)| {
            let (position, attempt, tries, questions) = counts;
            let (why, due) = (Why::ALL[why], UnixMillis(due));
            let attempted = by.map(|by| Attempted { by: by.into(), at: UnixMillis(i64::from(code)) });
            Waiting { position, attempt, tries, questions, why, code, due, attempted }
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
                prop_assert_eq!(decode(&encode(&messages)), Ok(messages));
            }
        }
    }

    #[test]
    fn rows_of_before_there_were_several_connectors_are_read() {
        let stored = [1, 7, 2, 1, 0, 2, 0, 15, 0, 0, 0, 0, 0, 0, 3, 232];
        let read = decode(&stored).unwrap();
        let due = UnixMillis(1_000);
        let why = Why::LookUp;
        let expected =
            Waiting { position: 7, attempt: 2, tries: 1, questions: 0, why, code: 15, due, attempted: None };
        assert_eq!(read, [expected]);
    }
}
