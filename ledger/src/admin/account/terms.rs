//! What people decide about an account, and the rows that tell of a change of it.

use crate::admin::change::NewChange;
use crate::admin::subject_of_account;
use serde_json::{Value, json};

/// What people decide about an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Its name, for people.
    pub name: String,
    /// The sender lines it may use; the first is its default.
    pub lines: Vec<String>,
    /// Segments a minute in lane standard; nothing: as the settings say.
    pub rate_limit: Option<i32>,
    /// The same in lane express.
    pub express_rate_limit: Option<i32>,
    /// Whether it may not send.
    pub suspended: bool,
}

impl Terms {
    /// Of a new account, with the limits of the settings.
    pub fn new(name: String, lines: Vec<String>) -> Self {
        Terms { name, lines, rate_limit: None, express_rate_limit: None, suspended: false }
    }

    /// By the kind of change: its word, and what of the terms it is about.
    fn parts(&self) -> [(&'static str, Value); 4] {
        let limits = json!({
            "rate_limit_per_minute": self.rate_limit,
            "express_rate_limit_per_minute": self.express_rate_limit,
        });
        [
            ("account.rename", json!({ "name": self.name })),
            ("account.set-line", json!({ "lines": self.lines })),
            ("account.set-limit", limits),
            // The word for what these terms say of it.
            (
                if self.suspended { "account.suspend" } else { "account.resume" },
                json!({ "suspended": self.suspended }),
            ),
        ]
    }

    pub(super) fn all(&self) -> Value {
        let mut all = serde_json::Map::new();
        for (_, part) in self.parts() {
            all.extend(part.as_object().cloned().unwrap_or_default());
        }
        all.into()
    }

    pub(super) fn changes(&self, after: &Terms, id: i64) -> impl Iterator<Item = NewChange> {
        let pairs = self.parts().into_iter().zip(after.parts());
        pairs.filter(|((_, before), (_, after))| before != after).map(move |((_, before), (what, after))| {
            NewChange { what, subject: subject_of_account(id), before: Some(before), after: Some(after) }
        })
    }
}
