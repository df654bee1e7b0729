//! Reading a body: one pass that borrows from it and collects everything that is wrong.
//!
//! What is not JSON (lone surrogates in `\u` escapes, bytes that are not UTF-8 and repeated
//! keys count as that) is refused with line and column. What is JSON of the wrong shape is
//! read to its end, so that all faulty fields are named at once, and nothing is kept of what
//! is not a field of ours.

pub(crate) mod admin;
pub(crate) mod bulk;
pub(crate) mod campaign;
pub(crate) mod charge;
pub(crate) mod errors;
mod kinds;
pub(crate) mod message;
mod object;
pub(crate) mod opt_out;
mod path;
pub(crate) mod receipts;
mod value;
pub(crate) mod webhook;

use platform::http::problem::{Code, Problem};
use serde::de::DeserializeSeed;

pub(crate) use errors::Errors;
pub(crate) use path::Path;
pub(crate) use value::Got;

use object::{Fields, Object};
use value::{Kind, Seed};

/// Reads a body that is one object. What is wrong with its fields is in the errors.
fn read<'de, F: Fields<'de>>(body: &'de [u8], fields: F, errors: &mut Errors) -> Result<F, Problem> {
    match read_value(body, Object(fields), Path::Root, errors)? {
        Got::Value(fields) => Ok(fields),
        Got::Missing | Got::Null | Got::Wrong => Err(not_an_object()),
    }
}

/// Reads a body that is one value of this kind. What is wrong with it is in the errors.
fn read_value<'de, K: Kind<'de>>(
    body: &'de [u8],
    kind: K,
    at: Path<'_>,
    errors: &mut Errors,
) -> Result<Got<K::Value>, Problem> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let got = Seed { kind, at, errors }.deserialize(&mut json).and_then(|got| json.end().map(|()| got));
    got.map_err(|error| malformed(&error))
}

fn malformed(error: &serde_json::Error) -> Problem {
    let text = error.to_string();
    let what = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what);
    // An empty body ends before its first column.
    let (line, column) = (error.line(), error.column().max(1));
    Problem::new(Code::MalformedJson)
        .detail(format!("line {line}, column {column}: {what}"))
        .member("line", line)
        .member("column", column)
}

fn not_an_object() -> Problem {
    let mut errors = Errors::default();
    errors.wrong_type(&Path::Field(&Path::Root, "body"), "an object");
    errors.into_problem()
}
