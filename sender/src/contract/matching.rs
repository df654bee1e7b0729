//! Which element of an answer is whose.

use super::{Element, Peer, Protocol, Reply, Says, Scripted, message, messages};
use crate::magfa::{Outgoing, Sent};
use serde_json::json;

/// What the link makes of an answer with these elements.
async fn heard<P: Protocol>(messages: &[Outgoing<'_>], elements: Vec<Element>) -> Vec<Sent> {
    let operator = Scripted::<P>::new(move |call| Reply::new(P::sent(call, &elements))).await;
    let sent = P::send(&operator.link(), messages).await;
    assert_eq!(operator.calls(), 1);
    sent
}

fn taken(id: i64) -> Sent {
    Sent::Taken(id.to_string())
}

/// A refusal of the table, and what it is heard as.
fn refusal<P: Protocol>() -> (Says, Sent) {
    let (code, class) = P::REFUSALS[0];
    (Says::Refused(code), Sent::Said(class, code))
}

/// Operators answer in whatever order their own threads come to an end.
pub(crate) async fn answers_in_another_order_find_their_messages<P: Protocol>() {
    of_the_journal::<P>("reordered", 20).await;
}

/// An element that is repeated says nothing new.
pub(crate) async fn elements_that_stand_twice_count_once<P: Protocol>() {
    of_the_journal::<P>("duplicated", 20).await;
}

async fn of_the_journal<P: Protocol>(fault: &str, count: i64) {
    let peer = Peer::<P>::new().await;
    peer.misbehaves(&json!([{ "fault": fault }]));
    let messages = messages(count);
    let sent = P::send(&peer.link(), &messages).await;
    let journal = peer.journal();
    for (message, sent) in messages.iter().zip(sent) {
        let Sent::Taken(id) = sent else { panic!("{message:?}: {sent:?}") };
        assert_eq!(journal.ids_of(message), [id], "{message:?}");
    }
    assert_eq!(journal.calls, 1);
}

/// It may have been taken: only a look-up tells. Those beside it are certain.
pub(crate) async fn a_message_in_no_element_is_unknown_and_the_others_are_not<P: Protocol>() {
    let peer = Peer::<P>::new().await;
    peer.misbehaves(&json!([{ "fault": "partial", "from": 2, "to": 3 }]));
    let messages = messages(4);
    let sent = P::send(&peer.link(), &messages).await;
    let journal = peer.journal();
    assert_eq!(sent[1..3], [Sent::Unknown, Sent::Unknown]);
    for place in [0, 3] {
        assert_eq!([sent[place].clone()], [Sent::Taken(journal.ids_of(&messages[place])[0].clone())]);
    }
    assert_eq!((journal.calls, journal.messages), (1, 4));
}

/// A call has each recipient once, so that this is no guess.
pub(crate) async fn the_recipient_decides_where_our_id_is_not_echoed<P: Protocol>() {
    let (refused, said) = refusal::<P>();
    let elements = vec![
        Element::by_recipient(&message(3), Says::Taken(30)),
        Element::by_recipient(&message(1), refused),
        Element::by_id(&message(2), Says::Taken(20)),
    ];
    assert_eq!(heard::<P>(&messages(3), elements).await, [said, taken(20), taken(30)]);
}

/// The recipient may be written in ways that we do not know; our id is ours.
pub(crate) async fn our_id_decides_where_the_recipient_says_otherwise<P: Protocol>() {
    let of = |number, recipient: &str, id| Element {
        recipient: Some(recipient.to_owned()),
        ..Element::by_id(&message(number), Says::Taken(id))
    };
    let second = message(2).recipient.get().to_string();
    let elements = vec![of(1, &second, 10), of(2, "not a number", 20)];
    assert_eq!(heard::<P>(&messages(2), elements).await, [taken(10), taken(20)]);
}

/// An answer that went astray must not decide about what it was not asked for; it does not
/// by its recipient either where it names another id.
pub(crate) async fn elements_of_messages_that_nobody_sent_are_nobodys<P: Protocol>() {
    let to_first = message(1).recipient.get().to_string();
    let strange = |id: Option<i64>, recipient: &str| Element {
        id,
        recipient: Some(recipient.to_owned()),
        says: Says::Taken(77),
    };
    for elements in [
        vec![Element::of(&message(9), Says::Taken(90))],
        vec![strange(Some(message(9).id.get()), &to_first)],
        vec![strange(Some(-1), &to_first)],
        vec![strange(Some(-message(1).id.get()), &to_first)],
        vec![strange(None, "")],
        vec![strange(None, &to_first[to_first.len() - 5..])],
        vec![Element { id: None, recipient: None, says: Says::Taken(77) }],
        vec![],
    ] {
        let said = format!("{elements:?}");
        assert_eq!(heard::<P>(&messages(1), elements).await, [Sent::Unknown], "{said}");
    }
}

/// Neither an id nor a reason: it is not known whether it was taken.
pub(crate) async fn an_element_that_says_nothing_leaves_its_message_unknown<P: Protocol>() {
    for says in [Says::Nothing, Says::TakenWithoutId, Says::Taken(0), Says::Taken(-7)] {
        let elements = vec![Element::of(&message(1), Says::Taken(10)), Element::of(&message(2), says)];
        assert_eq!(heard::<P>(&messages(2), elements).await, [taken(10), Sent::Unknown], "{says:?}");
    }
}

/// Were the refusal believed, what may be delivered would be refunded; were the id believed,
/// what was refused would not be tried again. A look-up tells, whatever the order.
pub(crate) async fn elements_that_contradict_each_other_leave_their_message_unknown<P: Protocol>() {
    let (refused, _) = refusal::<P>();
    let other = Says::Refused(P::REFUSALS[1].0);
    for (one, another) in [
        (Says::Taken(10), refused),
        (Says::Taken(10), Says::Taken(11)),
        (Says::Taken(10), Says::Nothing),
        (refused, other),
    ] {
        for (one, another) in [(one, another), (another, one)] {
            for also in [Element::by_id(&message(1), another), Element::by_recipient(&message(1), another)] {
                let elements =
                    vec![Element::of(&message(1), one), Element::of(&message(2), Says::Taken(20)), also];
                let said = format!("{elements:?}");
                assert_eq!(heard::<P>(&messages(2), elements).await, [Sent::Unknown, taken(20)], "{said}");
            }
        }
    }
}

/// Whose it is is not known, and a receipt would settle both.
pub(crate) async fn an_operator_id_given_to_two_messages_is_neithers<P: Protocol>() {
    let of = |number, id| Element::of(&message(number), Says::Taken(id));
    let elements = vec![of(1, 10), of(2, 20), of(3, 10), of(1, 10)];
    assert_eq!(heard::<P>(&messages(3), elements).await, [Sent::Unknown, taken(20), Sent::Unknown]);
}
