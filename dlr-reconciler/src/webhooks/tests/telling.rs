//! What endpoints are told, and how.

use super::receiver::Receiver;
use super::rig::{Rig, secret};
use crate::flush::tests::world::{ATTEMPTS, BILLED, RECEIPTS};
use crate::samples::{billed, chunk_id, outcome, outcomes, receipts};
use domain::outcome::{Outcome, Receipt, Refusal};
use serde_json::json;

#[tokio::test]
async fn every_change_of_status_is_told_once_and_in_order() {
    let rig = Rig::new().await;
    let (receiver, _) = rig.receiver_and_endpoint(1).await;
    let chunk = chunk_id(0);
    let id = |position| chunk.message(position).get();
    rig.hold(chunk, 4, 3).await;
    rig.flush(BILLED, &[billed(chunk, 4, 3)]).await;
    let ended = vec![
        outcome(0, Outcome::Taken),
        outcome(1, Outcome::Taken),
        outcome(2, Outcome::Refused(Refusal::Operator)),
    ];
    rig.flush(ATTEMPTS, &[outcomes(chunk, 4, 1, ended)]).await;
    rig.deliver_all().await;
    rig.flush(RECEIPTS, &[receipts(chunk, 1, false, &[(0, Receipt::Delivered)])]).await;
    // Heard twice, and contradicted: nothing changes, nothing is told.
    rig.flush(RECEIPTS, &[receipts(chunk, 1, false, &[(0, Receipt::Delivered)])]).await;
    rig.flush(RECEIPTS, &[receipts(chunk, 1, false, &[(0, Receipt::Undelivered)])]).await;
    rig.flush(RECEIPTS, &[receipts(chunk, 1, false, &[(1, Receipt::Undelivered)])]).await;
    rig.deliver_all().await;
    rig.deliver_all().await;

    let told: Vec<(i64, String)> = receiver.told();
    let expected = [
        (id(3), "refused"),
        (id(0), "sent"),
        (id(1), "sent"),
        (id(2), "failed"),
        (id(0), "delivered"),
        (id(1), "undelivered"),
    ];
    assert_eq!(told, expected.map(|(id, status)| (id, status.to_owned())));
    let heard = receiver.heard();
    assert!(heard.iter().all(|heard| heard.is_signed_by(&[secret(1)])));
    let ids: std::collections::BTreeSet<&str> = heard.iter().map(|heard| heard.id.as_str()).collect();
    assert_eq!(ids.len(), 6, "each has an id of its own");
    let timestamp = heard[5].body["timestamp"].clone();
    assert_eq!(
        heard[5].body,
        json!({"type": "message.status", "timestamp": timestamp, "data": {
            "id": id(1).to_string(), "status": "undelivered", "reason": "not_reached", "operator_code": 2,
            "to": "+989120000001", "from": "1000", "reference": null, "campaign_id": null, "segments": 1,
            "price": 1_000, "refunded": 1_000, "currency": "IRR",
            "created_at": "2026-11-18T11:06:40.000Z", "sent_at": "2026-11-18T11:06:40.010Z",
            "final_at": "2026-11-18T11:06:40.500Z",
        }})
    );
    let (refused, sent) = (&heard[0].body["data"], &heard[1].body["data"]);
    assert_eq!((&refused["price"], &refused["reason"]), (&json!(0), &json!("insufficient_funds")));
    assert_eq!(
        (&sent["price"], &sent["refunded"], &sent["final_at"]),
        (&json!(1_000), &json!(0), &json!(null))
    );
    assert_eq!(rig.count("webhook_event").await, 0);
    assert_eq!(rig.log().await, vec!["delivered 1 1 204"; 6]);
    rig.world.ends_clean().await;
}

#[tokio::test]
async fn a_batch_has_as_many_as_the_endpoint_wants() {
    let rig = Rig::new().await;
    let (many, few) = (Receiver::taking().await, Receiver::taking().await);
    rig.endpoint(&many.url(), 500).await;
    rig.endpoint(&few.url(), 30).await;
    for k in 0..3 {
        rig.sent(k, 200).await;
    }
    rig.deliver_all().await;
    let sizes = |receiver: &Receiver| -> Vec<usize> {
        receiver.heard().iter().map(|heard| heard.body["data"].as_array().unwrap().len()).collect()
    };
    // Chunks of a turn are not parted between turns.
    assert_eq!(sizes(&many), [400, 200]);
    assert_eq!(sizes(&few).iter().sum::<usize>(), 600);
    assert!(sizes(&few).iter().all(|size| *size <= 30));
    assert_eq!(many.told(), few.told());
    assert_eq!(many.heard()[0].body["type"], "message.status.batch");
    rig.world.drop().await;
}

