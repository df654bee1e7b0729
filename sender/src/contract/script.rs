//! An operator that answers by script: any octets, at any pace, with any end of the
//! connection. It counts the calls that it has read.

use super::{HASTY, PATIENT, Protocol};
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// What a call is answered with.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    octets: Vec<u8>,
    /// Before the first octet.
    delay: Duration,
    /// So many octets come at once, the others with a pause before each.
    at_once: usize,
    pause: Duration,
    end: End,
}

#[derive(Clone, Copy, Debug)]
enum End {
    /// The connection waits for the next call.
    Stays,
    /// An orderly end.
    Closes,
    /// RST.
    Resets,
}

impl Reply {
    /// These octets at once, on a connection that stays.
    pub(super) fn new(octets: Vec<u8>) -> Self {
        Reply { octets, delay: Duration::ZERO, at_once: usize::MAX, pause: Duration::ZERO, end: End::Stays }
    }

    /// Not an octet, and the connection stays.
    pub(super) fn never() -> Self {
        Reply::new(Vec::new())
    }

    pub(super) fn then_closes(self) -> Self {
        Reply { end: End::Closes, ..self }
    }

    pub(super) fn then_resets(self) -> Self {
        Reply { end: End::Resets, ..self }
    }

    pub(super) fn after(self, delay: Duration) -> Self {
        Reply { delay, ..self }
    }

    /// All but the last octets at once, then one at a time.
    pub(super) fn dribbled(self, last: usize, pause: Duration) -> Self {
        Reply { at_once: self.octets.len().saturating_sub(last), pause, ..self }
    }
}

type Script = Box<dyn Fn(&[u8]) -> Reply + Send>;

struct Shared {
    script: Mutex<Script>,
    calls: AtomicUsize,
}

/// An operator by script; it ends with its test.
pub(super) struct Scripted<P> {
    shared: Arc<Shared>,
    address: SocketAddr,
    stop: CancellationToken,
    protocol: PhantomData<P>,
}

impl<P> Drop for Scripted<P> {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl<P: Protocol> Scripted<P> {
    /// It answers each call, given its octets, as the script says.
    pub(super) async fn new(script: impl Fn(&[u8]) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared { script: Mutex::new(Box::new(script)), calls: AtomicUsize::new(0) });
        let stop = CancellationToken::new();
        tokio::spawn(stop.clone().run_until_cancelled_owned(serve::<P>(listener, Arc::clone(&shared))));
        Scripted { shared, address, stop, protocol: PhantomData }
    }

    /// Another script from the next call on.
    pub(super) fn says(&self, script: impl Fn(&[u8]) -> Reply + Send + 'static) {
        *self.shared.script.lock().unwrap() = Box::new(script);
    }

    /// Calls read so far.
    pub(super) fn calls(&self) -> usize {
        self.shared.calls.load(Ordering::SeqCst)
    }

    /// A link that waits as long as it takes.
    pub(super) fn link(&self) -> P::Link {
        P::link(self.address, PATIENT)
    }

    /// A link that gives up soon.
    pub(super) fn hasty_link(&self) -> P::Link {
        P::link(self.address, HASTY)
    }
}

async fn serve<P: Protocol>(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        stream.set_nodelay(true).unwrap();
        connections.spawn(converse::<P>(stream, Arc::clone(&shared)));
    }
}

async fn converse<P: Protocol>(mut stream: TcpStream, shared: Arc<Shared>) {
    while let Some(call) = P::next_call(&mut stream).await {
        shared.calls.fetch_add(1, Ordering::SeqCst);
        let reply = (shared.script.lock().unwrap())(&call);
        // The other side may have given up: then there is nobody to tell.
        if answer(&mut stream, &reply).await.is_err() {
            return;
        }
        match reply.end {
            End::Stays => {}
            End::Closes => return,
            End::Resets => return stream.set_zero_linger().unwrap(),
        }
    }
}

async fn answer(stream: &mut TcpStream, reply: &Reply) -> std::io::Result<()> {
    // Slow on purpose: the pace is what is tested.
    tokio::time::sleep(reply.delay).await;
    let (at_once, others) = reply.octets.split_at(reply.at_once.min(reply.octets.len()));
    stream.write_all(at_once).await?;
    for octet in others {
        tokio::time::sleep(reply.pause).await;
        stream.write_all(&[*octet]).await?;
    }
    Ok(())
}
