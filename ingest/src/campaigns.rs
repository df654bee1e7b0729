//! Campaigns: a text with places, and a file whose rows fill them, of any length, sent as it
//! arrives.
//!
//! The journey of a row: its bytes are split off the stream (`file`), what it asks for is
//! checked, measured and priced (`judge`), some thousand rows make a segment, whose stamps are
//! stored before it is produced (`segment`), and when billing's verdict on all of it is known
//! (`verdict`) it is taken in (`store`). The order of these steps is `upload`.
//!
//! So each row is paid for and sent once, whoever dies at whatever point:
//!
//! * before the stamps are stored: nothing of the segment exists anywhere;
//! * between the stamps and the verdict: the next upload of the same file rebuilds the same
//!   records, from the stamps and the same rows, and produces them again. To billing a second
//!   record of the same id and the same content is a repetition;
//! * after the verdict: the ledger tells it again.
//!
//! An upload stores only while the campaign names it as the one that runs (`claim`): one that
//! was frozen and passed over can only repeat records that its successor has rebuilt.

mod begin;
mod campaign;
mod claim;
mod file;
mod progress;
mod segment;
mod source;
mod store;
mod upload;
mod verdict;

#[cfg(test)]
mod tests;

pub(crate) use begin::{Asked, upload};
pub(crate) use campaign::{Campaign, RowError, Taken};
pub(crate) use file::{FileRow, Format, RowCode, RowFault, Written as WrittenRow};
pub(crate) use progress::{Progress, progress};
pub(crate) use store::{New, cancel, close, create, list, read};
pub(crate) use upload::Written;
