//! Reading a list of numbers as it comes: one a line, and behind a comma the sender line, if it
//! is not for all. Pure.

use domain::phone::{Msisdn, PhoneError, Served};
use platform::http::problem::FieldCode;

use super::Change;

/// Octets of one row at most.
const ROW_BYTES_MAX: usize = 256;
/// Faulty rows listed at most; the others are counted.
const FAULTY_MAX: usize = 100;
/// What the first cell of a header row may say.
const HEADERS: [&str; 4] = ["number", "to", "receiver", "mobile"];
/// What programs put before UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// A row that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faulty {
    /// Its number, from 1; the header row counts.
    pub row: u64,
    /// What is wrong with it.
    pub code: FieldCode,
}

/// What became of the rows so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Rows with something in them, without the header row.
    pub rows: u64,
    /// Rows that were left out.
    pub invalid: u64,
    /// The first of them.
    pub faulty: Vec<Faulty>,
}

/// A list that is being read.
pub struct Import<'a> {
    served: &'a Served,
    /// The lines of the account.
    lines: &'a [String],
    /// The line of rows that name none; empty: all.
    line: String,
    /// The row that has begun.
    row: Vec<u8>,
    /// It is longer than a row may be: the rest of it is passed over.
    too_long: bool,
    number: u64,
    report: Report,
    good: Vec<Change>,
}

impl<'a> Import<'a> {
    /// A list for an account with these lines, of which rows without a line are for `line`
    /// (empty: for all).
    pub fn new(served: &'a Served, lines: &'a [String], line: String) -> Self {
        let (row, report, good) = (Vec::new(), Report::default(), Vec::new());
        Import { served, lines, line, row, too_long: false, number: 0, report, good }
    }

    /// Takes the next piece in. Returns what is complete, in pieces of at most `most`.
    pub fn take(&mut self, piece: &[u8], most: usize) -> Vec<Vec<Change>> {
        for part in piece.split_inclusive(|octet| *octet == b'\n') {
            let (text, ends) = part.strip_suffix(b"\n").map_or((part, false), |text| (text, true));
            let room = ROW_BYTES_MAX.saturating_sub(self.row.len());
            self.too_long |= text.len() > room;
            self.row.extend(text.iter().take(room));
            if ends {
                self.end_row();
            }
        }
        self.complete(most)
    }

    /// The list is at its end.
    pub fn end(mut self, most: usize) -> (Vec<Vec<Change>>, Report) {
        if !self.row.is_empty() {
            self.end_row();
        }
        (self.complete(most), self.report)
    }

    fn complete(&mut self, most: usize) -> Vec<Vec<Change>> {
        let good = std::mem::take(&mut self.good);
        good.chunks(most.max(1)).map(<[Change]>::to_vec).collect()
    }

    fn end_row(&mut self) {
        self.number += 1;
        let (row, too_long) = (std::mem::take(&mut self.row), std::mem::take(&mut self.too_long));
        let row = row.strip_prefix(BYTE_ORDER_MARK).filter(|_| self.number == 1).unwrap_or(&row);
        let text = str::from_utf8(row).ok().filter(|_| !too_long).map(str::trim);
        if text.is_some_and(|text| text.is_empty() || self.number == 1 && is_header(text)) {
            return;
        }
        self.report.rows += 1;
        match text.ok_or(FieldCode::WrongType).and_then(|text| self.read(text)) {
            Ok(change) => self.good.push(change),
            Err(code) => {
                self.report.invalid += 1;
                if self.report.faulty.len() < FAULTY_MAX {
                    self.report.faulty.push(Faulty { row: self.number, code });
                }
            }
        }
    }

    fn read(&self, text: &str) -> Result<Change, FieldCode> {
        let (number, line) = text.split_once(',').unwrap_or((text, ""));
        let number = Msisdn::parse(cell(number), self.served).map_err(|error| match error {
            PhoneError::Invalid => FieldCode::InvalidRecipient,
            PhoneError::UnsupportedCountry => FieldCode::UnsupportedCountry,
        })?;
        let line = cell(line);
        if line.is_empty() {
            return Ok((number, self.line.clone()));
        }
        let known = self.lines.iter().find(|known| *known == line);
        Ok((number, known.ok_or(FieldCode::FromNotAllowed)?.clone()))
    }
}

fn is_header(text: &str) -> bool {
    let first = cell(text.split(',').next().unwrap_or_default());
    HEADERS.iter().any(|header| first.eq_ignore_ascii_case(header))
}

/// A cell without the quotes that programs put around it.
fn cell(text: &str) -> &str {
    let text = text.trim();
    text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text).trim()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn read(pieces: &[&[u8]], line: &str) -> (Vec<(u64, String)>, Report) {
        let served = Served::new(&["IR".to_owned()]).unwrap();
        let lines = ["100002".to_owned(), "3000".to_owned()];
        let mut import = Import::new(&served, &lines, line.to_owned());
        let mut good: Vec<Change> = Vec::new();
        for piece in pieces {
            good.extend(import.take(piece, 2).into_iter().flatten());
        }
        let (rest, report) = import.end(2);
        good.extend(rest.into_iter().flatten());
        (good.into_iter().map(|(number, line)| (number.get(), line)).collect(), report)
    }

    fn row(number: u64, line: &str) -> (u64, String) {
        (number, line.to_owned())
    }

    #[test]
    fn numbers_are_read_however_they_are_written() {
        let file = "\u{feff}Mobile,line\r\n0912 345 6789\r\n\r\n\"+989123456780\",\"3000\"\n۰۹۱۲۳۴۵۶۷۸۱,\n989123456782";
        let (good, report) = read(&[file.as_bytes()], "");
        let expected = [
            row(989_123_456_789, ""),
            row(989_123_456_780, "3000"),
            row(989_123_456_781, ""),
            row(989_123_456_782, ""),
        ];
        assert_eq!(good, expected);
        assert_eq!(report, Report { rows: 4, ..Report::default() });
        assert_eq!(read(&[b"09123456789"], "100002").0, [row(989_123_456_789, "100002")]);
    }

    #[test]
    fn a_rows_fault_leaves_out_the_row() {
        let long = "0".repeat(300);
        let file = format!("12\n+4915112345678\n09123456789,9999\n{long}\n09123456789\n");
        let mut octets = file.into_bytes();
        octets.extend(b"\xff\xfe\n");
        let (good, report) = read(&[&octets], "");
        assert_eq!(good, [row(989_123_456_789, "")]);
        let codes: Vec<(u64, FieldCode)> =
            report.faulty.iter().map(|faulty| (faulty.row, faulty.code)).collect();
        let expected = [
            (1, FieldCode::InvalidRecipient),
            (2, FieldCode::UnsupportedCountry),
            (3, FieldCode::FromNotAllowed),
            (4, FieldCode::WrongType),
            (6, FieldCode::WrongType),
        ];
        assert_eq!(codes, expected);
        assert_eq!((report.rows, report.invalid), (6, 5));
    }

    proptest! {
        /// Wherever the network cuts it, a file says the same.
        #[test]
        fn pieces_do_not_matter(
            rows in prop::collection::vec("(0912[0-9]{7}|[0-9a-z,\"]{0,12}|0{250,260})", 0..20),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        ) {
            let file = rows.join("\n").into_bytes();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(file.len() + 1)).collect();
            cuts.extend([0, file.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &file[cut[0]..cut[1]]).collect();
            prop_assert_eq!(read(&pieces, ""), read(&[&file], ""));
        }
    }
}
