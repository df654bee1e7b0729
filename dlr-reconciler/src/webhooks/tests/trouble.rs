//! Endpoints that fail, are slow, or want nothing any more.

use super::receiver::Receiver;
use super::rig::Rig;
use super::settings;
use crate::WebhookDelivery;
use serde_json::Value;
use std::time::{Duration, Instant};

const HOUR_MS: i64 = 3_600_000;

/// One message that the receiver chokes on does not hold up the others, and is tried again.
#[tokio::test]
async fn what_fails_is_tried_again_and_the_others_go_on() {
    let rig = Rig::new().await;
    let poison = crate::samples::chunk_id(0).message(0).get().to_string();
    let choke = move |call, body: &Value| if body["data"]["id"] == *poison && call < 10 { 500 } else { 200 };
    let receiver = Receiver::answering(Duration::ZERO, choke).await;
    let endpoint = rig.endpoint(&receiver.url(), 1).await;
    rig.sent(0, 1).await;
    rig.sent(1, 3).await;
    let mut deliverer = rig.deliverer();
    rig.deliver(&mut deliverer, 0).await;
    assert_eq!(rig.log().await, ["pending 1 1 500", "pending 1 0", "pending 1 0", "pending 1 0"]);
    assert_eq!(rig.of_endpoint(endpoint, "failures").await, "1");
    // It is left alone for a moment, then goes on with what is not due again yet.
    rig.deliver(&mut deliverer, 700).await;
    assert_eq!(receiver.heard().len(), 1);
    rig.deliver(&mut deliverer, 2_000).await;
    assert_eq!(receiver.told().len(), 3);
    assert_eq!(rig.of_endpoint(endpoint, "failures").await, "0");
    // 5 s, a fifth more or less, later; then 60 s.
    rig.deliver(&mut deliverer, 3_900).await;
    assert_eq!(receiver.heard().len(), 4);
    rig.deliver(&mut deliverer, 8_000).await;
    assert_eq!((receiver.heard().len(), receiver.told().len()), (5, 3));
    rig.deliver(&mut deliverer, 50_000).await;
    assert_eq!(receiver.heard().len(), 5);
    for n in 0..6 {
        rig.deliver(&mut deliverer, 100_000 + n * 2 * HOUR_MS).await;
    }
    let heard = receiver.heard();
    assert_eq!(receiver.told().len(), 4, "the receiver was mended in the end");
    let tries: Vec<_> = heard.iter().filter(|call| call.id == heard[0].id).collect();
    assert!(tries.len() > 4 && tries.iter().all(|call| call.text == heard[0].text), "said in the same words");
    assert!(tries.windows(2).all(|two| two[0].timestamp < two[1].timestamp), "signed anew each time");
    rig.world.drop().await;
}

#[tokio::test]
async fn after_48_hours_in_vain_it_is_given_up_and_the_endpoint_disabled() {
    let rig = Rig::new().await;
    let receiver = Receiver::answering(Duration::ZERO, |_, _| 503).await;
    let endpoint = rig.endpoint(&receiver.url(), 1).await;
    rig.sent(0, 1).await;
    let mut deliverer = rig.deliverer();
    for hour in 0..48 {
        rig.deliver(&mut deliverer, hour * HOUR_MS).await;
    }
    rig.execute("update webhook_endpoint set not_before = '-infinity'").await;
    assert_eq!(rig.of_endpoint(endpoint, "disabled_reason").await, "");
    // The last attempt is made when the time is over.
    rig.deliver(&mut deliverer, 48 * HOUR_MS + 60_000).await;
    assert!(rig.log().await[0].starts_with("failed 1"), "{:?}", rig.log().await);
    assert_eq!(rig.of_endpoint(endpoint, "disabled_reason").await, "failing");
    let heard = receiver.heard().len();
    // From now on nothing is noted.
    rig.sent(1, 1).await;
    tidy(&rig, settings()).await;
    assert_eq!((rig.count("webhook_event").await, receiver.heard().len()), (0, heard));
    assert_eq!(rig.of_endpoint(endpoint, "dropped").await, "1");
    rig.world.drop().await;
}

