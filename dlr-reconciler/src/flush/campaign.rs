//! The tables `campaign_count` and `campaign_money`: how many messages of a campaign are
//! recorded, sent and ended in each final status, what was charged for them, and what of that
//! came back. Kept where states and money move, in the same transaction.
//!
//! Which campaign a chunk belongs to is known from its billed record, and attempts may be
//! stored before that: what the state row holds by then is counted when it is known.

use super::chunk_state::Row;
use domain::id::ChunkId;
use domain::money::Money;
use domain::status::{Status, StatusCounts};
use ledger::settle::Settlement;
use ledger::{LedgerError, hold};
use sqlx::PgConnection;
use std::collections::BTreeMap;

/// The word for messages that were recorded.
const SUBMITTED: &str = "submitted";

/// What is to be added, in the order of the keys: rows are locked in this order.
#[derive(Default)]
pub(super) struct Campaigns {
    counts: BTreeMap<(i64, &'static str), i64>,
    /// Charged, and refunded.
    money: BTreeMap<i64, (i64, i64)>,
    /// Chunks of which the campaign is newly known.
    learnt: BTreeMap<ChunkId, i64>,
}

impl Campaigns {
    /// Takes in what changed in a state row.
    pub(super) fn moved(&mut self, row: &Row, settlement: Option<&Settlement>) {
        let Some(campaign) = row.campaign else { return };
        // Of a campaign that is newly known nothing of the row is counted yet.
        let before = if row.learnt { StatusCounts::default() } else { row.before };
        for status in Status::ALL {
            let more = i64::from(row.after.of_status(status)) - i64::from(before.of_status(status));
            // What is neither sent nor at its end is the rest.
            if status != Status::Queued {
                self.count(campaign, status.as_str(), more);
            }
            if row.learnt {
                self.count(campaign, SUBMITTED, more);
            }
        }
        if row.learnt {
            self.learnt.insert(row.chunk, campaign);
        } else if let Some(settlement) = settlement {
            self.money(campaign, Money::ZERO, settlement.refunded);
        }
    }

    /// Adds it all. The money of chunks whose campaign is newly known is what the ledger says of
    /// them now.
    pub(super) async fn add(mut self, connection: &mut PgConnection) -> Result<(), LedgerError> {
        let learnt: Vec<ChunkId> = self.learnt.keys().copied().collect();
        if !learnt.is_empty() {
            for row in hold::read(connection, &learnt).await? {
                if let Some(campaign) = self.learnt.get(&row.chunk).copied() {
                    self.money(campaign, row.cost, row.prices.cost_of(&row.decided.voided()));
                }
            }
        }
        self.counts.retain(|_, count| *count != 0);
        self.store_counts(connection).await?;
        self.store_money(connection).await?;
        Ok(())
    }

    fn count(&mut self, campaign: i64, status: &'static str, messages: i64) {
        if messages != 0 {
            *self.counts.entry((campaign, status)).or_default() += messages;
        }
    }

    fn money(&mut self, campaign: i64, price: Money, refunded: Money) {
        let (charged, back) = self.money.entry(campaign).or_default();
        *charged = charged.saturating_add(price.get());
        *back = back.saturating_add(refunded.get());
    }

    async fn store_counts(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        if self.counts.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "insert into campaign_count (campaign_id, status, messages)
             select * from unnest($1::bigint[], $2::text[], $3::bigint[])
             on conflict (campaign_id, status)
             do update set messages = campaign_count.messages + excluded.messages",
        )
        .bind(self.counts.keys().map(|key| key.0).collect::<Vec<_>>())
        .bind(self.counts.keys().map(|key| key.1).collect::<Vec<_>>())
        .bind(self.counts.values().copied().collect::<Vec<_>>())
        .execute(connection)
        .await?;
        Ok(())
    }

    /// Of every campaign of which anything changed: that is when it did last.
    async fn store_money(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        let mut changed: BTreeMap<i64, (i64, i64)> = self.money.clone();
        for (campaign, _) in self.counts.keys() {
            changed.entry(*campaign).or_default();
        }
        if changed.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "insert into campaign_money (campaign_id, price, refunded)
             select * from unnest($1::bigint[], $2::bigint[], $3::bigint[])
             on conflict (campaign_id)
             do update set price = campaign_money.price + excluded.price,
                           refunded = campaign_money.refunded + excluded.refunded,
                           last_at = clock_timestamp()",
        )
        .bind(changed.keys().copied().collect::<Vec<_>>())
        .bind(changed.values().map(|(price, _)| *price).collect::<Vec<_>>())
        .bind(changed.values().map(|(_, refunded)| *refunded).collect::<Vec<_>>())
        .execute(connection)
        .await?;
        Ok(())
    }
}
