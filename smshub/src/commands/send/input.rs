//! Reading a CSV file in bounded memory.
//!
//! The csv crate takes a record of any length, and takes a quote that is never closed for a
//! field that goes on to the end of the file. So the bytes of a row are counted under it,
//! and a mark behind the end of the file shows whether the last quote was closed.

use anyhow::{Context, bail};
use csv::{ErrorKind, Reader, ReaderBuilder, StringRecord};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A row is at most this long, in bytes.
const ROW_BYTES_MAX: usize = 64 * 1024;
/// What the csv crate reads ahead.
const BUFFER: usize = 64 * 1024;
/// The first field of the record behind the end.
const END: &str = "\u{0}\u{0}end";
const END_RECORD: &[u8] = b"\n\0\0end\n";
const ROW_TOO_LONG: &str = "longer than 64 KiB: is a quote not closed?";

/// A file of rows with a header.
pub(super) struct Input {
    reader: Reader<Counted>,
    since_row: Arc<AtomicU64>,
    header: Vec<String>,
    rows: u64,
    bytes: u64,
    ended: bool,
}

/// One row.
pub(super) struct Row {
    /// Its number, from 1; the header is none.
    pub(super) number: u64,
    /// Its fields, as many as the header has.
    pub(super) fields: StringRecord,
}

struct Counted {
    inner: io::Chain<File, &'static [u8]>,
    since_row: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.since_row.load(Ordering::Relaxed) > (ROW_BYTES_MAX + BUFFER) as u64 {
            return Err(io::Error::other(ROW_TOO_LONG));
        }
        let read = self.inner.read(buffer)?;
        self.since_row.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

impl Input {
    /// Opens the file and reads its header.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let opened = || -> io::Result<(File, u64)> {
            let file = File::open(path)?;
            let meta = file.metadata()?;
            if meta.is_dir() {
                return Err(io::Error::other("it is a folder"));
            }
            Ok((file, meta.len()))
        };
        let (file, bytes) = opened().with_context(|| format!("{} cannot be read", path.display()))?;
        let since_row = Arc::new(AtomicU64::new(0));
        let counted = Counted { inner: file.chain(END_RECORD), since_row: Arc::clone(&since_row) };
        let mut builder = ReaderBuilder::new();
        // Lengths are checked here, with an error that names row and columns.
        builder.has_headers(false).flexible(true).buffer_capacity(BUFFER);
        let reader = builder.from_reader(counted);
        let mut input = Input { reader, since_row, header: vec![], rows: 0, bytes, ended: false };
        let header = input.record().with_context(|| format!("{}: the header row", path.display()))?;
        let Some(header) = header else { bail!("{} is empty: expected a header row", path.display()) };
        input.header = header.iter().map(|name| name.trim().to_owned()).collect();
        for (at, name) in input.header.iter().enumerate() {
            if input.header[..at].contains(name) {
                bail!("{}: the header row has the column {name:?} twice", path.display());
            }
        }
        Ok(input)
    }

    /// The columns' names.
    pub(super) fn header(&self) -> &[String] {
        &self.header
    }

    /// The size of the file, in bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How far reading has come, in bytes.
    pub(super) fn position(&self) -> u64 {
        self.reader.position().byte().min(self.bytes)
    }

    /// The next row; nothing at the end.
    pub(super) fn next(&mut self) -> anyhow::Result<Option<Row>> {
        let number = self.rows + 1;
        let line = self.reader.position().line();
        let place = || format!("row {number} (line {line})");
        let Some(fields) = self.record().with_context(place)? else { return Ok(None) };
        let (found, expected) = (fields.len(), self.header.len());
        if found != expected {
            bail!("{}: expected {expected} columns as in the header, found {found}", place());
        }
        self.rows = number;
        Ok(Some(Row { number, fields }))
    }

    /// The next record, unless it is the mark behind the end.
    fn record(&mut self) -> anyhow::Result<Option<StringRecord>> {
        if self.ended {
            return Ok(None);
        }
        let mut record = StringRecord::new();
        let read = self.reader.read_record(&mut record).map_err(said)?;
        // The mark is inside a field where a quote is still open.
        if !read || record.iter().any(|field| field.len() > END.len() && field.contains(END)) {
            bail!("a quote is not closed");
        }
        if record.as_slice().len() > ROW_BYTES_MAX {
            bail!(ROW_TOO_LONG);
        }
        self.ended = record.get(0) == Some(END);
        // What was read ahead belongs to the next row.
        self.since_row.store(0, Ordering::Relaxed);
        Ok((!self.ended).then_some(record))
    }
}

