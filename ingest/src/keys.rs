//! API keys: `sk_` and 43 characters that hold 256 bits of the operating system's randomness.
//!
//! The database has only a key's SHA-256, and finds it by that. No comparison here runs over
//! the secret itself: who measures how long a look-up takes learns about the hash of a guess,
//! which tells nothing of the hash of a key. A plain hash is enough (no salt, no slow hash)
//! because there is no dictionary of 256-bit keys to try.

mod cache;
mod key;
mod manage;
mod scope;
mod store;
mod used;

pub(crate) use cache::{KeyCache, Refused};
pub use key::Key;
pub use manage::{GRACE_DEFAULT, GRACE_MAX, Listed, Rotated, in_use, issue, list, revoke, rotate};
pub use scope::{Scope, UnknownScope};
#[cfg(test)]
pub(crate) use store::create;
pub(crate) use store::speaks_for;
pub use store::{Identity, KeyError, NewKey, verify};
pub(crate) use used::{Used, keep};
