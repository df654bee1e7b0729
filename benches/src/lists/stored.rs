//! Messages of the last month, as SQL: finished, settled, in history.

use super::tables::{PRICE, Tables, seconds};
use super::{CAMPAIGNS_A_DAY, LARGEST, NUMBERS, campaign, number};
use clap::Args;
use domain::id::ChunkId;
use domain::lane::Lane;
use domain::partition::of_account;
use domain::phone::Msisdn;
use domain::status::Status;
use domain::text::Encoding;
use domain::time::UnixMillis;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::io::Write;
use wire::submitted::{Chunk, Text};

const DAY_MS: i64 = 86_400_000;
/// Messages of a chunk of a campaign.
const CHUNK: usize = 200;
/// The node of which no process mints here: ids of the last one.
const NODE: i64 = 63;

const HISTORY: &str = "history_chunk (chunk_id, account_id, lane, partition, call_id, call_chunks, \
    call_messages, record, states, messages, counts, campaign_id, recipient_key, reference_key, sought)";
const HOLD: &str = "hold (chunk_id, account_id, topic, partition, source_offset, request_hash, size, \
    prices, price_index, paid, cost, settled, voided, billed_at)";

/// What is stored.
#[derive(Debug, Args)]
pub struct StoreFlags {
    /// Messages, spread over the days
    #[arg(long, default_value_t = 10_000_000)]
    messages: u64,
    /// Accounts, from 1001 on; the first has half of the messages
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(i64).range(2..=1_000))]
    accounts: i64,
    /// Days, up to the one before today
    #[arg(long, default_value_t = 31, value_parser = clap::value_parser!(i64).range(1..=31))]
    days: i64,
    /// How many percent of them were sent one at a time; the others in chunks of 200
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(0..=100))]
    single_percent: u64,
    /// Partitions of the topics
    #[arg(long, default_value_t = 8)]
    partitions: i32,
    /// The seed of everything that is random
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Writes the SQL.
///
/// # Errors
/// When it cannot be written, or the flags ask for more than the ids of a day can name.
pub fn store(flags: &StoreFlags, out: &mut impl Write) -> anyhow::Result<()> {
    let mut random = StdRng::seed_from_u64(flags.seed);
    let mut tables = Tables::default();
    let today = chrono::Utc::now().timestamp_millis().div_euclid(DAY_MS);
    writeln!(out, "\\set ON_ERROR_STOP on\nset synchronous_commit = off;")?;
    for account in LARGEST..LARGEST + flags.accounts {
        writeln!(
            out,
            "insert into account (id, name, lines) values ({account}, 'lists {account}', '{{100002}}');"
        )?;
    }
    let messages = flags.messages / flags.days.unsigned_abs();
    let singles = messages * flags.single_percent / 100;
    let campaigns = (messages - singles) / CHUNK as u64;
    for day in 0..flags.days {
        let begin = UnixMillis((today - flags.days + day) * DAY_MS);
        ranges(out, begin)?;
        // As they come: a campaign's chunk now and then between single messages.
        let all = singles + campaigns;
        for k in 0..all {
            let at = begin.plus(i64::try_from(u64::from(86_399_999_u32) * k / all)?);
            let many = random.random_ratio(u32::try_from(campaigns)?, u32::try_from(all)?);
            let made = Made { day, at, sequence: i64::try_from(k % 256)?, many };
            let chunk = made.chunk(flags, &mut random)?;
            let statuses: Vec<Status> = (0..chunk.len()).map(|_| status(&mut random)).collect();
            let partition = of_account(chunk.account, flags.partitions);
            tables.add(chunk, partition, &statuses)?;
        }
        copy(out, HISTORY, &mut tables.history)?;
        copy(out, "history_operator_ids", &mut tables.operator_ids)?;
        copy(out, HOLD, &mut tables.holds)?;
        copy(out, "entry (account_id, kind, amount, chunk_id, bits, at)", &mut tables.entries)?;
    }
    end(flags, &tables, out)
}

