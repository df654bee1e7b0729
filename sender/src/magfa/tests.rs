//! The connector against the simulated operator, over a socket.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::config::ConnectorLimits;
use domain::id::ChunkId;
use platform::config::Secret;
use simulator::{Operator, Settings};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

struct Peer {
    operator: Arc<Operator>,
    settings: MagfaSettings,
    stop: CancellationToken,
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn peer(settings: Settings) -> Peer {
    let operator = Arc::new(Operator::in_memory(settings, 10_000, 1 << 20).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}/api/http/sms/v2", listener.local_addr().unwrap());
    let stop = CancellationToken::new();
    tokio::spawn(simulator::serve(listener, Arc::clone(&operator), stop.clone()));
    let settings = MagfaSettings {
        limits: ConnectorLimits::default(),
        base_url,
        user: "demo/demo".into(),
        password: Secret::from("demo"),
        call_timeout_ms: 500,
        call_messages: 100,
    };
    Peer { operator, settings, stop }
}

fn message(number: i64) -> Outgoing<'static> {
    let id = ChunkId::new(number << 8).unwrap().message(3);
    let recipient = Msisdn::from_canonical(989_120_000_000 + number.unsigned_abs()).unwrap();
    Outgoing { id, recipient, line: "100002", text: "سلام" }
}

#[tokio::test]
async fn what_is_taken_is_known_and_has_a_receipt() {
    let peer =
        peer(Settings { delivery_ratio: 1.0, delivery_min_ms: 0, delivery_max_ms: 0, ..Settings::default() })
            .await;
    let magfa = Magfa::new(&peer.settings, 2).unwrap();
    let messages: Vec<_> = (1..=100).map(message).collect();
    let sent = magfa.send(&messages).await;
    for (message, sent) in messages.iter().zip(&sent) {
        let Sent::Taken(id) = sent else { unreachable!("{sent:?}") };
        assert_eq!(magfa.look_up(message.id).await, LookUp::Known(id.clone()));
        let polled = magfa.poll(&[id]).await.unwrap();
        assert_eq!(polled.get(id), Some(&Polled { receipt: Receipt::Delivered, code: 1 }));
    }
    assert_eq!(magfa.look_up(message(999).id).await, LookUp::NeverSeen);
    assert_eq!(peer.operator.stats().messages, 100);
}

#[tokio::test]
async fn ids_that_come_back_as_texts_are_matched_too() {
    let peer = peer(Settings { uid_as_string: true, ..Settings::default() }).await;
    let magfa = Magfa::new(&peer.settings, 1).unwrap();
    let sent = magfa.send(&[message(1), message(2)]).await;
    assert!(matches!(sent[..], [Sent::Taken(_), Sent::Taken(_)]), "{sent:?}");
}

#[tokio::test]
async fn refusals_have_their_class() {
    let peer = peer(Settings { refuse_ratio: 1.0, refuse_code: 27, ..Settings::default() }).await;
    let magfa = Magfa::new(&peer.settings, 1).unwrap();
    let blocked = Sent::Said(Class::Final(domain::outcome::Refusal::Blocked), 27);
    assert_eq!(magfa.send(&[message(1)]).await, [blocked]);
    let wrong = MagfaSettings { password: Secret::from("wrong"), ..peer.settings.clone() };
    let sent = Magfa::new(&wrong, 1).unwrap().send(&[message(2)]).await;
    assert_eq!(sent, [Sent::Said(Class::Stop, 18)]);
}

#[tokio::test]
async fn only_a_refused_connection_is_certainly_not_sent() {
    let slow = peer(Settings { latency_ms: 2_000, ..Settings::default() }).await;
    let sent = Magfa::new(&slow.settings, 1).unwrap().send(&[message(1), message(2)]).await;
    assert_eq!(sent, [Sent::Unknown, Sent::Unknown]);
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = MagfaSettings {
        base_url: format!("http://{}", closed.local_addr().unwrap()),
        ..slow.settings.clone()
    };
    drop(closed);
    let magfa = Magfa::new(&nobody, 1).unwrap();
    assert_eq!(magfa.send(&[message(1)]).await, [Sent::Unreached]);
    assert_eq!(magfa.look_up(message(1).id).await, LookUp::NoAnswer);
    assert_eq!(magfa.poll(&["1"]).await, None);
}

/// Where our id is not echoed the recipient decides; what is in no element is unknown.
#[test]
fn elements_are_matched_by_id_else_by_recipient_never_by_position() {
    let (first, second, third) = (message(1), message(2), message(3));
    let answer = format!(
        r#"{{"status":0,"messages":[
            {{"status":0,"id":20,"userId":0,"recipient":"{}"}},
            {{"status":0,"id":10,"userId":"{}","recipient":"x"}}]}}"#,
        second.recipient.get(),
        first.id
    );
    let answer = SendAnswer::read(answer.as_bytes()).unwrap();
    let sent = matched(&[first, second, third], &answer);
    assert_eq!(sent, [Sent::Taken("10".into()), Sent::Taken("20".into()), Sent::Unknown]);
}
