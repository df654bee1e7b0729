//! `smshub topics` and `smshub audit`, on real Postgres and Kafka.

use crate::records::{chunk, fence, intent, outcome};
use crate::support::Installation;
use domain::lane::Lane;
use domain::outcome::Outcome::{self, LeftToReceipt, NotSent, Retry, Taken, Unknown};
use domain::time::UnixMillis;
use platform::kafka::producer::{Acks, Producer};
use platform::kafka::topics::Stage;
use platform::ownership::clock;
use wire::Version;
use wire::attempt::Attempt;
use wire::billed::{Billed, Verdict};
use wire::submitted::Chunk;

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

    /// Answers the submitted records from `first` on: these chunks are paid for.
    async fn pay(&self, first: i64, chunks: &[&Chunk]) {
        let record = |(source, chunk): (i64, &&Chunk)| {
            let verdict = Verdict::Paid { paid: 2, chunk: (*chunk).clone() };
            Billed { source, verdict }.encode(Version::NEWEST)
        };
        self.write(Stage::Billed, (first..).zip(chunks).map(record).collect()).await;
    }

    async fn attempt(&self, records: &[Attempt]) {
        self.write(Stage::Attempts, records.iter().map(|attempt| attempt.encode(Version::NEWEST)).collect())
            .await;
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

/// Records of sms.billed: more than are read at once.
const BILLED: i64 = 20_500;

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_finds_intents_that_may_not_be() {
    let installation = Installation::whole().await;
    let now = clock::unix_now();
    let of = |number: i64, send_by: UnixMillis| Chunk { send_by, ..chunk(1, now.plus(number)) };
    let later = now.plus(60_000);
    let [one, two, three, four] = [1, 2, 3, 4].map(|number| of(number, later));
    let (over, unpaid) = (of(5, now.plus(-10_000)), of(6, later));
    installation
        .write(Stage::Submitted, (0..BILLED).map(|_| bytes::Bytes::from_static(b"x")).collect())
        .await;
    installation.pay(0, &[&one, &two, &over]).await;
    installation.answer(&(3..BILLED - 2).collect::<Vec<_>>()).await;
    installation.pay(BILLED - 2, &[&three, &four]).await;

    let gone = |epoch, of: &Chunk, attempt, what: Outcome| {
        [intent(epoch, of, attempt), outcome(epoch, of, attempt, what)]
    };
    // Two senders: retries, a look-up, and what the first wrote when it had lost the partition.
    installation.attempt(&[fence(1)]).await;
    installation.attempt(&gone(1, &one, 1, Retry)).await;
    installation.attempt(&gone(1, &two, 1, Unknown)).await;
    installation.attempt(&gone(1, &three, 1, Retry)).await;
    installation
        .attempt(&[intent(1, &four, 1), fence(2), intent(1, &one, 2), outcome(1, &four, 1, Taken)])
        .await;
    installation.attempt(&gone(2, &one, 2, Taken)).await;
    installation.attempt(&[outcome(2, &two, 1, NotSent)]).await;
    installation.attempt(&gone(2, &two, 3, LeftToReceipt)).await;
    let (code, out, error) = installation.run(&["audit"]);
    assert_eq!((code, error.as_str()), (0, ""), "{out}");
    assert!(out.contains("\nP1          12          0  ok        one valid intent per message"), "{out}");

    // What may not be, each at its place. Offset 16 is the next.
    let place = format!("{}/0", installation.topics().of(Stage::Attempts, Lane::Bulk));
    let mut violations = Vec::new();
    for (offset, wrong, attempt, what) in [
        (16, intent(2, &three, 1), 1, "is the second of this attempt"),
        (17, intent(2, &four, 2), 2, "comes after a closing outcome"),
        (18, intent(2, &over, 1), 1, "is not before its send_by"),
        (19, intent(2, &unpaid, 1), 1, "is of no paid chunk, or long behind its send_by"),
    ] {
        let of = [&three, &four, &over, &unpaid][offset - 16];
        installation.attempt(&[wrong]).await;
        for position in 0..2 {
            let message = of.id.message(position);
            violations.push(format!("P1  {place}@{offset}: attempt {attempt} of message {message} {what}"));
        }
    }
    installation.attempt(&gone(2, &three, 4, Retry)).await;
    installation.attempt(&[intent(2, &three, 3), intent(1, &three, 9)]).await;
    for position in 0..2 {
        let message = three.id.message(position);
        let what = format!("attempt 3 of message {message} comes after a higher attempt");
        violations.push(format!("P1  {place}@22: {what}"));
    }
    installation.write(Stage::Attempts, vec![bytes::Bytes::from_static(b"x")]).await;
    violations.push(format!("P1  {place}@24: not a smshub record"));
    let (code, out, error) = installation.run(&["audit"]);
    assert_eq!((code, error.as_str()), (1, ""), "{out}");
    let found: Vec<_> =
        out.lines().filter(|line| line.starts_with("P1  sms") || line.contains("@")).collect();
    assert_eq!(found, violations, "{out}");
    assert!(out.contains("\nP1          25         11  VIOLATED"), "{out}");
    installation.drop().await;
}
