//! A network, or an operator, that keeps what was sent to it and has it read much later: "never
//! seen" is not believed of an operator that has only begun to answer again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use simulator::Settings;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use testkit::gateway::Gateway;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

const BINARY: &str = env!("CARGO_BIN_EXE_smshub");
const END: Duration = Duration::from_secs(60);
/// Failures after which an operator counts as silent, as in the defaults.
const FAILURES: usize = 5;
/// Questions that are answered before what was sent is let through: more than were given up.
const ASKED: u64 = 400;

/// What is let through now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lets {
    Everything,
    Nothing,
    Questions,
}

/// A way to the operator that keeps what it does not let through, and lets it through later,
/// whether or not anybody waits for it any more.
#[derive(Clone)]
struct Sluice {
    lets: watch::Sender<Lets>,
    given_up: Arc<AtomicUsize>,
}

impl Sluice {
    /// The sluice, and where to connect.
    async fn before(operator: SocketAddr) -> (Sluice, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let sluice = Sluice { lets: watch::Sender::new(Lets::Everything), given_up: Arc::default() };
        let accepting = sluice.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (from_client, mut to_client) = client.into_split();
                let (mut from_operator, to_operator) =
                    TcpStream::connect(operator).await.unwrap().into_split();
                tokio::spawn(accepting.clone().pass(from_client, to_operator));
                tokio::spawn(async move { tokio::io::copy(&mut from_operator, &mut to_client).await });
            }
        });
        (sluice, address)
    }

    /// Waits until what is or is not a question is let through.
    async fn opens(&self, is_question: bool) {
        let passes = |lets: &Lets| match lets {
            Lets::Everything => true,
            Lets::Nothing => false,
            Lets::Questions => is_question,
        };
        drop(self.lets.subscribe().wait_for(passes).await);
    }

    async fn pass(self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
        let (mut buffer, mut kept, mut is_question) = ([0; 65_536], Vec::new(), false);
        loop {
            let read = tokio::select! {
                read = from.read(&mut buffer) => read.unwrap_or(0),
                () = self.opens(is_question), if !kept.is_empty() => {
                    if to.write_all(&kept).await.is_err() {
                        return;
                    }
                    kept.clear();
                    continue;
                }
            };
            if read == 0 {
                self.given_up.fetch_add(usize::from(is_question && !kept.is_empty()), Ordering::AcqRel);
                self.opens(is_question).await;
                // The operator may have closed it as well.
                let _ = to.write_all(&kept).await;
                return;
            }
            if buffer.starts_with(b"GET ") || buffer.starts_with(b"POST ") {
                is_question = buffer.starts_with(b"GET ");
            }
            kept.extend_from_slice(&buffer[..read]);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn never_seen_is_not_believed_right_after_a_silence() {
    let operator =
        Settings { delivery_ratio: 1.0, delivery_min_ms: 0, delivery_max_ms: 0, ..Settings::default() };
    let mut gateway = Gateway::new(Path::new(BINARY), &ledger::MIGRATIONS, operator).await;
    let (sluice, address) = Sluice::before(gateway.operator_address).await;
    gateway.set("SENDER__CONNECTORS__MAGFA__BASE_URL", &format!("http://{address}/api/http/sms/v2"));
    gateway.set("SENDER__CONNECTORS__MAGFA__LIMITS__LOOK_UPS_PER_SECOND", "1000");
    gateway.set("SENDER__CONNECTORS__MAGFA__LIMITS__BREAKER_FIRST_MS", "200");
    gateway.set("SENDER__CONNECTORS__MAGFA__LIMITS__BREAKER_LONGEST_MS", "200");
    let all = gateway.start("all", "all").await;
    let customer = gateway.customer(100_000_000);

    sluice.lets.send_replace(Lets::Nothing);
    let ids = customer.send_bulk(all.api, 0, 500).await.unwrap();
    let deadline = Instant::now() + END;
    while sluice.given_up.load(Ordering::Acquire) < FAILURES {
        assert!(Instant::now() < deadline, "nobody asks what became of them");
        tokio::time::sleep(Duration::from_millis(10)).await; // a look, not a hope: see the deadline
    }
    while !gateway.must(&["connector", "status"]).contains("look-ups HAVE NO ANSWER") {
        assert!(Instant::now() < deadline, "people do not see it");
        tokio::time::sleep(Duration::from_millis(50)).await; // a look, not a hope: see the deadline
    }
    // The operator answers that it never saw them, and only then reads what was sent.
    sluice.lets.send_replace(Lets::Questions);
    while gateway.operator.stats().mid_calls < ASKED {
        assert!(Instant::now() < deadline, "nobody asks again");
        tokio::time::sleep(Duration::from_millis(10)).await; // a look, not a hope: see the deadline
    }
    sluice.lets.send_replace(Lets::Everything);
    gateway.quiescent(END).await;
    let submissions = gateway.submissions();
    let twice = ids.iter().filter(|id| submissions.get(id).is_some_and(|times| *times > 1)).count();
    assert_eq!(twice, 0, "sent again although the first was only late");
    assert!(ids.iter().all(|id| submissions.contains_key(id)));
    assert!(all.stop().await, "a clean stop");
    gateway.close().await;
}
