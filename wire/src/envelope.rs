//! The two bytes before every record, and what can be wrong with one.

use bytes::{BufMut, Bytes, BytesMut};
use prost::Message;

const MAGIC: u8 = 0xA7;
const HEAD: usize = 2;

/// The version of a record's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(u8);

impl Version {
    /// The newest version this program reads. Writers use the lowest that any live process
    /// announces, so that old and new run together.
    pub const NEWEST: Version = Version(1);

    /// The version with this number, if this program can write it.
    pub const fn new(number: u8) -> Option<Version> {
        if number >= 1 && number <= Version::NEWEST.0 { Some(Version(number)) } else { None }
    }

    /// Its number.
    pub const fn get(self) -> u8 {
        self.0
    }
}

/// A record that cannot be read, or could not be written.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// It does not begin as our records do.
    #[error("not a smshub record")]
    NotOurs,
    /// It was written by a newer program.
    #[error("version {0} is newer than this program reads")]
    TooNew(u8),
    /// The content is not what the description says.
    #[error("undecodable: {0}")]
    Undecodable(String),
    /// A field holds what it may not.
    #[error("invalid {field}: {detail}")]
    Invalid {
        /// The field's name in the description.
        field: &'static str,
        /// What was expected.
        detail: &'static str,
    },
}

pub(crate) const fn invalid(field: &'static str, detail: &'static str) -> WireError {
    WireError::Invalid { field, detail }
}

pub(crate) fn seal(version: Version, message: &impl Message) -> Bytes {
    let mut record = BytesMut::with_capacity(HEAD + message.encoded_len());
    record.put_u8(MAGIC);
    record.put_u8(version.0);
    // Cannot fail: the buffer grows, and its capacity was counted.
    let _ = message.encode(&mut record);
    record.freeze()
}

/// A record's content without the envelope; empty where it is too short to have one.
pub(crate) fn body(record: &Bytes) -> Bytes {
    if record.len() < HEAD { Bytes::new() } else { record.slice(HEAD..) }
}

pub(crate) fn open<M: Message + Default>(record: &Bytes) -> Result<M, WireError> {
    match record.as_ref() {
        [MAGIC, version, ..] if *version == 0 => Err(WireError::NotOurs),
        [MAGIC, version, ..] if *version > Version::NEWEST.0 => Err(WireError::TooNew(*version)),
        [MAGIC, _, ..] => {
            M::decode(record.slice(HEAD..)).map_err(|error| WireError::Undecodable(error.to_string()))
        }
        _ => Err(WireError::NotOurs),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::Fence;

    #[test]
    fn what_is_not_ours_is_said_to_be() {
        let open = |bytes: &'static [u8]| open::<Fence>(&Bytes::from_static(bytes)).err();
        assert_eq!(open(b""), Some(WireError::NotOurs));
        assert_eq!(open(b"{\"json\":1}"), Some(WireError::NotOurs));
        assert_eq!(open(&[MAGIC, 0]), Some(WireError::NotOurs));
        assert_eq!(open(&[MAGIC, 2]), Some(WireError::TooNew(2)));
        assert!(matches!(open(&[MAGIC, 1, 0xFF]), Some(WireError::Undecodable(_))));
        assert_eq!(open(&[MAGIC, 1]), None);
        assert_eq!((Version::new(0), Version::new(2)), (None, None));
    }
}
