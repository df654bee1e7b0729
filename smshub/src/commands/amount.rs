//! Amounts as people type them.

use domain::money::Money;

/// An amount to charge: a whole number of the smallest unit, at least 1.
pub(crate) fn parse(text: &str) -> Result<Money, String> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let fraction = digits.split_once(['.', ',', '٫']);
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if let Some((whole, part)) = fraction
        && is_digits(whole)
        && is_digits(part)
    {
        return Err(
            "expected a whole number: amounts are in the smallest unit, which has no fractions, and are \
                    written without separators"
                .into(),
        );
    }
    if digits.is_empty() || !is_digits(digits) {
        return Err("expected a whole number of the smallest unit, in digits 0-9 only".into());
    }
    if text.starts_with('-') {
        return Err("expected an amount of at least 1: a charge cannot be negative".into());
    }
    match digits.parse::<i64>() {
        Ok(0) => Err("expected an amount of at least 1".into()),
        Ok(amount) => Ok(Money::new(amount)),
        Err(_) => Err(format!("expected an amount of at most {}, which 63 bits hold", i64::MAX)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_positive_amounts_of_63_bits() {
        assert_eq!(parse("1"), Ok(Money::new(1)));
        assert_eq!(parse("9223372036854775807"), Ok(Money::new(i64::MAX)));
        let says = |text: &str, what: &str| {
            let error = parse(text).err().unwrap_or_default();
            assert!(error.contains(what), "{text}: {error}");
        };
        says("0", "at least 1");
        says("000", "at least 1");
        says("-5", "cannot be negative");
        says("-0.5", "no fractions");
        says("1.5", "no fractions");
        says("1,000", "without separators");
        says("9223372036854775808", "at most 9223372036854775807");
        says("99999999999999999999999", "at most 9223372036854775807");
        for text in ["", "-", "ten", "1e3", "0x10", "۱۰", " 1", "1 000", "--5", "+-5"] {
            says(text, "digits 0-9 only");
        }
    }
}
