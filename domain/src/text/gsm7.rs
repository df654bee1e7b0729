//! The GSM 03.38 (3GPP TS 23.038) default alphabet and its extension table.
//!
//! No national shift tables: operators here do not announce them, and there is none for
//! Persian.

use super::Length;

/// Septets of each ASCII character; 0 for those that the alphabet lacks.
const ASCII: [u8; 128] = ascii_widths();

/// The length of a text of this alphabet; nothing where it has any other character.
pub(super) fn length(text: &str) -> Option<Length> {
    let mut length = Length { characters: 0, double: 0 };
    for character in text.chars() {
        match width(character) {
            0 => return None,
            septets => length.double += septets - 1,
        }
        length.characters += 1;
    }
    Some(length)
}

/// Septets of a character: 1, or 2 with its escape, or 0 where the alphabet lacks it.
pub(super) fn width(character: char) -> usize {
    match ASCII.get(character as usize) {
        Some(&septets) => usize::from(septets),
        None => beyond_ascii(character),
    }
}

fn beyond_ascii(character: char) -> usize {
    match character {
        '£' | '¥' | 'è' | 'é' | 'ù' | 'ì' | 'ò' | 'Ç' | 'Ø' | 'ø' | 'Å' | 'å' => 1,
        'Δ' | 'Φ' | 'Γ' | 'Λ' | 'Ω' | 'Π' | 'Ψ' | 'Σ' | 'Θ' | 'Ξ' => 1,
        'Æ' | 'æ' | 'ß' | 'É' | '¤' | '¡' | 'Ä' | 'Ö' | 'Ñ' | 'Ü' | '§' => 1,
        '¿' | 'ä' | 'ö' | 'ñ' | 'ü' | 'à' => 1,
        '€' => 2,
        _ => 0,
    }
}

const fn ascii_widths() -> [u8; 128] {
    const EXTENSION: &[u8] = b"^{}[]~\\|\x0C";
    let mut widths = [0; 128];
    let mut code = 0;
    while code < 128 {
        // Of the controls only line feed and carriage return; of the printable ones all
        // but the grave accent.
        let basic = code == 0x0A || code == 0x0D || (code >= 0x20 && code < 0x7F && code != 0x60);
        widths[code] = if basic { 1 } else { 0 };
        code += 1;
    }
    let mut next = 0;
    while next < EXTENSION.len() {
        widths[EXTENSION[next] as usize] = 2;
        next += 1;
    }
    widths
}
