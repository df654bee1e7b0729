//! Files as customers write them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::io::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use domain::template::Template;
use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use serde_json::json;

use super::*;

const TEXT: &str = "hi {name}";

/// All rows of a file that comes in these pieces, and why it cannot be read on.
fn all(format: Format, gzip: bool, text: &str, pieces: &[&[u8]]) -> (Vec<FileRow>, Option<FileFault>) {
    let template = Arc::new(Template::parse(text).unwrap());
    let mut rows = Rows::new(format, gzip.then_some(100), template, Wanted::default());
    let mut out = Vec::new();
    let last: &[u8] = b"";
    for (at, piece) in pieces.iter().chain([&last]).enumerate() {
        let mut piece = Bytes::copy_from_slice(piece);
        loop {
            let most = out.len() + 2;
            match rows.read(&mut piece, at == pieces.len(), most, &mut out) {
                Ok(true) => break,
                Ok(false) => {}
                Err(fault) => return (out, Some(fault)),
            }
            assert!(out.len() <= most, "no more rows than asked for");
        }
    }
    (out, None)
}

/// Rows as `to: text`, or their fault's code.
fn shown(rows: &[FileRow]) -> Vec<String> {
    let one = |row: &FileRow| match &row.content {
        Ok(Written { to, text }) => format!("{to}: {text}"),
        Err(fault) => format!("{:?} {}", fault.code, fault.detail),
    };
    rows.iter().map(one).collect()
}

fn csv(content: &[u8]) -> Result<Vec<String>, String> {
    match all(Format::Csv, false, TEXT, &[content]) {
        (rows, None) => Ok(shown(&rows)),
        (rows, Some(fault)) => Err(format!("{}: {fault:?}", rows.len())),
    }
}

