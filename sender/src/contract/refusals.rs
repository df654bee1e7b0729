//! What the operator's codes lead to.

use super::{Element, Peer, Protocol, Reply, Says, Scripted, message, messages};
use crate::magfa::{Class, Sent};
use domain::outcome::{Receipt, Refusal};
use serde_json::json;

/// A call that succeeded as a whole says nothing of its messages.
pub(crate) async fn each_message_of_a_call_has_its_own_refusal<P: Protocol>() {
    let peer = Peer::<P>::new().await;
    let [(one, class_of_one), (other, class_of_other)] = [P::REFUSALS[0], P::REFUSALS[P::REFUSALS.len() - 1]];
    let last_digits = |number| {
        let recipient = message(number).recipient.get().to_string();
        recipient[recipient.len() - 10..].to_owned()
    };
    peer.misbehaves(&json!([
        { "fault": "refuse", "code": one, "recipient_suffix": last_digits(2) },
    ]));
    let link = peer.link();
    let sent = P::send(&link, &messages(3)).await;
    assert_eq!(sent[1], Sent::Said(class_of_one, one));
    assert!(matches!([&sent[0], &sent[2]], [Sent::Taken(_), Sent::Taken(_)]), "{sent:?}");
    peer.misbehaves(&json!([{ "fault": "refuse", "code": other }]));
    assert_eq!(P::send(&link, &[message(4)]).await, [Sent::Said(class_of_other, other)]);
    let journal = peer.journal();
    assert_eq!((journal.calls, journal.messages, journal.taken.len()), (2, 4, 2));
}

/// The whole table in one call, with a message that was taken among them.
pub(crate) async fn each_refusal_of_a_message_has_its_class<P: Protocol>() {
    let messages = messages(i64::try_from(P::REFUSALS.len()).unwrap() + 1);
    let (last, refused) = messages.split_last().unwrap();
    let refusals = refused.iter().zip(P::REFUSALS);
    let elements = refusals.map(|(message, (code, _))| Element::of(message, Says::Refused(*code)));
    let elements: Vec<_> = [Element::of(last, Says::Taken(7))].into_iter().chain(elements).collect();
    let operator = Scripted::<P>::new(move |call| Reply::new(P::sent(call, &elements))).await;
    let sent = P::send(&operator.link(), &messages).await;
    for ((code, class), sent) in P::REFUSALS.iter().zip(&sent) {
        assert_eq!(*sent, Sent::Said(*class, *code), "code {code}");
    }
    assert_eq!(sent.last(), Some(&Sent::Taken("7".into())));
    assert_eq!(operator.calls(), 1);
}

/// Nothing of the call was taken, for one reason; nobody but the caller tries again.
pub(crate) async fn each_refusal_of_a_call_is_that_of_all_its_messages<P: Protocol>() {
    let operator = Scripted::<P>::new(|_| Reply::never()).await;
    let (link, count) = (operator.link(), P::refusals_of_calls(&[]).len());
    for place in 0..count {
        operator.says(move |call| Reply::new(P::refusals_of_calls(call).swap_remove(place).0));
        let sent = P::send(&link, &messages(3)).await;
        let (_, class, code) = P::refusals_of_calls(&[]).swap_remove(place);
        assert_eq!(sent, vec![Sent::Said(class, code); 3], "code {code}");
        assert_eq!(operator.calls(), place + 1, "code {code}");
    }
}

/// A rig with half a table would pass everything else.
pub(crate) async fn the_tables_have_every_class<P: Protocol>() {
    let of_calls = P::refusals_of_calls(&[]).into_iter().map(|(_, class, _)| class);
    let all: Vec<Class> = P::REFUSALS.iter().map(|(_, class)| *class).chain(of_calls).collect();
    for class in [Class::Throttle, Class::Stop, Class::Defect, Class::Final(Refusal::Operator)] {
        assert!(all.contains(&class), "{class:?}");
    }
    for receipt in [Receipt::Delivered, Receipt::Undelivered] {
        assert!(P::RECEIPTS.iter().any(|(_, says)| *says == receipt), "{receipt:?}");
    }
    assert!(P::REFUSALS.len() > 1);
}
