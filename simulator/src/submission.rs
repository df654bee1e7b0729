//! A send call's body, and the judgement of each element by its form and its fate.

use std::borrow::Cow;

use serde::Deserialize;

use crate::fate::{Fate, Key, decide};
use crate::number::{is_line, national};
use crate::store::NO_UID;
use crate::text::{Alphabet, parts};
use crate::{Settings, answer::code};

/// The most recipients of a send call and the most ids of a statuses call.
pub(crate) const MAX_PER_CALL: usize = 100;
/// The most parts of one text.
const MAX_PARTS: u32 = 265;

/// A string that is not copied out of the body unless it holds escapes.
#[derive(Deserialize)]
pub(crate) struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// The arrays of `POST /send`, one element for each recipient; senders, messages, encodings
/// and udhs may also be a single element for all.
#[derive(Deserialize)]
pub(crate) struct Submission<'a> {
    #[serde(borrow)]
    senders: Vec<Text<'a>>,
    #[serde(borrow)]
    recipients: Vec<Text<'a>>,
    #[serde(borrow)]
    messages: Vec<Text<'a>>,
    encodings: Option<Vec<i64>>,
    uids: Option<Vec<i64>>,
    #[serde(borrow)]
    udhs: Option<Vec<Text<'a>>>,
}

/// One element after judgement.
pub(crate) struct Judged<'a> {
    pub(crate) uid: i64,
    pub(crate) sender: &'a str,
    pub(crate) recipient: &'a str,
    /// Ten digits, where the recipient is a mobile number.
    pub(crate) national: Option<u64>,
    pub(crate) alphabet: Alphabet,
    pub(crate) parts: u32,
    pub(crate) fate: Fate,
}

impl Submission<'_> {
    /// The top-level status with which a call of such arrays is refused, if it is.
    pub(crate) fn refusal(&self) -> Option<u16> {
        let wanted = self.recipients.len();
        let fits = |length: usize| length == 1 || length == wanted;
        let optional = |length: Option<usize>| length.is_none_or(fits);
        if wanted == 0 {
            Some(code::NO_RECIPIENTS)
        } else if wanted > MAX_PER_CALL {
            Some(code::TOO_MANY)
        } else if self.senders.is_empty() {
            Some(code::NO_SENDERS)
        } else if !fits(self.senders.len()) {
            Some(code::SENDERS_LENGTH)
        } else if !fits(self.messages.len()) {
            Some(code::MESSAGES_LENGTH)
        } else if !optional(self.encodings.as_ref().map(Vec::len)) {
            Some(code::ENCODINGS_LENGTH)
        } else if !optional(self.udhs.as_ref().map(Vec::len)) {
            Some(code::UDHS_LENGTH)
        } else if self.uids.as_ref().is_some_and(|uids| uids.len() != wanted) {
            Some(code::UIDS_LENGTH)
        } else {
            None
        }
    }

    /// The elements in order; only for a submission that is not refused as a whole.
    pub(crate) fn judge<'a>(&'a self, settings: &Settings) -> Vec<Judged<'a>> {
        let element = |index: usize| {
            let recipient = self.recipients[index].0.as_ref();
            let mut judged = Judged {
                uid: self.uids.as_ref().map_or(NO_UID, |uids| uids[index]),
                sender: &spread(&self.senders, index).0,
                recipient,
                national: national(recipient),
                alphabet: Alphabet::Default,
                parts: 0,
                fate: Fate::Refused(code::BAD_RECIPIENT),
            };
            judged.fate = self.fate(settings, index, &mut judged).unwrap_or_else(Fate::Refused);
            judged
        };
        (0..self.recipients.len()).map(element).collect()
    }

    fn fate(&self, settings: &Settings, index: usize, judged: &mut Judged<'_>) -> Result<Fate, u16> {
        let text = &spread(&self.messages, index).0;
        let encoding = self.encodings.as_ref().map_or(0, |encodings| *spread(encodings, index));
        let (alphabet, parts) = parts(text, encoding).ok_or(code::ENCODING)?;
        if !is_line(judged.sender) {
            return Err(code::SENDER);
        }
        let national = judged.national.ok_or(code::BAD_RECIPIENT)?;
        if text.is_empty() {
            return Err(code::EMPTY_TEXT);
        }
        if self.udhs.as_ref().is_some_and(|udhs| !is_hex(&spread(udhs, index).0)) {
            return Err(code::UDH);
        }
        if parts > MAX_PARTS {
            return Err(code::TOO_LONG);
        }
        (judged.alphabet, judged.parts) = (alphabet, parts);
        Ok(decide(settings, Key::of(judged.uid, national)))
    }
}

/// The element for a recipient of an array that has one for each, or one for all.
fn spread<T>(array: &[T], index: usize) -> &T {
    if array.len() == 1 { &array[0] } else { &array[index] }
}

fn is_hex(udh: &str) -> bool {
    udh.len().is_multiple_of(2) && udh.bytes().all(|octet| octet.is_ascii_hexdigit())
}
