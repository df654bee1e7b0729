//! Who may push receipts, and of which connector: whoever knows its secret.

use std::collections::BTreeMap;
use std::hint::black_box;

use sha2::{Digest, Sha256};

use crate::config::PushSettings;

type Hash = [u8; 32];

/// What nothing hashes to, as far as anybody knows: compared with where there is no secret, so
/// that this takes as long.
const NOBODY: Hash = [0; 32];

/// The connectors whose receipts may be pushed. Of their secrets only hashes are kept.
pub(crate) struct Doors(BTreeMap<String, (Hash, Door)>);

/// What may come in there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Door {
    /// Whether receipts may name messages by the operator's own ids.
    pub(crate) by_operator_id: bool,
}

/// Why a push is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// No receipts of such a connector may be pushed.
    Closed,
    /// Another secret, or none.
    WrongSecret,
}

impl Doors {
    /// From the settings; a connector without a secret has no door.
    pub(crate) fn new(settings: &BTreeMap<String, PushSettings>) -> Self {
        let open = settings.iter().filter(|(_, push)| !push.secret.is_empty());
        let door = |push: &PushSettings| {
            (hash(push.secret.expose().as_bytes()), Door { by_operator_id: push.by_operator_id })
        };
        Doors(open.map(|(name, push)| (name.clone(), door(push))).collect())
    }

    /// Lets in whoever sends the connector's secret. Takes the same time whatever was sent.
    ///
    /// # Errors
    /// Why not.
    pub(crate) fn open(&self, connector: &str, sent: Option<&[u8]>) -> Result<Door, Refused> {
        let known = self.0.get(connector);
        let right = same(&hash(sent.unwrap_or_default()), known.map_or(&NOBODY, |(hash, _)| hash));
        match known {
            None => Err(Refused::Closed),
            Some((_, door)) if right && sent.is_some() => Ok(*door),
            Some(_) => Err(Refused::WrongSecret),
        }
    }
}

fn hash(secret: &[u8]) -> Hash {
    Sha256::digest(secret).into()
}

/// Looks at every byte, wherever the first difference is.
fn same(a: &Hash, b: &Hash) -> bool {
    let differences = a.iter().zip(b).fold(0, |seen, (a, b)| black_box(seen | (a ^ b)));
    differences == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_secret_of_the_connector_opens() {
        let push = |secret: &str, by_operator_id| PushSettings { secret: secret.into(), by_operator_id };
        let settings = [
            ("a", push("the secret of a-", false)),
            ("b", push("the secret of b-", true)),
            ("none", push("", true)),
        ];
        let doors = Doors::new(&settings.map(|(name, push)| (name.to_owned(), push)).into());
        let open = |connector: &str, sent: Option<&str>| doors.open(connector, sent.map(str::as_bytes));
        assert_eq!(open("a", Some("the secret of a-")), Ok(Door { by_operator_id: false }));
        assert_eq!(open("b", Some("the secret of b-")), Ok(Door { by_operator_id: true }));
        for wrong in
            [None, Some(""), Some("the secret of b-"), Some("the secret of a"), Some("the secret of a--")]
        {
            assert_eq!(open("a", wrong), Err(Refused::WrongSecret), "{wrong:?}");
        }
        for closed in ["none", "c", "", "A"] {
            for sent in [None, Some(""), Some("the secret of a-")] {
                assert_eq!(open(closed, sent), Err(Refused::Closed), "{closed}");
            }
        }
    }

    #[test]
    fn hashes_that_differ_in_one_bit_are_not_the_same() {
        for place in 0..32 {
            let mut other = NOBODY;
            other[place] = 0x80;
            assert!(!same(&NOBODY, &other));
        }
        assert!(same(&NOBODY, &NOBODY));
    }
}
