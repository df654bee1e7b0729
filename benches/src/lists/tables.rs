//! The rows of a finished chunk, as lines of psql's `copy`.

use domain::bits::Bits;
use domain::id::ChunkId;
use domain::outcome::{Outcome, Receipt, Refusal};
use domain::search::{filter, recipient_key, reference_key};
use domain::status::{Costs, Fact, MessageState, Status, StatusCounts};
use domain::time::UnixMillis;
use std::collections::BTreeMap;
use std::fmt::Write;
use wire::Version;
use wire::billed::{Billed, Verdict};
use wire::submitted::Chunk;

/// What one message costs.
pub(super) const PRICE: i64 = 1_000;
const HOUR_MS: i64 = 3_600_000;

/// A day's lines, by table, and what adds up over all days.
#[derive(Default)]
pub(super) struct Tables {
    pub(super) history: String,
    pub(super) operator_ids: String,
    pub(super) holds: String,
    pub(super) entries: String,
    /// Messages by account, hour, lane and status.
    pub(super) hours: BTreeMap<(i64, i64, &'static str, &'static str), u64>,
    /// What each account paid for in the end.
    pub(super) spent: BTreeMap<i64, i64>,
    offset: i64,
}

impl Tables {
    /// A chunk of which all messages are final.
    pub(super) fn add(&mut self, chunk: Chunk, partition: i32, statuses: &[Status]) -> std::fmt::Result {
        let (id, account, size) = (chunk.id, chunk.account, statuses.len());
        let lane = chunk.asked_lane.as_str();
        let states: Vec<u8> = statuses.iter().flat_map(|status| state(*status).to_bytes()).collect();
        let counts = StatusCounts::of(&states).map(StatusCounts::to_bytes).unwrap_or_default();
        let recipients: Vec<i64> =
            chunk.recipients.iter().map(|recipient| recipient_key(account, *recipient)).collect();
        let reference = chunk.references.first().map(|reference| reference_key(account, reference));
        let campaign = (chunk.campaign != 0).then_some(chunk.campaign);
        let (settle, void) = Costs::default().split((0..=u8::MAX).zip(statuses.iter().copied()));
        let at = UnixMillis(chunk.created_at.0);
        self.offset += 1;

        self.ids(id, size)?;
        let (call, call_chunks, call_messages) = (chunk.call_id, chunk.call_chunks, chunk.call_messages);
        let (hash, paid) = (chunk.request_hash().cast_signed(), u16::try_from(size).unwrap_or(u16::MAX));
        let record = Billed { source: self.offset, verdict: Verdict::Paid { paid, chunk } };
        let history = &mut self.history;
        write!(history, "{id}\t{account}\t{lane}\t{partition}\t{call}\t{call_chunks}\t{call_messages}\t")?;
        hex(history, &record.encode(Version::NEWEST))?;
        hex(history, &states)?;
        write!(history, "{size}\t")?;
        hex(history, &counts)?;
        number(history, campaign)?;
        if size == 1 {
            number(history, recipients.first().copied())?;
            number(history, reference)?;
            history.push_str("\\N\n");
        } else {
            history.push_str("\\N\t\\N\t\\\\x");
            for byte in filter(recipients.into_iter().chain(reference).collect()) {
                write!(history, "{byte:02x}")?;
            }
            history.push('\n');
        }

        let seconds = seconds(at);
        let (settled, voided) = (settle.to_bit_string(), void.to_bit_string());
        writeln!(
            self.holds,
            "{id}\t{account}\tsms.submitted.{lane}\t{partition}\t{}\t{hash}\t{size}\t{{{PRICE}}}\t\\\\x\t{size}\t{}\t{settled}\t{voided}\t{seconds}",
            self.offset,
            PRICE * i64::try_from(size).unwrap_or(0),
        )?;
        for (kind, bits) in [("settle", settle), ("void", void)] {
            self.entry(account, kind, id, bits, at)?;
        }
        *self.spent.entry(account).or_default() += PRICE * i64::try_from(settle.len()).unwrap_or(0);
        let hour = id.minted_at().0.div_euclid(HOUR_MS);
        *self.hours.entry((account, hour, lane, "submitted")).or_default() += size as u64;
        for status in statuses {
            *self.hours.entry((account, hour, lane, status.as_str())).or_default() += 1;
        }
        Ok(())
    }

    fn entry(
        &mut self,
        account: i64,
        kind: &str,
        chunk: ChunkId,
        bits: Bits,
        at: UnixMillis,
    ) -> std::fmt::Result {
        if bits.is_empty() {
            return Ok(());
        }
        let amount = PRICE * i64::try_from(bits.len()).unwrap_or(0);
        let at = seconds(at.plus(2_000));
        writeln!(self.entries, "{account}\t{kind}\t{amount}\t{chunk}\t{}\t{at}", bits.to_bit_string())
    }

    /// The operator's ids, a hundred a row as calls are.
    fn ids(&mut self, chunk: ChunkId, size: usize) -> std::fmt::Result {
        for first in (0..size).step_by(100) {
            let positions = first..size.min(first + 100);
            write!(self.operator_ids, "{chunk}\t1\t{first}\tmagfa\t\\\\x")?;
            for position in positions.clone() {
                write!(self.operator_ids, "{position:02x}")?;
            }
            let ids: Vec<String> =
                positions.map(|position| (chunk.get() / 256 + position as i64).to_string()).collect();
            writeln!(self.operator_ids, "\t{}", ids.join("\\n"))?;
        }
        Ok(())
    }
}

fn state(status: Status) -> MessageState {
    let mut state = MessageState::default();
    let outcome = |outcome| Fact::Outcome { attempt: 1, outcome, code: 0, at: 300 };
    let receipt = |receipt| Fact::Receipt { attempt: 1, receipt, code: 1, at: 2_000 };
    state.merge(match status {
        Status::Failed => outcome(Outcome::Refused(Refusal::Operator)),
        Status::Blocked => outcome(Outcome::Refused(Refusal::Blocked)),
        Status::Canceled => outcome(Outcome::Refused(Refusal::Canceled)),
        Status::Expired => outcome(Outcome::Expired),
        _ => outcome(Outcome::Taken),
    });
    match status {
        Status::Delivered => state.merge(receipt(Receipt::Delivered)),
        Status::Undelivered => state.merge(receipt(Receipt::Undelivered)),
        _ => {}
    }
    state
}

fn hex(line: &mut String, bytes: &[u8]) -> std::fmt::Result {
    line.push_str("\\\\x");
    for byte in bytes {
        write!(line, "{byte:02x}")?;
    }
    line.push('\t');
    Ok(())
}

fn number(line: &mut String, number: Option<i64>) -> std::fmt::Result {
    match number {
        Some(number) => write!(line, "{number}\t"),
        None => {
            line.push_str("\\N\t");
            Ok(())
        }
    }
}

/// As Postgres reads it.
pub(super) fn seconds(at: UnixMillis) -> String {
    let time = UnixMillis(at.0).0;
    chrono::DateTime::from_timestamp_millis(time)
        .unwrap_or_default()
        .format("%Y-%m-%d %H:%M:%S%.3fZ")
        .to_string()
}
