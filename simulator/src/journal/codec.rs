//! The octets of a frame. All numbers are little endian.

use xxhash_rust::xxh3::xxh3_64;

use super::event::Mark;
use crate::fate::Fate;
use crate::fault::Fault;
use crate::stats::StatusCounts;

/// Length and checksum before each payload.
pub(super) const FRAME_HEADER: usize = 8;
/// Of a recipient or sender no more is kept.
const MAX_NAME: usize = 64;

pub(super) const SEND: u8 = 1;
pub(super) const MID: u8 = 2;
pub(super) const STATUSES: u8 = 3;
pub(super) const BALANCE: u8 = 4;
pub(super) const REFUSED: u8 = 5;
pub(super) const RESET: u8 = 6;
/// The fault of the call (0 for none) and the marks of its elements; then what it is, as if
/// it were the kind of the frame.
pub(super) const FAULTED: u8 = 7;
/// A send call of which nothing was taken.
pub(super) const NOT_TAKEN: u8 = 8;

/// What is appended; a send call's elements were encoded before, outside any lock.
pub(crate) enum Frame<'a> {
    /// `first_mid` belongs to the first element, the next to the second and so on, refused
    /// elements included.
    Send {
        first_mid: i64,
        count: usize,
        elements: &'a [u8],
    },
    /// Elements as in `Send`, but nothing is said of what became of them.
    NotTaken {
        count: usize,
        elements: &'a [u8],
    },
    /// Any other frame, of a call that met a fault. Marks are those of the elements, by place.
    Faulted {
        fault: Option<Fault>,
        marks: &'a [(usize, Mark)],
        frame: &'a Frame<'a>,
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
        self.push_content(out);
        let payload = &out[start + FRAME_HEADER..];
        let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        let sum = checksum(payload);
        out[start..start + 4].copy_from_slice(&length.to_le_bytes());
        out[start + 4..start + FRAME_HEADER].copy_from_slice(&sum.to_le_bytes());
    }

    fn push_content(&self, out: &mut Vec<u8>) {
        match self {
            Frame::Send { first_mid, count, elements } => {
                out.extend_from_slice(&first_mid.to_le_bytes());
                out.push(small(*count as u64));
                out.extend_from_slice(elements);
            }
            Frame::NotTaken { count, elements } => {
                out.push(small(*count as u64));
                out.extend_from_slice(elements);
            }
            Frame::Faulted { fault, marks, frame } => {
                out.push(fault.map_or(0, Fault::octet));
                out.push(small(marks.len() as u64));
                for (index, Mark { fault, ms }) in *marks {
                    out.extend_from_slice(&[small(*index as u64), fault.octet()]);
                    out.extend_from_slice(&ms.to_le_bytes());
                }
                out.push(frame.kind());
                frame.push_content(out);
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
    }

    /// Whether it must be in the file before the call is answered.
    pub(super) fn is_written_at_once(&self) -> bool {
        match self {
            Frame::Send { .. } | Frame::NotTaken { .. } | Frame::Reset => true,
            Frame::Faulted { frame, .. } => frame.is_written_at_once(),
            _ => false,
        }
    }

    /// The mid after the last one given in this call, if any was.
    pub(super) fn next_mid(&self) -> Option<i64> {
        match self {
            Frame::Send { first_mid, count, .. } => Some(first_mid.saturating_add_unsigned(*count as u64)),
            Frame::Faulted { frame, .. } => frame.next_mid(),
            _ => None,
        }
    }

    fn kind(&self) -> u8 {
        match self {
            Frame::Send { .. } => SEND,
            Frame::NotTaken { .. } => NOT_TAKEN,
            Frame::Faulted { .. } => FAULTED,
            Frame::Mid { .. } => MID,
            Frame::Statuses(_) => STATUSES,
            Frame::Balance => BALANCE,
            Frame::Refused(_) => REFUSED,
            Frame::Reset => RESET,
        }
    }
}

/// A count: of elements at most 100, which is the operator's limit for a call, of their
/// marks, or of the ids of an answer, twice that.
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
