#![allow(clippy::unwrap_used)]
use super::*;
use proptest::prelude::*;

fn iran() -> Served {
    Served::new(&["IR"]).unwrap()
}

fn by_library(text: &str, served: &Served) -> Result<Msisdn, PhoneError> {
    library::mobile(Written::read(text).unwrap().as_str(), served)
}

/// Every form in which the library reads a national number of ten digits.
fn forms(national: u64) -> [String; 5] {
    ["", "0", "98", "0098", "+98"].map(|before| format!("{before}{national:010}"))
}

/// Puts a number in other digits and strews separators over it, within the limit.
fn disguised(number: &str, digits: usize, separators: &[(usize, char)]) -> String {
    let zero = ['0', '۰', '٠'][digits];
    let shift = |c: char| match c.to_digit(10) {
        Some(digit) => char::from_u32(zero as u32 + digit).unwrap(),
        None => c,
    };
    let mut text: Vec<char> = number.chars().map(shift).collect();
    for &(at, separator) in separators {
        text.insert(at % (text.len() + 1), separator);
    }
    text.into_iter().collect()
}

const SEPARATORS: &str = " \u{a0}\u{200c}\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\
                          \u{2066}\u{2067}\u{2068}\u{2069}\u{202f}-\u{2010}\u{2011}\u{2012}\u{2013}\u{2014}\u{2015}\u{2212}.()";

/// The metadata looks at five digits at most, and then wants five more whatever they are.
/// So all 10,000 beginnings with some endings, in every form: where the fast path says
/// yes, the library says the same; and over whole prefixes it may say no only where the
/// library does not always say yes.
#[test]
fn the_fast_path_agrees_with_the_library_on_every_prefix() {
    let served = iran();
    let mut wholly_mobile = [true; 100];
    let mut fast = [true; 100];
    for beginning in 90_000..100_000_u64 {
        for ending in [0, 1, 9, 12_345, 50_505, 67_890, 98_989, 99_999] {
            let national = beginning * 100_000 + ending;
            let truth = by_library(&format!("+98{national}"), &served);
            for form in forms(national) {
                let quick = iran::mobile(&Written::read(&form).unwrap());
                assert!(quick.is_none_or(|quick| truth == Ok(quick)), "{form}");
                assert_eq!(Msisdn::parse(&form, &served), truth, "{form}");
                let prefix = usize::try_from(beginning / 100 - 900).unwrap();
                wholly_mobile[prefix] &= truth.is_ok();
                fast[prefix] &= quick.is_some();
            }
        }
    }
    assert_eq!(fast, wholly_mobile);
}

proptest! {
    #[test]
    fn the_fast_path_agrees_with_the_library(national in 9_000_000_000..10_000_000_000_u64) {
        let served = iran();
        for form in forms(national) {
            prop_assert_eq!(Msisdn::parse(&form, &served), by_library(&form, &served), "{}", form);
            if let Some(quick) = iran::mobile(&Written::read(&form).unwrap()) {
                prop_assert_eq!(quick.get(), 980_000_000_000 + national);
            }
        }
    }

    /// Also for whatever is no mobile number: any digits of any length, with or without +.
    #[test]
    fn parsing_agrees_with_the_library(text in "\\+?[0-9]{0,20}|\\+?(00|0)?(98)?0?9[0-9]{6,12}") {
        let served = Served::new(&["IR", "TR"]).unwrap();
        prop_assert_eq!(Msisdn::parse(&text, &served), by_library(&text, &served));
    }

    #[test]
    fn every_way_of_writing_is_the_same_number(
        national in 9_100_000_000..9_200_000_000_u64,
        form in 0..5usize,
        digits in 0..3usize,
        separators in prop::collection::vec(
            (any::<usize>(), prop::sample::select(SEPARATORS.chars().collect::<Vec<_>>())), 0..=18),
    ) {
        let text = disguised(&forms(national)[form], digits, &separators);
        prop_assert!(text.chars().count() <= INPUT_CHARACTERS_MAX);
        let number = Msisdn::parse(&text, &iran()).map(Msisdn::get);
        prop_assert_eq!(number, Ok(980_000_000_000 + national));
    }

    #[test]
    fn any_other_character_is_refused(at in 0..12usize, other in prop_oneof![any::<char>(), "[!-~²०９]".prop_map(|c| c.chars().next().unwrap())]) {
        let digit = matches!(other, '0'..='9' | '۰'..='۹' | '٠'..='٩');
        let allowed = digit || SEPARATORS.contains(other) || written_elsewhere(other) || (other == '+' && at == 0);
        if allowed {
            return Ok(());
        }
        let mut text = String::from("09123456789");
        text.insert(at, other);
        prop_assert_eq!(Msisdn::parse(&text, &iran()), Err(PhoneError::Invalid));
    }

    /// And a number that is accepted is accepted again in its canonical form.
    #[test]
    fn any_input_has_an_answer(text in prop_oneof![any::<String>(), r"(\+(98|1|39)?|00|0)?[0-9]{6,13}"]) {
        let served = Served::new(&["IR", "US", "IT"]).unwrap();
        if let Ok(number) = Msisdn::parse(&text, &served) {
            prop_assert_eq!(Msisdn::from_canonical(number.get()), Ok(number));
            prop_assert_eq!(Msisdn::parse(&number.to_string(), &served), Ok(number));
        }
    }

    #[test]
    fn canonical_numbers_have_seven_to_fifteen_digits(digits in 1..=19u32, rest in any::<u64>()) {
        let least = 10_u64.pow(digits - 1);
        let number = least + rest % (least * 9).min(u64::MAX - least);
        prop_assert_eq!(Msisdn::from_canonical(number).is_ok(), (7..=15).contains(&digits));
    }
}

