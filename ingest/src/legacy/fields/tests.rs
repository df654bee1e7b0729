//! Every message of the framework, and what passes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::{Value, json};

use super::super::form::Form;
use super::{Errors, written_integer};

fn json_form(value: Value) -> Form {
    let fields = json!({ "f": value }).as_object().unwrap().clone();
    Form { fields, only_strings: false }
}

/// What a field is read as; or what is said of it.
fn read<T>(form: &Form, how: impl Fn(&Form, &mut Errors) -> Option<T>) -> Result<T, Value> {
    let mut errors = Errors::default();
    let read = how(form, &mut errors);
    match errors.into_result() {
        Ok(()) => Ok(read.expect("a value, or an error")),
        Err(refusal) => {
            assert!(read.is_none(), "a value and an error");
            let (status, body) = refusal.parts();
            assert_eq!(status, 400);
            Err(body["f"].clone())
        }
    }
}

fn integer(value: Value) -> Result<i64, Value> {
    read(&json_form(value), |form, errors| form.integer("f", 1, errors))
}

fn said<T>(message: &str) -> Result<T, Value> {
    Err(json!([message]))
}

#[test]
fn what_is_missing_is_required_and_null_is_not_the_same() {
    let (nothing, null) = (Form::default(), json_form(Value::Null));
    let (required, not_null) = ("This field is required.", "This field may not be null.");
    assert_eq!(read(&nothing, |form, errors| form.integer("f", 1, errors)), said(required));
    assert_eq!(read(&nothing, |form, errors| form.digits("f", errors)), said(required));
    assert_eq!(read(&nothing, |form, errors| form.text("f", 480, errors)), said(required));
    assert_eq!(read(&nothing, |form, errors| form.flag("f", errors)), Ok(false));
    assert_eq!(read(&null, |form, errors| form.integer("f", 1, errors)), said(not_null));
    assert_eq!(read(&null, |form, errors| form.digits("f", errors)), said(not_null));
    assert_eq!(read(&null, |form, errors| form.text("f", 480, errors)), said(not_null));
    assert_eq!(read(&null, |form, errors| form.flag("f", errors)), said(not_null));
}

#[test]
fn integers_pass_in_every_way_they_did() {
    for twelve in [
        json!(12),
        json!(12.0),
        json!("12"),
        json!(" 12 "),
        json!("+12"),
        json!("012"),
        json!("12.0"),
        json!("12.000 "),
        json!("12."),
        json!("1_2"),
        json!("۱۲"),
        json!("١٢"),
        json!("۱2"),
    ] {
        assert_eq!(integer(twelve.clone()), Ok(12), "{twelve}");
    }
    assert_eq!(integer(json!(i64::MAX)), Ok(i64::MAX));
    for not in [
        json!(""),
        json!(" "),
        json!("x"),
        json!("1 2"),
        json!("12.5"),
        json!(12.5),
        json!("1e3"),
        json!(1e20),
        json!("_1"),
        json!("1_"),
        json!("1__2"),
        json!("+"),
        json!("--1"),
        json!("."),
        json!("1.0.0"),
        json!(true),
        json!(false),
        json!([1]),
        json!({}),
        json!("०"),
    ] {
        assert_eq!(integer(not.clone()), said("A valid integer is required."), "{not}");
    }
    assert_eq!(integer(json!("9".repeat(1_001))), said("String value too large."));
    for low in [json!(0), json!(-1), json!("-12"), json!(i64::MIN), json!(format!("-{}", "9".repeat(50)))] {
        assert_eq!(integer(low.clone()), said("Ensure this value is greater than or equal to 1."), "{low}");
    }
    for large in [json!(u64::MAX), json!("9223372036854775808"), json!("9".repeat(1_000))] {
        let most = "Ensure this value is less than or equal to 9223372036854775807.";
        assert_eq!(integer(large.clone()), said(most), "{large}");
    }
    assert_eq!(written_integer("-۵"), Some(-5));
}

#[test]
fn texts_lose_the_white_space_at_their_ends_and_count_characters() {
    let text = |value: Value| read(&json_form(value), |form, errors| form.text("f", 5, errors));
    assert_eq!(text(json!(" \n سلام ")), Ok("سلام".to_owned()));
    assert_eq!(text(json!("😀😀😀😀😀")).unwrap().chars().count(), 5);
    assert_eq!((text(json!(12)), text(json!(1.5))), (Ok("12".to_owned()), Ok("1.5".to_owned())));
    for blank in ["", "  ", "\t\n\u{a0}"] {
        assert_eq!(text(json!(blank)), said("This field may not be blank."), "{blank:?}");
    }
    for not in [json!(true), json!(false), json!([]), json!(["a"]), json!({})] {
        assert_eq!(text(not.clone()), said("Not a valid string."), "{not}");
    }
    let (long, nul) =
        ("Ensure this field has no more than 5 characters.", "Null characters are not allowed.");
    assert_eq!(text(json!("123456")), said(long));
    assert_eq!(text(json!("a\0b")), said(nul));
    assert_eq!(text(json!("12345\0a")), Err(json!([long, nul])), "both at once");
}

#[test]
fn receivers_are_nine_to_fifteen_digits() {
    let digits = |value: Value| read(&json_form(value), |form, errors| form.digits("f", errors));
    for (sent, read) in [
        (json!("09123456789"), "09123456789"),
        (json!(" 989123456789\n"), "989123456789"),
        (json!("۰۹۱۲۳۴۵۶۷۸۹"), "09123456789"),
        (json!("٠٩١٢٣٤٥٦٧٨٩"), "09123456789"),
        (json!(989_123_456_789_i64), "989123456789"),
        (json!("123456789"), "123456789"),
        (json!("123456789012345"), "123456789012345"),
    ] {
        assert_eq!(digits(sent), Ok(read.to_owned()));
    }
    let pattern = "This value does not match the required pattern.";
    for not in
        ["12345678", "1234567890123456", "+989123456789", "0912 345 6789", "0912345678x", "०९१२३४५६७८९"]
    {
        assert_eq!(digits(json!(not)), said(pattern), "{not}");
    }
    assert_eq!(digits(json!("123456789\0a")), Err(json!(["Null characters are not allowed.", pattern])));
    assert_eq!(digits(json!("")), said("This field may not be blank."));
}

#[test]
fn booleans_pass_in_every_way_they_did() {
    let flag = |form: &Form| read(form, |form, errors| form.flag("f", errors));
    for (yes, no) in [
        (json!(true), json!(false)),
        (json!(1), json!(0)),
        (json!(1.0), json!(0.0)),
        (json!("1"), json!("0")),
        (json!("t"), json!("F")),
        (json!("Y"), json!("n")),
        (json!("yes"), json!("No")),
        (json!("TRUE"), json!("False")),
        (json!("On"), json!("oFF")),
    ] {
        assert_eq!((flag(&json_form(yes)), flag(&json_form(no))), (Ok(true), Ok(false)));
    }
    for not in [
        json!(""),
        json!(" true"),
        json!("2"),
        json!(2),
        json!(-1),
        json!("null"),
        json!([]),
        json!({}),
        json!("۱"),
    ] {
        assert_eq!(flag(&json_form(not.clone())), said("Must be a valid boolean."), "{not}");
    }
    assert_eq!(flag(&Form::of_pairs(b"f=")), Ok(false), "an empty field of a form is none");
    assert_eq!(flag(&Form::of_pairs(b"f=on")), Ok(true));
}
