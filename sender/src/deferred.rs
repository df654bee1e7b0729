//! Chunks of which messages wait for long: kept in a table, so that the frontier of
//! sms.billed can pass them. Rows are written by the holder of their partition only, in the
//! transaction that moves its positions. Orders from people stand beside them, and are
//! carried out by the holder.

pub(crate) mod letters;
mod row;
pub(crate) mod shown;
mod store;

pub(crate) use row::{Row, Waiting, Why};
pub use store::Verb;
pub(crate) use store::{
    Ahead, Changes, Due, Looked, Order, Stock, ahead, change, due, of_chunks, orders, stock,
};

#[cfg(test)]
mod tests;