/// Separators of the same kinds that are not worth a case of their own above.
fn written_elsewhere(character: char) -> bool {
    matches!(
        character,
        '\u{2000}'..='\u{200a}' | '\u{205f}' | '\u{3000}' | '\u{fe58}' | '\u{fe63}' | '\u{ff0d}'
    )
}

#[test]
fn known_inputs() {
    use PhoneError::{Invalid, UnsupportedCountry};
    let number = Ok(989_123_456_789);
    let cases = [
        ("09123456789", number),
        ("989123456789", number),
        ("+989123456789", number),
        ("00989123456789", number),
        ("9123456789", number),
        ("+98 (0) 912 345-6789", number),
        ("۰۹۱۲ ۳۴۵ ۶۷۸۹", number),
        ("٠٩١٢٣٤٥٦٧٨٩", number),
        ("\u{202a}+98 912 345 6789\u{202c}", number),
        ("(0912) 345.67.89", number),
        // Mobile, but only by further digits: the library's part.
        ("09981234567", Ok(989_981_234_567)),
        ("", Err(Invalid)),
        ("+", Err(Invalid)),
        ("12", Err(Invalid)),
        ("0912345678", Err(Invalid)),
        ("091234567890", Err(Invalid)),
        ("0989123456789", Err(Invalid)),
        ("09703456789", Err(Invalid)),
        ("98+9123456789", Err(Invalid)),
        ("++989123456789", Err(Invalid)),
        ("09123456789\n", Err(Invalid)),
        ("0912345678O", Err(Invalid)),
        ("09123456789 ext 3", Err(Invalid)),
        ("tel:+989123456789", Err(Invalid)),
        // A landline of Tehran; an emergency number.
        ("02122334455", Err(Invalid)),
        ("110", Err(Invalid)),
        ("+33 6 12 34 56 78", Err(UnsupportedCountry)),
        ("+1 650 253 0000", Err(UnsupportedCountry)),
        // No such country code.
        ("+999 123 456 789", Err(Invalid)),
    ];
    for (input, expected) in cases {
        assert_eq!(Msisdn::parse(input, &iran()).map(Msisdn::get), expected, "{input:?}");
    }
}

#[test]
fn an_input_has_32_characters_at_most() {
    let padded = |count: usize| format!("{}09123456789", "\u{200c}".repeat(count - 11));
    assert!(Msisdn::parse(&padded(32), &iran()).is_ok());
    assert_eq!(Msisdn::parse(&padded(33), &iran()), Err(PhoneError::Invalid));
    assert_eq!(Msisdn::parse(&"9".repeat(32), &iran()), Err(PhoneError::Invalid));
    assert_eq!(Msisdn::parse(&format!("+{}", "9".repeat(31)), &iran()), Err(PhoneError::Invalid));
}

#[test]
fn other_countries_when_they_are_served() {
    let served = Served::new(&["FR", "CI", "US", "IR"]).unwrap();
    let get = |input| Msisdn::parse(input, &served).map(Msisdn::get);
    assert_eq!(get("06 12 34 56 78"), Ok(33_612_345_678));
    // The fast path must not take a French number for an Iranian one.
    assert_eq!(get("9123456789"), Err(PhoneError::Invalid));
    assert_eq!(get("+989123456789"), Ok(989_123_456_789));
    assert_eq!(get("+1 650 253 0000"), Ok(16_502_530_000));
    assert_eq!(get("+33 1 42 68 53 00"), Err(PhoneError::Invalid), "a landline");
    // Same country code as the United States, another country.
    assert_eq!(get("+1 204 234 5678"), Err(PhoneError::UnsupportedCountry));
    // Mobile numbers of Côte d'Ivoire keep their leading zero.
    assert_eq!(get("+225 01 23 45 67 89"), Ok(2_250_123_456_789));
}

#[test]
fn served_countries_are_checked() {
    assert_eq!(Served::new::<&str>(&[]), Err(ServedError::Empty));
    for code in ["ir", "XX", "IRN", "001", "", "98"] {
        assert_eq!(Served::new(&["IR", code]), Err(ServedError::UnknownRegion(code.into())), "{code}");
    }
    assert!(Served::new(&["IR", "AF", "IR"]).is_ok());
}

#[test]
fn a_number_is_shown_whole_only_where_it_is_asked_for() {
    let number = Msisdn::from_canonical(989_123_456_789).unwrap();
    assert_eq!(number.to_string(), "+989123456789");
    assert_eq!(format!("{number:?}"), "Msisdn(…89)");
}
