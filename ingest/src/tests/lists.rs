//! Lists and counted pages, on rows as billing and dlr-reconciler write them.

mod against_model;
mod over_http;
mod transactions;
mod world;
