#![allow(clippy::unwrap_used)]
use super::*;
use proptest::prelude::*;

/// The default alphabet in the order of the standard's table; the escape (0x1B) is not a
/// character.
const DEFAULT: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?\
                       ¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
const EXTENSION: &str = "\u{c}^{}\\[~]|€";

/// Characters near every border: alphabet, extension, UCS-2 of one and of two units.
fn characters() -> impl Strategy<Value = char> {
    let of = |set: &'static str| prop::sample::select(set.chars().collect::<Vec<_>>());
    prop_oneof![4 => of(DEFAULT), 2 => of(EXTENSION), 2 => of("سلام\u{200c}يكی`\tç"), 1 => of("😀𝄞🇮"), 1 => any::<char>()]
}

/// Texts whose length is a whole number of full parts, or one unit more or less, mixed of
/// one-unit and two-unit characters: there it matters how they fall on the borders.
fn bordering() -> impl Strategy<Value = Vec<char>> {
    let kinds = prop::sample::select(vec![('a', '€', 153), ('ا', '😀', 67)]);
    (kinds, 1..5usize, 0..3usize, prop::collection::vec(any::<bool>(), 4 * 153 + 1)).prop_map(
        |((single, double, part), parts, more, doubled)| {
            let wanted = parts * part + more - 1;
            let mut units = 0;
            let mut characters = Vec::new();
            for doubled in doubled {
                match wanted - units {
                    0 => break,
                    left if doubled && left >= 2 => characters.push(double),
                    _ => characters.push(single),
                }
                units += if characters.last() == Some(&double) { 2 } else { 1 };
            }
            characters
        },
    )
}

/// Texts that stay in one encoding often, and are long enough for several parts.
fn texts() -> impl Strategy<Value = String> {
    let gsm = prop::sample::select(format!("{DEFAULT}{EXTENSION}").chars().collect::<Vec<_>>());
    let persian = prop::sample::select("سلام\u{200c}یک 😀𝄞".chars().collect::<Vec<_>>());
    let lengths = || prop_oneof![0..20usize, 60..80usize, 120..180usize, 290..500usize];
    prop_oneof![
        lengths().prop_flat_map(move |n| prop::collection::vec(gsm.clone(), n)),
        lengths().prop_flat_map(move |n| prop::collection::vec(persian.clone(), n)),
        lengths().prop_flat_map(move |n| prop::collection::vec(characters(), n)),
        bordering(),
    ]
    .prop_map(|characters| characters.into_iter().collect())
}

/// The definition, without any shortcut: is it GSM, and what does each character cost?
fn by_definition(text: &str) -> (Encoding, Vec<usize>) {
    let gsm = |c: char| DEFAULT.contains(c) || EXTENSION.contains(c);
    if text.chars().all(gsm) {
        (Encoding::Gsm7, text.chars().map(|c| 1 + usize::from(EXTENSION.contains(c))).collect())
    } else {
        (Encoding::Ucs2, text.chars().map(|c| c.encode_utf16(&mut [0; 2]).len()).collect())
    }
}

/// The fewest parts, by trying every place to cut (cost of the best split of each prefix).
fn fewest_parts(costs: &[usize], single: usize, part: usize) -> usize {
    if costs.is_empty() {
        return 0;
    }
    if costs.iter().sum::<usize>() <= single {
        return 1;
    }
    let mut best = vec![0];
    for end in 1..=costs.len() {
        let fitting = (0..end).rev().take_while(|&start| costs[start..end].iter().sum::<usize>() <= part);
        best.push(fitting.map(|start| best[start] + 1).min().unwrap());
    }
    best[costs.len()]
}

