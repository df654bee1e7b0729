#![allow(clippy::unwrap_used)]
use super::*;
use domain::bits::Bits;
use domain::outcome::{Outcome, Refusal};
use wire::attempt::{MessageOutcome, SliceOf};

const NOW: UnixMillis = UnixMillis(1_800_000_000_000);
const SINCE: UnixMillis = UnixMillis(NOW.0 - 10_000);

fn chunk(number: i64) -> ChunkId {
    ChunkId::new(ChunkId::floor(NOW.plus(number))).unwrap()
}

fn of(chunk: ChunkId, attempt: u8) -> SliceOf {
    SliceOf { account: 1, chunk, chunk_size: 3, part: 0, attempt }
}

fn record(epoch: i64, kind: AttemptKind) -> Attempt {
    Attempt { epoch, at: NOW, kind }
}

fn fence(epoch: i64) -> Attempt {
    record(epoch, AttemptKind::Fence)
}

fn intent_of(epoch: i64, chunk: ChunkId, attempt: u8, bits: Bits) -> Attempt {
    let slices = vec![IntentSlice { of: of(chunk, attempt), bits }];
    record(epoch, AttemptKind::Intent { connector: "c".into(), slices })
}

/// Of the first message of the first chunk.
fn intent(epoch: i64, attempt: u8) -> Attempt {
    intent_of(epoch, chunk(0), attempt, Bits::prefix(1))
}

fn outcome(epoch: i64, attempt: u8, outcome: Outcome) -> Attempt {
    let messages = vec![MessageOutcome { position: 0, outcome, code: 0, operator_id: String::new() }];
    let slices = vec![OutcomeSlice { of: of(chunk(0), attempt), messages }];
    record(epoch, AttemptKind::Outcomes { connector: "c".into(), slices })
}

/// What is found where two chunks of three messages, of a minute from now, were paid for.
fn found_at(appended: UnixMillis, send_by: UnixMillis, records: &[Attempt]) -> Report {
    let mut intents = Intents::new("t/0".into());
    for number in 0..2 {
        intents.paid(Paid { chunk: chunk(number), messages: 3, send_by }, NOW);
    }
    let mut report = Report::default();
    for (offset, attempt) in (0..).zip(records) {
        intents.take(offset, appended, SINCE, attempt, &mut report);
    }
    report
}

fn found(records: &[Attempt]) -> Vec<String> {
    let mut report = found_at(NOW, NOW.plus(60_000), records);
    report.findings.remove(&Invariant::P1).map_or(vec![], |finding| finding.named)
}

fn named(offset: i64, attempt: u8, what: &str) -> Vec<String> {
    vec![format!("t/0@{offset}: attempt {attempt} of message {} {what}", chunk(0).message(0))]
}

use Outcome::{Expired, LeftToReceipt, NotSent, Refused, Retry, Taken, Unknown};

#[test]
fn what_a_sender_may_write_is_clean() {
    let clean = |records: &[Attempt]| assert_eq!(found(records), [""; 0]);
    clean(&[fence(1), intent(1, 1), outcome(1, 1, Taken)]);
    clean(&[intent(1, 1), outcome(1, 1, Retry), intent(1, 2), outcome(1, 2, NotSent), intent(1, 5)]);
    clean(&[intent(1, 1), outcome(1, 1, Unknown), outcome(1, 1, NotSent), intent(1, 2)]);
    // The outcome of a call that was under way ends the message behind the next holder's fence.
    clean(&[intent(1, 1), fence(2), outcome(1, 1, Taken), outcome(2, 1, Taken)]);
    // What is void never happened: before the valid one, and behind it.
    clean(&[fence(2), intent(1, 1), intent(2, 1), outcome(2, 1, Taken)]);
    clean(&[fence(2), intent(2, 1), intent(1, 1), outcome(2, 1, Taken), intent(1, 2)]);
    // Who wrote the fence did not see the higher number of what is void behind it.
    clean(&[intent(1, 1), fence(2), intent(1, 3), intent(2, 2)]);
    // Without its fence: any record of a higher epoch lies behind it.
    clean(&[intent(3, 1), intent(2, 1)]);
    // Other messages, and other chunks, are not touched.
    let others = Bits::prefix(3).minus(Bits::prefix(1));
    clean(&[intent(1, 1), outcome(1, 1, Taken), intent_of(1, chunk(0), 1, others)]);
    clean(&[intent(1, 1), intent_of(1, chunk(1), 1, Bits::prefix(3))]);
}

