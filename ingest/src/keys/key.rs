//! The form of a key.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use platform::config::Secret;
use rand::TryRngCore;
use rand::rand_core::OsError;
use rand::rngs::OsRng;
use sha2::{Digest, Sha256};

const PREFIX: &str = "sk_";
const SECRET_BYTES: usize = 32;
const SECRET_CHARACTERS: usize = 43;

/// What a key is known by: its SHA-256. What cannot be a key has none.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key([u8; 32]);

impl Key {
    /// From what a client sent, where it has a key's form. So what is plainly not a key never
    /// reaches the database.
    pub fn parse(sent: &str) -> Option<Self> {
        let secret = sent.strip_prefix(PREFIX)?;
        let fits = secret.len() == SECRET_CHARACTERS
            && secret.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        fits.then(|| Key(Sha256::digest(sent.as_bytes()).into()))
    }

    /// Makes a key: what it is known by, and the key itself.
    pub(super) fn generate() -> Result<(Self, Secret), OsError> {
        let mut bytes = [0; SECRET_BYTES];
        OsRng.try_fill_bytes(&mut bytes)?;
        let text = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes));
        let key = Key(Sha256::digest(text.as_bytes()).into());
        Ok((key, Secret::from(text)))
    }

    /// The hash, as the table has it.
    pub(super) fn hash(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(***)")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_made_key_has_the_form_and_no_two_are_equal() {
        let (key, secret) = Key::generate().unwrap();
        assert_eq!(secret.expose().len(), PREFIX.len() + SECRET_CHARACTERS);
        assert_eq!(Key::parse(secret.expose()), Some(key));
        assert_ne!(Key::generate().unwrap().0, key);
        assert_eq!(format!("{key:?} {secret:?}").matches("***").count(), 2);
    }

    #[test]
    fn what_is_plainly_no_key_has_no_hash() {
        let good = format!("sk_{}", "a".repeat(43));
        assert!(Key::parse(&good).is_some());
        let with = |bad: &str| good.replacen("aa", bad, 1);
        for bad in
            ["", "sk_", &good[1..], &good[..45], &format!("{good}a"), &with("a="), &with("ی"), &with("a ")]
        {
            assert!(Key::parse(bad).is_none(), "{bad}");
        }
    }
}
