//! A database host that vanishes without a word: no reset, no end, only silence.

use crate::process::Process;
use crate::world::{World, until};
use platform::config::Secret;
use platform::postgres::{Pools, PostgresSettings};
use sqlx::postgres::PgConnectOptions;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// A way to Postgres that can fall silent. Even numbers: open. What came through under an
/// earlier number stays silent for ever.
struct Gate {
    number: Arc<AtomicU32>,
    settings: PostgresSettings,
}

impl Gate {
    async fn before(settings: &PostgresSettings) -> Gate {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let options = PgConnectOptions::from_str(settings.url.expose()).unwrap();
        let (host, port) = (options.get_host().to_owned(), options.get_port());
        let through = format!("@{}/", listener.local_addr().unwrap());
        let url = settings.url.expose().replace(&format!("@{host}:{port}/"), &through);
        assert!(url.contains(&through), "the URL has the form of make test's");
        let number = Arc::<AtomicU32>::default();
        let gate_number = Arc::clone(&number);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = tokio::net::TcpStream::connect((host.as_str(), port)).await.unwrap();
                let ((from_client, to_client), (from_server, to_server)) =
                    (client.into_split(), server.into_split());
                tokio::spawn(pass(from_client, to_server, Arc::clone(&gate_number)));
                tokio::spawn(pass(from_server, to_client, Arc::clone(&gate_number)));
            }
        });
        Gate { number, settings: PostgresSettings { url: Secret::from(url), ..settings.clone() } }
    }

    fn next(&self) {
        self.number.fetch_add(1, Ordering::AcqRel);
    }
}

async fn pass(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    number: Arc<AtomicU32>,
) {
    let opened_at = number.load(Ordering::Acquire);
    let mut buffer = [0; 8_192];
    loop {
        let read = from.read(&mut buffer).await.unwrap_or(0);
        if opened_at % 2 == 1 || opened_at != number.load(Ordering::Acquire) {
            // Both ends stay open, and nothing more is heard.
            std::future::pending::<()>().await;
        }
        if read == 0 || to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn work_is_given_up_and_begins_again_on_new_connections() {
    let world = World::new(1).await;
    let settings = PostgresSettings { answer_timeout_ms: 300, ..world.schema.settings().clone() };
    let gate = Gate::before(&settings).await;
    let pool = Pools::open(&gate.settings).unwrap().common().clone();
    let one = async || -> Result<i32, sqlx::Error> {
        pool.within(async |connection| sqlx::query_scalar("select 1").fetch_one(connection).await).await
    };
    // Several connections that are good, and idle afterwards.
    let (a, b, c) = tokio::join!(one(), one(), one());
    assert_eq!((a.unwrap(), b.unwrap(), c.unwrap()), (1, 1, 1));
    gate.next();
    let began = Instant::now();
    let error = one().await.unwrap_err();
    assert!(error.to_string().contains("did not answer within 300 ms"), "{error}");
    assert!(began.elapsed() < Duration::from_secs(5));
    gate.next();
    // None of the connections that lead nowhere is tried.
    assert_eq!(one().await.unwrap(), 1);
    world.end().await;
}

/// Several threads: starting a process blocks one, and the way to Postgres must go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_loses_its_partitions_and_comes_back_when_the_host_does() {
    let world = World::new(2).await;
    let settings = PostgresSettings {
        acquire_timeout_ms: 1_000,
        answer_timeout_ms: 500,
        ..world.schema.settings().clone()
    };
    let gate = Gate::before(&settings).await;
    let cut_off = Process::start_on(&world, 1, 2_000, &gate.settings);
    until("it has all", async || cut_off.holds(2)).await;
    let leases = cut_off.held();
    gate.next();
    until("its leases are over", async || leases.values().all(|lease| !lease.holds())).await;
    let other = Process::start(&world, 2, 2_000);
    until("the other has all", async || other.holds(2)).await;
    gate.next();
    until("one each", async || cut_off.holds(1) && other.holds(1)).await;
    cut_off.stop().await;
    other.stop().await;
    world.end().await;
}
