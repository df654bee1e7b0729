//! Reading a file of rows as its bytes come, however they are cut: compressed or not, CSV or
//! NDJSON. Memory holds a row, and what the caller asked for.

mod csv;
mod inflate;
mod ndjson;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use domain::rows::Prefix;
use domain::template::Template;
use platform::http::problem::FieldCode;

use self::csv::Csv;
use self::inflate::Inflate;
use self::ndjson::Ndjson;
use crate::chunking::TEXT_BYTES_MAX;

/// The columns, or fields, that may hold the recipient's number: the first that is there.
pub(super) const RECIPIENT: [&str; 3] = ["to", "receiver", "mobile"];
/// A row is at most this long, in bytes, as it is written.
pub(super) const ROW_BYTES_MAX: usize = 64 * 1_024;
/// No number is longer; what is, is not kept.
const RECIPIENT_BYTES_MAX: usize = 128;
/// What may stand in front of a file.
const BOM: &[u8] = b"\xEF\xBB\xBF";

/// How the rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Csv,
    Ndjson,
}

/// What is wrong with a file: it cannot be read on behind its last complete row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FileFault {
    /// The next row cannot be read.
    Row(&'static str),
    /// What every row needs is missing in the header, or is there twice.
    Header(String),
    /// It is not what `Content-Encoding` says.
    Compression,
    /// It becomes larger by more than is allowed.
    Expansion,
}

/// What is wrong with one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RowFault {
    pub(crate) code: RowCode,
    /// For the customer. Never the value itself.
    pub(crate) detail: String,
}

/// The code of a row's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RowCode {
    /// The row is no row.
    Malformed,
    /// One of its values is at fault.
    Field(FieldCode),
}

/// One row.
#[derive(Clone, Debug)]
pub(crate) struct FileRow {
    /// It, and the rows before it.
    pub(crate) prefix: Prefix,
    pub(crate) content: Result<Written, RowFault>,
}

/// What a row asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    /// The recipient as it was written.
    pub(crate) to: String,
    pub(crate) text: String,
}

/// What a row holds of what is asked of it; the others of its values are of no interest.
struct Values<'r> {
    to: &'r str,
    /// By the template's names.
    places: Vec<&'r str>,
}

/// A row as it was split off: what it says, or why it is no row and what was written there.
enum Split<'r> {
    Values(Values<'r>),
    Fault(RowFault, &'r [u8]),
}

/// Splits rows off.
enum Splitter {
    Csv(Csv),
    Ndjson(Ndjson),
}

/// Which rows the caller wants.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    /// Those behind this one,
    pub(crate) behind: u64,
    /// and these before it. All others are only counted and hashed.
    pub(crate) also: Arc<BTreeSet<u64>>,
}

/// The rows of a file.
pub(crate) struct Rows {
    inflate: Option<Inflate>,
    /// What was inflated and not split yet.
    decoded: Bytes,
    begun: bool,
    splitter: Splitter,
    template: Arc<Template>,
    wanted: Wanted,
    prefix: Prefix,
}

impl Rows {
    /// Of a file that has not come yet. `expansion` is how many times larger than what came it
    /// may become where it is compressed.
    pub(crate) fn new(
        format: Format,
        expansion: Option<u32>,
        template: Arc<Template>,
        wanted: Wanted,
    ) -> Self {
        let splitter = match format {
            Format::Csv => Splitter::Csv(Csv::default()),
            Format::Ndjson => Splitter::Ndjson(Ndjson::default()),
        };
        let inflate = expansion.map(Inflate::new);
        let (decoded, prefix) = (Bytes::new(), Prefix::default());
        Rows { inflate, decoded, begun: false, splitter, template, wanted, prefix }
    }

    /// The rows read so far.
    pub(crate) fn prefix(&self) -> Prefix {
        self.prefix
    }

    /// Reads what came, until `out` has `most` rows, or all of it is read; `piece` keeps the
    /// rest. Returns whether nothing is left of it. At the `last` piece the file ends.
    ///
    /// # Errors
    /// The file cannot be read on; the rows in front of the fault are in `out`.
    pub(crate) fn read(
        &mut self,
        piece: &mut Bytes,
        last: bool,
        most: usize,
        out: &mut Vec<FileRow>,
    ) -> Result<bool, FileFault> {
        loop {
            self.split(most, last && piece.is_empty(), out)?;
            if out.len() >= most {
                return Ok(self.decoded.is_empty() && piece.is_empty() && !last);
            }
            if piece.is_empty() {
                break;
            }
            self.decode(piece)?;
        }
        if last {
            self.end(out)?;
        }
        Ok(true)
    }

