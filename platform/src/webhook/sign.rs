//! Signatures, as <https://www.standardwebhooks.com> says: HMAC-SHA256 over `id.timestamp.body`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt;

/// Bytes of a new secret; the standard asks for 24 to 64.
pub const SECRET_BYTES: usize = 32;
const PREFIX: &str = "whsec_";

/// What the customer checks our calls with.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookSecret(Vec<u8>);

impl WebhookSecret {
    /// From random bytes.
    pub fn new(bytes: Vec<u8>) -> Self {
        WebhookSecret(bytes)
    }

    /// The bytes, for the table.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// As the customer is shown it, once: `whsec_…`.
    pub fn shown(&self) -> String {
        format!("{PREFIX}{}", STANDARD.encode(&self.0))
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The value of the header `webhook-signature`: one signature for each secret, so that after a
/// rotation either opens. `timestamp` is in seconds since 1970.
pub fn signature(secrets: &[WebhookSecret], id: &str, timestamp: i64, body: &[u8]) -> String {
    let signed = secrets.iter().filter_map(|secret| {
        // HMAC takes keys of any length.
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.bytes()).ok()?;
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
    });
    signed.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const AT: i64 = 1_614_265_330;

    /// The vector of the standard's own libraries.
    fn secret() -> WebhookSecret {
        WebhookSecret::new(STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap())
    }

    #[test]
    fn the_vector_of_the_standard() {
        let expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(signature(&[secret()], ID, AT, BODY), expected);
        assert_eq!(secret().shown(), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    }

    #[test]
    fn each_secret_signs_and_nothing_else_fits() {
        let other = WebhookSecret::new(vec![7; SECRET_BYTES]);
        let both = signature(&[secret(), other.clone()], ID, AT, BODY);
        let alone = [secret(), other].map(|secret| signature(&[secret], ID, AT, BODY));
        assert_eq!(both, alone.join(" "));
        let good = &alone[0];
        assert_ne!(&signature(&[secret()], "msg_other", AT, BODY), good);
        assert_ne!(&signature(&[secret()], ID, AT + 1, BODY), good);
        assert_ne!(&signature(&[secret()], ID, AT, b"{}"), good);
    }

    #[test]
    fn it_is_not_shown_by_accident() {
        assert_eq!(format!("{:?}", secret()), "***");
    }
}
