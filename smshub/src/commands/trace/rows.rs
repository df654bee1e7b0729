//! What the tables hold of a message.

use super::Wanted;
use super::event::{Event, Kind, time};
use super::records::{Source, receipts};
use anyhow::bail;
use domain::bits::Bits;
use domain::status::{MessageState, STATE_BYTES};
use domain::time::UnixMillis;
use ledger::hold::{self, HoldRow};
use serde_json::json;
use sqlx::PgConnection;
use wire::receipts::Receipts;

/// What was found.
pub(super) struct Rows {
    pub(super) events: Vec<Event>,
    /// The submitted records that the rows name.
    pub(super) sources: Vec<Source>,
}

/// Reads the rows; nothing where neither the books nor the parked rows know the chunk.
pub(super) async fn read(connection: &mut PgConnection, wanted: Wanted) -> anyhow::Result<Option<Rows>> {
    let mut rows = Rows { events: vec![], sources: vec![] };
    let holds = hold::read(connection, &[wanted.chunk]).await?;
    if let Some(hold) = holds.first() {
        let index = usize::from(wanted.index);
        if hold.prices.get(index).is_none() {
            bail!("no message {}: its chunk has {} messages", wanted.message, hold.prices.count());
        }
        rows.held(hold, wanted);
        rows.entries(connection, hold, wanted).await?;
    }
    rows.parked(connection, wanted).await?;
    if rows.events.is_empty() {
        return Ok(None);
    }
    rows.status(connection, wanted).await?;
    rows.operator_ids(connection, wanted).await?;
    rows.next_poll(connection, wanted).await?;
    rows.pending(connection, wanted).await?;
    rows.waiting(connection, wanted).await?;
    Ok(Some(rows))
}

