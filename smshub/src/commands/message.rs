//! Messages as people name them.

use domain::id::MessageId;

/// The id of a message.
pub(crate) fn parse(text: &str) -> Result<MessageId, String> {
    let id = text.parse().ok().and_then(MessageId::new);
    id.ok_or_else(|| format!("expected the id of a message, a whole number from 256 to {}", i64::MAX))
}
