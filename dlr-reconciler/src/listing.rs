//! What a chunk is found by in lists, besides its account and time. Pure.

use domain::search::{filter, recipient_key, reference_key};
use wire::submitted::Chunk;

/// See the columns of `chunk_content`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Listing {
    /// Nothing: it belongs to none.
    pub(crate) campaign: Option<i64>,
    /// Of a chunk of one message.
    pub(crate) recipient: Option<i64>,
    /// Of a chunk of one message, where it has a reference.
    pub(crate) reference: Option<i64>,
    /// The keys of several messages.
    pub(crate) sought: Option<Vec<u8>>,
}

impl Listing {
    pub(crate) fn of(chunk: &Chunk) -> Self {
        let recipients = chunk.recipients.iter().map(|recipient| recipient_key(chunk.account, *recipient));
        // One for all is one key.
        let references = chunk.references.iter().filter(|reference| !reference.is_empty());
        let references = references.map(|reference| reference_key(chunk.account, reference));
        let campaign = (chunk.campaign != 0).then_some(chunk.campaign);
        if let [recipient] = chunk.recipients.as_slice() {
            let recipient = Some(recipient_key(chunk.account, *recipient));
            return Listing { campaign, recipient, reference: references.take(1).last(), sought: None };
        }
        let sought = Some(filter(recipients.chain(references).collect()));
        Listing { campaign, recipient: None, reference: None, sought }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::samples::{ACCOUNT, chunk_id, content};
    use domain::search::may_hold;

    #[test]
    fn one_message_is_found_by_keys_and_several_by_a_filter() {
        let one = Chunk { references: vec!["a".into()], campaign: 5, ..content(chunk_id(0), 1) };
        let recipient = recipient_key(ACCOUNT, one.recipients[0]);
        let reference = reference_key(ACCOUNT, "a");
        let expected = Listing {
            campaign: Some(5),
            recipient: Some(recipient),
            reference: Some(reference),
            sought: None,
        };
        assert_eq!(Listing::of(&one), expected);

        let references = vec![String::new(), "a".into(), String::new()];
        let several = Listing::of(&Chunk { references, campaign: 0, ..content(chunk_id(1), 3) });
        assert_eq!((several.campaign, several.recipient, several.reference), (None, None, None));
        let sought = several.sought.unwrap();
        assert!(may_hold(&sought, recipient) && may_hold(&sought, reference));
        assert!(!may_hold(&sought, reference_key(ACCOUNT, "")));
    }
}
