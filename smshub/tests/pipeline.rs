//! The whole pipeline: the real binary, real Kafka, real Postgres, an operator over a
//! socket; from HTTP to settled and refunded messages, ending in `smshub audit`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use serde_json::json;
use simulator::Settings;
use std::path::Path;
use std::time::Duration;
use testkit::gateway::Gateway;

const BINARY: &str = env!("CARGO_BIN_EXE_smshub");
const END: Duration = Duration::from_secs(60);

/// An operator that is quick, delivers most, and refuses some.
fn operator() -> Settings {
    Settings {
        delivery_ratio: 0.9,
        delivery_min_ms: 0,
        delivery_max_ms: 300,
        refuse_ratio: 0.05,
        refuse_code: 27,
        ..Settings::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_http_to_balanced_books() {
    let gateway = Gateway::new(Path::new(BINARY), &ledger::MIGRATIONS, operator()).await;
    let process = gateway.start("all", "all").await;
    let customer = gateway.customer(10_000_000);
    let other = gateway.customer(1_000);

    let one = customer.send(process.api, 1, "express").await.unwrap().expect("accepted");
    let standard = customer.send(process.api, 2, "standard").await.unwrap().expect("accepted");
    let many = customer.send_bulk(process.api, 10, 1_500).await.unwrap();
    assert_eq!(many.len(), 1_500);
    gateway.quiescent(END).await;

    // Every message went out once, whatever became of it.
    let mut ids = many.clone();
    ids.extend([one, standard]);
    let submissions = gateway.submissions();
    assert_eq!(submissions.len(), ids.len());
    assert!(ids.iter().all(|id| submissions.get(id) == Some(&1)));

    // Status and money agree, for each lane.
    let mut paid = 0;
    for (id, price) in [(one, 1_500), (standard, 1_000), (many[0], 1_000)] {
        let (status, message) = customer.get(process.api, &format!("/v1/messages/{id}")).await.unwrap();
        assert_eq!(status, 200, "{message}");
        let delivered = message["status"] == "delivered";
        assert_eq!(message["price"], price);
        assert_eq!(message["refunded"], if delivered { 0 } else { price }, "{message}");
        let (status, _) = other.get(process.api, &format!("/v1/messages/{id}")).await.unwrap();
        assert_eq!(status, 404, "another account's message");
        if id != many[0] && delivered {
            paid += price;
        }
    }
    let batch = many[0] & !255;
    let (_, report) = customer.get(process.api, &format!("/v1/messages/bulk/{batch}")).await.unwrap();
    let (price, refunded) = (report["price"].as_i64().unwrap(), report["refunded"].as_i64().unwrap());
    assert_eq!(price, 1_500_000);
    assert!(refunded > 0 && refunded < price, "{report}");
    let (_, balance) = customer.get(process.api, "/v1/balance").await.unwrap();
    assert_eq!(balance["held"], 0);
    assert_eq!(balance["balance"], 10_000_000 - paid - (price - refunded));

    // Not enough money: refused at once, nothing goes out.
    let body = json!({"to": "09120000001", "text": "x", "lane": "express"});
    let (status, problem) = other.post(process.api, "/v1/messages", &body).await.unwrap();
    assert_eq!((status.as_u16(), problem["code"].as_str()), (402, Some("insufficient_funds")), "{problem}");
    assert_eq!(gateway.submissions().len(), ids.len());

    let trace = gateway.must(&["trace", &one.to_string()]);
    for word in ["submitted", "billed", "intent", "outcome"] {
        assert!(trace.contains(word), "{word} is missing in the trace:\n{trace}");
    }
    gateway.must(&["audit", "--quiescent"]);
    assert!(process.stop().await, "a clean stop");
    gateway.must(&["audit", "--quiescent"]);
    gateway.close().await;
}
