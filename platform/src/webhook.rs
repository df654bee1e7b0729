//! Webhooks: how a customer's endpoint is called, and which addresses may be called at all.
//!
//! What a customer writes into a URL decides where *we* connect to, from inside our network. So
//! a URL is read strictly ([`Target`]), every address that its name leads to is judged
//! ([`Networks`]) by whoever connects ([`Caller`] resolves names itself, connects only to what
//! it judged, and follows no redirect), and nothing of an answer is kept but its status.
//! Calls are signed as Standard Webhooks says ([`signature`]).

mod call;
mod networks;
pub mod payload;
mod resolve;
mod settings;
mod sign;
mod special;
mod target;
#[cfg(test)]
mod tests;

pub use call::{Call, Called, Caller, Trouble};
pub use networks::{Forbidden, Networks};
pub use settings::WebhookSettings;
pub use sign::{SECRET_BYTES, WebhookSecret, signature};
pub use target::{Target, UrlError};
