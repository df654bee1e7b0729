//! What every message passes, alone and without Kafka or Postgres. Whole chunks have 256
//! messages: divide by that.
#![allow(missing_docs, clippy::unwrap_used)]

use bytes::Bytes;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use domain::bits::Bits;
use domain::hold::{self, Prices};
use domain::id::ChunkId;
use domain::lane::Lane;
use domain::money::Money;
use domain::outcome::{Outcome, Receipt};
use domain::phone::{Msisdn, Served};
use domain::settle::Decided;
use domain::status::{Fact, MessageState};
use domain::text::{Encoding, measure};
use domain::time::UnixMillis;
use std::hint::black_box;
use std::time::Duration;
use wire::Version;
use wire::attempt::{Attempt, AttemptKind, MessageOutcome, OutcomeSlice, SliceOf};
use wire::billed::{Answer, Billed, answer};
use wire::submitted::{Chunk, Text};

const MESSAGES: u8 = 255;
const TEXT: &str = "محمدرضا گلپایگانی گرامی، سفارش ۱۲۳۴۵۶ آماده شد و امروز ارسال می‌شود.";

/// 256 messages, each with a text of its own or all with one.
fn chunk(own_texts: bool) -> Chunk {
    let text = |number: u8| Text { body: format!("{TEXT} {number}"), encoding: Encoding::Ucs2, segments: 2 };
    let recipient = |number: u8| Msisdn::from_canonical(989_120_000_000 + u64::from(number)).unwrap();
    let id = ChunkId::new(1 << 32).unwrap();
    Chunk {
        id,
        account: 7,
        asked_lane: Lane::Bulk,
        line: "100002".to_owned(),
        recipients: (0..=MESSAGES).map(recipient).collect(),
        texts: if own_texts { (0..=MESSAGES).map(text).collect() } else { vec![text(0)] },
        text_index: if own_texts { (0..=MESSAGES).map(u32::from).collect() } else { Vec::new() },
        references: Vec::new(),
        tariff_version: 1,
        created_at: UnixMillis(1_790_000_000_000),
        send_by: UnixMillis(1_790_000_300_000),
        call_id: id,
        call_chunks: 40,
        call_messages: 10_000,
        campaign: 0,
    }
}

fn phone(c: &mut Criterion) {
    let served = Served::new(&["IR"]).unwrap();
    let mut group = c.benchmark_group("phone");
    for (name, number) in [
        ("national", "09120001234"),
        ("international", "+989120001234"),
        ("spaced", "0912 000 1234"),
        ("persian digits", "۰۹۱۲۰۰۰۱۲۳۴"),
        ("invalid", "0912000"),
    ] {
        group.bench_function(name, |b| b.iter(|| Msisdn::parse(black_box(number), &served)));
    }
}

fn text(c: &mut Criterion) {
    let (latin, long) = ("Your parcel 123456 has left our warehouse today.".repeat(3), TEXT.repeat(8));
    let mut group = c.benchmark_group("text/measure");
    for (name, text) in [("persian, 1 part", TEXT), ("latin, 1 part", &latin), ("persian, 9 parts", &long)] {
        group.bench_function(name, |b| b.iter(|| measure(black_box(text))));
    }
}

fn records(c: &mut Criterion) {
    let mut group = c.benchmark_group("chunk of 256");
    for (name, own_texts) in [("own texts", true), ("one text", false)] {
        let chunk = chunk(own_texts);
        let record = chunk.encode(Version::NEWEST);
        let billed = answer(Version::NEWEST, 17, Answer::Paid(256), &record);
        group.bench_function(format!("encode, {name}"), |b| b.iter(|| chunk.encode(Version::NEWEST)));
        group.bench_function(format!("decode, {name}"), |b| b.iter(|| Chunk::decode(black_box(&record))));
        group
            .bench_function(format!("request_hash, {name}"), |b| b.iter(|| black_box(&chunk).request_hash()));
        group.bench_function(format!("billed answer, {name}"), |b| {
            b.iter(|| answer(Version::NEWEST, 17, Answer::Paid(256), black_box(&record)));
        });
        group.bench_function(format!("billed decode, {name}"), |b| {
            b.iter(|| Billed::decode(black_box(&billed)))
        });
    }
    let outcomes = outcomes();
    let record: Bytes = outcomes.encode(Version::NEWEST);
    group.bench_function("outcomes encode", |b| b.iter(|| outcomes.encode(Version::NEWEST)));
    group.bench_function("outcomes decode", |b| b.iter(|| Attempt::decode(black_box(&record))));
}

fn outcomes() -> Attempt {
    let of =
        SliceOf { account: 7, chunk: ChunkId::new(1 << 32).unwrap(), chunk_size: 256, part: 0, attempt: 1 };
    let outcome = |position: u8| MessageOutcome {
        position,
        outcome: Outcome::Taken,
        code: 0,
        operator_id: (28_043_994_082_001_u64 + u64::from(position)).to_string(),
    };
    let slices = vec![OutcomeSlice { of, messages: (0..=MESSAGES).map(outcome).collect() }];
    let kind = AttemptKind::Outcomes { connector: "magfa".to_owned(), slices };
    Attempt { epoch: 3, at: UnixMillis(1_790_000_000_500), kind }
}

fn money(c: &mut Criterion) {
    let mut group = c.benchmark_group("money, 256 messages");
    let each = |prices: i64| (0..256).map(|i| Money::new(1_000 * (1 + i % prices))).collect::<Vec<_>>();
    for (name, each) in [("one price", each(1)), ("four prices", each(4))] {
        let prices = Prices::of_each(&each).unwrap();
        group.bench_function(format!("prices, {name}"), |b| b.iter(|| Prices::of_each(black_box(&each))));
        group.bench_function(format!("hold, {name}"), |b| {
            b.iter(|| hold::decide(Money::new(10_000_000), black_box(&prices)));
        });
        let delivered: Bits = (0..=MESSAGES).filter(|i| i % 33 != 0).collect();
        let failed: Bits = (0..=MESSAGES).filter(|i| i % 33 == 0).collect();
        group.bench_function(format!("final decision, {name}"), |b| {
            b.iter(|| Decided::open(256).decide(black_box(delivered), failed).amounts(&prices));
        });
    }
}

fn state(c: &mut Criterion) {
    let taken = Fact::Outcome { attempt: 1, outcome: Outcome::Taken, code: 0, at: 20 };
    let receipt = Fact::Receipt { attempt: 1, receipt: Receipt::Delivered, code: 1, at: 1_200 };
    let mut group = c.benchmark_group("state, 256 messages");
    group.bench_function("taken and delivered", |b| {
        b.iter_batched_ref(
            || vec![MessageState::default(); 256],
            |states| {
                for state in states.iter_mut() {
                    state.merge(black_box(taken));
                    state.merge(black_box(receipt));
                }
            },
            BatchSize::SmallInput,
        );
    });
    let bytes: Vec<_> = (0..256).map(|_| MessageState::default().to_bytes()).collect();
    group.bench_function("read and write", |b| {
        b.iter(|| {
            let states = black_box(&bytes).iter().filter_map(|bytes| MessageState::from_bytes(*bytes).ok());
            states.map(MessageState::to_bytes).collect::<Vec<_>>()
        });
    });
}

criterion_group! {
    name = hot_path;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .without_plots();
    targets = phone, text, records, money, state
}
criterion_main!(hot_path);