/// The csv crate's errors name positions that are not those of the file's rows.
fn said(error: csv::Error) -> anyhow::Error {
    match error.into_kind() {
        ErrorKind::Utf8 { err, .. } => anyhow::anyhow!("field {} is not UTF-8", err.field() + 1),
        ErrorKind::Io(error) => error.into(),
        other => anyhow::anyhow!("{other:?}"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use std::io::Write;

    /// All rows, or the error in one line.
    fn read(content: &[u8]) -> Result<Vec<Vec<String>>, String> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(content).unwrap();
        let mut rows = Vec::new();
        let mut all = || -> anyhow::Result<()> {
            let mut input = Input::open(file.path())?;
            rows.push(input.header().to_vec());
            while let Some(row) = input.next()? {
                assert_eq!(row.number, rows.len() as u64);
                rows.push(row.fields.iter().map(str::to_owned).collect());
            }
            Ok(())
        };
        match all() {
            Ok(()) => Ok(rows),
            Err(error) => Err(format!("{error:#}").replace(&file.path().display().to_string(), "FILE")),
        }
    }

    #[test]
    fn what_customers_write_is_read() {
        let expected =
            Ok(vec![vec!["to".to_owned(), "name".into()], vec!["0912".into(), "a, \"b\"\nc".into()]]);
        for content in [
            "to,name\n0912,\"a, \"\"b\"\"\nc\"\n",
            "to,name\n0912,\"a, \"\"b\"\"\nc\"",
            "\u{feff}to, name \r\n\r\n0912,\"a, \"\"b\"\"\nc\"\r\n\r\n",
        ] {
            assert_eq!(read(content.as_bytes()), expected, "{content:?}");
        }
        assert_eq!(read(b"to"), Ok(vec![vec!["to".to_owned()]]));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_row() {
        for (content, says) in [
            (&b""[..], "FILE is empty: expected a header row"),
            (b"\n\n", "FILE is empty: expected a header row"),
            (b"to,to\n1,2", "FILE: the header row has the column \"to\" twice"),
            (b"to,name\n1,a\n2\n", "row 2 (line 3): expected 2 columns as in the header, found 1"),
            (b"to,name\n1,a\n2,b,c\n", "row 2 (line 3): expected 2 columns as in the header, found 3"),
            (b"to,name\n1,a\n2,\xff\n", "row 2 (line 3): field 2 is not UTF-8"),
            (b"to,name\n1,a\n2,\"b\n3,c\n4,d\n", "row 2 (line 3): a quote is not closed"),
            (b"to,name\n1,\"a", "row 1 (line 2): a quote is not closed"),
            (b"to,\"name", "FILE: the header row: a quote is not closed"),
        ] {
            assert_eq!(read(content), Err(says.to_owned()), "{content:?}");
        }
    }

    #[test]
    fn a_row_without_end_does_not_fill_the_memory() {
        let mut content = b"to,name\n1,a\n2,\"".to_vec();
        content.resize(4 << 20, b'x');
        assert_eq!(read(&content), Err(format!("row 2 (line 3): {ROW_TOO_LONG}")));
        let mut fits = b"to,name\n1,".to_vec();
        fits.resize(60_000, b'x');
        assert!(read(&fits).is_ok());
    }
}
