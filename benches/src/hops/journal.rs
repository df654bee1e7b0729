//! What the simulated operator wrote down: when each call was there with all its octets.

use super::journey::{Journeys, Moment};
use anyhow::Context;
use domain::id::MessageId;
use simulator::journal::What;
use std::path::Path;

/// Reads the operator's journal, the file `journal.bin`.
pub(crate) fn read(path: &Path, journeys: &mut Journeys) -> anyhow::Result<()> {
    let said = || format!("the operator's journal {}", path.display());
    for event in simulator::journal::read(path).with_context(said)? {
        let event = event.with_context(said)?;
        // What was refused, or not taken for a fault, was there too.
        let (What::Send(elements) | What::NotTaken(elements)) = event.what else { continue };
        for id in elements.iter().filter_map(|element| MessageId::new(element.uid)) {
            journeys.saw(id, Moment::Bytes, event.at_ms);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::answers::Answered;
    use simulator::journal::FILE_NAME;
    use simulator::{Operator, Settings};
    use std::sync::Arc;
    use std::time::Duration;
    use tokio::net::TcpListener;
    use tokio_util::sync::CancellationToken;

    /// What the real simulator writes, of a call that it took and of one that a fault kept from it.
    #[tokio::test]
    async fn calls_are_found_taken_or_not() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let operator = Operator::open(Settings::default(), 100, folder.path(), 1 << 20).unwrap();
        let operator = Arc::new(operator);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/api/http/sms/v2/send", listener.local_addr().unwrap());
        let server =
            tokio::spawn(simulator::serve(listener, Arc::clone(&operator), CancellationToken::new()));
        let send = async |uid: i64| {
            let body = serde_json::json!({
                "senders": ["100002"], "recipients": ["09120000001"], "messages": ["1"], "uids": [uid],
            });
            let request = reqwest::Client::new().post(&url).basic_auth("demo/demo", Some("demo"));
            request.body(body.to_string()).send().await.unwrap();
        };
        send(500).await;
        operator.set_faults_json(br#"[{"fault":"error_500_before"}]"#).unwrap();
        send(600).await;
        server.abort();

        let id = |number| MessageId::new(number).unwrap();
        let now = [500, 600, 700].map(|number| Answered::now(id(number), Duration::ZERO));
        let mut journeys = Journeys::of(&now);
        read(&folder.path().join(FILE_NAME), &mut journeys).unwrap();
        let without_bytes: Vec<_> = journeys.not_joined();
        let without_bytes = without_bytes.iter().filter(|(_, missing)| missing.contains(&Moment::Bytes));
        assert_eq!(without_bytes.map(|(id, _)| *id).collect::<Vec<_>>(), [id(700)]);
        assert!(read(Path::new("/nowhere/journal.bin"), &mut journeys).is_err());
    }
}
