//! Where a list goes on: numbers that a client hands back as they are.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// Bytes of the check in front of the numbers. It is there to name a mistake, not to keep a
/// secret: what a cursor says, any client may ask for by time.
const CHECK_BYTES: usize = 6;

/// A list that has cursors: one of another list, or of another account, is none here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursors {
    pub(super) list: &'static str,
    pub(super) account: i64,
}

impl Cursors {
    /// The cursor that holds these numbers.
    pub(super) fn write<const N: usize>(self, numbers: [i64; N]) -> String {
        let numbers: Vec<u8> = numbers.iter().flat_map(|number| number.to_be_bytes()).collect();
        URL_SAFE_NO_PAD.encode([self.check(&numbers).as_slice(), &numbers].concat())
    }

    /// The numbers of a cursor of this list; nothing where it is none.
    pub(super) fn read<const N: usize>(self, cursor: &str) -> Option<[i64; N]> {
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let (check, numbers) = bytes.split_first_chunk::<CHECK_BYTES>()?;
        let (chunks, rest) = numbers.as_chunks();
        let known = rest.is_empty() && self.check(numbers) == *check;
        let all: Vec<i64> = chunks.iter().map(|bytes| i64::from_be_bytes(*bytes)).collect();
        all.try_into().ok().filter(|_| known)
    }

    fn check(self, numbers: &[u8]) -> [u8; CHECK_BYTES] {
        let mut hash = Sha256::new();
        hash.update(self.list.as_bytes());
        hash.update(self.account.to_le_bytes());
        hash.update(numbers);
        let mut check = [0; CHECK_BYTES];
        check.iter_mut().zip(hash.finalize()).for_each(|(to, from)| *to = from);
        check
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_back_and_only_where_it_came_from() {
        let here = Cursors { list: "messages", account: 7 };
        let cursor = here.write([1, i64::MIN]);
        assert_eq!(here.read(&cursor), Some([1, i64::MIN]));
        assert_eq!(here.read::<1>(&cursor), None);
        assert_eq!(Cursors { account: 8, ..here }.read::<2>(&cursor), None);
        assert_eq!(Cursors { list: "transactions", ..here }.read::<2>(&cursor), None);
        for wrong in ["", "x", "ß", &cursor[1..], &cursor[..cursor.len() - 1], &format!("{cursor}AAAA")] {
            assert_eq!(here.read::<2>(wrong), None, "{wrong}");
        }
    }
}
