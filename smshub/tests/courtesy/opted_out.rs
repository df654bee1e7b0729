//! Somebody opts out between submission and sending.

use crate::world::{CHARGE, END, assert_paid_for, gateway, sql};
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_opts_out_while_it_waits_is_not_written_to() {
    let gateway = gateway(&[]).await;
    let customer = gateway.customer(CHARGE);
    // The connector is stopped: what is accepted waits.
    sql(
        &gateway,
        "insert into connector (name, stopped_code, stopped_at) values ('magfa', 18, clock_timestamp())",
    )
    .await;
    let process = gateway.start("all", "all").await;
    let mut ids = Vec::new();
    for (number, lane) in [(1, "express"), (2, "express"), (1, "standard"), (2, "standard")] {
        ids.push((number, customer.send(process.api, number, lane).await.unwrap().expect("accepted")));
    }
    let many = customer.send_bulk(process.api, 1, 300).await.unwrap();
    ids.extend((1..).zip(many));

    let body = json!({"number": "09120000001"});
    let (status, answer) = customer.post(process.api, "/v1/opt-outs", &body).await.unwrap();
    assert_eq!(status, 201, "{answer}");
    let body = json!({"to": "09120000001", "text": "x"});
    let (status, problem) = customer.post(process.api, "/v1/messages", &body).await.unwrap();
    assert_eq!((status.as_u16(), &problem["errors"][0]["code"]), (400, &json!("recipient_blocked")));

    // As long as it takes until it must be known: a second, and the reading.
    tokio::time::sleep(std::time::Duration::from_secs(2)).await; // the promise itself, not a hope
    gateway.must(&["connector", "resume", "magfa"]);
    gateway.quiescent(END).await;

    let submissions = gateway.submissions();
    let mut paid = 0;
    for (number, id) in &ids {
        assert_eq!(submissions.get(id).copied().unwrap_or(0), usize::from(*number != 1), "{number}");
    }
    for (number, id) in &ids[..5] {
        let (_, message) = customer.get(process.api, &format!("/v1/messages/{id}")).await.unwrap();
        if *number == 1 {
            assert_eq!((&message["status"], &message["reason"]), (&json!("blocked"), &json!("opted_out")));
            assert_eq!(message["refunded"], message["price"]);
        } else {
            assert_eq!(message["status"], "delivered", "{message}");
            paid += message["price"].as_i64().unwrap();
        }
    }
    // Of the call of many all but the first, which is among the five.
    assert_paid_for(&customer, &process, paid + 299_000).await;
    assert!(process.stop().await);
    gateway.must(&["audit", "--quiescent"]);
    gateway.close().await;
}
