//! Understanding a submitted record: what it asks to be billed, or why it cannot be. Pure.

use bytes::Bytes;
use domain::hold::Prices;
use domain::id::ChunkId;
use domain::money::Money;
use domain::tariff::Tariff;
use domain::time::UnixMillis;
use ledger::hold::Request;
use ledger::ranges::{Fits, Ranges};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use wire::submitted::Chunk;

/// Where a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Source<'a> {
    pub(crate) topic: &'a str,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
}

/// What a record is.
#[derive(Debug)]
pub(crate) enum Understood {
    /// It asks to be billed.
    Request(Request),
    /// It cannot be billed by anyone: it is kept for a person.
    Park(Parked),
    /// The ledger has no range for the present: nothing is judged until it has.
    RangeMissing,
}

/// A record that is kept for a person.
#[derive(Debug)]
pub(crate) struct Parked {
    pub(crate) reason: &'static str,
    pub(crate) chunk: Option<i64>,
    pub(crate) account: Option<i64>,
}

/// Decodes a record. A panic in here is a record that cannot be decoded: it must not stop
/// the partition for ever.
pub(crate) fn decode(record: &Bytes) -> Result<Chunk, Parked> {
    let decoded = catch_unwind(AssertUnwindSafe(|| Chunk::decode(record)));
    match decoded {
        Ok(Ok(chunk)) => Ok(chunk),
        Ok(Err(error)) => {
            tracing::error!(%error, "a submitted record cannot be decoded");
            Err(Parked { reason: "undecodable", chunk: None, account: None })
        }
        Err(_) => Err(Parked { reason: "undecodable", chunk: None, account: None }),
    }
}

/// What a decoded chunk asks for, at its source.
pub(crate) fn understand(
    chunk: &Chunk,
    source: Source<'_>,
    tariffs: &HashMap<u32, Tariff>,
    ranges: Ranges,
    now: UnixMillis,
) -> Understood {
    let park = |reason| {
        Understood::Park(Parked { reason, chunk: Some(chunk.id.get()), account: Some(chunk.account) })
    };
    match ranges.fits(chunk.id, now) {
        Fits::Yes => {}
        Fits::TooOld => return park("too_old"),
        Fits::TooFarAhead => return park("too_far_ahead"),
        Fits::RangeMissing => return Understood::RangeMissing,
    }
    let Some(tariff) = tariffs.get(&chunk.tariff_version) else { return park("unknown_tariff") };
    let Some(prices) = prices(chunk, tariff) else { return park("cannot_be_priced") };
    Understood::Request(Request {
        chunk: chunk.id,
        account: chunk.account,
        topic: source.topic.to_owned(),
        partition: source.partition,
        source: source.offset,
        request_hash: chunk.request_hash(),
        prices,
    })
}

/// The price of each message, by the tariff that ingest stamped and the lane asked for.
fn prices(chunk: &Chunk, tariff: &Tariff) -> Option<Prices> {
    let price = |index: usize| -> Option<Money> {
        let text = chunk.text(index)?;
        let recipient = *chunk.recipients.get(index)?;
        tariff.price(chunk.asked_lane, text.encoding, recipient, text.segments.into()).ok()
    };
    let each: Option<Vec<Money>> = (0..chunk.len()).map(price).collect();
    Prices::of_each(&each?).ok()
}

/// The chunk's id where the record can be decoded: for finding its ledger row again.
pub(crate) fn chunk_id(record: &Bytes) -> Option<ChunkId> {
    decode(record).ok().map(|chunk| chunk.id)
}
