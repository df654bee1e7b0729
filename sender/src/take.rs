//! Taking a partition: fence, scan, and a second look for what came late.

use crate::attempts::{Generation, Writer};
use crate::deferred::{Ahead, Row, ahead, of_chunks};
use crate::scan::Scan;
use crate::store::Stored;
use anyhow::Context;
use domain::id::ChunkId;
use domain::lane::Lane;
use platform::kafka::KafkaSettings;
use platform::kafka::tail::Tail;
use platform::kafka::tails::Tails;
use platform::kafka::topics::{Stage, Topics};
use platform::ownership::{Lease, Role, read_positions};
use platform::postgres::Pool;
use sqlx::PgConnection;
use std::ops::Range;
use wire::attempt::{Attempt, AttemptKind};

/// What a new holder knows.
#[derive(Debug)]
pub(crate) struct Began {
    /// Where it begins.
    pub(crate) stored: Stored,
    /// The offset of our fence in sms.attempts.
    pub(crate) fence: i64,
    /// What was written before it.
    pub(crate) scan: Scan,
    /// The end of sms.billed when it was written.
    pub(crate) scan_until: i64,
    /// Rows of the table `deferred` of chunks that the scan speaks of.
    pub(crate) rows: Vec<Row>,
    /// What else is in that table of offsets of sms.billed from the frontier on.
    pub(crate) ahead: Vec<Ahead>,
}

/// Where a lane's records are read by hand.
#[derive(Clone)]
pub(crate) struct Reader {
    lane: Lane,
    tails: Tails,
    attempts: String,
    billed: String,
}

impl Reader {
    pub(crate) fn new(kafka: &KafkaSettings, topics: &Topics, lane: Lane) -> Self {
        Reader {
            lane,
            tails: Tails::new(kafka),
            attempts: topics.of(Stage::Attempts, lane),
            billed: topics.of(Stage::Billed, lane),
        }
    }

    /// Writes the fence and reads what lies between the stored point and it.
    pub(crate) async fn begin(
        &self,
        writer: &Writer,
        pool: &Pool,
        generation: Generation,
        lease: &Lease,
    ) -> anyhow::Result<Began> {
        // Read anew: a commit whose acknowledgement was lost may have moved them on, and deleted
        // rows of what they passed.
        let (lane, partition) = (self.lane, lease.partition);
        let positions =
            async |connection: &mut PgConnection| read_positions(connection, Role::Sender, partition).await;
        let positions = pool.within(positions).await?;
        let (stored, epoch) = Stored::of(&positions, &self.billed, &self.attempts).context("no positions")?;
        anyhow::ensure!(epoch == lease.epoch, "epoch {epoch} holds the partition");
        let point = stored.point;
        let fence = writer.attempt(generation, lease.partition, lease.epoch, AttemptKind::Fence).await?;
        let reader = self.clone();
        let read = move |tail: &Tail| {
            let scan = reader.read(tail, partition, point..fence + 1, Scan::default())?;
            let scan_until = tail.bounds(&reader.billed, partition)?.end;
            anyhow::Ok((scan, scan_until))
        };
        let (scan, scan_until) = self.tails.read(read).await?;
        let chunks: Vec<ChunkId> = scan.chunks().collect();
        let table = async |connection: &mut PgConnection| {
            let ahead = ahead(connection, lane, partition, stored.frontier).await?;
            Ok::<_, sqlx::Error>((of_chunks(connection, &chunks).await?, ahead))
        };
        let (rows, ahead) = pool.within(table).await?;
        let rows = rows.into_iter().map(|(_, row)| row).collect();
        Ok(Began { stored, fence, scan, scan_until, rows, ahead })
    }

    /// Reads what was written behind our fence: a former holder's calls that were under way
    /// end there.
    pub(crate) async fn look_again(&self, lease: &Lease, fence: i64) -> anyhow::Result<Scan> {
        let (reader, partition, epoch) = (self.clone(), lease.partition, lease.epoch);
        let read = move |tail: &Tail| {
            let end = tail.bounds(&reader.attempts, partition)?.end;
            reader.read(tail, partition, fence + 1..end, Scan::behind(epoch))
        };
        self.tails.read(read).await
    }

    fn read(&self, tail: &Tail, partition: i32, range: Range<i64>, scan: Scan) -> anyhow::Result<Scan> {
        let (mut scan, mut undecodable) = (scan, None);
        tail.read(&self.attempts, partition, range, |record| match Attempt::decode(&record.value) {
            Ok(attempt) => scan.take(record.offset, attempt),
            Err(error) => undecodable = Some((record.offset, error)),
        })?;
        match undecodable {
            None => Ok(scan),
            // Skipping it could send a message twice.
            Some((offset, error)) => {
                Err(error).with_context(|| format!("{}/{partition}@{offset}", self.attempts))
            }
        }
    }
}
