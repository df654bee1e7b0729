//! Calls to a receiver on this machine, with a name server of the test's own.

use super::super::call::{Call, Called, Caller, Trouble};
use super::super::resolve::LookUp;
use super::super::{WebhookSecret, WebhookSettings, signature};
use domain::time::UnixMillis;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const NOW: UnixMillis = UnixMillis(1_795_000_000_999);

/// Answers every connection so, and keeps what it was sent.
struct Receiver {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Receiver {
    async fn answering(answer: impl Into<Vec<u8>>) -> Self {
        let (answer, heard) = (answer.into(), Arc::new(Mutex::new(Vec::new())));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, keep) = (listener.local_addr().unwrap(), Arc::clone(&heard));
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let (answer, keep) = (answer.clone(), Arc::clone(&keep));
                keep.lock().unwrap().push(String::new());
                tokio::spawn(async move {
                    let mut buffer = vec![0; 64 * 1_024];
                    let read = socket.read(&mut buffer).await.unwrap_or(0);
                    let said = String::from_utf8_lossy(&buffer[..read]).into_owned();
                    *keep.lock().unwrap().last_mut().unwrap() = said;
                    let _ = socket.write_all(&answer).await;
                    // Held open: whoever waits for its end waits for ever.
                    std::future::pending::<()>().await;
                });
            }
        });
        Receiver { address, heard }
    }

    fn connections(&self) -> usize {
        self.heard.lock().unwrap().len()
    }
}

fn settings(allow: &[&str]) -> WebhookSettings {
    WebhookSettings {
        allow: allow.iter().map(ToString::to_string).collect(),
        connect_timeout_ms: 500,
        call_timeout_ms: 1_000,
        look_ups: 4,
    }
}

/// A name server that answers one list after the other, and the last for ever.
fn answers(lists: &[&[&str]]) -> LookUp {
    let lists: Vec<Vec<IpAddr>> =
        lists.iter().map(|list| list.iter().map(|address| address.parse().unwrap()).collect()).collect();
    let asked = AtomicUsize::new(0);
    Arc::new(move |_| {
        let place = asked.fetch_add(1, Ordering::Relaxed).min(lists.len() - 1);
        let list = lists[place].clone();
        Box::pin(async move { Ok(list) })
    })
}

fn call(url: String) -> Call {
    let secrets = vec![WebhookSecret::new(vec![1; 32]), WebhookSecret::new(vec![2; 32])];
    Call { url, id: "msg_1".into(), secrets, body: b"{}".to_vec() }
}

async fn called(allow: &[&str], look_up: LookUp, url: String) -> Called {
    let caller = Caller::resolving(&settings(allow), &look_up).unwrap();
    caller.call(call(url), NOW).await
}

const TAKEN: &str = "HTTP/1.1 204 No Content\r\n\r\n";

#[tokio::test]
async fn a_call_carries_id_time_and_the_signature_of_each_secret() {
    let receiver = Receiver::answering(TAKEN).await;
    let url = format!("http://receiver.example:{}/hook?a=1", receiver.address.port());
    let called = called(&["127.0.0.0/8"], answers(&[&["127.0.0.1"]]), url).await;
    assert_eq!(called.answer, Ok(204));
    assert!(called.is_taken() && !called.is_gone());
    let heard = receiver.heard.lock().unwrap()[0].clone();
    let header = |name: &str| {
        let line = heard.lines().find(|line| line.to_lowercase().starts_with(&format!("{name}:")));
        line.map(|line| line[name.len() + 1..].trim().to_owned()).unwrap_or_default()
    };
    assert!(heard.starts_with("POST /hook?a=1 HTTP/1.1\r\n"), "{heard}");
    assert_eq!(header("webhook-id"), "msg_1");
    assert_eq!(header("webhook-timestamp"), "1795000000");
    let secrets = call(String::new()).secrets;
    assert_eq!(header("webhook-signature"), signature(&secrets, "msg_1", 1_795_000_000, b"{}"));
    assert_eq!(header("content-type"), "application/json");
    assert!(heard.ends_with("\r\n\r\n{}"), "{heard}");
}