fn ndjson(content: &[u8]) -> Vec<String> {
    let (rows, fault) = all(Format::Ndjson, false, TEXT, &[content]);
    assert_eq!(fault, None);
    shown(&rows)
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn csv_as_customers_write_it() {
    let expected = Ok(vec!["0912: hi a, \"b\"\nc".to_owned(), "0913: hi ".into()]);
    for content in [
        "to,name\n0912,\"a, \"\"b\"\"\nc\"\n0913,\n",
        "to,name\n0912,\"a, \"\"b\"\"\nc\"\n0913,",
        "\u{feff}to, name \r\n\r\n0912,\"a, \"\"b\"\"\nc\"\r\n\r\n\"0913\",\"\"\r\n",
        "x,name,receiver\n,\"a, \"\"b\"\"\nc\",0912\n1,,0913\n",
        "name,mobile\n\"a, \"\"b\"\"\nc\",0912\n,0913\n",
    ] {
        assert_eq!(csv(content.as_bytes()), expected, "{content:?}");
    }
    assert_eq!(csv(b"to,name"), Ok(vec![]));
    assert_eq!(csv(b"to,name\n1,say \"hi\"\n"), Ok(vec!["1: hi say \"hi\"".into()]));
}

#[test]
fn the_first_synonym_that_is_there_is_the_recipient() {
    assert_eq!(csv(b"mobile,to,name\n1,2,a\n"), Ok(vec!["2: hi a".into()]));
    assert_eq!(ndjson(br#"{"mobile": "1", "receiver": "2", "name": "a"}"#), ["2: hi a"]);
}

#[test]
fn what_is_wrong_with_a_csv_file_is_said_and_the_rows_before_it_are_read() {
    let header = |why: &str| Err(format!("0: Header({why:?})"));
    assert_eq!(csv(b""), header("the file is empty: expected a header row"));
    assert_eq!(csv(b"\n\r\n"), header("the file is empty: expected a header row"));
    assert_eq!(csv(b"to,name,to\n"), header("the header row has the column \"to\" twice"));
    assert_eq!(
        csv(b"phone,name\n"),
        header("no column `to`, `receiver` or `mobile`; the file has phone, name")
    );
    assert_eq!(
        csv(b"to,nmae\n"),
        header("the text has {name}, but the file has no such column; it has to, nmae")
    );
    for (content, says) in [
        (&b"to,name\n1,a\n2,\xff\n3,c\n"[..], "1: Row(\"it is not UTF-8\")"),
        (b"to,na\xffme\n", "0: Row(\"it is not UTF-8\")"),
        (b"to,name\n1,a\n2,\"b\n3,c\n4,d\n", "1: Row(\"a quote is not closed\")"),
        (b"to,name\n1,\"a", "0: Row(\"a quote is not closed\")"),
    ] {
        assert_eq!(csv(content), Err(says.to_owned()));
    }
    // The quote of one row is closed by that of another: nobody knows whose text is whose.
    let unbalanced = csv(b"to,name\n1,a\n2,\"b\n3,\"c\"\n").unwrap_err();
    assert!(unbalanced.starts_with("1: Row(\"its quotes are not balanced"), "{unbalanced}");
}

#[test]
fn a_row_over_64_kib_ends_the_file_and_does_not_fill_the_memory() {
    let mut long = b"to,name\n1,a\n2,\"".to_vec();
    long.resize(4 << 20, b'x');
    assert!(csv(&long).unwrap_err().starts_with("1: Row(\"it is longer than 64 KiB"));
    let line = [&b"{\"to\":\"1\",\"name\":\"a\"}\n{\"to\":\""[..], &vec![b'1'; 70_000]].concat();
    let (rows, fault) = all(Format::Ndjson, false, TEXT, &[&line]);
    assert_eq!((rows.len(), fault), (1, Some(FileFault::Row("it is longer than 64 KiB"))));
    // Just as long as it may be.
    let fits = format!("to,name\n1,{}\n", "x".repeat(ROW_BYTES_MAX - 3));
    assert_eq!(csv(fits.as_bytes()).unwrap().len(), 1);
    assert!(csv(fits.replace("1,", "11,").as_bytes()).is_err());
}

#[test]
fn a_row_of_another_length_is_the_rows_fault() {
    let rows = csv(b"to,name\n1\n2,a\n3,b,c\n").unwrap();
    assert_eq!(rows[1], "2: hi a");
    assert_eq!(rows[0], "Malformed expected 2 columns as in the header, found 1");
    assert_eq!(rows[2], "Malformed expected 2 columns as in the header, found 3");
}

#[test]
fn ndjson_as_customers_write_it() {
    let lines = "\u{feff}{\"to\": \"0912\", \"name\": \"a\\nb\", \"more\": {\"x\": [1]}}\r\n\n\
                 {\"name\": 7, \"receiver\": 912}\n  {\"to\": null, \"mobile\": \"1\", \"name\": -1.5e3}";
    assert_eq!(ndjson(lines.as_bytes()), ["0912: hi a\nb", "912: hi 7", "1: hi -1.5e3"]);
    assert_eq!(ndjson(b""), Vec::<String>::new());
}

#[test]
fn a_line_that_is_no_row_is_the_lines_fault() {
    let lines = "{\"to\": 1}\n{\"name\": \"a\"}\n{\"to\": 1, \"name\": true}\n[1]\n{\"to\": 1\n{\"to\":1,\"name\":2}x\n{\"to\": \"1\", \"name\": \"ok\"}\n";
    insta::assert_debug_snapshot!(ndjson(lines.as_bytes()));
}

#[test]
fn ndjson_that_is_not_utf8_is_the_files_fault() {
    let (rows, fault) =
        all(Format::Ndjson, false, TEXT, &[b"{\"to\":1,\"name\":1}\n{\"to\":1,\"name\":\"\xff\"}\n"]);
    assert_eq!((rows.len(), fault), (1, Some(FileFault::Row("it is not UTF-8"))));
}

#[test]
fn csv_and_ndjson_of_the_same_values_are_the_same_rows() {
    let table = b"x,name,to\n1,\"a\nb\",0912\n2,,0913\n";
    let lines = b"{\"to\":\"0912\",\"name\":\"a\\nb\"}\n{\"name\":\"\",\"y\":0,\"receiver\":\"0913\"}\n";
    let (one, other) =
        (all(Format::Csv, false, TEXT, &[table]).0, all(Format::Ndjson, false, TEXT, &[lines]).0);
    assert_eq!(shown(&one), shown(&other));
    assert_eq!(one[1].prefix, other[1].prefix);
}

#[test]
fn gzip_is_inflated_and_must_be_whole() {
    let table = b"to,name\n0912,a\n0913,b\n";
    let packed = gzip(table);
    let whole = all(Format::Csv, true, TEXT, &[&packed]);
    assert_eq!((shown(&whole.0), whole.1), (vec!["0912: hi a".to_owned(), "0913: hi b".into()], None));
    // Two files behind each other are one, as gzip has it.
    let two = [gzip(&table[..10]), gzip(&table[10..])].concat();
    assert_eq!(shown(&all(Format::Csv, true, TEXT, &[&two]).0), shown(&whole.0));
    for broken in [&packed[..packed.len() - 9], &packed[..packed.len() - 1], &table[..], b""] {
        assert_eq!(
            all(Format::Csv, true, TEXT, &[broken]).1,
            Some(FileFault::Compression),
            "{}",
            broken.len()
        );
    }
    let garbage = [&packed[..], b"garbage"].concat();
    assert_eq!(all(Format::Csv, true, TEXT, &[&garbage]).1, Some(FileFault::Compression));
}

#[test]
fn a_gzip_bomb_ends_early() {
    let bomb = [&b"to,name\n"[..], &b"\n".repeat(64 << 20)].concat();
    let packed = gzip(&bomb);
    assert!(packed.len() * 500 < bomb.len());
    assert_eq!(all(Format::Csv, true, TEXT, &[&packed]).1, Some(FileFault::Expansion));
    // A small file may compress as well as it likes.
    let equal = [&b"to,name\n"[..], &b"0912,a\n".repeat(400_000)].concat();
    let packed = gzip(&equal);
    assert!(packed.len() * 100 < equal.len());
    let (rows, fault) = all(Format::Csv, true, TEXT, &[&packed]);
    assert_eq!((rows.len(), fault), (400_000, None));
}

#[test]
fn a_long_value_in_many_places_is_a_rows_fault() {
    let text = "{name}".repeat(50);
    let row = format!("to,name\n1,{}\n2,b\n", "a".repeat(60_000));
    let (rows, _) = all(Format::Csv, false, &text, &[row.as_bytes()]);
    assert_eq!(shown(&rows)[0], "Field(TextTooLong) longer than any text that can be sent");
    assert_eq!(shown(&rows)[1], format!("2: {}", "b".repeat(50)));
    let long = csv(format!("to,name\n{},a\n", "1".repeat(200)).as_bytes()).unwrap();
    assert_eq!(long, ["Field(InvalidRecipient) longer than any number"]);
}

#[test]
fn only_wanted_rows_are_kept_and_all_are_counted() {
    let template = Arc::new(Template::parse(TEXT).unwrap());
    let wanted = Wanted { behind: 4, also: Arc::new(BTreeSet::from([2, 4])) };
    let mut rows = Rows::new(Format::Csv, None, template, wanted);
    let mut table = Bytes::from_static(b"to,name\n1,a\n2,b\n3,c\n4,d\n5,e\n");
    let mut out = Vec::new();
    while !rows.read(&mut table, true, 1_000, &mut out).unwrap() {}
    let numbers: Vec<u64> = out.iter().map(|row| row.prefix.rows).collect();
    assert_eq!(numbers, [2, 4, 5]);
    assert_eq!(
        rows.prefix(),
        all(Format::Csv, false, TEXT, &[b"to,name\n1,a\n2,b\n3,c\n4,d\n5,e\n"]).0[4].prefix
    );
}

fn cells() -> impl Strategy<Value = Vec<[String; 2]>> {
    let cell = prop_oneof![Just(String::new()), "[a-c,\"\n\r سé😀]{0,6}", "[0-9]{1,12}"];
    prop::collection::vec([cell.clone(), cell], 0..12)
}

fn pieces<'c>(content: &'c [u8], cuts: &[usize]) -> Vec<&'c [u8]> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut % (content.len() + 1)).collect();
    places.sort_unstable();
    let mut start = 0;
    let mut pieces = Vec::new();
    for place in places.into_iter().chain([content.len()]) {
        pieces.push(&content[start..place]);
        start = place;
    }
    pieces
}

proptest! {
    /// Whatever is in a file, in whatever pieces it comes, compressed or not: the rows are those
    /// that the csv crate wrote, and those of the same values in NDJSON.
    #[test]
    fn rows_are_the_same_however_they_are_written_and_cut(
        cells in cells(),
        cuts in prop::collection::vec(any::<usize>(), 0..8),
        packed: bool,
        crlf: bool,
    ) {
        // (A row of nothing but one empty field would be an empty line; it has two.)
        let terminator = if crlf { ::csv::Terminator::CRLF } else { ::csv::Terminator::Any(b'\n') };
        let mut writer = ::csv::WriterBuilder::new().terminator(terminator).from_writer(Vec::new());
        writer.write_record(["to", "name"]).unwrap();
        let mut lines = Vec::new();
        for [to, name] in &cells {
            writer.write_record([to, name]).unwrap();
            serde_json::to_writer(&mut lines, &json!({"to": to, "name": name})).unwrap();
            lines.push(b'\n');
        }
        let table = writer.into_inner().unwrap();
        let expected: Vec<String> = cells.iter().map(|[to, name]| format!("{to}: hi {name}")).collect();
        let mut prefixes = Vec::new();
        for (format, content) in [(Format::Csv, table), (Format::Ndjson, lines)] {
            let content = if packed { gzip(&content) } else { content };
            let (rows, fault) = all(format, packed, TEXT, &pieces(&content, &cuts));
            prop_assert_eq!(fault, None);
            prop_assert_eq!(shown(&rows), expected.clone());
            prefixes.push(rows.last().map(|row| row.prefix));
        }
        prop_assert_eq!(prefixes[0], prefixes[1]);
    }

    /// Bytes of any kind are rows or a fault, never a panic, and the same in pieces.
    #[test]
    fn any_bytes_end_in_the_same_way(
        content in prop::collection::vec(prop_oneof![Just(b'"'), Just(b','), Just(b'\n'), Just(b'\r'), any::<u8>()], 0..60),
        cuts in prop::collection::vec(any::<usize>(), 0..8),
        lines: bool,
        packed: bool,
    ) {
        let format = if lines { Format::Ndjson } else { Format::Csv };
        let content = [&b"to,name\n"[..], &content].concat();
        let whole = all(format, packed, TEXT, &[&content]);
        let cut = all(format, packed, TEXT, &pieces(&content, &cuts));
        prop_assert_eq!(shown(&whole.0), shown(&cut.0));
        prop_assert_eq!(whole.1, cut.1);
    }
}