/// The accounts' books, the counters, and what the planner knows.
fn end(flags: &StoreFlags, tables: &Tables, out: &mut impl Write) -> anyhow::Result<()> {
    for account in LARGEST..LARGEST + flags.accounts {
        let spent = tables.spent.get(&account).copied().unwrap_or(0);
        let charged = spent + 1_000_000 * PRICE;
        writeln!(
            out,
            "insert into entry (account_id, kind, amount) values ({account}, 'charge', {charged});
             update account set balance = {} where id = {account};",
            charged - spent
        )?;
    }
    let mut hours = String::new();
    for ((account, hour, lane, status), messages) in &tables.hours {
        let hour = seconds(UnixMillis(hour * 3_600_000));
        hours.push_str(&format!("{account}\t{hour}\t{lane}\t{status}\t{messages}\n"));
    }
    copy(out, "account_hour", &mut hours)?;
    writeln!(out, "vacuum (analyze) history_chunk, history_operator_ids, hold, entry, account_hour;")?;
    Ok(())
}

fn copy(out: &mut impl Write, table: &str, lines: &mut String) -> std::io::Result<()> {
    writeln!(out, "copy {table} from stdin;")?;
    out.write_all(lines.as_bytes())?;
    lines.clear();
    writeln!(out, "\\.")
}

/// The ranges of a day that has passed: smshub makes those to come.
fn ranges(out: &mut impl Write, begin: UnixMillis) -> std::io::Result<()> {
    let day = chrono::DateTime::from_timestamp_millis(begin.0).unwrap_or_default().format("%Y%m%d");
    let (from, to) = (ChunkId::floor(begin), ChunkId::floor(begin.plus(DAY_MS)));
    for table in ["hold", "history_chunk", "history_operator_ids"] {
        writeln!(
            out,
            "select to_regclass('{table}_{day}') is null as missing \\gset
             \\if :missing
             create table {table}_{day} (like {table} including all);
             alter table {table} attach partition {table}_{day} for values from ({from}) to ({to});
             \\endif"
        )?;
    }
    Ok(())
}

/// A chunk to be made.
struct Made {
    day: i64,
    at: UnixMillis,
    sequence: i64,
    many: bool,
}

impl Made {
    fn chunk(&self, flags: &StoreFlags, random: &mut StdRng) -> anyhow::Result<Chunk> {
        let others = LARGEST + 1..LARGEST + flags.accounts;
        let account = if random.random_bool(0.5) { LARGEST } else { random.random_range(others) };
        let id = ChunkId::floor(self.at) | NODE << 16 | self.sequence << 8;
        let id = ChunkId::new(id).ok_or_else(|| anyhow::anyhow!("no chunk id"))?;
        let size = if self.many { CHUNK } else { 1 };
        let recipients: Result<_, _> =
            (0..size).map(|_| Msisdn::from_canonical(number(random.random_range(0..NUMBERS)))).collect();
        let campaign =
            if self.many { campaign(account, self.day, random.random_range(0..CAMPAIGNS_A_DAY)) } else { 0 };
        let reference =
            if self.many { vec![] } else { vec![format!("order-{}", random.random_range(0..NUMBERS))] };
        let lane = match (self.many, random.random_bool(0.5)) {
            (true, _) => Lane::Bulk,
            (false, true) => Lane::Express,
            (false, false) => Lane::Standard,
        };
        let body = if self.many {
            "جشنواره از فردا آغاز می‌شود"
        } else {
            "کد ورود: ۱۲۳۴"
        };
        Ok(Chunk {
            id,
            account,
            asked_lane: lane,
            line: "100002".into(),
            recipients: recipients?,
            texts: vec![Text { body: body.into(), encoding: Encoding::Ucs2, segments: 1 }],
            text_index: vec![],
            references: reference,
            tariff_version: 1,
            created_at: self.at,
            send_by: self.at.plus(DAY_MS),
            call_id: id,
            call_chunks: 1,
            call_messages: u32::try_from(size)?,
            campaign,
        })
    }
}

fn status(random: &mut StdRng) -> Status {
    match random.random_range(0..1_000) {
        0 => Status::Canceled,
        1..5 => Status::Blocked,
        5..10 => Status::Expired,
        10..30 => Status::Failed,
        30..70 => Status::Undelivered,
        _ => Status::Delivered,
    }
}
