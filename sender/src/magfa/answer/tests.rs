#![allow(clippy::unwrap_used)]

use super::*;

#[test]
fn answers_as_published() {
    let answer = br#"{"status":0,"messages":[
        {"status":0,"id":134512228059,"userId":0,"parts":1,"tariff":1320.0,"alphabet":"DEFAULT","recipient":"989353837909"},
        {"status":27,"userId":"512","recipient":"98912"},
        {"status":1,"id":null,"userId":null}]}"#;
    let answer = SendAnswer::read(answer).unwrap();
    let read: Vec<_> = answer.elements().map(|element| (element.about(), element.says())).collect();
    let expected = [
        (About::Recipient("989353837909"), Says::Taken(134_512_228_059)),
        (About::Id(512), Says::Refused(27)),
        (About::Recipient(""), Says::Refused(1)),
    ];
    assert_eq!(read, expected);
    assert_eq!(SendAnswer::read(br#"{"status":18}"#).unwrap().status(), Some(18));
    let mid = |octets| MidAnswer::read(octets).map(|answer| (answer.status(), answer.mid));
    assert_eq!(mid(br#"{"status":0,"mid":-1}"#), Some((Some(0), Number::Is(-1))));
    assert_eq!(mid(br#"{"status":"0","mid":"134512228059"}"#), Some((Some(0), Number::Is(134_512_228_059))));
    let dlrs = br#"{"status":0,"dlrs":[{"mid":7,"status":1,"date":"2026-11-21 10:00:00"},{"mid":"8","status":-1,"date":null}]}"#;
    assert_eq!(statuses(dlrs).unwrap().collect::<Vec<_>>(), [(7, 1), (8, -1)]);
}

/// Else one id that Magfa cannot name would leave those asked with it without receipts.
#[test]
fn a_receipt_that_cannot_be_read_is_missing_alone() {
    let dlrs = br#"{"status":0,"dlrs":[null,{},{"mid":5},{"mid":null,"status":1},{"mid":6,"status":"?"},{"mid":7,"status":1}]}"#;
    assert_eq!(statuses(dlrs).unwrap().collect::<Vec<_>>(), [(7, 1)]);
    assert!(statuses(br#"{"status":0,"dlrs":[]}"#).unwrap().next().is_none());
    for no_answer in [&br#"{"status":0}"#[..], br#"{"status":0,"dlrs":null}"#, br#"{"status":24,"dlrs":[]}"#]
    {
        assert!(statuses(no_answer).is_none());
    }
}

#[test]
fn garbage_is_no_answer() {
    for garbage in [
        &b""[..],
        b"<html>",
        b"[0,[]]",
        b"null",
        b"{}",
        br#"{"status":0,"messages":[{"status":0,"#,
        br#"{"status":0} {}"#,
    ] {
        assert!(SendAnswer::read(garbage).is_none(), "{garbage:?}");
    }
    assert!(MidAnswer::read(b"[0,-1]").is_none());
    assert_eq!(SendAnswer::read(br#"{"status":"ok"}"#).unwrap().status(), None);
}
