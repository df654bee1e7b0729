//! Whether Kafka answers, as `/readyz` says it.

use platform::health::Health;
use platform::kafka::KafkaSettings;
use platform::kafka::probe::Probe;
use platform::lifecycle::Stop;
use rdkafka::mocking::MockCluster;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

/// The check, kept by a probe of `settings`.
fn watched(settings: &KafkaSettings) -> Health {
    let health = Health::new();
    let probe = Arc::new(Probe::new(settings, "t".into()).unwrap());
    let (_, stop) = Stop::manual();
    tokio::spawn(probe.watch(health.check("kafka", Probe::STALE_AFTER), stop));
    health
}

/// Waits until the check is ok, or fails with a reason that names the broker.
async fn until(health: &Health, ok: bool, bootstrap: &str) {
    let reason = format!("no broker of {bootstrap} answers: ");
    let stands = || {
        let line = health.report().checks.remove(0);
        line.ok == ok && (ok || line.detail.is_some_and(|detail| detail.starts_with(&reason)))
    };
    let waiting = async {
        while !stands() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(15), waiting).await.is_ok();
    assert!(in_time, "not within a few seconds: {:?}", health.report());
}

#[tokio::test]
async fn the_check_follows_the_broker_as_it_goes_and_comes_back() {
    let cluster = MockCluster::new(1).unwrap();
    let bootstrap = cluster.bootstrap_servers();
    let health = watched(&KafkaSettings { bootstrap: bootstrap.clone(), ..testkit::kafka::settings() });
    for _ in 0..2 {
        until(&health, true, &bootstrap).await;
        cluster.broker_down(1).unwrap();
        until(&health, false, &bootstrap).await;
        cluster.broker_up(1).unwrap();
    }
    until(&health, true, &bootstrap).await;
}

/// Real Kafka, behind an address on which nobody listens at first.
#[tokio::test]
async fn it_is_ok_as_soon_as_somebody_listens() {
    let real = testkit::kafka::settings();
    let vacant = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let bootstrap = vacant.to_string();
    let health = watched(&KafkaSettings { bootstrap: bootstrap.clone(), ..real.clone() });
    until(&health, false, &bootstrap).await;
    let listener = TcpListener::bind(vacant).await.unwrap();
    tokio::spawn(async move {
        while let Ok((mut from, _)) = listener.accept().await {
            let mut to = TcpStream::connect(&real.bootstrap).await.unwrap();
            tokio::spawn(async move { copy_bidirectional(&mut from, &mut to).await });
        }
    });
    until(&health, true, &bootstrap).await;
}