#[test]
fn one_valid_intent_an_attempt_and_attempts_grow() {
    let second = "is the second of this attempt";
    assert_eq!(found(&[intent(1, 1), intent(1, 1)]), named(1, 1, second));
    assert_eq!(found(&[fence(1), intent(1, 1), fence(2), intent(2, 1)]), named(3, 1, second));
    let (higher, retry) = ("comes after a higher attempt", outcome(1, 2, Retry));
    assert_eq!(found(&[intent(1, 2), retry.clone(), intent(1, 1)]), named(2, 1, higher));
    assert_eq!(found(&[intent(1, 2), retry, intent(1, 3), intent(1, 2)]), named(3, 2, higher));
}

#[test]
fn nothing_follows_a_closing_outcome() {
    let after = "comes after a closing outcome";
    for closing in Outcome::ALL.into_iter().filter(|outcome| outcome.closes()) {
        assert_eq!(found(&[intent(1, 1), outcome(1, 1, closing), intent(1, 2)]), named(2, 2, after));
        // Of a lower epoch behind a fence, and without an intent before it.
        let late = [fence(2), outcome(1, 1, closing), intent(2, 1)];
        assert_eq!(found(&late), named(2, 1, after), "{closing:?}");
    }
    for open in [Retry, NotSent, Unknown] {
        assert_eq!(found(&[intent(1, 1), outcome(1, 1, open), intent(1, 2)]), [""; 0]);
    }
    assert!(
        [Taken, Expired, LeftToReceipt, Refused(Refusal::Dropped)].iter().all(|outcome| outcome.closes())
    );
}

#[test]
fn none_at_or_after_send_by_and_the_earlier_clock_counts() {
    let late = |written: i64, appended: i64| {
        let at = NOW.plus(written);
        let records = [Attempt { at, ..intent(1, 1) }];
        let mut report = found_at(NOW.plus(appended), NOW, &records);
        report.findings.remove(&Invariant::P1).unwrap().violations
    };
    assert_eq!(late(TOLERANCE_MS, TOLERANCE_MS), 1);
    assert_eq!(late(TOLERANCE_MS - 1, 1_000_000), 0, "the broker took it late");
    assert_eq!(late(1_000_000, TOLERANCE_MS - 1), 0, "the writer's clock is ahead");
    let mut void = found_at(NOW.plus(TOLERANCE_MS), NOW, &[fence(2), intent(1, 1)]);
    assert!(void.findings.remove(&Invariant::P1).is_none(), "void, and not looked at");
}

#[test]
fn a_chunk_that_is_not_paid_for_is_found_where_that_is_known() {
    let unknown = chunk(5);
    assert_eq!(
        found(&[intent_of(1, unknown, 1, Bits::prefix(1))]),
        [format!("t/0@0: attempt 1 of message {} is of no paid chunk, or long behind its send_by", unknown)]
    );
    let beyond = intent_of(1, chunk(0), 1, Bits::prefix(4).minus(Bits::prefix(3)));
    assert_eq!(found(&[beyond]).len(), 1, "the chunk has three messages");
    let early = ChunkId::new(ChunkId::floor(SINCE.plus(-1))).unwrap();
    let report = found_at(NOW, NOW, &[intent_of(1, early, 1, Bits::prefix(2))]);
    let finding = &report.findings[&Invariant::P1];
    assert_eq!((finding.checked, finding.violations, finding.unchecked), (0, 0, 2));
}

#[test]
fn what_is_long_over_is_forgotten_and_a_late_intent_still_found() {
    let mut intents = Intents::new("t/0".into());
    let count = i64::try_from(3 * SWEEP_CHUNKS).unwrap();
    for number in 0..count {
        let (made, send_by) = (chunk(number), NOW.plus(number + 60_000));
        // As far ahead of their ends as chunks are when they are first attempted.
        let now = NOW.plus(number + 2 * KEPT_AFTER_MS * i64::from(number * 2 > count));
        intents.paid(Paid { chunk: made, messages: 1, send_by }, now);
        assert!(intents.chunks.len() <= 2 * SWEEP_CHUNKS, "{number}");
    }
    assert!(intents.chunks.len() < SWEEP_CHUNKS);
    let (late, mut report) = (NOW.plus(3 * KEPT_AFTER_MS), Report::default());
    let record = Attempt { at: late, ..intent(1, 1) };
    assert!(intents.lacks(&record));
    intents.take(9, late, SINCE, &record, &mut report);
    let [what] = report.findings[&Invariant::P1].named.as_slice() else { unreachable!() };
    assert!(what.ends_with("is of no paid chunk, or long behind its send_by"), "{what}");
}

#[test]
fn a_chunk_that_is_billed_again_keeps_what_is_known() {
    let mut intents = Intents::new("t/0".into());
    let (paid, mut report) = (Paid { chunk: chunk(0), messages: 1, send_by: NOW.plus(9) }, Report::default());
    for offset in 0..2 {
        intents.paid(paid, NOW);
        intents.take(offset, NOW, SINCE, &intent(1, 1), &mut report);
    }
    assert_eq!(report.findings[&Invariant::P1].violations, 1);
}
