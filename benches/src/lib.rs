//! What smshub costs: a load generator that goes through the public API and measures, while
//! it does, what every process of the machine spends for a message.
//!
//! One run ([`run`]): bodies are made beforehand ([`bodies`]); CPU times are read ([`cpu`]);
//! bulk calls ([`bulk`]) and single messages at a fixed rate ([`express`]) go out; the
//! accounts are watched until nothing is held any more ([`settled`]); CPU times are read
//! again; every call's report is checked ([`verify`]). A scenario ([`scenario`]) is a warm-up and several
//! runs, for which a simulated operator may be told to make faults ([`operator`]), and its
//! report ([`report`]) shows their medians.
//!
//! Beside it [`hops`]: where the time of express messages goes, from what is written down anyway;
//! and [`lists`]: many stored messages, and how long lists and reports of them take.

mod answers;
mod bodies;
mod bulk;
mod client;
mod cpu;
mod express;
mod flags;
mod hops;
mod latency;
mod lists;
mod numbers;
mod operator;
mod report;
mod run;
mod scenario;
mod settled;
mod verify;

pub use flags::Flags;
pub use hops::{HopsFlags, hops};
pub use lists::{AskFlags, StoreFlags, ask, store};
pub use scenario::measure;
