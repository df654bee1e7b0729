//! `smshub topics` and `smshub audit`, on real Postgres and Kafka.

use crate::support::Installation;
use domain::lane::Lane;
use platform::kafka::producer::{Acks, Producer};
use platform::kafka::topics::Stage;
use wire::Version;
use wire::billed::{Billed, Verdict};

impl Installation {
    /// Writes records to partition 0 of a topic.
    async fn write(&self, stage: Stage, records: Vec<bytes::Bytes>) {
        let producer = Producer::new(&self.kafka, 0).unwrap();
        let (acks, acknowledged) = Acks::new(records.len());
        for record in &records {
            producer.send(&self.topics().of(stage, Lane::Bulk), 0, record, acks.delivered()).unwrap();
        }
        acknowledged.await.unwrap().unwrap();
    }

    async fn answer(&self, sources: &[i64]) {
        let record =
            |source: &i64| Billed { source: *source, verdict: Verdict::Noop }.encode(Version::NEWEST);
        self.write(Stage::Billed, sources.iter().map(record).collect()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_are_made_once_and_checked() {
    let installation = Installation::tables().await;
    let (code, _, error) = installation.run(&["topics", "check"]);
    assert_eq!(code, 1);
    assert!(error.starts_with("smshub: nothing is installed: run `smshub migrate`"), "{error}");
    let (code, out, _) = installation.run(&["topics", "create"]);
    assert_eq!((code, out.lines().count()), (0, 10), "{out}");
    assert_eq!(installation.line(&["topics", "create"]), "all topics are there");
    assert_eq!(installation.line(&["topics", "check"]), "as installed: generation 1, 4 partitions");
    installation.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_finds_what_is_wrong_in_books_and_topics() {
    let installation = Installation::whole().await;
    let account = installation.line(&["account", "create", "--name", "Acme", "--line", "100002"]);
    installation.line(&["account", "charge", &account, "5000"]);
    installation.write(Stage::Submitted, vec![bytes::Bytes::from_static(b"x"); 3]).await;
    installation.answer(&[0, 1, 0, 1]).await;

    let (code, out, error) = installation.run(&["audit"]);
    assert_eq!((code, error.as_str()), (0, ""), "{out}");
    assert!(out.contains("\nO1           4          0  ok        first occurrences"), "{out}");
    assert!(out.ends_with("in flight 0, parked 0\nthe books are balanced\n"), "{out}");

    let (code, out, _) = installation.run(&["audit", "--quiescent"]);
    assert_eq!(code, 1, "the third record has no answer: {out}");
    assert!(out.contains("sms.billed.bulk/0 answers only up to 2, but submitted ends at 3"), "{out}");

    installation.answer(&[3]).await;
    sqlx::query("update account set balance = 4999").execute(installation.schema.pool()).await.unwrap();
    let (code, out, _) = installation.run(&["audit", "--json"]);
    assert_eq!(code, 1);
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["ok"], false);
    let findings = report["findings"].as_array().unwrap();
    let violated: Vec<_> = findings.iter().filter(|found| found["violations"] != 0).collect();
    let ids: Vec<_> = violated.iter().map(|found| found["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["L1", "L2", "O1"], "{out}");
    assert!(violated[2]["named"].to_string().contains("@4 answers 3, but 2 was due"), "{out}");
    installation.drop().await;
}
