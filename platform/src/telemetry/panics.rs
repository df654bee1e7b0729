//! Panics in the log.

use std::backtrace::Backtrace;
use std::panic::PanicHookInfo;

/// The longest part of a panic's message that is logged, in characters.
const MAX_CHARS: usize = 300;
/// Digits in a row from which on they may be a phone number.
const LONG_NUMBER: usize = 6;

/// Makes every panic a log line with place, thread and backtrace, instead of text on stderr.
pub fn install_panic_hook() {
    std::panic::set_hook(Box::new(log_panic));
}

fn log_panic(info: &PanicHookInfo<'_>) {
    let message = info.payload_as_str().map(redact).unwrap_or_default();
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    let thread = std::thread::current();
    tracing::error!(
        reason = message,
        place,
        thread = thread.name().unwrap_or("unnamed"),
        backtrace = %Backtrace::force_capture(),
        "panic"
    );
}

/// A panic's message may quote what it fell over (`unwrap` on an error, a slice of a text): everything
/// quoted, every long number and everything beyond ASCII is left out.
fn redact(message: &str) -> String {
    let mut redacted = String::new();
    let mut digits = String::new();
    let mut quote = None;
    for c in message.chars().take(MAX_CHARS) {
        if let Some(open) = quote {
            quote = (c != open).then_some(open);
            if c == open {
                redacted.push(c);
            }
            continue;
        }
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        flush(&mut digits, &mut redacted);
        match c {
            '"' | '`' => {
                redacted.push(c);
                redacted.push('…');
                quote = Some(c);
            }
            _ if c.is_ascii() => redacted.push(c),
            _ => redacted.push('?'),
        }
    }
    flush(&mut digits, &mut redacted);
    redacted
}

fn flush(digits: &mut String, redacted: &mut String) {
    redacted.push_str(if digits.len() < LONG_NUMBER { digits } else { "…" });
    digits.clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_customers_is_left_out() {
        let cases = [
            ("index out of bounds: the len is 3 but the index is 5", None),
            (
                "called `Result::unwrap()` on an `Err` value: Bad(\"+989123456789\")",
                Some("called `…` on an `…` value: Bad(\"…\")"),
            ),
            ("number 989123456789 is odd", Some("number … is odd")),
            ("inside 'س' of `سلام", Some("inside '?' of `…")),
        ];
        for (message, expected) in cases {
            assert_eq!(redact(message), expected.unwrap_or(message));
        }
        assert!(redact(&"x".repeat(1_000)).len() == MAX_CHARS);
    }
}
