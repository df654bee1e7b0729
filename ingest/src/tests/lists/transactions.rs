//! `GET /v1/transactions`: what the books say, signed as the old system did.

use domain::money::Money;
use domain::status::Status;
use serde_json::Value;

use super::over_http::{delivered, gateway};
use super::world::{Made, Place, store};
use crate::tests::gateway::{Answer, Gateway};

fn rows(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.body["data"].as_array().unwrap().clone()
}

/// Type, amount, messages, first id, campaign.
fn short(row: &Value) -> (String, i64, u64, Option<String>, Option<String>) {
    let text = |name: &str| row[name].as_str().map(str::to_owned);
    assert_eq!(row["currency"], "IRR");
    let (amount, messages) = (row["amount"].as_i64().unwrap(), row["messages"].as_u64().unwrap());
    (text("type").unwrap(), amount, messages, text("first_id"), text("campaign_id"))
}

async fn charge(gateway: &Gateway, amount: i64) {
    let mut transaction = gateway.schema.pool().begin().await.unwrap();
    ledger::account::charge(&mut transaction, gateway.account, Money::new(amount), None).await.unwrap();
    transaction.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn charges_deductions_and_refunds_are_listed_by_time() {
    let gateway = gateway().await;
    // Three of four are paid for; two of these come back. Nothing of the third is paid for.
    let partly = Made {
        campaign: 5,
        statuses: vec![Status::Delivered, Status::Failed, Status::Undelivered],
        ..delivered(&gateway, 7_200_000, 4)
    };
    let old = Made { place: Place::History, ..delivered(&gateway, 3_600_000, 2) };
    let refused = Made { statuses: vec![], ..delivered(&gateway, 60_000, 1) };
    for made in [&partly, &old, &refused] {
        store(gateway.schema.pool(), made).await;
    }
    charge(&gateway, 25_000).await;
    let id = |made: &Made, index: u8| Some(made.id().message(index).to_string());
    let campaign = || Some("5".to_owned());
    let deductions = [
        ("sms_deduction".to_owned(), -2_000, 2, id(&old, 0), None),
        ("sms_deduction".to_owned(), -3_000, 3, id(&partly, 0), campaign()),
    ];
    let refund = ("refund".to_owned(), 2_000, 2, id(&partly, 1), campaign());
    let charged = |amount| ("charge".to_owned(), amount, 0, None, None);

    // The gateway's account began with a charge.
    let all = rows(&gateway.get("/v1/transactions").await);
    let expected = [vec![charged(25_000), refund.clone(), charged(1_000_000)], deductions.to_vec()].concat();
    assert_eq!(all.iter().map(short).collect::<Vec<_>>(), expected);
    let times: Vec<&str> = all.iter().map(|row| row["created_at"].as_str().unwrap()).collect();
    assert!(times.is_sorted_by(|a, b| a >= b), "{times:?}");
    let mut names: Vec<&Value> = all.iter().map(|row| &row["id"]).collect();
    names.sort_by_key(|name| name.to_string());
    names.dedup();
    assert_eq!(names.len(), all.len());

    for (word, expected) in [
        ("charge", vec![charged(25_000), charged(1_000_000)]),
        ("refund", vec![refund]),
        ("sms_deduction", deductions.to_vec()),
    ] {
        let some = rows(&gateway.get(&format!("/v1/transactions?type={word}")).await);
        assert_eq!(some.iter().map(short).collect::<Vec<_>>(), expected, "{word}");
    }
    // Read on one by one, it is the same.
    let (mut read, mut cursor) = (Vec::new(), String::new());
    loop {
        let answer = gateway.get(&format!("/v1/transactions?limit=1{cursor}")).await;
        read.extend(rows(&answer));
        let Some(next) = answer.body["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(read, all);
    let between = format!("from_time={}&to_time={}", times[4], times[3]);
    let some = rows(&gateway.get(&format!("/v1/transactions?{between}")).await);
    assert_eq!(some.iter().map(short).collect::<Vec<_>>(), expected[4..]);

    // Another account sees nothing of it.
    let mut gateway = gateway;
    let other = gateway.account_with(0).await;
    gateway.key = gateway.key_of(other, &[crate::keys::Scope::Read]).await;
    assert_eq!(rows(&gateway.get("/v1/transactions").await), Vec::<Value>::new());
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_wrong_with_the_parameters_is_named() {
    let gateway = Gateway::without_topics().await;
    let query = "type=gift&from_time=x&to_time=y&limit=-1&cursor=z&to=1";
    assert_eq!(
        gateway.get(&format!("/v1/transactions?{query}")).await.lines(),
        [
            "400 invalid_request",
            "to unknown_field: known are type, from_time, to_time, limit, cursor",
            "cursor wrong_type: expected a next_cursor of this list",
            "from_time wrong_type: expected a time such as 2026-11-21T12:00:00Z",
            "to_time wrong_type: expected a time such as 2026-11-21T12:00:00Z",
            "type out_of_range: expected one of charge, sms_deduction, refund",
            "limit out_of_range: expected 1 to 500",
        ]
    );
    gateway.close().await;
}
