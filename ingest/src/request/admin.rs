//! The bodies of administrators' calls.

pub(crate) mod account;
pub(crate) mod key;
pub(crate) mod line;
pub(crate) mod tariff;