#[tokio::test]
async fn only_what_is_wanted_and_only_of_accounts_that_have_an_endpoint() {
    let rig = Rig::new().await;
    rig.sent(0, 3).await;
    assert_eq!(rig.count("webhook_event").await, 0);
    let receiver = Receiver::taking().await;
    rig.endpoint_for(&receiver.url(), 1, &["delivered", "a_word_of_tomorrow"]).await;
    let chunk = rig.sent(1, 2).await;
    assert_eq!(rig.count("webhook_event").await, 0);
    let heard = [(0, Receipt::Delivered), (1, Receipt::Undelivered)];
    let stored = rig.flush(RECEIPTS, &[receipts(chunk, 1, false, &heard)]).await;
    assert_eq!(stored.events, 1);
    rig.deliver_all().await;
    assert_eq!(receiver.told(), [(chunk.message(0).get(), "delivered".to_owned())]);
    // An endpoint of another account hears nothing of it.
    rig.execute("update webhook_endpoint set deleted_at = clock_timestamp()").await;
    let chunk = rig.sent(2, 1).await;
    rig.flush(RECEIPTS, &[receipts(chunk, 1, false, &[(0, Receipt::Delivered)])]).await;
    rig.deliver_all().await;
    assert_eq!((receiver.heard().len(), rig.count("webhook_event").await), (1, 0));
    rig.world.drop().await;
}

#[tokio::test]
async fn what_ends_by_itself_is_told_too() {
    let rig = Rig::new().await;
    let (receiver, _) = rig.receiver_and_endpoint(1).await;
    let chunk = rig.sent(0, 1).await;
    let unanswered = crate::flush::Unanswered {
        chunk,
        partition: crate::flush::tests::world::PARTITION,
        messages: domain::bits::Bits::prefix(1),
    };
    crate::flush::end_unanswered(rig.pool(), rig.process, &[unanswered], &rig.means()).await.unwrap();
    rig.deliver_all().await;
    let words: Vec<String> = receiver.told().into_iter().map(|(_, status)| status).collect();
    assert_eq!(words, ["sent", "undelivered"]);
    assert_eq!(receiver.heard()[1].body["data"]["reason"], "unconfirmed");
    rig.world.drop().await;
}

#[tokio::test]
async fn content_that_comes_later_is_waited_for() {
    let rig = Rig::new().await;
    let (receiver, _) = rig.receiver_and_endpoint(1).await;
    let chunk = chunk_id(0);
    rig.hold(chunk, 1, 1).await;
    rig.flush(ATTEMPTS, &[outcomes(chunk, 1, 1, vec![outcome(0, Outcome::Taken)])]).await;
    let mut deliverer = rig.deliverer();
    rig.deliver(&mut deliverer, 0).await;
    assert_eq!((receiver.heard().len(), rig.log().await), (0, vec!["pending 1 0".to_owned()]));
    rig.flush(BILLED, &[billed(chunk, 1, 1)]).await;
    rig.deliver(&mut deliverer, 999).await;
    assert_eq!(receiver.heard().len(), 0);
    rig.deliver(&mut deliverer, 1_001).await;
    assert_eq!(receiver.heard()[0].body["data"]["to"], "+989120000000");
    // What was erased is told without it.
    let other = chunk_id(1);
    rig.hold(other, 1, 1).await;
    rig.flush(ATTEMPTS, &[outcomes(other, 1, 1, vec![outcome(0, Outcome::Taken)])]).await;
    rig.deliver(&mut deliverer, 2_000).await;
    rig.deliver(&mut deliverer, 120_000).await;
    let data = receiver.heard()[1].body["data"].clone();
    assert_eq!((&data["to"], &data["status"], &data["price"]), (&json!(null), &json!("sent"), &json!(1_000)));
    rig.world.drop().await;
}

#[tokio::test]
async fn after_a_rotation_both_secrets_sign_for_a_while() {
    let rig = Rig::new().await;
    let (receiver, endpoint) = rig.receiver_and_endpoint(1).await;
    let rotate = "update webhook_endpoint set previous_secret = secret, secret = $2,
                         previous_until = to_timestamp($3 / 1000.0) where id = $1";
    let until = rig.now.plus(3_600_000).0;
    let rotate = sqlx::query(rotate).bind(endpoint).bind(secret(2).bytes()).bind(until);
    rotate.execute(&**rig.pool()).await.unwrap();
    let mut deliverer = rig.deliverer();
    for (k, after_ms) in [(0, 0), (1, 3_599_000), (2, 3_601_000)] {
        rig.sent(k, 1).await;
        rig.deliver(&mut deliverer, after_ms).await;
    }
    let heard = receiver.heard();
    let both = [secret(2), secret(1)];
    assert!(heard[0].is_signed_by(&both) && heard[1].is_signed_by(&both));
    assert!(heard[2].is_signed_by(&both[..1]), "{:?}", heard[2]);
    rig.world.drop().await;
}