    /// More to split: all there is, or some of what it inflates to.
    fn decode(&mut self, piece: &mut Bytes) -> Result<(), FileFault> {
        let more = match &mut self.inflate {
            None => piece.split_to(piece.len()),
            Some(inflate) => inflate.some(piece)?,
        };
        self.decoded =
            if self.decoded.is_empty() { more } else { [&self.decoded[..], &more].concat().into() };
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<FileRow>) -> Result<(), FileFault> {
        if let Some(inflate) = &mut self.inflate {
            inflate.end()?;
        }
        let Rows { splitter, template, prefix, wanted, .. } = self;
        let split = match splitter {
            Splitter::Csv(csv) => csv.end(template)?,
            Splitter::Ndjson(ndjson) => ndjson.end(template)?,
        };
        if let Some(split) = split {
            out.extend(taken(split, prefix, wanted, template));
        }
        Ok(())
    }

    fn split(&mut self, most: usize, last: bool, out: &mut Vec<FileRow>) -> Result<(), FileFault> {
        if !self.begun && !self.begin(last) {
            return Ok(());
        }
        let Rows { decoded, splitter, template, prefix, wanted, .. } = self;
        while out.len() < most && !decoded.is_empty() {
            let mut rest = &decoded[..];
            let split = match splitter {
                Splitter::Csv(csv) => csv.next(&mut rest, template),
                Splitter::Ndjson(ndjson) => ndjson.next(&mut rest, template),
            };
            let read = decoded.len() - rest.len();
            if let Some(split) = split? {
                out.extend(taken(split, prefix, wanted, template));
            }
            decoded.advance(read);
        }
        Ok(())
    }

    /// Passes over a mark in front of the file. Nothing is split before it is known to be none.
    fn begin(&mut self, last: bool) -> bool {
        if !last && self.decoded.len() < BOM.len() && BOM.starts_with(&self.decoded) {
            return false;
        }
        self.begun = true;
        if self.decoded.starts_with(BOM) {
            self.decoded.advance(BOM.len());
        }
        true
    }
}

/// Counts and hashes a row, and takes it where it is wanted.
fn taken(split: Split<'_>, prefix: &mut Prefix, wanted: &Wanted, template: &Template) -> Option<FileRow> {
    *prefix = match &split {
        Split::Values(values) => {
            let values = std::iter::once(&values.to).chain(&values.places);
            prefix.then(values.map(|value| value.as_bytes()))
        }
        Split::Fault(_, written) => prefix.then([&b"\0fault"[..], *written]),
    };
    let number = prefix.rows;
    if number <= wanted.behind && !wanted.also.contains(&number) {
        return None;
    }
    let content = match split {
        Split::Fault(fault, _) => Err(fault),
        Split::Values(values) => written(&values, template),
    };
    Some(FileRow { prefix: *prefix, content })
}

fn written(values: &Values<'_>, template: &Template) -> Result<Written, RowFault> {
    let fault = |code, detail: &str| RowFault { code: RowCode::Field(code), detail: detail.to_owned() };
    if values.to.len() > RECIPIENT_BYTES_MAX {
        return Err(fault(FieldCode::InvalidRecipient, "longer than any number"));
    }
    let value = |place: usize| values.places.get(place).copied().unwrap_or_default();
    let text = template.fill_within(TEXT_BYTES_MAX, value);
    let text = text.ok_or_else(|| fault(FieldCode::TextTooLong, "longer than any text that can be sent"))?;
    Ok(Written { to: values.to.to_owned(), text })
}

impl RowFault {
    fn malformed(detail: impl Into<String>) -> Self {
        RowFault { code: RowCode::Malformed, detail: detail.into() }
    }
}

/// What is not UTF-8 is no text, and what it was meant to be cannot be known.
fn utf8(bytes: &[u8]) -> Result<&str, FileFault> {
    std::str::from_utf8(bytes).map_err(|_| FileFault::Row("it is not UTF-8"))
}
