//! What a person sees of an error: one line on stderr, with its causes.

use platform::config::ConfigError;
use std::io::{ErrorKind, Write};
use std::process::ExitCode;

/// Says what went wrong. Settings that were refused are one line each.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    let reader_left = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
    };
    if error.chain().any(reader_left) {
        return ExitCode::FAILURE;
    }
    let lines = match error.downcast_ref::<ConfigError>() {
        Some(ConfigError::Refused(problems)) => problems.clone(),
        _ => vec![line(error)],
    };
    let mut stderr = std::io::stderr().lock();
    for line in lines {
        // Where even stderr is gone there is nobody to tell.
        let _ = writeln!(stderr, "smshub: {line}");
    }
    ExitCode::FAILURE
}

/// The error and its causes in one line. Many errors repeat their cause in their own words:
/// it is not said twice.
fn line(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        let cause =
            cause.split('\n').map(str::trim).filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ");
        if line.ends_with(&cause) {
            continue;
        }
        if !line.is_empty() {
            line.push_str(": ");
        }
        line.push_str(&cause);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;

    #[test]
    fn causes_are_said_once_and_in_one_line() {
        let error =
            anyhow!("connection refused").context("postgres: connection refused").context("it is down");
        assert_eq!(line(&error), "it is down: postgres: connection refused");
        assert_eq!(line(&anyhow!("two\n  lines\n")), "two; lines");
    }
}