/// One that nobody will ever take is given up alone.
#[tokio::test]
async fn one_delivery_in_vain_is_no_reason_to_disable() {
    let rig = Rig::new().await;
    let poison = crate::samples::chunk_id(0).message(0).get().to_string();
    let choke = move |_, body: &Value| if body["data"]["id"] == *poison { 422 } else { 200 };
    let receiver = Receiver::answering(Duration::ZERO, choke).await;
    let endpoint = rig.endpoint(&receiver.url(), 1).await;
    rig.sent(0, 1).await;
    let mut deliverer = rig.deliverer();
    for hour in 0..52 {
        rig.deliver(&mut deliverer, hour * HOUR_MS).await;
        if hour % 5 == 1 {
            rig.sent(1 + hour, 1).await;
        }
    }
    assert!(rig.log().await[0].starts_with("failed 1"), "{:?}", rig.log().await);
    assert_eq!(rig.of_endpoint(endpoint, "concat_ws(' ', disabled_reason, dropped)").await, "1");
    assert_eq!(receiver.told().len(), 10);
    rig.world.drop().await;
}

/// A whole round by a deliverer that tidies at once.
async fn tidy(rig: &Rig, settings: WebhookDelivery) {
    rig.deliver(&mut rig.deliverer_with(settings), 100 * HOUR_MS).await;
}

#[tokio::test]
async fn who_is_gone_is_told_nothing_any_more() {
    let rig = Rig::new().await;
    let gone = Receiver::answering(Duration::ZERO, |_, _| 410).await;
    let endpoint = rig.endpoint(&gone.url(), 1).await;
    rig.sent(0, 3).await;
    rig.sent(1, 2).await;
    rig.deliver_all().await;
    assert_eq!(rig.of_endpoint(endpoint, "disabled_reason").await, "gone");
    rig.sent(2, 1).await;
    tidy(&rig, settings()).await;
    assert_eq!((gone.heard().len(), rig.count("webhook_event").await), (1, 0));
    assert_eq!(rig.of_endpoint(endpoint, "dropped").await, "5");
    // Deleted, it leaves nothing behind, once nobody can know it any more.
    rig.execute("update webhook_endpoint set deleted_at = clock_timestamp()").await;
    tidy(&rig, settings()).await;
    assert_eq!((rig.count("webhook_endpoint").await, rig.count("webhook_delivery").await), (1, 0));
    rig.execute("update webhook_endpoint set deleted_at = clock_timestamp() - interval '2 hours'").await;
    tidy(&rig, settings()).await;
    assert_eq!(rig.count("webhook_endpoint").await, 0);
    rig.world.drop().await;
}

#[tokio::test]
async fn who_comes_back_is_told_at_once_what_failed() {
    let rig = Rig::new().await;
    let receiver = Receiver::answering(Duration::ZERO, |call, _| if call < 5 { 502 } else { 200 }).await;
    rig.endpoint(&receiver.url(), 1).await;
    rig.sent(0, 5).await;
    let mut deliverer = rig.deliverer();
    for n in 0..8 {
        rig.deliver(&mut deliverer, n * 400_000).await;
    }
    assert_eq!(receiver.told().len(), 5, "{:?}", rig.log().await);
    rig.world.drop().await;
}

