//! Polls. A poll that is answered moves the time of the next one on, and allows the sweep to
//! give up what was not heard of: a poll that failed must not be taken for one. A protocol
//! whose receipts come by themselves has no cases here.

use super::{Peer, Protocol, Reply, Scripted, message, messages};
use crate::magfa::{Polled, Sent};
use domain::outcome::Receipt;
use serde_json::json;
use simulator::Settings;
use std::collections::HashMap;

fn code_of<P: Protocol>(receipt: Receipt) -> i16 {
    P::RECEIPTS.iter().find(|(_, says)| *says == receipt).unwrap().0
}

async fn polled<P: Protocol>(ids: &[&str], receipts: Vec<(i64, i16)>) -> Option<HashMap<String, Polled>> {
    let operator = Scripted::<P>::new(move |call| Reply::new(P::polled(call, &receipts))).await;
    let polled = P::poll(&operator.link(), ids).await;
    assert_eq!(operator.calls(), 1);
    polled
}

/// The whole table in one answer; and the simulator's, of what it took.
pub(crate) async fn each_receipt_says_what_the_table_says<P: Protocol>() {
    if P::POLL.is_none() {
        return;
    }
    let receipts: Vec<(i64, i16)> = (1..).zip(P::RECEIPTS.iter().map(|(code, _)| *code)).collect();
    let ids: Vec<String> = receipts.iter().map(|(id, _)| id.to_string()).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let table = ids
        .iter()
        .zip(P::RECEIPTS)
        .map(|(id, (code, receipt))| (id.to_string(), Polled { receipt: *receipt, code: *code }));
    assert_eq!(polled::<P>(&ids, receipts).await, Some(table.collect()));
    let at_once =
        Settings { delivery_ratio: 1.0, delivery_min_ms: 0, delivery_max_ms: 0, ..Settings::default() };
    let peer = Peer::<P>::with(at_once).await;
    let link = peer.link();
    let sent = P::send(&link, &messages(100)).await;
    let ids: Vec<&str> = sent
        .iter()
        .map(|sent| if let Sent::Taken(id) = sent { id.as_str() } else { panic!("{sent:?}") })
        .collect();
    let polled = P::poll(&link, &ids).await.unwrap();
    assert_eq!(polled.len(), 100);
    assert!(polled.values().all(|polled| polled.receipt == Receipt::Delivered));
}

/// Nothing is made up for it; it is asked for again.
pub(crate) async fn an_id_that_is_not_in_the_answer_is_missing<P: Protocol>() {
    if P::POLL.is_none() {
        return;
    }
    let code = code_of::<P>(Receipt::Delivered);
    let heard = polled::<P>(&["1", "2", "3"], vec![(3, code), (1, code)]).await.unwrap();
    let mut ids: Vec<_> = heard.keys().cloned().collect();
    ids.sort();
    assert_eq!(ids, ["1", "3"]);
}

/// A receipt for what was not asked about is an answer that went astray.
pub(crate) async fn what_nobody_asked_for_is_left_out<P: Protocol>() {
    if P::POLL.is_none() {
        return;
    }
    let code = code_of::<P>(Receipt::Delivered);
    let heard = polled::<P>(&["1"], vec![(2, code), (0, code), (-1, code), (11, code)]).await;
    assert_eq!(heard, Some(HashMap::new()));
}

/// Who was delivered to has the message, whatever else is said; and an answer in another
/// order says the same.
pub(crate) async fn of_several_receipts_the_furthest_counts_in_any_order<P: Protocol>() {
    if P::POLL.is_none() {
        return;
    }
    let codes = |receipts: &[Receipt]| -> Vec<i16> {
        P::RECEIPTS.iter().filter(|(_, says)| receipts.contains(says)).map(|(code, _)| *code).collect()
    };
    let order = [Receipt::Nothing, Receipt::OnTheWay, Receipt::Undelivered, Receipt::Delivered];
    for (place, furthest) in order.iter().enumerate() {
        for less in codes(&order[..place]) {
            for code in codes(&[*furthest]) {
                for answer in [vec![(1, less), (1, code)], vec![(1, code), (1, less)]] {
                    let said = Polled { receipt: *furthest, code };
                    assert_eq!(polled::<P>(&["1"], answer).await, Some(HashMap::from([("1".into(), said)])));
                }
            }
        }
    }
}

/// The operator is there, and did not answer the question.
pub(crate) async fn a_refused_poll_is_nothing_heard<P: Protocol>() {
    if P::POLL.is_none() {
        return;
    }
    let operator = Scripted::<P>::new(|_| Reply::never()).await;
    let link = operator.link();
    for place in 0..P::refusals_of_calls(&[]).len() {
        operator.says(move |call| Reply::new(P::refusals_of_calls(call).swap_remove(place).0));
        assert_eq!(P::poll(&link, &["1"]).await, None);
        assert_eq!(operator.calls(), place + 1);
    }
}

/// Whatever stands in place of an answer, with a delivery inside.
pub(crate) async fn a_poll_without_an_answer_is_nothing_heard<P: Protocol>() {
    if P::POLL.is_none() {
        return;
    }
    let good = |call: &[u8]| P::polled(call, &[(1, code_of::<P>(Receipt::Delivered))]);
    let operator = Scripted::<P>::new(|_| Reply::never()).await;
    let link = operator.link();
    for place in 0..P::no_answers(&good(&[])).len() {
        operator.says(move |call| Reply::new(P::no_answers(&good(call)).swap_remove(place).1).then_closes());
        let (name, _) = P::no_answers(&good(&[])).swap_remove(place);
        assert_eq!(P::poll(&link, &["1"]).await, None, "{name}");
        assert_eq!(operator.calls(), place + 1, "{name}");
    }
}

/// Also between any two octets of it.
pub(crate) async fn a_poll_with_an_answer_cut_anywhere_is_nothing_heard<P: Protocol>() {
    if P::POLL.is_none() {
        return;
    }
    let good = |call: &[u8]| P::polled(call, &[(1, code_of::<P>(Receipt::Delivered))]);
    let operator = Scripted::<P>::new(|_| Reply::never()).await;
    let link = operator.link();
    for cut in 0..good(&[]).len() {
        operator.says(move |call| Reply::new(good(call)[..cut].to_vec()).then_closes());
        assert_eq!(P::poll(&link, &["1"]).await, None, "cut at {cut}");
    }
    operator.says(move |call| Reply::new(good(call)));
    assert!(P::poll(&link, &["1"]).await.is_some());
}

/// The faults of the simulator, on polls.
pub(crate) async fn a_poll_of_a_troubled_operator_is_nothing_heard<P: Protocol>() {
    let Some(on) = P::POLL else { return };
    let peer = Peer::<P>::new().await;
    let (link, hasty) = (peer.link(), peer.hasty_link());
    P::send(&link, &[message(1)]).await;
    let id = peer.journal().ids_of(&message(1))[0].clone();
    for fault in ["error_500_before", "error_500_after", "reset_after", "garbage", "throttle"] {
        peer.misbehaves(&json!([{ "fault": fault, "on": on }]));
        for _ in 0..10 {
            assert_eq!(P::poll(&link, &[&id]).await, None, "{fault}");
        }
    }
    for fault in ["timeout_before", "timeout_after"] {
        peer.misbehaves(&json!([{ "fault": fault, "on": on }]));
        assert_eq!(P::poll(&hasty, &[&id]).await, None, "{fault}");
    }
    assert_eq!(peer.journal_of(53).await.calls, 53);
}
