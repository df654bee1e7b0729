//! When each express message was due and when it was answered, in a file of one line a message:
//! id, due, answered, in microseconds since 1970. The tool `hops` joins it with what Kafka and
//! the operator wrote down.

use anyhow::{Context, ensure};
use domain::id::MessageId;
use std::fmt::Write;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// One message that was answered with 202. Times are in microseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answered {
    pub(crate) id: MessageId,
    /// When its request was due.
    pub(crate) due_us: i64,
    /// When its 202 was read.
    pub(crate) answered_us: i64,
}

impl Answered {
    /// Answered just now, so long after it was due.
    pub(crate) fn now(id: MessageId, since_due: Duration) -> Self {
        let micros = |time: Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        // The clock is read once a message: a correction of it in mid-run moves both times.
        let answered_us = micros(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default());
        Answered { id, due_us: answered_us - micros(since_due), answered_us }
    }
}

/// Writes the file anew.
pub(crate) fn write<'a>(path: &Path, answered: impl Iterator<Item = &'a Answered>) -> anyhow::Result<()> {
    let mut lines = String::new();
    for one in answered {
        let _ = writeln!(lines, "{} {} {}", one.id, one.due_us, one.answered_us);
    }
    std::fs::write(path, lines).with_context(|| format!("{} cannot be written", path.display()))
}

/// Reads the file.
pub(crate) fn read(path: &Path) -> anyhow::Result<Vec<Answered>> {
    let said = || path.display().to_string();
    let text = std::fs::read_to_string(path).with_context(said)?;
    text.lines().map(|line| parse(line).with_context(|| format!("{}: {line}", said()))).collect()
}

fn parse(line: &str) -> anyhow::Result<Answered> {
    let numbers = line.split(' ').map(str::parse).collect::<Result<Vec<i64>, _>>()?;
    ensure!(numbers.len() == 3, "not three numbers");
    let id = MessageId::new(numbers[0]).context("not an id")?;
    Ok(Answered { id, due_us: numbers[1], answered_us: numbers[2] })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let now = Answered::now(MessageId::new(700).unwrap(), Duration::from_millis(5));
        assert_eq!(now.answered_us - now.due_us, 5_000);
        let other = Answered { id: MessageId::new(i64::MAX).unwrap(), due_us: 1, answered_us: 2 };
        let file = tempfile::NamedTempFile::new().unwrap();
        write(file.path(), [now, other].iter()).unwrap();
        assert_eq!(read(file.path()).unwrap(), [now, other]);
    }

    #[test]
    fn a_line_that_is_none_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for bad in ["1 2", "1 2 3 4", "0 1 2", "a 1 2"] {
            std::fs::write(file.path(), bad).unwrap();
            assert!(format!("{:#}", read(file.path()).unwrap_err()).contains(bad));
        }
    }
}
