//! Any number, by the metadata of libphonenumber.

use super::{Msisdn, PhoneError, Served};
use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumber, PhoneNumberType};

/// Reads `+` and digits, or digits alone. The country is judged before the kind of
/// number, so whoever writes to an unserved country learns just that.
pub(super) fn mobile(written: &str, served: &Served) -> Result<Msisdn, PhoneError> {
    let number = PHONE_NUMBER_UTIL.parse(written, Some(served.first())).map_err(|_| PhoneError::Invalid)?;
    let region = PHONE_NUMBER_UTIL.get_region_for_number(&number).ok_or(PhoneError::Invalid)?;
    let kind = PHONE_NUMBER_UTIL.get_number_type(&number);
    if kind == PhoneNumberType::Unknown {
        return Err(PhoneError::Invalid);
    }
    if !served.contains(region) {
        return Err(PhoneError::UnsupportedCountry);
    }
    match kind {
        PhoneNumberType::Mobile | PhoneNumberType::FixedLineOrMobile => {
            canonical(&number).ok_or(PhoneError::Invalid)
        }
        _ => Err(PhoneError::Invalid),
    }
}

/// Country code and national number as one number. Some countries' national numbers begin
/// with zeros that are dialled from abroad too; the library keeps them as a count.
fn canonical(number: &PhoneNumber) -> Option<Msisdn> {
    let zeros = match (number.italian_leading_zero(), number.number_of_leading_zeros()) {
        (false, _) => 0,
        (true, count) => u32::try_from(count).ok()?,
    };
    let digits = zeros + number.national_number.checked_ilog10().map_or(0, |log| log + 1);
    let country = u64::try_from(number.country_code).ok()?;
    let number = country.checked_mul(10_u64.checked_pow(digits)?)?.checked_add(number.national_number)?;
    Msisdn::from_canonical(number).ok()
}
