//! Recipients: phone numbers as customers write them, and their one canonical form.
//!
//! Every form of a number becomes the same [`Msisdn`], so a recipient is charged, opted
//! out and found under one key. What is a mobile number is decided by the metadata of
//! libphonenumber; the forms that nearly all traffic has are recognised without it.

mod iran;
mod library;
mod served;
#[cfg(test)]
mod tests;
mod written;

pub use served::{Served, ServedError};

use std::fmt;
use written::Written;

/// Characters of an input at most: twice the longest number, room enough for separators.
pub const INPUT_CHARACTERS_MAX: usize = 32;

/// The smallest number of the seven digits that a canonical number has at least.
const CANONICAL_MIN: u64 = 1_000_000;
/// The largest number of the fifteen digits that E.164 allows.
const CANONICAL_MAX: u64 = 999_999_999_999_999;

/// A mobile number in canonical form: its E.164 digits as a number, `989123456789`.
///
/// It is personal data: `Debug` hides most of it, so that it does not reach a log by way
/// of a derived `Debug`; `Display` writes it whole, for the customer and the operator.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Msisdn(u64);

/// Why an input is not the number of a recipient. The input itself is not repeated: it
/// would be personal data in logs, and the caller knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PhoneError {
    /// Not a mobile number in any form.
    #[error(
        "expected a mobile number in national form, or with + and its country code, of at most {INPUT_CHARACTERS_MAX} characters"
    )]
    Invalid,
    /// A number of a country that this installation does not serve.
    #[error("expected a mobile number of a country that is served here")]
    UnsupportedCountry,
}

impl Msisdn {
    /// In the place of a number that was erased. Nobody can have it.
    pub const ERASED: Msisdn = Msisdn(CANONICAL_MIN);

    /// Reads a number as a customer wrote it: national (of the first served country) or
    /// international with `+`, the international prefix, or, for the first served
    /// country, nothing before its code. Digits may be ASCII, Persian or Arabic-Indic;
    /// spaces, dashes, dots, parentheses and marks without width may stand among them.
    pub fn parse(input: &str, served: &Served) -> Result<Msisdn, PhoneError> {
        let written = Written::read(input).ok_or(PhoneError::Invalid)?;
        if served.iran_first()
            && let Some(msisdn) = iran::mobile(&written)
        {
            return Ok(msisdn);
        }
        library::mobile(written.as_str(), served)
    }

    /// Takes a number back from our own records. Only its range is checked (7 to 15
    /// digits): it was valid when it was stored, whatever the metadata says today.
    pub const fn from_canonical(number: u64) -> Result<Msisdn, PhoneError> {
        match number {
            CANONICAL_MIN..=CANONICAL_MAX => Ok(Msisdn(number)),
            _ => Err(PhoneError::Invalid),
        }
    }

    /// The E.164 digits without `+`, as a number. Written in decimal they are what
    /// operators expect (`989123456789`).
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Msisdn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{}", self.0)
    }
}

impl fmt::Debug for Msisdn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Msisdn(…{:02})", self.0 % 100)
    }
}
