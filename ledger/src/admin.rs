//! What people decide about customers: accounts, charges, sender lines, the tariff. The commands
//! and the API call the same functions, so that both do the same.
//!
//! Each function makes its change and the row that tells of it on the caller's connection: inside
//! a transaction they are stored together or not at all. What changes nothing leaves no row.

pub mod account;
pub mod change;
pub mod charge;
pub mod fields;
pub mod line;
pub mod tariff;

use std::fmt;

/// Who decided, as the rows of `change` say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who(String);

impl Who {
    /// A person at the command line of a machine.
    pub fn cli(user: &str, host: &str) -> Self {
        Who(format!("cli {user}@{host}"))
    }

    /// A call with the key of this id.
    pub fn key(id: impl fmt::Display) -> Self {
        Who(format!("key {id}"))
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the rows about an account are found by.
pub fn subject_of_account(id: i64) -> String {
    format!("account {id}")
}
