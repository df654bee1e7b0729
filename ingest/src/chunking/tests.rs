#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;

use domain::text::measure;
use proptest::prelude::*;
use proptest::sample::Index;
use wire::Version;

use super::*;

/// The first chunk id of 2026-01-01 00:00:01.
fn run(count: u32) -> Run {
    Run { first: ChunkId::new(ChunkId::floor(UnixMillis(1_767_225_601_000))).unwrap(), count }
}

fn text(body: String) -> Text {
    let measured = measure(&body);
    Text { body, encoding: measured.encoding, segments: measured.segments.try_into().unwrap() }
}

/// Texts up to the longest that may be: the characters with the most bytes a septet, and Persian.
fn a_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z ]{1,160}",
        (1usize..=1_530).prop_map(|length| "Δ".repeat(length)),
        (1usize..=670).prop_map(|length| "س".repeat(length)),
        (1usize..=330).prop_map(|length| "😀".repeat(length)),
    ]
}

prop_compose! {
    fn a_call()(
        texts in prop::collection::vec(a_text(), 1..40),
        mut references in prop::collection::vec("\\PC{1,64}", 0..20),
        rows in prop::collection::vec((any::<Index>(), any::<Index>(), 0i64..40, 1_000_000u64..999_999_999_999_999), 1..1_500),
        line in "[0-9]{1,20}",
        plain in any::<bool>(),
        account in 1..=i64::MAX,
        at in 0..=i64::MAX,
    ) -> Call {
        references.insert(0, String::new());
        let (texts, references) = (texts, if plain { vec![String::new()] } else { references });
        let rows = rows.into_iter().enumerate().map(|(index, (text, reference, price, recipient))| Row {
            index: u32::try_from(index * 2).unwrap(),
            recipient: Msisdn::from_canonical(recipient).unwrap(),
            text: u32::try_from(text.index(texts.len())).unwrap(),
            reference: u32::try_from(reference.index(references.len())).unwrap(),
            price: Money::new(price * 1_000),
        });
        Call {
            account,
            asked_lane: Lane::Standard,
            lane: Lane::Bulk,
            line,
            rows: rows.collect(),
            texts: texts.into_iter().map(text).collect(),
            references,
            tariff_version: u32::MAX,
            created_at: UnixMillis(at),
            send_by: UnixMillis(i64::MAX),
            campaign: i64::MAX,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Every bound holds, nothing is lost or changes its order, and no chunk ends early.
    #[test]
    fn chunks_keep_every_bound(call in a_call(), chunk_messages in 1usize..=256) {
        let cuts = cut(&call, chunk_messages);
        let run = run(u32::try_from(cuts.len()).unwrap());
        let mut next = 0;
        for (rows, id) in cuts.iter().cloned().zip(run.ids()) {
            prop_assert_eq!(rows.start, next);
            next = rows.end;
            prop_assert!(!rows.is_empty() && rows.len() <= chunk_messages);

            let chunk = build(&call, rows.clone(), id, run);
            let record = chunk.encode(Version::NEWEST);
            prop_assert!(record.len() <= CHUNK_BYTES_MAX, "{} bytes", record.len());
            prop_assert!(record.len() <= estimate(&call, rows.clone()));
            prop_assert_eq!(&Chunk::decode(&record).unwrap(), &chunk);
            let prices: BTreeSet<_> = call.rows[rows.clone()].iter().map(|row| row.price).collect();
            prop_assert!(prices.len() <= DISTINCT_PRICES_MAX);
            for (at, row) in call.rows[rows].iter().enumerate() {
                prop_assert_eq!(chunk.recipients[at], row.recipient);
                prop_assert_eq!(chunk.text(at).unwrap(), &call.texts[row.text as usize]);
                prop_assert_eq!(chunk.reference(at).unwrap_or(""), &call.references[row.reference as usize]);
            }
        }
        prop_assert_eq!(next, call.rows.len());
        for pair in cuts.windows(2) {
            let more = pair[0].start..pair[0].end + 1;
            let prices: BTreeSet<_> = call.rows[more.clone()].iter().map(|row| row.price).collect();
            let full = pair[0].len() == chunk_messages
                || prices.len() > DISTINCT_PRICES_MAX
                || estimate(&call, more) > CHUNK_BYTES_MAX;
            prop_assert!(full, "a chunk ended early");
        }
    }
}

/// The estimate of [`Open`] for these rows.
fn estimate(call: &Call, rows: Range<usize>) -> usize {
    let (mut open, mut used) = (Open::new(call, rows.start), LastUse::new(call.texts.len()));
    for row in &call.rows[rows] {
        open.bytes += open.bytes_of(call, row, &used);
        used.mark(row.text, open.start);
    }
    open.bytes
}

/// What the bound on a segment's bytes rests on.
#[test]
fn no_text_takes_more_bytes_than_its_segments_allow() {
    for character in (0..=u32::from(char::MAX)).filter_map(char::from_u32) {
        let body = character.to_string();
        let units = measure(&body).units as usize;
        let part = measure(&body).encoding.part_limit();
        assert!(body.len() * part <= units * SEGMENT_BYTES_MAX, "{character:?}");
    }
}
