//! What is of Magfa alone. All else that its link must hold is in the suite for connectors.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod rig;

use super::*;
use domain::id::ChunkId;
use rig::Rig;

crate::contract::suite!(Rig);

fn message(number: i64, recipient: u64) -> Outgoing<'static> {
    let id = ChunkId::new(number << 8).unwrap().message(3);
    let recipient = Msisdn::from_canonical(recipient).unwrap();
    Outgoing { id, recipient, line: "100002", text: "سلام" }
}

/// What becomes of messages with this answer.
fn heard(messages: &[Outgoing<'_>], body: &str) -> Vec<Sent> {
    matched::matched(messages, &SendAnswer::read(body.as_bytes()).unwrap())
}

const FIRST: u64 = 989_120_000_001;
const SECOND: u64 = 989_120_000_002;

#[test]
fn recipients_are_known_however_they_are_echoed() {
    let messages = [message(1, FIRST), message(2, SECOND)];
    for echoed in
        [r#""989120000001""#, r#""9120000001""#, r#""09120000001""#, r#""+989120000001""#, "989120000001"]
    {
        let body =
            format!(r#"{{"status":0,"messages":[{{"status":0,"id":10,"userId":0,"recipient":{echoed}}}]}}"#);
        assert_eq!(heard(&messages, &body), [Sent::Taken("10".into()), Sent::Unknown], "{echoed}");
    }
}

/// 98 912 000 0001 and 1 912 000 0001.
#[test]
fn numbers_that_differ_by_their_country_alone_are_not_mixed_up() {
    let messages = [message(1, FIRST), message(2, 19_120_000_001)];
    let answer = |recipient: &str| {
        format!(r#"{{"status":0,"messages":[{{"status":0,"id":10,"recipient":"{recipient}"}}]}}"#)
    };
    assert_eq!(heard(&messages, &answer("19120000001")), [Sent::Unknown, Sent::Taken("10".into())]);
    assert_eq!(heard(&messages, &answer("9120000001")), [Sent::Unknown, Sent::Unknown]);
}

/// A call that is refused and taken in part: what was taken must not be sent again.
#[test]
fn a_refused_call_with_elements_is_judged_element_by_element() {
    let messages = [message(1, FIRST), message(2, SECOND), message(3, 989_120_000_003)];
    let body = format!(
        r#"{{"status":15,"messages":[{{"status":0,"id":10,"userId":{}}},{{"status":27,"userId":{}}}]}}"#,
        messages[0].id, messages[1].id
    );
    let blocked = Sent::Said(Class::Final(domain::outcome::Refusal::Blocked), 27);
    assert_eq!(heard(&messages, &body), [Sent::Unknown, blocked, Sent::Said(Class::Throttle, 15)]);
}

/// The status is the operator's word, and an id that comes with a refusal is none.
#[test]
fn a_refused_element_is_refused_though_it_has_an_id() {
    let element =
        |id: &str| format!(r#"{{"status":0,"messages":[{{"status":1,"id":{id},"recipient":"{FIRST}"}}]}}"#);
    for id in ["0", "-1", "null", "7"] {
        let refused = Sent::Said(Class::Final(domain::outcome::Refusal::Operator), 1);
        assert_eq!(heard(&[message(1, FIRST)], &element(id)), [refused], "{id}");
    }
}

/// An unreadable element is its own message's matter.
#[test]
fn what_cannot_be_read_spoils_nothing_beside_it() {
    let messages = [message(1, FIRST), message(2, SECOND)];
    let good = format!(r#"{{"status":0,"id":20,"userId":{}}}"#, messages[1].id);
    let id = messages[0].id;
    for spoilt in [
        format!(r#"{{"id":10,"userId":{id}}}"#),
        format!(r#"{{"status":null,"id":10,"userId":{id}}}"#),
        format!(r#"{{"status":"OK","id":10,"userId":{id}}}"#),
        format!(r#"{{"status":70000,"id":10,"userId":{id}}}"#),
        format!(r#"{{"status":0,"id":1e300,"userId":{id}}}"#),
        format!(r#"{{"status":0,"id":[10],"userId":{id}}}"#),
        format!(r#"{{"status":0,"id":99999999999999999999,"userId":{id}}}"#),
        format!(r#"{{"status":0,"id":10,"userId":"?","recipient":"{FIRST}"}}"#),
        r#"{"status":0,"id":10,"recipient":{"digits":7}}"#.to_owned(),
        "null".to_owned(),
        "{}".to_owned(),
    ] {
        let body = format!(r#"{{"status":0,"messages":[{spoilt},{good}]}}"#);
        assert_eq!(heard(&messages, &body), [Sent::Unknown, Sent::Taken("20".into())], "{spoilt}");
    }
}
