//! The octets of a frame. All numbers are little endian.

use xxhash_rust::xxh3::xxh3_64;

use super::event::{Element, Event, Submitted, What};
use crate::fate::{Fate, Outcome};
use crate::stats::StatusCounts;

/// Length and checksum before each payload.
pub(super) const FRAME_HEADER: usize = 8;
/// Of a recipient or sender no more is kept.
const MAX_NAME: usize = 64;

const SEND: u8 = 1;
const MID: u8 = 2;
const STATUSES: u8 = 3;
const BALANCE: u8 = 4;
const REFUSED: u8 = 5;
const RESET: u8 = 6;

/// What is appended; a send call's elements were encoded before, outside any lock.
pub(crate) enum Frame<'a> {
    /// `first_mid` belongs to the first element, the next to the second and so on, refused
    /// elements included.
    Send {
        first_mid: i64,
        count: usize,
        elements: &'a [u8],
    },
    Mid {
        uid: i64,
        mid: Option<i64>,
    },
    Statuses(&'a StatusCounts),
    Balance,
    Refused(u16),
    Reset,
}

impl Frame<'_> {
    pub(super) fn push(&self, out: &mut Vec<u8>, at_ms: i64, call: u64) {
        let start = out.len();
        out.extend_from_slice(&[0; FRAME_HEADER]);
        out.push(self.kind());
        out.extend_from_slice(&at_ms.to_le_bytes());
        out.extend_from_slice(&call.to_le_bytes());
        match self {
            Frame::Send { first_mid, count, elements } => {
                out.extend_from_slice(&first_mid.to_le_bytes());
                out.push(small(*count as u64));
                out.extend_from_slice(elements);
            }
            Frame::Mid { uid, mid } => {
                out.extend_from_slice(&uid.to_le_bytes());
                out.extend_from_slice(&mid.unwrap_or(-1).to_le_bytes());
            }
            Frame::Statuses(counts) => {
                let of = [
                    counts.unknown,
                    counts.nothing,
                    counts.intermediate,
                    counts.delivered,
                    counts.undelivered,
                    counts.not_reached,
                ];
                out.extend_from_slice(&of.map(small));
            }
            Frame::Refused(code) => out.extend_from_slice(&code.to_le_bytes()),
            Frame::Balance | Frame::Reset => {}
        }
        let payload = &out[start + FRAME_HEADER..];
        let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        let sum = checksum(payload);
        out[start..start + 4].copy_from_slice(&length.to_le_bytes());
        out[start + 4..start + FRAME_HEADER].copy_from_slice(&sum.to_le_bytes());
    }

    fn kind(&self) -> u8 {
        match self {
            Frame::Send { .. } => SEND,
            Frame::Mid { .. } => MID,
            Frame::Statuses(_) => STATUSES,
            Frame::Balance => BALANCE,
            Frame::Refused(_) => REFUSED,
            Frame::Reset => RESET,
        }
    }
}

/// A count of at most 100, which is the operator's limit for a call.
fn small(count: u64) -> u8 {
    u8::try_from(count).unwrap_or(u8::MAX)
}

#[allow(clippy::cast_possible_truncation)] // half of a good hash is a good hash
pub(super) fn checksum(payload: &[u8]) -> u32 {
    xxh3_64(payload) as u32
}

/// Appends one element of a send call.
pub(crate) fn push_element(
    out: &mut Vec<u8>,
    uid: i64,
    parts: u32,
    fate: Fate,
    recipient: &str,
    sender: &str,
) {
    let (status, detail) = match fate {
        Fate::Refused(code) => (0, u32::from(code)),
        Fate::Accepted { outcome, delay_ms } => (outcome.status().cast_unsigned(), delay_ms),
    };
    out.extend_from_slice(&uid.to_le_bytes());
    out.extend_from_slice(&parts.to_le_bytes());
    out.push(status);
    out.extend_from_slice(&detail.to_le_bytes());
    for name in [recipient, sender] {
        let name = &name[..name.floor_char_boundary(MAX_NAME)];
        out.push(small(name.len() as u64));
        out.extend_from_slice(name.as_bytes());
    }
}

/// The event in a payload; none if it is not one.
pub(super) fn decode(payload: &[u8]) -> Option<Event> {
    let mut rest = Rest(payload);
    let kind = rest.octet()?;
    let (at_ms, call) = (rest.i64()?, rest.i64()?.cast_unsigned());
    let what = match kind {
        SEND => rest.elements()?,
        MID => What::Mid { uid: rest.i64()?, mid: Some(rest.i64()?).filter(|mid| *mid != -1) },
        STATUSES => {
            let [unknown, nothing, intermediate, delivered, undelivered, not_reached] =
                rest.take::<6>()?.map(u64::from);
            What::Statuses(StatusCounts {
                unknown,
                nothing,
                intermediate,
                delivered,
                undelivered,
                not_reached,
            })
        }
        BALANCE => What::Balance,
        REFUSED => What::Refused(u16::from_le_bytes(rest.take()?)),
        RESET => What::Reset,
        _ => return None,
    };
    rest.0.is_empty().then_some(Event { at_ms, call, what })
}

struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.0.split_first_chunk()?;
        self.0 = tail;
        Some(*head)
    }

    fn octet(&mut self) -> Option<u8> {
        self.take().map(|[octet]| octet)
    }

    fn i64(&mut self) -> Option<i64> {
        self.take().map(i64::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn name(&mut self) -> Option<String> {
        let length = usize::from(self.octet()?);
        let (name, tail) = self.0.split_at_checked(length)?;
        self.0 = tail;
        String::from_utf8(name.to_vec()).ok()
    }

    fn elements(&mut self) -> Option<What> {
        let first_mid = self.i64()?;
        let count = i64::from(self.octet()?);
        (0..count).map(|index| self.element(first_mid + index)).collect::<Option<_>>().map(What::Send)
    }

    fn element(&mut self, mid: i64) -> Option<Element> {
        let (uid, parts) = (self.i64()?, self.u32()?);
        let (status, detail) = (self.octet()?, self.u32()?);
        let accepted = |outcome| Submitted::Accepted { mid, outcome, delay_ms: detail };
        let result = match status {
            0 => Submitted::Refused(u16::try_from(detail).ok()?),
            1 => accepted(Outcome::Delivered),
            2 => accepted(Outcome::Undelivered),
            16 => accepted(Outcome::NotReached),
            _ => return None,
        };
        Some(Element { uid, recipient: self.name()?, sender: self.name()?, parts, result })
    }
}