proptest! {
    #[test]
    fn a_measure_is_what_the_definition_says(text in texts()) {
        let (encoding, costs) = by_definition(&text);
        let (single, part) = if encoding == Encoding::Gsm7 { (160, 153) } else { (70, 67) };
        let measure = measure(&text);
        prop_assert_eq!(measure.encoding, encoding);
        prop_assert_eq!(measure.units as usize, costs.iter().sum::<usize>());
        prop_assert_eq!(measure.characters as usize, costs.len());
        prop_assert_eq!(measure.segments as usize, fewest_parts(&costs, single, part));
    }

    #[test]
    fn the_parts_are_the_text_and_as_many_as_measured(text in texts()) {
        let whole = measure(&text);
        let parts: Vec<&str> = split(&text).collect();
        prop_assert_eq!(parts.concat(), text.as_str());
        prop_assert_eq!(parts.len(), whole.segments as usize);
        let (single, part) = if whole.encoding == Encoding::Gsm7 { (160, 153) } else { (70, 67) };
        let limit = if parts.len() == 1 { single } else { part };
        for (at, part) in parts.iter().enumerate() {
            // In the encoding of the whole: a part of a Persian text may be plain ASCII.
            let units: usize = part.chars().map(|c| whole.encoding.width(c)).sum();
            prop_assert!((1..=limit).contains(&units));
            if let Some(next) = parts.get(at + 1).and_then(|next| next.chars().next()) {
                prop_assert!(units + whole.encoding.width(next) > limit, "part {at} has room left");
            }
        }
    }
}

#[test]
fn the_alphabet_is_complete_and_has_nothing_else() {
    assert_eq!((DEFAULT.chars().count(), EXTENSION.chars().count()), (127, 10));
    for character in '\0'..=char::MAX {
        let expected = match character {
            c if DEFAULT.contains(c) => 1,
            c if EXTENSION.contains(c) => 2,
            _ => 0,
        };
        assert_eq!(gsm7::width(character), expected, "{:?}", character);
    }
}

/// (text, encoding, units, characters, segments)
#[test]
fn known_texts() {
    use Encoding::{Gsm7, Ucs2};
    let cases = [
        (String::new(), Gsm7, 0, 0, 0),
        ("Your code is 1234\r\n".into(), Gsm7, 19, 19, 1),
        ("a".repeat(160), Gsm7, 160, 160, 1),
        ("a".repeat(161), Gsm7, 161, 161, 2),
        ("a".repeat(306), Gsm7, 306, 306, 2),
        ("a".repeat(307), Gsm7, 307, 307, 3),
        ("€".repeat(80), Gsm7, 160, 80, 1),
        // 76 escapes fill 152 septets of a part; the 153rd stays empty.
        ("€".repeat(81), Gsm7, 162, 81, 2),
        ("€".repeat(152), Gsm7, 304, 152, 2),
        ("€".repeat(153), Gsm7, 306, 153, 3),
        ("سلام".into(), Ucs2, 4, 4, 1),
        ("می\u{200c}خواهم".into(), Ucs2, 8, 8, 1),
        ("ا".repeat(70), Ucs2, 70, 70, 1),
        ("ا".repeat(71), Ucs2, 71, 71, 2),
        ("ا".repeat(134), Ucs2, 134, 134, 2),
        ("ا".repeat(135), Ucs2, 135, 135, 3),
        ("😀".repeat(35), Ucs2, 70, 35, 1),
        ("😀".repeat(36), Ucs2, 72, 36, 2),
        // 33 pairs fill 66 units of a part; the 67th stays empty.
        ("😀".repeat(67), Ucs2, 134, 67, 3),
        // An extension character has no escape in UCS-2.
        (format!("{{{}", "ا".repeat(69)), Ucs2, 70, 70, 1),
        ("a\tb".into(), Ucs2, 3, 3, 1),
    ];
    for (text, encoding, units, characters, segments) in cases {
        assert_eq!(measure(&text), Measure { encoding, units, characters, segments }, "{text:?}");
    }
}

#[test]
fn names_lead_back() {
    for encoding in Encoding::ALL {
        assert_eq!(encoding.as_str().parse(), Ok(encoding));
        assert_eq!(encoding.to_string(), encoding.as_str());
    }
    assert_eq!("GSM7".parse::<Encoding>(), Err(UnknownEncoding));
}
