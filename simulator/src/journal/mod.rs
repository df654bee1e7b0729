//! Everything the operator received, in the order in which it was taken.
//!
//! `DATA/journal.bin` begins with a header (magic, base of the mids, first mid after it was
//! begun); then one frame per call: length, checksum, payload. A send call's frame is written before the call is
//! answered, so what was acknowledged survives a SIGKILL of the simulator (a power cut may
//! take the last of it: there is no fsync). Other frames wait up to [`FLUSH_EVERY`]. A file
//! that would grow past its limit becomes `journal.old.bin`, in place of the one before:
//! never more than twice the limit on the disk.
//!
//! Calls that met a fault are frames of kinds of their own. All others have the octets they
//! had before there were faults, so older files are read; an older reader stops at the first
//! call that met one.

mod codec;
mod decode;
mod event;
mod read;
mod write;

use std::time::Duration;

pub(crate) use codec::{Frame, push_element};
pub use event::{Element, Event, Mark, Submitted, What};
pub use read::{Events, read};
pub use write::Journal;

/// Frames that need not be on the disk before an answer wait no longer than this.
pub const FLUSH_EVERY: Duration = Duration::from_millis(200);
/// Name of the journal in the data folder.
pub const FILE_NAME: &str = "journal.bin";

const OLD_NAME: &str = "journal.old.bin";
const LOCK_NAME: &str = "journal.lock";
const MAGIC: [u8; 8] = *b"SIMJRNL1";
/// Octets of the file's header: the magic, the base of the mids, the next mid.
const FILE_HEADER: u64 = 24;
/// The longest payload: 100 elements are well under it.
const MAX_PAYLOAD: usize = 65_536;

#[cfg(test)]
mod tests;
