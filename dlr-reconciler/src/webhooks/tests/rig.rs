//! A world with endpoints, and deliverers that may die at any time.

use super::receiver::Receiver;
use super::{calls, settings};
use crate::WebhookDelivery;
use crate::flush::tests::world::{PARTITION, World};
use crate::metrics::WebhookMeters;
use crate::samples::{self, ACCOUNT};
use crate::webhooks::{Deliverer, Parts};
use domain::time::UnixMillis;
use platform::ownership::clock::unix_now;
use platform::webhook::{Caller, WebhookSecret};
use sqlx::types::Uuid;
use std::ops::Deref;
use std::sync::Arc;

pub(super) struct Rig {
    pub(super) world: World,
    pub(super) process: Uuid,
    pub(super) now: UnixMillis,
}

impl Deref for Rig {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

pub(super) fn secret(seed: u8) -> WebhookSecret {
    WebhookSecret::new(vec![seed; 32])
}

impl Rig {
    pub(super) async fn new() -> Self {
        let (world, process) = (World::new().await, Uuid::now_v7());
        world.own(process).await;
        samples::charge(world.pool(), 10_000_000).await;
        Rig { world, process, now: unix_now() }
    }

    /// An endpoint of the account that wants to be told all, signed by the secret of seed 1.
    pub(super) async fn endpoint(&self, url: &str, batch_size: i16) -> i64 {
        let all = ["sent", "delivered", "undelivered", "failed", "expired", "refused", "blocked", "canceled"];
        self.endpoint_for(url, batch_size, &all).await
    }

    pub(super) async fn endpoint_for(&self, url: &str, batch_size: i16, events: &[&str]) -> i64 {
        sqlx::query_scalar(
            "insert into webhook_endpoint (account_id, partition, url, events, batch_size, secret)
             values ($1, $2, $3, $4, $5, $6) returning id",
        )
        .bind(ACCOUNT)
        .bind(PARTITION)
        .bind(url)
        .bind(events)
        .bind(batch_size)
        .bind(secret(1).bytes())
        .fetch_one(&**self.pool())
        .await
        .unwrap()
    }

    pub(super) fn deliverer(&self) -> Deliverer {
        self.deliverer_with(settings())
    }

    pub(super) fn deliverer_with(&self, settings: WebhookDelivery) -> Deliverer {
        Deliverer::new(Parts {
            pool: self.pool().clone(),
            caller: Arc::new(Caller::new(&calls()).unwrap()),
            currency: "IRR".into(),
            settings,
            meters: WebhookMeters::new(),
        })
    }

    /// Tells everything that is due, so many milliseconds after the beginning.
    pub(super) async fn deliver(&self, deliverer: &mut Deliverer, after_ms: i64) {
        while self.say(deliverer, after_ms).await {}
    }

    /// One round, and its calls to their end; what came of them is not stored yet.
    pub(super) async fn say(&self, deliverer: &mut Deliverer, after_ms: i64) -> bool {
        deliverer.round(self.process, self.now.plus(after_ms)).await.unwrap();
        let said = !deliverer.calls.is_empty();
        while let Some(done) = deliverer.calls.join_next().await {
            deliverer.done.push(done.unwrap());
        }
        said
    }

    /// All at once with a deliverer that does nothing else.
    pub(super) async fn deliver_all(&self) {
        self.deliver(&mut self.deliverer(), 0).await;
    }

    /// A value of an endpoint's row, as text.
    pub(super) async fn of_endpoint(&self, endpoint: i64, expression: &str) -> String {
        let statement =
            format!("select coalesce(({expression})::text, '') from webhook_endpoint where id = $1");
        let query = sqlx::query_scalar(sqlx::AssertSqlSafe(statement)).bind(endpoint);
        query.fetch_one(&**self.pool()).await.unwrap()
    }

    pub(super) async fn execute(&self, statement: &'static str) {
        sqlx::query(statement).execute(&**self.pool()).await.unwrap();
    }

    /// Outcome, attempts and last answer of each delivery, in their order.
    pub(super) async fn log(&self) -> Vec<String> {
        sqlx::query_scalar(
            "select concat_ws(' ', coalesce(outcome, 'pending'), messages, attempts,
                              coalesce(last_status::text, last_trouble))
             from webhook_delivery order by id",
        )
        .fetch_all(&**self.pool())
        .await
        .unwrap()
    }

    /// A chunk of so many messages, billed, recorded and taken by an operator.
    pub(super) async fn sent(&self, k: i64, size: u16) -> domain::id::ChunkId {
        use crate::flush::tests::world::{ATTEMPTS, BILLED};
        use crate::samples::{billed, chunk_id, outcome, outcomes};
        let chunk = chunk_id(k);
        self.hold(chunk, size, size).await;
        self.flush(BILLED, &[billed(chunk, size, size)]).await;
        let taken = |position| outcome(position, domain::outcome::Outcome::Taken);
        let taken = (0..=u8::MAX).take(usize::from(size)).map(taken).collect();
        self.flush(ATTEMPTS, &[outcomes(chunk, size, 1, taken)]).await;
        chunk
    }

    pub(super) async fn receiver_and_endpoint(&self, batch_size: i16) -> (Receiver, i64) {
        let receiver = Receiver::taking().await;
        let endpoint = self.endpoint(&receiver.url(), batch_size).await;
        (receiver, endpoint)
    }
}
