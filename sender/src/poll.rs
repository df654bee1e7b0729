//! Asking for receipts: chunks that are due, up to the operator's number of ids a call
//! across chunks, and every answer, empty ones too, into sms.receipts.

use crate::call::Line;
use crate::config::Settings;
use crate::magfa::{Polled, STATUSES_MAX};
use domain::bits::Bits;
use domain::id::ChunkId;
use domain::lane::Lane;
use domain::outcome::Receipt;
use platform::lifecycle::Stop;
use platform::ownership::clock;
use platform::role::Common;
use sqlx::PgPool;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;
use wire::receipts::{MessageReceipt, ReceiptSlice, Receipts};

/// The partitions that a lane's loop holds: those its poller asks for.
#[derive(Clone, Default)]
pub(crate) struct Held(Arc<Mutex<BTreeSet<i32>>>);

impl Held {
    pub(crate) fn insert(&self, partition: i32) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(partition);
    }

    pub(crate) fn remove(&self, partition: i32) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&partition);
    }

    fn all(&self) -> Vec<i32> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }
}

/// A chunk that is due, with what may be asked about it.
struct Due {
    chunk: ChunkId,
    partition: i32,
    open: Bits,
    due_ms: i64,
    /// Operator's id → attempt and position.
    ids: Vec<(String, u8, u8)>,
}

/// One message asked about.
struct Asked {
    operator_id: String,
    chunk: ChunkId,
    attempt: u8,
    position: u8,
}

/// One lane's poller.
pub(crate) struct Poller {
    pool: PgPool,
    settings: Settings,
    lane: Lane,
    line: Arc<Line>,
    held: Held,
    /// What was asked about and for which due time: its answer is on its way through Kafka.
    asked: HashMap<ChunkId, (i64, i64)>,
}

type DueRow = (i64, i32, String, i64);
type IdsRow = (i64, i16, Vec<u8>, String);

impl Poller {
    pub(crate) fn new(common: &Common, settings: &Settings, lane: Lane, line: Arc<Line>, held: Held) -> Self {
        let pool = common.pools.lane(lane).clone();
        Poller { pool, settings: settings.clone(), lane, line, held, asked: HashMap::new() }
    }

