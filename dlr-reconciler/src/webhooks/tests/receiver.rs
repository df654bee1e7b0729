//! A customer's receiver on this machine: checks every signature, and answers as it is told.

use platform::webhook::{WebhookSecret, signature};
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What it was told in one call.
#[derive(Clone, Debug)]
pub(super) struct Heard {
    pub(super) id: String,
    pub(super) signatures: Vec<String>,
    pub(super) timestamp: i64,
    pub(super) text: String,
    pub(super) body: Value,
    /// What it answered.
    pub(super) status: u16,
}

/// From the number of a call, and its body, to the status.
type Answer = Arc<dyn Fn(usize, &Value) -> u16 + Send + Sync>;

#[derive(Clone)]
pub(super) struct Receiver {
    pub(super) address: SocketAddr,
    heard: Arc<Mutex<Vec<Heard>>>,
}

impl Receiver {
    pub(super) async fn taking() -> Self {
        Receiver::answering(Duration::ZERO, |_, _| 204).await
    }

    /// Answers `after` a time, the call of this number so.
    pub(super) async fn answering(
        after: Duration,
        answer: impl Fn(usize, &Value) -> u16 + Send + Sync + 'static,
    ) -> Self {
        let (answer, heard): (Answer, _) = (Arc::new(answer), Arc::new(Mutex::new(Vec::new())));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, keep) = (listener.local_addr().unwrap(), Arc::clone(&heard));
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(BufReader::new(socket), after, Arc::clone(&answer), Arc::clone(&keep)));
            }
        });
        Receiver { address, heard }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    pub(super) fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }

    /// Message and status of each event that it took, in the order of the calls.
    pub(super) fn told(&self) -> Vec<(i64, String)> {
        let taken = self.heard().into_iter().filter(|heard| heard.status / 100 == 2);
        taken.flat_map(|heard| heard.events()).collect()
    }
}

impl Heard {
    pub(super) fn events(&self) -> Vec<(i64, String)> {
        let data = &self.body["data"];
        let one = |data: &Value| {
            (data["id"].as_str().unwrap().parse().unwrap(), data["status"].as_str().unwrap().to_owned())
        };
        data.as_array().map_or_else(|| vec![one(data)], |list| list.iter().map(one).collect())
    }

    /// Whether these secrets, and they alone, signed it.
    pub(super) fn is_signed_by(&self, secrets: &[WebhookSecret]) -> bool {
        let expected = signature(secrets, &self.id, self.timestamp, self.text.as_bytes());
        self.signatures == expected.split(' ').collect::<Vec<_>>()
    }
}

async fn serve(
    mut socket: BufReader<TcpStream>,
    after: Duration,
    answer: Answer,
    keep: Arc<Mutex<Vec<Heard>>>,
) -> Option<()> {
    loop {
        let (mut headers, mut line) = (Vec::new(), String::new());
        while socket.read_line(&mut line).await.ok()? > 2 {
            headers.extend(
                line.trim().split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned())),
            );
            line.clear();
        }
        let header = |name: &str| {
            let found = headers.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.clone()).unwrap_or_default()
        };
        let mut body = vec![0; header("content-length").parse().ok()?];
        socket.read_exact(&mut body).await.ok()?;
        let text = String::from_utf8(body).unwrap();
        let body: Value = serde_json::from_str(&text).unwrap();
        let status = answer(keep.lock().unwrap().len(), &body);
        keep.lock().unwrap().push(Heard {
            id: header("webhook-id"),
            signatures: header("webhook-signature").split(' ').map(str::to_owned).collect(),
            timestamp: header("webhook-timestamp").parse().unwrap(),
            text,
            body,
            status,
        });
        if !after.is_zero() {
            tokio::time::sleep(after).await; // this receiver is slow
        }
        let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n");
        socket.get_mut().write_all(answer.as_bytes()).await.ok()?;
    }
}
