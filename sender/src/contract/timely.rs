//! One timeout for the whole call, from its first octet to the last of its answer. A hold on
//! a partition is given up only after the longest time that a call can take: were calls
//! longer, two processes could send at once.

use super::{Element, Found, HASTY, MARGIN, Peer, Protocol, Reply, Says, Scripted, message, messages};
use crate::magfa::{LookUp, Sent};
use serde_json::json;
use std::time::{Duration, Instant};

/// Shorter than the timeout, which would begin anew with each octet if it were not one for the
/// whole call.
const PAUSE: Duration = Duration::from_millis(300);
/// Octets that come one by one: together they take longer than a call may.
const LAST: usize = 15;

/// The operator reads everything and says nothing.
pub(crate) async fn a_call_without_an_answer_ends_in_time<P: Protocol>() {
    let operator = Scripted::<P>::new(|_| Reply::never()).await;
    every_call_ends_in_time::<P>(&operator).await;
}

/// Each octet comes in time, and the answer does not: its last octets, or all of it.
pub(crate) async fn an_answer_that_dribbles_ends_in_time<P: Protocol>() {
    for last in [LAST, usize::MAX] {
        let operator =
            Scripted::<P>::new(move |call| Reply::new(good::<P>(call)).dribbled(last, PAUSE)).await;
        every_call_ends_in_time::<P>(&operator).await;
    }
}

fn good<P: Protocol>(call: &[u8]) -> Vec<u8> {
    P::sent(call, &[Element::of(&message(1), Says::Taken(10))])
}

async fn every_call_ends_in_time<P: Protocol>(operator: &Scripted<P>) {
    let link = operator.hasty_link();
    let began = Instant::now();
    assert_eq!(P::send(&link, &messages(1)).await, [Sent::Unknown]);
    in_time(began);
    let began = Instant::now();
    assert_eq!(P::look_up(&link, message(1).id).await, LookUp::NoAnswer);
    in_time(began);
    let began = Instant::now();
    assert_eq!(P::poll(&link, &["1"]).await, None);
    in_time(began);
}

fn in_time(began: Instant) {
    let took = began.elapsed();
    assert!(took < HASTY + MARGIN, "a call with a timeout of {HASTY:?} took {took:?}");
}

/// Slow is not silent: what is whole before the timeout counts.
pub(crate) async fn a_slow_answer_in_time_counts<P: Protocol>() {
    let slow = |octets| Reply::new(octets).dribbled(usize::MAX, Duration::from_millis(1));
    let operator = Scripted::<P>::new(move |call| slow(good::<P>(call))).await;
    let link = operator.link();
    assert_eq!(P::send(&link, &messages(1)).await, [Sent::Taken("10".into())]);
    if P::LOOK_UP.is_some() {
        operator.says(move |call| slow(P::looked_up(call, Found::Known(10))));
        assert_eq!(P::look_up(&link, message(1).id).await, LookUp::Known("10".into()));
    }
    assert!(operator.calls() > 0);
}

/// Those beside it are answered while it hangs.
pub(crate) async fn a_call_that_hangs_holds_up_no_other<P: Protocol>() {
    let peer = Peer::<P>::new().await;
    peer.misbehaves(&json!([{ "fault": "timeout_before", "to": 1 }]));
    let link = peer.link();
    let hanging = async {
        let sent = P::send(&link, &messages(1)).await;
        panic!("it was not to end: {sent:?}");
    };
    let others = async {
        // The first call that the operator reads is the one that hangs.
        peer.journal_of(1).await;
        for number in 2..=20 {
            let sent = P::send(&link, &[message(number)]).await;
            assert!(matches!(sent[..], [Sent::Taken(_)]), "{number}: {sent:?}");
        }
    };
    tokio::select! { biased; () = hanging => {}, () = others => {} }
}