impl Rows {
    fn add(
        &mut self,
        at: Option<i64>,
        kind: Kind,
        place: &str,
        fields: Vec<(&'static str, serde_json::Value)>,
    ) {
        self.events.push(Event { at: at.map(UnixMillis), kind, place: place.to_owned(), fields });
    }

    fn held(&mut self, hold: &HoldRow, wanted: Wanted) {
        let index = usize::from(wanted.index);
        let paid = index < usize::from(hold.paid);
        let price = hold.prices.get(index).unwrap_or_default();
        self.add(
            Some(hold.billed_at_ms),
            Kind::Held,
            "ledger",
            vec![
                ("account", json!(hold.account)),
                ("price", json!(price.get())),
                ("paid", json!(paid)),
                ("chunk_paid", json!(hold.paid)),
                ("chunk_size", json!(hold.prices.count())),
            ],
        );
        self.source(hold.topic.clone(), hold.partition, hold.source);
    }

    fn source(&mut self, topic: String, partition: i32, offset: i64) {
        let source = Source { topic, partition, offset };
        if !self.sources.contains(&source) {
            self.sources.push(source);
        }
    }

    async fn entries(
        &mut self,
        connection: &mut PgConnection,
        hold: &HoldRow,
        wanted: Wanted,
    ) -> anyhow::Result<()> {
        let entries: Vec<(i64, String, String, i64)> = sqlx::query_as(
            "select id, kind, bits::text, (extract(epoch from at) * 1000)::bigint from entry where chunk_id = $1",
        )
        .bind(wanted.chunk.get())
        .fetch_all(connection)
        .await?;
        for (id, kind, bits, at) in entries {
            if Bits::from_bit_string(&bits)?.contains(wanted.index) {
                let kind = if kind == "settle" { Kind::Settled } else { Kind::Voided };
                let amount = hold.prices.get(usize::from(wanted.index)).unwrap_or_default();
                self.add(
                    Some(at),
                    kind,
                    "ledger",
                    vec![("amount", json!(amount.get())), ("entry", json!(id))],
                );
            }
        }
        Ok(())
    }

    async fn parked(&mut self, connection: &mut PgConnection, wanted: Wanted) -> anyhow::Result<()> {
        let parked: Vec<(i64, String, i32, i64, String, i64)> = sqlx::query_as(
            "select id, topic, partition, source_offset, reason, (extract(epoch from at) * 1000)::bigint
             from parked where chunk_id = $1",
        )
        .bind(wanted.chunk.get())
        .fetch_all(connection)
        .await?;
        for (id, topic, partition, offset, reason, at) in parked {
            self.add(Some(at), Kind::Parked, "parked", vec![("reason", json!(reason)), ("id", json!(id))]);
            self.source(topic, partition, offset);
        }
        Ok(())
    }

    async fn status(&mut self, connection: &mut PgConnection, wanted: Wanted) -> anyhow::Result<()> {
        let row: Option<(Vec<u8>, bool)> = sqlx::query_as(
            "select states, not exists (select from chunk_state o where o.chunk_id = a.chunk_id)
             from all_chunk_state a where chunk_id = $1",
        )
        .bind(wanted.chunk.get())
        .fetch_optional(connection)
        .await?;
        let Some((states, in_history)) = row else { return Ok(()) };
        let stored = states.as_chunks::<STATE_BYTES>().0.get(usize::from(wanted.index));
        // The place of a state that nothing was heard of yet.
        let Some(bytes) = stored.filter(|bytes| **bytes != [0; STATE_BYTES]) else { return Ok(()) };
        let state = MessageState::from_bytes(*bytes)?;
        let after = state.final_after().or(state.sent_after());
        let fields = vec![
            ("status", json!(state.status().as_str())),
            ("reason", json!(state.reason().as_str())),
            ("operator_code", json!(state.operator_code())),
            ("attempt", json!(state.closed_attempt())),
            ("late_receipt", json!(state.late_receipt())),
        ];
        let at = after.map(|after| wanted.chunk.minted_at().plus(after.into()).0);
        let place = if in_history { "history_chunk" } else { "chunk_state" };
        self.add(at, Kind::Status, place, fields);
        Ok(())
    }

    async fn operator_ids(&mut self, connection: &mut PgConnection, wanted: Wanted) -> anyhow::Result<()> {
        let rows: Vec<(i16, String, Vec<u8>, String)> = sqlx::query_as(
            "select attempt, connector, positions, operator_ids from all_chunk_operator_ids
             where chunk_id = $1 order by attempt",
        )
        .bind(wanted.chunk.get())
        .fetch_all(connection)
        .await?;
        for (attempt, connector, positions, ids) in rows {
            let Some(at) = positions.iter().position(|position| *position == wanted.index) else { continue };
            // The row may only say by which connector it went.
            let Some(id) = ids.lines().nth(at).filter(|id| !id.is_empty()) else { continue };
            let fields =
                vec![("connector", json!(connector)), ("attempt", json!(attempt)), ("id", json!(id))];
            self.add(None, Kind::OperatorId, "chunk_operator_ids", fields);
        }
        Ok(())
    }

    async fn next_poll(&mut self, connection: &mut PgConnection, wanted: Wanted) -> anyhow::Result<()> {
        let row: Option<(String, String, i64, i64)> = sqlx::query_as(
            "select connector, open::text, (extract(epoch from first_at) * 1000)::bigint,
                    (extract(epoch from due) * 1000)::bigint
             from receipt_poll where chunk_id = $1",
        )
        .bind(wanted.chunk.get())
        .fetch_optional(connection)
        .await?;
        if let Some((connector, open, first_at, due)) = row
            && Bits::from_bit_string(&open)?.contains(wanted.index)
        {
            let since = time(UnixMillis(first_at));
            self.add(
                Some(due),
                Kind::NextPoll,
                "receipt_poll",
                vec![("connector", json!(connector)), ("since", json!(since))],
            );
        }
        Ok(())
    }

    async fn pending(&mut self, connection: &mut PgConnection, wanted: Wanted) -> anyhow::Result<()> {
        let rows: Vec<(Vec<u8>, i64)> = sqlx::query_as(
            "select record, (extract(epoch from at) * 1000)::bigint from pending_receipt where chunk_id = $1",
        )
        .bind(wanted.chunk.get())
        .fetch_all(connection)
        .await?;
        for (record, at) in rows {
            for fields in receipts(&Receipts::decode(&record.into())?, wanted) {
                self.add(Some(at), Kind::PendingReceipt, "pending_receipt", fields);
            }
        }
        Ok(())
    }

    /// Where it stands in the sender's table, and what is ordered for it.
    async fn waiting(&mut self, connection: &mut PgConnection, wanted: Wanted) -> anyhow::Result<()> {
        if let Some(waits) = sender::waiting::waits(connection, wanted.message).await? {
            let fields = vec![
                ("for", json!(waits.why)),
                ("attempt", json!(waits.attempt)),
                ("tries", json!(waits.tries)),
                ("questions", json!(waits.questions)),
                ("by", json!(waits.by)),
                ("code", json!(waits.code)),
                ("since", json!(time(waits.since))),
                ("send_by", json!(time(waits.send_by))),
            ];
            self.add(Some(waits.due.0), Kind::Waits, "deferred", fields);
        }
        for order in sender::waiting::ordered(connection, wanted.message).await? {
            let fields = vec![("verb", json!(order.verb)), ("by", json!(order.by))];
            self.add(Some(order.at.0), Kind::Ordered, "dead_order", fields);
        }
        Ok(())
    }
}
