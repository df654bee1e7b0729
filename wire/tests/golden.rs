//! Every version ever written stays readable, and what is written now is what was agreed.
//!
//! To add a record: write the case, run with `SMSHUB_GOLDEN=write`, look at the file, commit.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use bytes::Bytes;
use domain::bits::Bits;
use domain::id::ChunkId;
use domain::lane::Lane;
use domain::outcome::{CLOSING_ATTEMPT, Outcome, Receipt, Refusal};
use domain::phone::Msisdn;
use domain::text::Encoding;
use domain::time::UnixMillis;
use std::path::Path;
use wire::Version;
use wire::attempt::{Attempt, AttemptKind, IntentSlice, MessageOutcome, OutcomeSlice, SliceOf};
use wire::billed::{Billed, Verdict};
use wire::receipts::{MessageReceipt, NamedReceipt, ReceiptSlice, Receipts};
use wire::submitted::{Chunk, Text};

fn chunk() -> Chunk {
    let text = |body: &str, encoding, segments| Text { body: body.into(), encoding, segments };
    Chunk {
        id: ChunkId::new(117_594_862_387_200_000 & !255).unwrap(),
        account: 42,
        asked_lane: Lane::Bulk,
        line: "100002".into(),
        recipients: [989_120_000_001, 989_350_000_002]
            .map(|digits| Msisdn::from_canonical(digits).unwrap())
            .to_vec(),
        texts: vec![text("سلام", Encoding::Ucs2, 1), text("hello", Encoding::Gsm7, 2)],
        text_index: vec![0, 1],
        references: vec!["a".into(), String::new()],
        tariff_version: 3,
        created_at: UnixMillis(1_795_000_000_000),
        send_by: UnixMillis(1_795_000_300_000),
        call_id: ChunkId::new(117_594_862_387_200_000 & !255).unwrap(),
        call_chunks: 1,
        call_messages: 2,
        campaign: 0,
    }
}

fn slice_of() -> SliceOf {
    SliceOf { account: 42, chunk: chunk().id, chunk_size: 2, part: 0, attempt: 1 }
}

fn attempt(kind: AttemptKind) -> Attempt {
    Attempt { epoch: 7, at: UnixMillis(1_795_000_000_500), kind }
}

/// Compares with the golden file, or writes it where a person asked for that.
fn check<T: PartialEq + std::fmt::Debug>(
    name: &str,
    value: &T,
    encoded: &Bytes,
    decode: impl Fn(&Bytes) -> Result<T, wire::WireError>,
) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("golden/v1/{name}.bin"));
    if std::env::var("SMSHUB_GOLDEN").is_ok_and(|mode| mode == "write") && !path.exists() {
        std::fs::write(&path, encoded).unwrap();
    }
    let golden = Bytes::from(std::fs::read(&path).unwrap_or_else(|error| panic!("{name}: {error}")));
    assert_eq!(&decode(&golden).unwrap(), value, "{name} reads otherwise than it was written");
    assert_eq!(encoded, &golden, "{name} is written otherwise than agreed");
}

#[test]
fn submitted() {
    check("submitted", &chunk(), &chunk().encode(Version::NEWEST), Chunk::decode);
    let of_a_campaign = Chunk { campaign: 12, ..chunk() };
    check("submitted_campaign", &of_a_campaign, &of_a_campaign.encode(Version::NEWEST), Chunk::decode);
}

/// The hash decides whether two chunks are the same request: it must never change.
#[test]
fn the_request_hash_stays() {
    assert_eq!(chunk().request_hash(), 10_124_824_536_665_792_436);
    let later = Chunk { created_at: UnixMillis(1), tariff_version: 9, references: vec![], ..chunk() };
    assert_eq!(later.request_hash(), chunk().request_hash(), "our stamps are not the request");
    let other = Chunk { line: "100003".into(), ..chunk() };
    assert_ne!(other.request_hash(), chunk().request_hash());
}