/// The address that is judged is the one that is connected to, at each call.
#[tokio::test]
async fn a_name_that_leads_home_is_not_followed_whenever_it_does() {
    let receiver = Receiver::answering(TAKEN).await;
    let port = receiver.address.port();
    let url = || format!("https://rebinding.example:{port}/");
    for private in ["127.0.0.1", "::1", "::ffff:127.0.0.1", "10.0.0.1", "169.254.169.254", "0.0.0.0"] {
        let called = called(&[], answers(&[&[private]]), url()).await;
        assert_eq!(called.answer, Err(Trouble::Forbidden), "{private}");
    }
    assert_eq!(receiver.connections(), 0);

    // One that may be called when asked first, another when asked again: each connection asks
    // once, and goes to what it was told.
    let once = Receiver::answering("HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").await;
    let url = || format!("http://rebinding.example:{}/", once.address.port());
    let here = settings(&["127.0.0.1/32"]);
    let caller = Caller::resolving(&here, &answers(&[&["127.0.0.1"], &["127.0.0.2"]])).unwrap();
    assert_eq!(caller.call(call(url()), NOW).await.answer, Ok(204));
    assert_eq!(caller.call(call(url()), NOW).await.answer, Err(Trouble::Forbidden));
    // Both at once: only the one that may be called is tried.
    let both = called(&["127.0.0.1/32"], answers(&[&["127.0.0.2", "127.0.0.1"]]), url()).await;
    assert_eq!((both.answer, once.connections()), (Ok(204), 2));
}

#[tokio::test]
async fn an_address_in_the_url_is_judged_at_the_call_too() {
    let receiver = Receiver::answering(TAKEN).await;
    let port = receiver.address.port();
    for host in ["127.0.0.1", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "[::1]", "localhost"] {
        for scheme in ["http", "https"] {
            let called = called(&[], answers(&[&["127.0.0.1"]]), format!("{scheme}://{host}:{port}/")).await;
            assert_eq!(called.answer, Err(Trouble::Forbidden), "{scheme} {host}");
        }
    }
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn without_tls_only_to_what_is_allowed() {
    let receiver = Receiver::answering(TAKEN).await;
    let url = format!("http://receiver.example:{}/", receiver.address.port());
    let refused = called(&["10.0.0.0/8"], answers(&[&["127.0.0.1"]]), url.clone()).await;
    assert_eq!(refused.answer, Err(Trouble::Forbidden));
    let refused = called(&["10.0.0.0/8"], answers(&[&["8.8.8.8"]]), url.clone()).await;
    assert_eq!(refused.answer, Err(Trouble::Forbidden), "public, but anybody could listen");
    assert_eq!(called(&["127.0.0.1/32"], answers(&[&["127.0.0.1"]]), url).await.answer, Ok(204));
    assert_eq!(receiver.connections(), 1);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let home = Receiver::answering(TAKEN).await;
    for status in ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"] {
        let answer =
            format!("HTTP/1.1 {status}\r\nlocation: http://{}/\r\ncontent-length: 0\r\n\r\n", home.address);
        let receiver = Receiver::answering(answer).await;
        let url = format!("http://receiver.example:{}/", receiver.address.port());
        let called = called(&["127.0.0.0/8"], answers(&[&["127.0.0.1"]]), url).await;
        assert_eq!(called.answer.map(|status| status / 100), Ok(3));
        assert!(!called.is_taken());
    }
    assert_eq!(home.connections(), 0);
}

#[tokio::test]
async fn an_answer_without_end_holds_nobody_up() {
    let endless = format!("HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n{}", "x".repeat(100_000));
    let receiver = Receiver::answering(endless).await;
    let dripping = Receiver::answering("HTTP/1.1 410 Gone\r\ncontent-length: 100\r\n\r\nx").await;
    for (receiver, status) in [(receiver, 200), (dripping, 410)] {
        let url = format!("http://receiver.example:{}/", receiver.address.port());
        let called = called(&["127.0.0.0/8"], answers(&[&["127.0.0.1"]]), url).await;
        assert_eq!((called.answer, called.is_gone()), (Ok(status), status == 410));
        assert!(called.took_ms < 900, "{called:?}");
    }
}

#[tokio::test]
async fn every_trouble_has_its_word() {
    let silent = Receiver::answering("").await;
    let rude = Receiver::answering("220 mail.example ESMTP\r\n").await;
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let nobody: LookUp = Arc::new(|_| Box::pin(async { Err(io::Error::other("no such name")) }));
    let hangs: LookUp = Arc::new(|_| Box::pin(std::future::pending()));
    let here = || answers(&[&["127.0.0.1"]]);
    let url = |scheme: &str, address: SocketAddr| format!("{scheme}://receiver.example:{}/", address.port());
    for (look_up, url, trouble) in [
        (here(), url("http", silent.address), Trouble::Timeout),
        (here(), url("http", rude.address), Trouble::NoHttp),
        (here(), url("http", closed), Trouble::NoConnection),
        (here(), url("https", rude.address), Trouble::Tls),
        (nobody, url("http", closed), Trouble::NoAddress),
        (answers(&[&[]]), url("http", closed), Trouble::NoAddress),
        (hangs, url("http", closed), Trouble::Timeout),
    ] {
        let called = called(&["127.0.0.0/8"], look_up, url.clone()).await;
        assert_eq!(called.answer, Err(trouble), "{url} {}", trouble.as_str());
        assert!(called.took_ms < 3_000, "{called:?}");
    }
}
