//! What is due comes back from the table `deferred`, and orders from people are carried out.

use crate::deferred::{Due, Looked, Order, Row, Stock, due, of_chunks, orders, stock};
use crate::desk::Leaving;
use crate::lane::LaneLoop;
use domain::id::ChunkId;
use domain::outcome::{Outcome, Refusal};
use sqlx::PgConnection;
use std::collections::BTreeMap;

/// Chunks whose time is over are taken in hand beside the bound, so many at a look: most of them
/// leave at once.
const EXPIRING_MAX: usize = 100;
/// Orders carried out at once at most.
const ORDERS_MAX: usize = 100;
/// How often is counted how much the table holds, in milliseconds.
const COUNT_EVERY_MS: i64 = 10_000;

/// Alarm: dead letters wait for a person.
const DEAD_LETTERS: &str = "dead_letters";
/// Alarm: no more rows fit, and the partition waits.
const FULL: &str = "deferred_full";
/// Alarm: a row cannot be read.
const UNREADABLE: &str = "deferred_unreadable";

/// What one look brought.
struct Found {
    rows: Vec<(i32, Row)>,
    unreadable: Vec<(i32, i64)>,
    orders: Vec<Order>,
    stock: Option<BTreeMap<i32, Stock>>,
}

impl LaneLoop {
    /// Looks into the table when it is time.
    pub(crate) async fn look_into_deferred(&mut self) {
        let now = self.now();
        let every = i64::try_from(self.settings.deferred_look_ms).unwrap_or(i64::MAX);
        if now.boot - self.looked_at < every {
            return;
        }
        self.looked_at = now.boot;
        let begun = |(partition, part): (&i32, &crate::lane::Part)| {
            (part.desk.is_some() && part.drained.is_none()).then_some(*partition)
        };
        let partitions: Vec<i32> = self.parts.iter().filter_map(begun).collect();
        if partitions.is_empty() {
            return;
        }
        let counts = now.boot - self.counted_at >= COUNT_EVERY_MS;
        match self.look(&partitions, counts).await {
            Ok(found) => self.found(found),
            Err(error) => tracing::warn!(%error, lane = %self.lane, "the table deferred cannot be read"),
        }
    }

    async fn look(&self, partitions: &[i32], counts: bool) -> Result<Found, sqlx::Error> {
        let desks = self.parts.values().filter_map(|part| part.desk.as_ref());
        let in_hand: Vec<ChunkId> = desks.flat_map(|desk| desk.kept_chunks()).collect();
        let desks = self.parts.values().filter_map(|part| part.desk.as_ref());
        let carried_out: Vec<i64> = desks.flat_map(|desk| desk.carried_out()).collect();
        let in_hand_max = self.settings.deferred_in_hand;
        let (lane, room) = (self.lane, in_hand_max.saturating_sub(in_hand.len()));
        let (day, canceled) = self.known_of_rules();
        // In the morning there is much of it: half of the room is left to the others.
        let quiet = room.saturating_sub(in_hand_max / 2);
        let looked =
            Looked { in_hand: &in_hand, most: room, over: EXPIRING_MAX, quiet, day, canceled: &canceled };
        let look = async |connection: &mut PgConnection| {
            let Due { mut rows, unreadable } = due(connection, lane, partitions, looked).await?;
            let orders = orders(connection, lane, partitions, &carried_out, room > 0, ORDERS_MAX).await?;
            let ordered: Vec<ChunkId> = orders.iter().map(|order| order.chunk).collect();
            if !ordered.is_empty() {
                rows.extend(of_chunks(connection, &ordered).await?);
            }
            let stock = if counts { Some(stock(connection, lane, partitions).await?) } else { None };
            Ok::<_, sqlx::Error>(Found { rows, unreadable, orders, stock })
        };
        self.common.pools.lane(self.lane).within(look).await
    }

    /// Whether advertising may be sent now, and what is cancelled.
    fn known_of_rules(&self) -> (bool, Vec<i64>) {
        let rules = self.line.courtesy.rules();
        (rules.is_day(self.now().unix), rules.canceled().collect())
    }

    fn found(&mut self, found: Found) {
        let now = self.now();
        for (partition, chunk) in found.unreadable {
            let detail = format!("chunk {chunk}: what is stored of its messages cannot be read");
            self.common.health.raise_alarm(UNREADABLE, &format!("{}/{partition}", self.lane), &detail);
        }
        for (partition, row) in found.rows {
            let Some(part) = self.parts.get_mut(&partition) else { continue };
            let (look_up_at, chunk) = (part.look_up_at, row.chunk);
            if let Some(Err(error)) = part.desk.as_mut().map(|desk| desk.load(row, now, look_up_at)) {
                let detail = format!("chunk {chunk}: {error:#}");
                self.common.health.raise_alarm(UNREADABLE, &format!("{}/{partition}", self.lane), &detail);
            }
        }
        // A row of a cancelled campaign came for nothing else.
        for partition in self.parts.keys().copied().collect::<Vec<_>>() {
            self.mind(partition, now);
        }
        for order in found.orders {
            let dropped: Vec<Leaving> =
                self.desk(order.partition).map(|desk| desk.obey(&order)).unwrap_or_default();
            self.close(order.partition, dropped, Outcome::Refused(Refusal::Dropped));
        }
        if let Some(stock) = found.stock {
            self.counted_at = now.boot;
            self.count(&stock);
        }
    }

    fn count(&mut self, stock: &BTreeMap<i32, Stock>) {
        let (rows_max, octets_max) = (self.settings.deferred_rows_max, self.settings.deferred_octets_max);
        for (partition, part) in &mut self.parts {
            part.stock = stock.get(partition).copied().unwrap_or_default();
            let subject = format!("{}/{partition}", self.lane);
            if part.stock.room(rows_max, octets_max) == 0 {
                let Stock { rows, octets, .. } = part.stock;
                let detail =
                    format!("{rows} chunks of {octets} octets: the partition waits until some are done");
                self.common.health.raise_alarm(FULL, &subject, &detail);
            } else {
                self.common.health.clear_alarm(FULL, &subject);
            }
        }
        let sum = |of: fn(&Stock) -> i64| stock.values().map(of).sum::<i64>();
        let (rows, dead) = (sum(|stock| stock.rows), sum(|stock| stock.dead));
        self.meters.deferred.set(rows as f64);
        self.meters.dead.set(dead as f64);
        if dead > 0 {
            let detail = format!("{dead} chunks with messages that wait for a person: `smshub dead list`");
            self.common.health.raise_alarm(DEAD_LETTERS, self.lane.as_str(), &detail);
        } else {
            self.common.health.clear_alarm(DEAD_LETTERS, self.lane.as_str());
        }
    }
}
