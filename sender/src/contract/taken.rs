//! What is taken has an id, and each call its own answers.

use super::{Peer, Protocol, message, messages};
use crate::magfa::Sent;
use std::collections::BTreeSet;

/// Receipts come by the operator's id: two messages with one would settle each other.
pub(crate) async fn every_message_taken_has_an_operator_id_of_its_own<P: Protocol>() {
    let peer = Peer::<P>::new().await;
    let messages = messages(100);
    let sent = P::send(&peer.link(), &messages).await;
    let journal = peer.journal();
    assert_eq!(sent.len(), messages.len());
    let mut ids = BTreeSet::new();
    for (message, sent) in messages.iter().zip(&sent) {
        let Sent::Taken(id) = sent else { panic!("{message:?}: {sent:?}") };
        assert_eq!(journal.ids_of(message), std::slice::from_ref(id), "{message:?}");
        assert!(ids.insert(id), "{id} is twice there");
    }
    assert_eq!(journal.messages, 100);
}

/// One link has calls under way at the same time.
pub(crate) async fn calls_beside_each_other_have_each_their_own_answers<P: Protocol>() {
    let peer = Peer::<P>::new().await;
    let link = peer.link();
    let first = [message(1), message(2)];
    let second = [message(3), message(4)];
    let third = [message(5), message(6)];
    let (one, two, three) =
        tokio::join!(P::send(&link, &first), P::send(&link, &second), P::send(&link, &third));
    let journal = peer.journal();
    for (message, sent) in [first, second, third].iter().flatten().zip([one, two, three].concat()) {
        let Sent::Taken(id) = sent else { panic!("{message:?}: {sent:?}") };
        assert_eq!(journal.ids_of(message), [id], "{message:?}");
    }
}

/// Whether a message may be sent again is decided before the link: it keeps no memory, which
/// would answer for an operator that was not asked. (What the operator makes of it is its own
/// matter.)
pub(crate) async fn a_message_sent_again_on_purpose_is_sent_again<P: Protocol>() {
    let peer = Peer::<P>::new().await;
    let link = peer.link();
    for calls in 1..=2 {
        let sent = P::send(&link, &[message(1)]).await;
        assert!(matches!(sent[..], [Sent::Taken(_)]), "{sent:?}");
        assert_eq!(peer.journal().calls, calls);
    }
}
