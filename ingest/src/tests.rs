//! The role as a whole, on real Postgres and Kafka. Answers are held against snapshots in
//! which ids and times are replaced.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod admin;
mod bad_input;
pub(crate) mod billing;
mod campaigns;
mod docs;
mod funds;
pub(crate) mod gateway;
mod idempotency;
mod keys;
mod legacy;
mod lists;
mod opt_outs;
mod rates;
mod receipts;
mod reports;
mod scarcity;
mod sending;
mod server;
pub(crate) mod settings;
mod webhooks;

/// The different chunks of an account that were produced in lane bulk.
pub(crate) fn submitted_chunks(gateway: &gateway::Gateway, account: i64) -> Vec<wire::submitted::Chunk> {
    use domain::lane::Lane;
    use platform::kafka::topics::Stage;
    let topic = gateway.common.topics.of(Stage::Submitted, Lane::Bulk);
    let partition = domain::partition::of_account(account, gateway.common.partitions);
    let records = sending::records(gateway, &topic, partition);
    let chunks = records.iter().map(|record| wire::submitted::Chunk::decode(record).unwrap());
    let mut chunks: Vec<_> = chunks.filter(|chunk| chunk.account == account).collect();
    chunks.sort_by_key(|chunk| chunk.id);
    chunks.dedup_by_key(|chunk| chunk.id);
    chunks
}
