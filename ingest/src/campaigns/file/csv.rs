//! CSV (RFC 4180), a byte at a time: a header row, then rows.
//!
//! A splitter of our own, because the csv crate takes what is behind a closing quote as part
//! of the field, and a quote that is never closed as a field that ends with the file: both are
//! signs that quotes are not balanced, after which nobody knows which text is whose.

use domain::template::Template;

use super::{FileFault, RECIPIENT, ROW_BYTES_MAX, RowFault, Split, Values, utf8};

const UNBALANCED: FileFault = FileFault::Row(
    "its quotes are not balanced: a field that holds a quote is quoted, and the quote is written twice",
);
const OPEN: FileFault = FileFault::Row("a quote is not closed");
const LONG: FileFault = FileFault::Row("it is longer than 64 KiB: is a quote not closed?");

/// Where the next byte stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum At {
    #[default]
    RowStart,
    FieldStart,
    Plain,
    Quoted,
    /// Behind a quote inside quotes: the end of the field, or the first of two.
    Quote,
}

#[derive(Default)]
pub(super) struct Csv {
    at: At,
    /// The fields of the row, one after the other, and where each ends.
    fields: Vec<u8>,
    ends: Vec<usize>,
    /// Bytes of the row as it is written.
    length: usize,
    /// The row is complete: the next byte begins another.
    complete: bool,
    columns: Option<Columns>,
}

/// Where in a row stands what is asked for.
struct Columns {
    count: usize,
    to: usize,
    /// By the template's names.
    places: Vec<usize>,
}

impl Csv {
    /// The next row of `input`, which begins behind it then; nothing where all is read.
    pub(super) fn next(
        &mut self,
        input: &mut &[u8],
        template: &Template,
    ) -> Result<Option<Split<'_>>, FileFault> {
        loop {
            if self.complete {
                self.complete = false;
                self.length = 0;
                self.fields.clear();
                self.ends.clear();
            }
            if !self.row(input)? {
                return Ok(None);
            }
            self.complete = true;
            if self.columns.is_some() {
                return self.split().map(Some);
            }
            self.columns = Some(self.header(template)?);
        }
    }

    /// The row that the file ends with, where it has no line end.
    pub(super) fn end(&mut self, template: &Template) -> Result<Option<Split<'_>>, FileFault> {
        if self.at == At::Quoted {
            return Err(OPEN);
        }
        if self.at == At::RowStart {
            let none = FileFault::Header("the file is empty: expected a header row".to_owned());
            return if self.columns.is_some() { Ok(None) } else { Err(none) };
        }
        self.next(&mut &b"\n"[..], template)
    }

    /// Reads to the end of a row; false where it has not come yet.
    fn row(&mut self, input: &mut &[u8]) -> Result<bool, FileFault> {
        while let Some((byte, rest)) = input.split_first() {
            // Most bytes end nothing: they are taken together.
            let plain = match self.at {
                At::Plain => input.iter().position(|byte| matches!(byte, b',' | b'\r' | b'\n')),
                At::Quoted => input.iter().position(|byte| *byte == b'"'),
                _ => Some(0),
            };
            let plain = plain.unwrap_or(input.len());
            self.length += plain.max(1);
            if self.length > ROW_BYTES_MAX {
                return Err(LONG);
            }
            if plain > 0 {
                self.fields.extend_from_slice(&input[..plain]);
                *input = &input[plain..];
                continue;
            }
            *input = rest;
            if self.byte(*byte)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Takes a byte; whether it ends the row.
    fn byte(&mut self, byte: u8) -> Result<bool, FileFault> {
        let end_of_line = matches!(byte, b'\r' | b'\n');
        match self.at {
            // Of an empty line, or of `\r\n`.
            At::RowStart if end_of_line => self.length = 0,
            At::RowStart | At::FieldStart if byte == b'"' => self.at = At::Quoted,
            At::Quoted => self.at = At::Quote,
            At::Quote if byte == b'"' => {
                self.fields.push(b'"');
                self.at = At::Quoted;
            }
            _ if byte == b',' => {
                self.ends.push(self.fields.len());
                self.at = At::FieldStart;
            }
            _ if end_of_line => {
                self.ends.push(self.fields.len());
                self.at = At::RowStart;
                return Ok(true);
            }
            At::Quote => return Err(UNBALANCED),
            At::RowStart | At::FieldStart | At::Plain => {
                self.fields.push(byte);
                self.at = At::Plain;
            }
        }
        Ok(false)
    }

    fn header(&self, template: &Template) -> Result<Columns, FileFault> {
        let text = utf8(&self.fields)?;
        let names: Vec<&str> = (0..self.ends.len()).map(|at| self.field(text, at).trim()).collect();
        if let Some(twice) =
            names.iter().enumerate().find_map(|(at, name)| names[..at].contains(name).then_some(name))
        {
            return Err(FileFault::Header(format!("the header row has the column {twice:?} twice")));
        }
        let column = |wanted: &str| names.iter().position(|name| *name == wanted);
        let has = || names.join(", ");
        let to = RECIPIENT.iter().find_map(|name| column(name)).ok_or_else(|| {
            FileFault::Header(format!("no column `to`, `receiver` or `mobile`; the file has {}", has()))
        })?;
        let place = |name: &String| {
            let missing =
                || format!("the text has {{{name}}}, but the file has no such column; it has {}", has());
            column(name).ok_or_else(|| FileFault::Header(missing()))
        };
        let places = template.names().iter().map(place).collect::<Result<_, _>>()?;
        Ok(Columns { count: names.len(), to, places })
    }

    fn split(&self) -> Result<Split<'_>, FileFault> {
        let text = utf8(&self.fields)?;
        // The row is behind its header.
        let Some(columns) = &self.columns else { return Ok(Split::Fault(RowFault::malformed(""), b"")) };
        let (found, expected) = (self.ends.len(), columns.count);
        if found != expected {
            let detail = format!("expected {expected} columns as in the header, found {found}");
            return Ok(Split::Fault(RowFault::malformed(detail), &self.fields));
        }
        let places = columns.places.iter().map(|at| self.field(text, *at)).collect();
        Ok(Split::Values(Values { to: self.field(text, columns.to), places }))
    }

    /// The field at a position. Ends stand behind whole characters: separators are ASCII.
    fn field<'t>(&self, text: &'t str, at: usize) -> &'t str {
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        text.get(start..self.ends[at]).unwrap_or_default()
    }
}
