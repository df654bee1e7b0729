//! The simulated operator as a peer over a real socket, and its journal in words that are of
//! no protocol.

use super::{HASTY, PATIENT, Protocol};
use crate::magfa::Outgoing;
use serde_json::Value;
use simulator::journal::{Element, Event, Submitted, What};
use simulator::{Operator, Settings};
use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

const MESSAGES_MAX: u64 = 10_000;
const JOURNAL_OCTETS_MAX: usize = 1 << 20;
/// What is bound to come comes within this.
const DEADLINE: Duration = Duration::from_secs(20);

/// A simulated operator; it ends with its test.
pub(super) struct Peer<P> {
    operator: Arc<Operator>,
    address: SocketAddr,
    stop: CancellationToken,
    protocol: PhantomData<P>,
}

/// What an operator was asked, and what it took.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Journal {
    /// Calls of all kinds.
    pub(super) calls: usize,
    /// Times that messages came, taken or not.
    pub(super) messages: usize,
    /// The operator's ids of what it took, by recipient.
    pub(super) taken: BTreeMap<String, Vec<String>>,
}

impl<P> Drop for Peer<P> {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl<P: Protocol> Peer<P> {
    pub(super) async fn new() -> Self {
        Peer::with(Settings::default()).await
    }

    pub(super) async fn with(settings: Settings) -> Self {
        let operator = Arc::new(Operator::in_memory(settings, MESSAGES_MAX, JOURNAL_OCTETS_MAX).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        tokio::spawn(P::simulate(listener, Arc::clone(&operator), stop.clone()));
        Peer { operator, address, stop, protocol: PhantomData }
    }

    /// A link that waits as long as it takes.
    pub(super) fn link(&self) -> P::Link {
        P::link(self.address, PATIENT)
    }

    /// A link that gives up soon.
    pub(super) fn hasty_link(&self) -> P::Link {
        P::link(self.address, HASTY)
    }

    /// Puts these fault rules of the simulator in place of all others.
    pub(super) fn misbehaves(&self, rules: &Value) {
        self.operator.set_faults_json(rules.to_string().as_bytes()).unwrap();
    }

    pub(super) fn behaves(&self) {
        self.operator.set_faults_json(b"[]").unwrap();
    }

    pub(super) fn journal(&self) -> Journal {
        let mut journal = Journal::default();
        for Event { what, .. } in self.operator.remembered() {
            journal.calls += 1;
            if let What::Send(elements) | What::NotTaken(elements) = what {
                journal.messages += elements.len();
                elements.into_iter().for_each(|element| journal.note(element));
            }
        }
        journal
    }

    /// The journal as soon as it has so many calls: a call that was given up may still be on
    /// its way.
    pub(super) async fn journal_of(&self, calls: usize) -> Journal {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let journal = self.journal();
            if journal.calls >= calls {
                return journal;
            }
            assert!(Instant::now() < deadline, "{journal:?} has not {calls} calls");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Journal {
    fn note(&mut self, element: Element) {
        if let Submitted::Accepted { mid, .. } = element.result {
            self.taken.entry(element.recipient).or_default().push(mid.to_string());
        }
    }

    /// The operator's ids of a message, one for each time that it was taken.
    pub(super) fn ids_of(&self, message: &Outgoing<'_>) -> &[String] {
        self.taken.get(&message.recipient.get().to_string()).map_or(&[], Vec::as_slice)
    }
}
