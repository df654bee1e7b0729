//! Magfa's answers. Fields that we do not use are not read; what is not JSON of this shape
//! is no answer, and its messages are unknown. One element that cannot be read does not
//! spoil those beside it.

mod field;

pub(super) use field::Number;
use field::Text;
use serde::Deserialize;

/// The answer to `/send`.
#[derive(Debug, Deserialize)]
pub(super) struct SendAnswer<'a> {
    status: Number,
    #[serde(default, borrow)]
    messages: Option<Vec<Option<Element<'a>>>>,
}

/// One message of it. A refused one has a status and no id.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Element<'a> {
    status: Number,
    id: Number,
    user_id: Number,
    #[serde(borrow)]
    recipient: Text<'a>,
}

/// Whom an element is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum About<'a> {
    /// The message with this id of ours.
    Id(i64),
    /// Our id was not echoed: the message to this number, if it is one.
    Recipient(&'a str),
}

/// What an element, or a whole answer, says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Says {
    /// Taken, under this id.
    Taken(i64),
    /// Refused with this code.
    Refused(i16),
    /// Neither.
    Nothing,
}

/// The answer to `/mid/{uid}`.
#[derive(Debug, Deserialize)]
pub(super) struct MidAnswer {
    status: Number,
    #[serde(default)]
    pub(super) mid: Number,
}

/// The answer to `/statuses/{mids}`.
#[derive(Debug, Deserialize)]
struct StatusesAnswer {
    status: Number,
    #[serde(default)]
    dlrs: Option<Vec<Option<Dlr>>>,
}

/// One receipt of it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Dlr {
    mid: Number,
    status: Number,
}

impl<'a> SendAnswer<'a> {
    pub(super) fn read(octets: &'a [u8]) -> Option<Self> {
        read(octets)
    }

    /// The status of the whole call; nothing where there is none that can be read.
    pub(super) fn status(&self) -> Option<i16> {
        self.status.code()
    }

    pub(super) fn elements(&self) -> impl Iterator<Item = &Element<'a>> {
        self.messages.iter().flatten().flatten()
    }
}

impl MidAnswer {
    pub(super) fn read(octets: &[u8]) -> Option<Self> {
        read(octets)
    }

    pub(super) fn status(&self) -> Option<i16> {
        self.status.code()
    }
}

impl Element<'_> {
    pub(super) fn about(&self) -> About<'_> {
        match self.user_id {
            Number::Missing | Number::Is(0) => About::Recipient(&self.recipient.0),
            Number::Is(id) => About::Id(id),
            // It was echoed, and is none of ours.
            Number::Unreadable => About::Id(0),
        }
    }

    pub(super) fn says(&self) -> Says {
        match (self.status.code(), self.id) {
            (Some(0), Number::Is(id)) if id > 0 => Says::Taken(id),
            (Some(0) | None, _) => Says::Nothing,
            (Some(code), _) => Says::Refused(code),
        }
    }
}

/// The receipts of an answer to a poll, id and status; nothing where it is no such answer,
/// or the poll was refused.
pub(super) fn statuses(octets: &[u8]) -> Option<impl Iterator<Item = (i64, i16)>> {
    let answer = read::<StatusesAnswer>(octets).filter(|answer| answer.status.code() == Some(0))?;
    let receipt = |dlr: Dlr| match (dlr.mid, dlr.status.code()) {
        (Number::Is(mid), Some(status)) => Some((mid, status)),
        _ => None,
    };
    Some(answer.dlrs?.into_iter().flatten().filter_map(receipt))
}

/// serde would also take the fields of a struct from an array, by their position.
fn read<'a, T: Deserialize<'a>>(octets: &'a [u8]) -> Option<T> {
    octets.trim_ascii_start().starts_with(b"{").then(|| serde_json::from_slice(octets).ok()).flatten()
}

#[cfg(test)]
mod tests;