#[tokio::test]
async fn a_slow_endpoint_slows_only_itself() {
    let rig = Rig::new().await;
    let slow = Receiver::answering(Duration::from_millis(600), |_, _| 200).await;
    let mut slow_ones = Vec::new();
    // More of them than there are slots of either kind.
    for _ in 0..8 {
        slow_ones.push(rig.endpoint(&slow.url(), 1).await);
    }
    let (quick, _) = rig.receiver_and_endpoint(1).await;
    rig.execute("update webhook_endpoint set last_ms = 600 where url <> (select url from webhook_endpoint order by id desc limit 1)").await;
    rig.sent(0, 40).await;
    let (mut deliverer, started) = (rig.deliverer(), Instant::now());
    while quick.told().len() < 40 {
        assert!(started.elapsed() < Duration::from_millis(3_000), "{} of 40", quick.told().len());
        deliverer.round(rig.process, rig.now).await.unwrap();
        assert!(deliverer.busy.values().filter(|slow| **slow).count() <= 2);
        tokio::time::sleep(Duration::from_millis(5)).await; // as the loop does
        deliverer.take_ended().unwrap();
    }
    assert!(slow.heard().len() <= 12, "two at a time: {}", slow.heard().len());
    rig.world.drop().await;
}

/// All slots taken, by turns: nobody is passed over for ever.
#[tokio::test]
async fn slots_go_round() {
    let rig = Rig::new().await;
    let receiver = Receiver::taking().await;
    for _ in 0..9 {
        rig.endpoint(&receiver.url(), 1).await;
    }
    rig.sent(0, 60).await;
    let mut deliverer = rig.deliverer_with(WebhookDelivery { calls_at_once: 2, turn_calls: 4, ..settings() });
    for _ in 0..5 {
        rig.say(&mut deliverer, 0).await;
    }
    let served: i64 =
        rig.count("(select distinct endpoint_id from webhook_delivery where attempts > 0) s").await;
    rig.say(&mut deliverer, 0).await;
    let later: i64 =
        rig.count("(select distinct endpoint_id from webhook_delivery where attempts > 0) s").await;
    assert_eq!((served, later), (8, 9));
    rig.world.drop().await;
}

#[tokio::test]
async fn what_waits_and_what_is_logged_is_bounded() {
    let rig = Rig::new().await;
    let (receiver, endpoint) = rig.receiver_and_endpoint(1).await;
    rig.sent(0, 60).await;
    rig.deliver_all().await;
    tidy(&rig, settings()).await;
    assert_eq!((receiver.told().len(), rig.count("webhook_delivery").await), (60, 50));
    // It is left alone, and rows come.
    rig.execute("update webhook_endpoint set not_before = 'infinity'").await;
    for k in 1..6 {
        rig.sent(k, 1).await;
    }
    tidy(&rig, WebhookDelivery { backlog_rows: 5, ..settings() }).await;
    assert_eq!(rig.of_endpoint(endpoint, "disabled_reason").await, "");
    rig.sent(6, 2).await;
    tidy(&rig, WebhookDelivery { backlog_rows: 5, ..settings() }).await;
    assert_eq!(rig.of_endpoint(endpoint, "disabled_reason").await, "backlog");
    assert_eq!(rig.of_endpoint(endpoint, "dropped").await, "7");
    rig.world.drop().await;
}

#[tokio::test]
async fn no_more_is_begun_than_can_be_tried_again() {
    let rig = Rig::new().await;
    let receiver = Receiver::answering(Duration::ZERO, |_, _| 500).await;
    rig.endpoint(&receiver.url(), 1).await;
    for k in 0..6 {
        rig.sent(k, 1).await;
    }
    let limits = || WebhookDelivery {
        pending_deliveries: 2,
        turn_calls: 1,
        retry_schedule_s: vec![86_400],
        ..settings()
    };
    let mut deliverer = rig.deliverer_with(limits());
    for n in 0..20 {
        rig.deliver(&mut deliverer, n * 60_000).await;
    }
    // What a turn takes together is begun together.
    let pending = rig.count("webhook_delivery where due is not null").await;
    assert_eq!((pending, rig.count("webhook_event").await), (6, 0));
    rig.sent(7, 1).await;
    rig.deliver(&mut deliverer, HOUR_MS).await;
    assert_eq!(rig.count("webhook_event").await, 1, "it waits");
    rig.world.drop().await;
}
