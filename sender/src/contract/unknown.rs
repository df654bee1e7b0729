//! What may have reached the operator is unknown. Only what certainly did not is `Unreached`,
//! and is sent again without a question. In each case the operator was asked once.

use super::{Element, PATIENT, Peer, Protocol, Reply, Says, Scripted, message, messages};
use crate::magfa::{LookUp, Outgoing, Sent};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Instant;
use tokio::net::TcpListener;

/// No connection, no octet.
pub(crate) async fn only_a_refused_connection_is_certainly_not_sent<P: Protocol>() {
    let link = P::link(nobodys().await, PATIENT);
    assert_eq!(P::send(&link, &messages(2)).await, [Sent::Unreached, Sent::Unreached]);
    assert_eq!(P::look_up(&link, message(1).id).await, LookUp::NoAnswer);
    assert_eq!(P::poll(&link, &["1"]).await, None);
}

/// An address where nobody listens.
async fn nobodys() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// The connection that was kept is gone: what is written to it reaches nobody, but only a
/// link that knows before it writes may say so. It does not come to a later life by itself.
pub(crate) async fn an_operator_that_died_between_calls_was_not_reached<P: Protocol>() {
    let peer = Peer::<P>::new().await;
    let link = peer.link();
    assert!(matches!(P::send(&link, &[message(1)]).await[..], [Sent::Taken(_)]));
    peer.misbehaves(&json!([{ "fault": "dead", "for_ms": 60_000 }]));
    let mut sent = P::send(&link, &[message(2)]).await;
    // It may have been written before the end of the connection was seen.
    assert!(matches!(sent[..], [Sent::Unreached | Sent::Unknown]), "{sent:?}");
    sent = P::send(&link, &[message(2)]).await;
    assert_eq!(sent, [Sent::Unreached]);
    peer.behaves();
    sent = until_taken::<P>(&link, &message(3)).await;
    assert!(matches!(sent[..], [Sent::Taken(_)]), "{sent:?}");
    assert_eq!(peer.journal().ids_of(&message(2)), [""; 0]);
}

/// The operator needs a moment to come back, in which it is not reached.
async fn until_taken<P: Protocol>(link: &P::Link, message: &Outgoing<'static>) -> Vec<Sent> {
    let deadline = Instant::now() + PATIENT;
    loop {
        let sent = P::send(link, std::slice::from_ref(message)).await;
        if sent != [Sent::Unreached] || Instant::now() > deadline {
            return sent;
        }
    }
}

/// The operator read it and is silent.
pub(crate) async fn no_answer_before_taking_is_unknown<P: Protocol>() {
    silence::<P>("timeout_before", 0).await;
}

/// The same to look at, and everything was taken.
pub(crate) async fn no_answer_after_taking_is_unknown<P: Protocol>() {
    silence::<P>("timeout_after", 1).await;
}

async fn silence<P: Protocol>(fault: &str, times_taken: usize) {
    let peer = Peer::<P>::new().await;
    peer.misbehaves(&json!([{ "fault": fault }]));
    assert_eq!(P::send(&peer.hasty_link(), &messages(3)).await, vec![Sent::Unknown; 3]);
    let journal = peer.journal_of(1).await;
    assert_eq!((journal.calls, journal.messages), (1, 3));
    assert_eq!(journal.ids_of(&message(1)).len(), times_taken);
}

/// An error of the server does not say how far it came.
pub(crate) async fn an_error_before_taking_is_unknown<P: Protocol>() {
    for code in [500, 502, 503, 504] {
        trouble::<P>(&json!({ "fault": "error_500_before", "code": code }), 0, 1).await;
    }
}

/// This one came after everything was taken.
pub(crate) async fn an_error_after_taking_is_unknown<P: Protocol>() {
    for code in [500, 502, 503, 504] {
        trouble::<P>(&json!({ "fault": "error_500_after", "code": code }), 1, 1).await;
    }
}

/// A part of the answer, and the connection is gone.
pub(crate) async fn a_reset_in_mid_answer_is_unknown<P: Protocol>() {
    trouble::<P>(&json!({ "fault": "reset_after" }), 1, 20).await;
}

/// Everything was taken, and nobody can read what was said of it.
pub(crate) async fn garbage_is_unknown<P: Protocol>() {
    trouble::<P>(&json!({ "fault": "garbage" }), 1, 20).await;
}

/// Calls that all meet this fault, on one link.
async fn trouble<P: Protocol>(rule: &Value, times_taken: usize, calls: i64) {
    let peer = Peer::<P>::new().await;
    let link = peer.link();
    peer.misbehaves(&json!([rule]));
    for call in 1..=calls {
        let pair = [message(2 * call), message(2 * call + 1)];
        assert_eq!(P::send(&link, &pair).await, [Sent::Unknown, Sent::Unknown], "{rule} {call}");
        let journal = peer.journal();
        assert_eq!(journal.calls, usize::try_from(call).unwrap(), "{rule}");
        assert_eq!(journal.ids_of(&pair[0]).len(), times_taken, "{rule} {call}");
    }
    peer.behaves();
    let sent = P::send(&link, &[message(1)]).await;
    assert!(matches!(sent[..], [Sent::Taken(_)]), "the link does not recover: {sent:?}");
}

fn good<P: Protocol>(call: &[u8]) -> Vec<u8> {
    P::sent(call, &[Element::of(&message(1), Says::Taken(10)), Element::of(&message(2), Says::Taken(20))])
}

/// Whatever stands in place of an answer, and however much of one is in it.
pub(crate) async fn what_is_no_answer_is_unknown<P: Protocol>() {
    let operator = Scripted::<P>::new(|call| Reply::new(good::<P>(call))).await;
    let link = operator.link();
    let count = P::no_answers(&good::<P>(&[])).len();
    for place in 0..count {
        operator
            .says(move |call| Reply::new(P::no_answers(&good::<P>(call)).swap_remove(place).1).then_closes());
        let sent = P::send(&link, &messages(2)).await;
        let (name, _) = P::no_answers(&good::<P>(&[])).swap_remove(place);
        assert_eq!(sent, [Sent::Unknown, Sent::Unknown], "{name}");
        assert_eq!(operator.calls(), place + 1, "{name}");
    }
    assert!(count > 0);
}

/// Also between any two of its octets.
pub(crate) async fn an_answer_cut_anywhere_is_unknown<P: Protocol>() {
    let operator = Scripted::<P>::new(|_| Reply::never()).await;
    let (link, whole) = (operator.link(), good::<P>(&[]).len());
    for cut in 0..whole {
        operator.says(move |call| {
            let part = Reply::new(good::<P>(call)[..cut].to_vec());
            if cut % 2 == 0 { part.then_closes() } else { part.then_resets() }
        });
        assert_eq!(P::send(&link, &messages(2)).await, [Sent::Unknown, Sent::Unknown], "cut at {cut}");
        assert_eq!(operator.calls(), cut + 1, "cut at {cut}");
    }
    operator.says(|call| Reply::new(good::<P>(call)));
    let sent = P::send(&link, &messages(2)).await;
    assert_eq!(sent, [Sent::Taken("10".into()), Sent::Taken("20".into())]);
}
