//! What must be true of everything that was sent, once it has come to its end.

use super::world::{CHARGE, END, World};
use domain::status::Status;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::net::SocketAddr;

impl World {
    /// Of everything that was sent and had not ended before, this becomes: clean books, taken by
    /// the operator once (or never, where it refused), this status, and money accordingly.
    pub(crate) async fn ended(&mut self, case: &str, api: SocketAddr, due: HashMap<i64, Status>) {
        let ids: Vec<i64> = due.keys().copied().collect();
        self.until_final(&ids).await;
        self.due.extend(due);
        self.stands(case, api).await;
    }

    /// Everything that ended is still as it ended.
    pub(crate) async fn stands(&self, case: &str, api: SocketAddr) {
        assert_eq!(self.due.len(), self.sent.len(), "{case}: of each message it is known what is due");
        self.gateway.quiescent(END).await;
        let ids: Vec<i64> = self.due.keys().copied().collect();
        let (states, taken) = (self.states(&ids).await, self.taken());
        for (id, status) in &self.due {
            assert_eq!(states[id].status(), *status, "{case}: {id}");
            let times = usize::from(matches!(status, Status::Delivered | Status::Undelivered));
            assert_eq!(taken.get(id).copied().unwrap_or(0), times, "{case}: {id} was taken so often");
        }
        for id in ids.iter().step_by(23) {
            self.is_shown(case, api, *id, self.due[id]).await;
        }
        self.money_agrees(case, api).await;
        self.counters_agree(case).await;
    }

    async fn is_shown(&self, case: &str, api: SocketAddr, id: i64, status: Status) {
        let (message, price) = (self.message(api, id).await, self.sent[&id].price);
        let refunded = if status == Status::Delivered { 0 } else { price };
        assert_eq!(message["status"], status.as_str(), "{case}: {message}");
        assert_eq!((&message["price"], &message["refunded"]), (&json!(price), &json!(refunded)), "{case}");
    }

    /// Each customer has its charge less what was delivered; nothing is held.
    async fn money_agrees(&self, case: &str, api: SocketAddr) {
        for (by, customer) in self.customers.iter().enumerate() {
            let delivered = self.due.iter().filter(|(_, status)| **status == Status::Delivered);
            let of = delivered.map(|(id, _)| self.sent[id]).filter(|sent| sent.by == by);
            let paid: i64 = of.map(|sent| sent.price).sum();
            let (status, balance) = customer.get(api, "/v1/balance").await.unwrap();
            assert_eq!(status, 200, "{balance}");
            assert_eq!((&balance["balance"], &balance["held"]), (&json!(CHARGE - paid), &json!(0)), "{case}");
        }
    }

    /// What is counted by account and day is what was sent, and what it ended in.
    async fn counters_agree(&self, case: &str) {
        let accounts: Vec<i64> = self.customers.iter().map(|customer| customer.account).collect();
        let mut due = HashMap::new();
        for (id, status) in &self.due {
            let account = accounts[self.sent[id].by];
            for word in ["submitted", status.as_str()] {
                *due.entry((account, word.to_owned())).or_insert(0) += 1;
            }
        }
        let rows: Vec<(i64, String, i64)> = sqlx::query_as(
            "select account_id, status, sum(messages)::bigint from account_hour
             where account_id = any($1) group by 1, 2 having sum(messages) <> 0",
        )
        .bind(accounts)
        .fetch_all(self.gateway.schema.pool())
        .await
        .unwrap();
        let counted: HashMap<(i64, String), i64> =
            rows.into_iter().map(|(account, status, count)| ((account, status), count)).collect();
        assert_eq!(counted, due, "{case}");
    }

    /// The message as its customer sees it.
    pub(crate) async fn message(&self, api: SocketAddr, id: i64) -> Value {
        let customer = &self.customers[self.sent[&id].by];
        let (status, message) = customer.get(api, &format!("/v1/messages/{id}")).await.unwrap();
        assert_eq!(status, 200, "{message}");
        message
    }

    /// How often the operator took each message.
    fn taken(&self) -> HashMap<i64, usize> {
        testkit::gateway::taken(&self.gateway.operator)
    }
}
