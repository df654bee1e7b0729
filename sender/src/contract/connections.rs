//! Connections that end between or within calls, and answers that come at the wrong time.
//!
//! Clients of HTTP like to write a request again when the connection that they kept turns
//! out to be closed. That is right only for what the operator cannot have read.

use super::{Element, Found, HASTY, Protocol, Reply, Says, Scripted, message, messages};
use crate::magfa::{LookUp, Sent};

fn good<P: Protocol>(call: &[u8], number: i64) -> Vec<u8> {
    P::sent(call, &[Element::of(&message(number), Says::Taken(10 * number))])
}

fn taken(number: i64) -> [Sent; 1] {
    [Sent::Taken((10 * number).to_string())]
}

/// The operator read the call, and the connection ended before the first octet of an answer:
/// on a fresh connection, and on one that had served calls before.
pub(crate) async fn a_call_whose_connection_ends_without_an_answer_is_not_made_again<P: Protocol>() {
    for resets in [false, true] {
        for calls_before in [0, 1, 3] {
            let operator = Scripted::<P>::new(|call| Reply::new(good::<P>(call, 1))).await;
            let link = operator.link();
            for _ in 0..calls_before {
                assert_eq!(P::send(&link, &messages(1)).await, taken(1));
            }
            operator.says(
                move |_| {
                    if resets { Reply::never().then_resets() } else { Reply::never().then_closes() }
                },
            );
            let case = format!("after {calls_before} calls, resets: {resets}");
            assert_eq!(P::send(&link, &messages(1)).await, [Sent::Unknown], "{case}");
            assert_eq!(operator.calls(), calls_before + 1, "{case}");
            if P::LOOK_UP.is_some() {
                assert_eq!(P::look_up(&link, message(1).id).await, LookUp::NoAnswer, "{case}");
                assert_eq!(operator.calls(), calls_before + 2, "{case}");
            }
            operator.says(|call| Reply::new(good::<P>(call, 1)));
            assert_eq!(P::send(&link, &messages(1)).await, taken(1), "{case}");
        }
    }
}

/// The end of a connection that was kept may cross the next call. Then the call is made on a
/// new one if not an octet of it was read, else it is unknown; it never arrives twice.
pub(crate) async fn connections_that_the_operator_closes_between_calls_repeat_nothing<P: Protocol>() {
    let operator = Scripted::<P>::new(|_| Reply::never()).await;
    let link = operator.link();
    let mut answered = 0;
    for number in 1..=50 {
        let resets = number % 2 == 0;
        operator.says(move |call| {
            let reply = Reply::new(good::<P>(call, number));
            if resets { reply.then_resets() } else { reply.then_closes() }
        });
        let before = operator.calls();
        let sent = P::send(&link, &[message(number)]).await;
        let read = operator.calls() - before;
        match sent {
            sent if sent == taken(number) => assert_eq!(read, 1, "call {number}"),
            sent => {
                assert!(sent == [Sent::Unknown] && read <= 1, "call {number}: {sent:?}, read {read} times")
            }
        }
        answered += read;
    }
    assert!(answered > 0);
}

/// What was asked before is not answered now: neither on the connection of the call that was
/// given up, nor to the call that comes after it.
pub(crate) async fn an_answer_that_comes_too_late_is_nobodys<P: Protocol>() {
    let operator = Scripted::<P>::new(|call| Reply::new(good::<P>(call, 1)).after(2 * HASTY)).await;
    let link = operator.hasty_link();
    assert_eq!(P::send(&link, &messages(1)).await, [Sent::Unknown]);
    operator.says(|call| Reply::new(good::<P>(call, 2)));
    assert_eq!(P::send(&link, &[message(2)]).await, taken(2));
    if P::LOOK_UP.is_some() {
        let never = |call: &[u8]| Reply::new(P::looked_up(call, Found::NeverSeen)).after(2 * HASTY);
        operator.says(never);
        assert_eq!(P::look_up(&link, message(1).id).await, LookUp::NoAnswer);
        operator.says(|call| Reply::new(P::looked_up(call, Found::Known(20))));
        assert_eq!(P::look_up(&link, message(2).id).await, LookUp::Known("20".into()));
    }
}

/// An answer to a look-up does not say whose it is: were the second one of two taken for the
/// answer to the next call, a message that was delivered would be sent again.
pub(crate) async fn a_second_answer_to_one_call_is_nobodys<P: Protocol>() {
    if P::LOOK_UP.is_none() {
        return;
    }
    let twice = |call: &[u8]| {
        let first = P::looked_up(call, Found::Known(10));
        Reply::new([first, P::looked_up(call, Found::NeverSeen)].concat())
    };
    let operator = Scripted::<P>::new(twice).await;
    let link = operator.hasty_link();
    for _ in 0..20 {
        let found = P::look_up(&link, message(1).id).await;
        assert!(found == LookUp::Known("10".into()) || found == LookUp::NoAnswer, "{found:?}");
    }
}
