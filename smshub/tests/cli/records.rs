//! Records as roles write them, of chunks of two messages.

use domain::bits::Bits;
use domain::id::ChunkId;
use domain::lane::Lane;
use domain::outcome::Outcome;
use domain::phone::Msisdn;
use domain::text::Encoding;
use domain::time::UnixMillis;
use platform::ownership::clock;
use wire::attempt::{Attempt, AttemptKind, IntentSlice, MessageOutcome, OutcomeSlice, SliceOf};
use wire::submitted::{Chunk, Text};

/// A chunk made at `made`, with a minute to be sent.
pub fn chunk(account: i64, made: UnixMillis) -> Chunk {
    let id = ChunkId::new(ChunkId::floor(made)).unwrap();
    Chunk {
        id,
        account,
        asked_lane: Lane::Bulk,
        line: "100002".into(),
        recipients: [989_120_000_001, 989_120_000_002].map(|n| Msisdn::from_canonical(n).unwrap()).to_vec(),
        texts: vec![Text { body: "secret words".into(), encoding: Encoding::Gsm7, segments: 1 }],
        text_index: vec![],
        references: vec![],
        tariff_version: 1,
        created_at: made,
        send_by: made.plus(60_000),
        call_id: id,
        call_chunks: 1,
        call_messages: 2,
        campaign: 0,
    }
}

pub fn fence(epoch: i64) -> Attempt {
    attempt(epoch, AttemptKind::Fence)
}

/// One call with both messages.
pub fn intent(epoch: i64, chunk: &Chunk, number: u8) -> Attempt {
    let slices = vec![IntentSlice { of: of(chunk, number), bits: Bits::prefix(2) }];
    attempt(epoch, AttemptKind::Intent { connector: "magfa".into(), slices })
}

/// What became of both messages; their ids at the operator are op-0 and op-1.
pub fn outcome(epoch: i64, chunk: &Chunk, number: u8, outcome: Outcome) -> Attempt {
    let message = |position| {
        let operator_id = if outcome == Outcome::Taken { format!("op-{position}") } else { String::new() };
        MessageOutcome { position, outcome, code: 0, operator_id }
    };
    let slices = vec![OutcomeSlice { of: of(chunk, number), messages: vec![message(0), message(1)] }];
    attempt(epoch, AttemptKind::Outcomes { connector: "magfa".into(), slices })
}

fn attempt(epoch: i64, kind: AttemptKind) -> Attempt {
    Attempt { epoch, at: clock::unix_now(), kind }
}

fn of(chunk: &Chunk, attempt: u8) -> SliceOf {
    SliceOf { account: chunk.account, chunk: chunk.id, chunk_size: 2, part: 0, attempt }
}
