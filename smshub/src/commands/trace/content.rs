//! What of a message is shown: by default nothing that is personal.

use domain::phone::Msisdn;
use serde_json::{Value, json};
use wire::submitted::Chunk;

/// Whether numbers, texts and references are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// As they are.
    Shown,
    /// Only what does not tell whose message it is.
    Masked,
}

impl Content {
    /// The fields of one message of a chunk.
    pub(super) fn of(self, chunk: &Chunk, index: u8) -> Vec<(&'static str, Value)> {
        let index = usize::from(index);
        let mut fields = Vec::new();
        match chunk.recipient(index) {
            Some(to) => fields.push(("to", json!(self.number(to)))),
            None => fields.push(("erased", json!(true))),
        }
        fields.push(("from", json!(chunk.line)));
        if let Some(text) = chunk.text(index) {
            fields.push(("encoding", json!(text.encoding.as_str())));
            fields.push(("segments", json!(text.segments)));
            fields.push(("characters", json!(text.body.chars().count())));
            if self == Content::Shown {
                fields.push(("text", json!(text.body)));
            }
        }
        if let Some(reference) = chunk.reference(index).filter(|_| self == Content::Shown) {
            fields.push(("reference", json!(reference)));
        }
        fields
    }

    fn number(self, number: Msisdn) -> String {
        match self {
            Content::Shown => number.to_string(),
            Content::Masked => format!("…{:02}", number.get() % 100),
        }
    }
}
