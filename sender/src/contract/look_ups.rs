//! Look-ups. "Never seen" is the one answer after which a message is sent again: nothing but
//! that very answer may be taken for it. Of a protocol without look-ups only the last case
//! demands something.

use super::{Found, Peer, Protocol, Reply, Scripted, message, messages};
use crate::magfa::{LookUp, Sent};
use serde_json::json;

/// Also when the answer to the call was lost.
pub(crate) async fn what_was_taken_is_known_under_its_id<P: Protocol>() {
    if P::LOOK_UP.is_none() {
        return;
    }
    let peer = Peer::<P>::new().await;
    let link = peer.link();
    peer.misbehaves(&json!([{ "fault": "error_500_after" }]));
    assert_eq!(P::send(&link, &messages(3)).await, vec![Sent::Unknown; 3]);
    peer.behaves();
    let journal = peer.journal();
    for message in messages(3) {
        let id = journal.ids_of(&message)[0].clone();
        assert_eq!(P::look_up(&link, message.id).await, LookUp::Known(id));
    }
}

/// What was refused was not taken either.
pub(crate) async fn only_what_was_never_taken_was_never_seen<P: Protocol>() {
    if P::LOOK_UP.is_none() {
        return;
    }
    let peer = Peer::<P>::new().await;
    let link = peer.link();
    peer.misbehaves(&json!([
        { "fault": "error_500_before", "to": 1 },
        { "fault": "refuse", "code": P::REFUSALS[0].0, "to": 2 },
    ]));
    for number in 1..=3 {
        P::send(&link, &[message(number)]).await;
    }
    for number in [1, 2, 9] {
        assert_eq!(P::look_up(&link, message(number).id).await, LookUp::NeverSeen, "{number}");
    }
    assert!(matches!(P::look_up(&link, message(3).id).await, LookUp::Known(_)));
}

/// It was the question that was refused.
pub(crate) async fn a_refused_look_up_says_nothing_of_the_message<P: Protocol>() {
    if P::LOOK_UP.is_none() {
        return;
    }
    let operator = Scripted::<P>::new(|_| Reply::never()).await;
    let (link, count) = (operator.link(), P::refusals_of_calls(&[]).len());
    for place in 0..count {
        operator.says(move |call| Reply::new(P::refusals_of_calls(call).swap_remove(place).0));
        let found = P::look_up(&link, message(1).id).await;
        let (_, class, code) = P::refusals_of_calls(&[]).swap_remove(place);
        assert_eq!(found, LookUp::Said(class, code), "code {code}");
        assert_eq!(operator.calls(), place + 1, "code {code}");
    }
}

/// Whatever stands in place of an answer, with "never seen" inside.
pub(crate) async fn a_look_up_without_an_answer_is_no_answer<P: Protocol>() {
    if P::LOOK_UP.is_none() {
        return;
    }
    for found in [Found::NeverSeen, Found::Known(7), Found::Known(0), Found::Known(-2)] {
        let is_an_id = matches!(found, Found::Known(id) if id <= 0);
        let operator = Scripted::<P>::new(move |call| Reply::new(P::looked_up(call, found))).await;
        let link = operator.link();
        if is_an_id {
            assert_eq!(P::look_up(&link, message(1).id).await, LookUp::NoAnswer, "{found:?}");
            continue;
        }
        for place in 0..P::no_answers(&P::looked_up(&[], found)).len() {
            operator.says(move |call| {
                let good = P::looked_up(call, found);
                Reply::new(P::no_answers(&good).swap_remove(place).1).then_closes()
            });
            let (name, _) = P::no_answers(&P::looked_up(&[], found)).swap_remove(place);
            assert_eq!(P::look_up(&link, message(1).id).await, LookUp::NoAnswer, "{found:?}: {name}");
            assert_eq!(operator.calls(), place + 1, "{found:?}: {name}");
        }
    }
}

/// Also between any two octets of "never seen".
pub(crate) async fn a_look_up_with_an_answer_cut_anywhere_is_no_answer<P: Protocol>() {
    if P::LOOK_UP.is_none() {
        return;
    }
    let good = |call: &[u8]| P::looked_up(call, Found::NeverSeen);
    let operator = Scripted::<P>::new(|_| Reply::never()).await;
    let (link, whole) = (operator.link(), good(&[]).len());
    for cut in 0..whole {
        operator
            .says(move |call| Reply::new(P::looked_up(call, Found::NeverSeen)[..cut].to_vec()).then_closes());
        assert_eq!(P::look_up(&link, message(1).id).await, LookUp::NoAnswer, "cut at {cut}");
        assert_eq!(operator.calls(), cut + 1, "cut at {cut}");
    }
    operator.says(move |call| Reply::new(good(call)));
    assert_eq!(P::look_up(&link, message(1).id).await, LookUp::NeverSeen);
}

/// The faults of the simulator, on look-ups.
pub(crate) async fn a_look_up_of_a_troubled_operator_is_no_answer<P: Protocol>() {
    let Some(on) = P::LOOK_UP else { return };
    let peer = Peer::<P>::new().await;
    let (link, hasty) = (peer.link(), peer.hasty_link());
    P::send(&link, &messages(1)).await;
    for fault in ["error_500_before", "error_500_after", "reset_after", "garbage"] {
        peer.misbehaves(&json!([{ "fault": fault, "on": on }]));
        for _ in 0..10 {
            assert_eq!(P::look_up(&link, message(1).id).await, LookUp::NoAnswer, "{fault}");
        }
    }
    for fault in ["timeout_before", "timeout_after"] {
        peer.misbehaves(&json!([{ "fault": fault, "on": on }]));
        assert_eq!(P::look_up(&hasty, message(1).id).await, LookUp::NoAnswer, "{fault}");
    }
    let journal = peer.journal_of(43).await;
    assert_eq!((journal.calls, journal.messages), (43, 1));
}

/// An operator that cannot be asked is not: the message is left to its receipt.
pub(crate) async fn where_nobody_can_be_asked_nobody_is<P: Protocol>() {
    if P::LOOK_UP.is_some() {
        return;
    }
    let operator = Scripted::<P>::new(|_| Reply::never()).await;
    assert_eq!(P::look_up(&operator.hasty_link(), message(1).id).await, LookUp::NoAnswer);
    assert_eq!(operator.calls(), 0);
}
