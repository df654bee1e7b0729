//! Advertising waits for its hours, and nothing else does.

use crate::world::{CHARGE, END, assert_paid_for, by_status, gateway, until};
use domain::time::UnixMillis;
use platform::ownership::clock;
use testkit::gateway::Gateway;

/// So many hours from now, as the settings write it (UTC).
fn in_hours(hours: i64) -> String {
    let UnixMillis(now) = clock::unix_now();
    let minute = (now / 60_000 + hours * 60).rem_euclid(24 * 60);
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

/// What is started from now on allows advertising between these hours from now.
fn allow(gateway: &mut Gateway, from: i64, until: i64) {
    gateway.set("SENDER__COURTESY__ADVERTISING_FROM", &in_hours(from));
    gateway.set("SENDER__COURTESY__ADVERTISING_UNTIL", &in_hours(until));
    gateway.set("SENDER__COURTESY__UTC_AHEAD_MINUTES", "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn advertising_waits_for_the_morning() {
    let mut gateway = gateway(&[("SENDER__DEFER_AFTER_MS", "200")]).await;
    let (customer, other) = (gateway.customer(CHARGE), gateway.customer(CHARGE));
    let line = "update account set lines = '{300099}' where id = $1";
    sqlx::query(line).bind(customer.account).execute(gateway.schema.pool()).await.unwrap();
    let flag = "insert into line (line, advertising) values ('300099', true)
                on conflict (line) do update set advertising = true";
    sqlx::query(flag).execute(gateway.schema.pool()).await.unwrap();

    allow(&mut gateway, 2, 3);
    let night = gateway.start("all", "all").await;
    let many = customer.send_bulk(night.api, 10, 450).await.unwrap();
    let one = customer.send(night.api, 1, "standard").await.unwrap().expect("accepted");
    let ordinary = other.send(night.api, 2, "standard").await.unwrap().expect("accepted");
    until("advertising is put aside until the morning, and the other message is delivered", async || {
        let quiet =
            "select count(*) from deferred where quiet and due > clock_timestamp() + interval '1 hour'";
        let rows: i64 = sqlx::query_scalar(quiet).fetch_one(gateway.schema.pool()).await.unwrap();
        let (_, message) = other.get(night.api, &format!("/v1/messages/{ordinary}")).await.unwrap();
        rows == 4 && message["status"] == "delivered"
    })
    .await;
    assert_eq!(gateway.submissions().keys().copied().collect::<Vec<_>>(), [ordinary]);
    let (_, message) = customer.get(night.api, &format!("/v1/messages/{one}")).await.unwrap();
    assert_eq!(message["status"], "queued", "{message}");
    let listed = gateway.must(&["dead", "list", "--waiting"]);
    assert!(listed.contains("advertising that waits for its hours"), "{listed}");
    assert!(gateway.must(&["trace", &one.to_string()]).contains("quiet_hours"));
    assert!(night.stop().await);

    allow(&mut gateway, -2, 2);
    let day = gateway.start("all", "all").await;
    gateway.quiescent(END).await;
    let submissions = gateway.submissions();
    assert_eq!(submissions.len(), many.len() + 2);
    assert!(submissions.values().all(|times| *times == 1));
    assert_eq!(by_status(&gateway, customer.account).await, [("delivered".to_owned(), 451)].into());
    assert_paid_for(&customer, &day, 451_000).await;
    assert!(day.stop().await);
    gateway.must(&["audit", "--quiescent"]);
    gateway.close().await;
}