    pub(crate) async fn run(mut self, stop: Stop) -> anyhow::Result<()> {
        loop {
            tokio::select! {
                () = stop.requested() => break,
                () = tokio::time::sleep(Duration::from_millis(self.settings.poll_look_ms)) => {}
            }
            // As long as there is more than one look brings, without a pause.
            while !stop.is_requested() {
                match self.look().await {
                    Ok(full) if full => {}
                    Ok(_) => break,
                    Err(error) => {
                        tracing::warn!(%error, lane = %self.lane, "due receipts could not be looked for");
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// One look: returns whether there may be more.
    async fn look(&mut self) -> Result<bool, sqlx::Error> {
        let partitions = self.held.all();
        if partitions.is_empty() {
            return Ok(false);
        }
        let now = clock::boot_ms();
        let again_after = i64::try_from(self.settings.poll_again_after_ms).unwrap_or(i64::MAX);
        self.asked.retain(|_, (_, at)| now - *at < again_after);
        let due = self.due(&partitions).await?;
        let full = due.len() >= usize::try_from(self.settings.poll_chunks).unwrap_or(usize::MAX);
        for chunk in &due {
            self.asked.insert(chunk.chunk, (chunk.due_ms, now));
        }
        let mut by_partition: BTreeMap<i32, Vec<Due>> = BTreeMap::new();
        for chunk in due {
            by_partition.entry(chunk.partition).or_default().push(chunk);
        }
        for (partition, chunks) in by_partition {
            self.ask(partition, chunks).await;
        }
        Ok(full)
    }

    async fn due(&self, partitions: &[i32]) -> Result<Vec<Due>, sqlx::Error> {
        let (asked, asked_due): (Vec<i64>, Vec<i64>) =
            self.asked.iter().map(|(chunk, (due, _))| (chunk.get(), *due)).unzip();
        let rows: Vec<DueRow> = sqlx::query_as(
            "select p.chunk_id, p.partition, p.open::text, (extract(epoch from p.due) * 1000)::bigint
             from receipt_poll p
             where p.partition = any($1) and p.lane = $2 and p.due <= clock_timestamp()
               and not exists (select from unnest($3::bigint[], $4::bigint[]) as a (chunk, due)
                               where a.chunk = p.chunk_id
                                 and a.due = (extract(epoch from p.due) * 1000)::bigint)
             order by p.due limit $5",
        )
        .bind(partitions)
        .bind(self.lane.as_str())
        .bind(asked)
        .bind(asked_due)
        .bind(i64::from(self.settings.poll_chunks))
        .fetch_all(&self.pool)
        .await?;
        let ids: Vec<i64> = rows.iter().map(|row| row.0).collect();
        let known: Vec<IdsRow> = sqlx::query_as(
            "select chunk_id, attempt, positions, operator_ids from chunk_operator_ids where chunk_id = any($1)",
        )
        .bind(ids)
        .fetch_all(&self.pool)
        .await?;
        let mut of_chunk: HashMap<i64, Vec<(String, u8, u8)>> = HashMap::new();
        for (chunk, attempt, positions, operator_ids) in known {
            let attempt = u8::try_from(attempt).unwrap_or(u8::MAX);
            let ids = operator_ids.split('\n').zip(positions).filter(|(id, _)| !id.is_empty());
            of_chunk
                .entry(chunk)
                .or_default()
                .extend(ids.map(|(id, position)| (id.to_owned(), attempt, position)));
        }
        let read = |(chunk, partition, open, due_ms): DueRow| {
            let ids = of_chunk.remove(&chunk).unwrap_or_default();
            let open = Bits::from_bit_string(&open).ok()?;
            Some(Due { chunk: ChunkId::new(chunk)?, partition, open, due_ms, ids })
        };
        Ok(rows.into_iter().filter_map(read).collect())
    }

    /// Asks about the chunks of one partition, several calls at once.
    async fn ask(&self, partition: i32, chunks: Vec<Due>) {
        let (questions, unaskable) = questions(chunks);
        let mut calls = JoinSet::new();
        if !unaskable.is_empty() {
            calls.spawn(answer(Arc::clone(&self.line), partition, unaskable, HashMap::new()));
        }
        let mut questions = questions.into_iter().peekable();
        while questions.peek().is_some() || !calls.is_empty() {
            while calls.len() < self.settings.questions_at_once {
                let call: Vec<Asked> = questions.by_ref().take(STATUSES_MAX).collect();
                if call.is_empty() {
                    break;
                }
                calls.spawn(question(Arc::clone(&self.line), partition, call));
            }
            if let Some(Err(error)) = calls.join_next().await {
                tracing::error!(%error, "a poll died");
            }
        }
    }
}

/// What can be asked about, and open messages for which there is no operator's id to ask by:
/// their due time moves on all the same.
fn questions(chunks: Vec<Due>) -> (Vec<Asked>, Vec<Asked>) {
    let (mut questions, mut unaskable) = (Vec::new(), Vec::new());
    for due in chunks {
        let mut left = due.open;
        for (operator_id, attempt, position) in due.ids {
            if left.contains(position) {
                left.remove(position);
                questions.push(Asked { operator_id, chunk: due.chunk, attempt, position });
            }
        }
        for position in left.iter() {
            unaskable.push(Asked { operator_id: String::new(), chunk: due.chunk, attempt: 1, position });
        }
    }
    (questions, unaskable)
}

async fn question(line: Arc<Line>, partition: i32, asked: Vec<Asked>) {
    let ids: Vec<&str> = asked.iter().map(|asked| asked.operator_id.as_str()).collect();
    match line.magfa.poll(&ids).await {
        Some(polled) => answer(line, partition, asked, polled).await,
        // Asked again when the holding time is over.
        None => tracing::warn!(partition, "the operator could not be asked for receipts"),
    }
}

/// Writes the answers, empty ones too: consuming them moves the chunks' due times on.
async fn answer(line: Arc<Line>, partition: i32, asked: Vec<Asked>, polled: HashMap<String, Polled>) {
    let mut slices: BTreeMap<(ChunkId, u8), Vec<MessageReceipt>> = BTreeMap::new();
    for asked in &asked {
        let nothing = Polled { receipt: Receipt::Nothing, code: 0 };
        let polled = polled.get(&asked.operator_id).copied().unwrap_or(nothing);
        let receipt = MessageReceipt { position: asked.position, receipt: polled.receipt, code: polled.code };
        slices.entry((asked.chunk, asked.attempt)).or_default().push(receipt);
    }
    let slices =
        slices.into_iter().map(|((chunk, attempt), messages)| ReceiptSlice { chunk, attempt, messages });
    let receipts = Receipts {
        connector: line.connector.clone(),
        at: clock::unix_now(),
        polled: true,
        slices: slices.collect(),
    };
    if let Err(error) = line.writer.receipts(partition, &receipts).await {
        tracing::warn!(partition, %error, "receipts were not written; they will be asked for again");
    }
}