#[test]
fn billed() {
    let cases = [
        ("billed_paid", Verdict::Paid { paid: 1, chunk: chunk() }),
        ("billed_refused", Verdict::Refused { chunk: chunk() }),
        ("billed_noop", Verdict::Noop),
    ];
    for (name, verdict) in cases {
        let billed = Billed { source: 900, verdict };
        let encoded = billed.encode(Version::NEWEST);
        check(name, &billed, &encoded, Billed::decode);
        assert_eq!(Billed::decode_source(&encoded), Ok(900));
    }
}

#[test]
fn attempts() {
    let intent = IntentSlice { of: slice_of(), bits: Bits::prefix(2) };
    let message = |position, outcome, code, id: &str| MessageOutcome {
        position,
        outcome,
        code,
        operator_id: id.into(),
    };
    let outcomes = OutcomeSlice {
        of: slice_of(),
        messages: vec![
            message(0, Outcome::Taken, 0, "134512228059"),
            message(1, Outcome::Refused(Refusal::Blocked), 27, ""),
        ],
    };
    let connector = || "magfa".to_owned();
    let cases = [
        ("attempt_fence", AttemptKind::Fence),
        ("attempt_intent", AttemptKind::Intent { connector: connector(), slices: vec![intent] }),
        ("attempt_outcomes", AttemptKind::Outcomes { connector: connector(), slices: vec![outcomes] }),
    ];
    for (name, kind) in cases {
        let attempt = attempt(kind);
        check(name, &attempt, &attempt.encode(Version::NEWEST), Attempt::decode);
    }
}

#[test]
fn receipts() {
    let heard = |position, receipt, code| MessageReceipt { position, receipt, code };
    let receipts = Receipts {
        connector: "magfa".into(),
        at: UnixMillis(1_795_000_001_000),
        polled: true,
        slices: vec![ReceiptSlice {
            chunk: chunk().id,
            attempt: 1,
            messages: vec![heard(0, Receipt::Delivered, 1), heard(1, Receipt::Nothing, 0)],
        }],
        named: vec![],
    };
    check("receipts", &receipts, &receipts.encode(Version::NEWEST), Receipts::decode);

    // Pushed with our ids, so without their attempts.
    let slice = ReceiptSlice {
        chunk: chunk().id,
        attempt: CLOSING_ATTEMPT,
        messages: vec![heard(1, Receipt::Undelivered, 16)],
    };
    let pushed = Receipts { polled: false, slices: vec![slice], ..receipts };
    check("receipts_pushed", &pushed, &pushed.encode(Version::NEWEST), Receipts::decode);

    // Pushed with the operator's ids.
    let one = NamedReceipt { operator_id: "134512228059".into(), receipt: Receipt::Delivered, code: 1 };
    let named = Receipts { slices: vec![], named: vec![one], ..pushed };
    check("receipts_named", &named, &named.encode(Version::NEWEST), Receipts::decode);
}

/// What breaks a rule does not decode, whatever wrote it.
#[test]
fn broken_records_are_refused() {
    let broken = [
        Chunk { recipients: vec![], ..chunk() },
        Chunk { text_index: vec![0, 2], ..chunk() },
        Chunk { text_index: vec![], ..chunk() },
        Chunk { references: vec![String::new(); 3], ..chunk() },
        Chunk { account: 0, ..chunk() },
        Chunk { campaign: -1, ..chunk() },
        Chunk { texts: vec![Text { segments: 0, ..chunk().texts[0].clone() }; 2], ..chunk() },
    ];
    for chunk in broken {
        let decoded = Chunk::decode(&chunk.encode(Version::NEWEST));
        assert!(matches!(decoded, Err(wire::WireError::Invalid { .. })), "{decoded:?}");
    }
    let unpaid = Billed { source: 1, verdict: Verdict::Paid { paid: 3, chunk: chunk() } };
    assert!(Billed::decode(&unpaid.encode(Version::NEWEST)).is_err());
}
