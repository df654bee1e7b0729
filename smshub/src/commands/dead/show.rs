//! What waits, in lines.

use super::choice;
use domain::id::MessageId;
use sender::dead::{ATTEMPTS_MAX, Dead, Letter, Others, Which, list as letters};
use sqlx::PgConnection;
use std::collections::BTreeMap;
use std::io::Write;

/// One line a chunk, at most `limit`, from the chunk behind that of `after` on.
pub(super) async fn list(
    connection: &mut PgConnection,
    which: &Which,
    after: Option<MessageId>,
    limit: u32,
) -> anyhow::Result<()> {
    let limit = usize::try_from(limit)?;
    let after = after.map_or(0, |after| after.chunk().get());
    // One more than is shown tells whether there is more.
    let found = letters(connection, which, after, limit + 1).await?;
    let mut out = std::io::stdout();
    for letter in found.iter().take(limit) {
        writeln!(out, "{}", line(letter, which.code))?;
    }
    match found.get(limit.saturating_sub(1)) {
        Some(last) if found.len() > limit => {
            let last = last.chunk.message(0);
            writeln!(std::io::stderr(), "{limit} chunks are shown, and there are more: --after {last}")?;
        }
        _ if found.is_empty() && which.waiting => writeln!(out, "nothing waits")?,
        _ if found.is_empty() => writeln!(out, "no dead letters")?,
        _ => {}
    }
    Ok(())
}

/// Each dead message of a chunk: at most 256 lines.
pub(super) async fn one(connection: &mut PgConnection, message: MessageId) -> anyhow::Result<()> {
    let letter = choice::letter(connection, message).await?;
    let mut out = std::io::stdout();
    writeln!(out, "{}", line(&letter, None))?;
    for (position, dead) in &letter.dead {
        let ordered = match (letter.requeued.contains(*position), letter.dropped.contains(*position)) {
            (true, _) => ", ordered: requeue",
            (_, true) => ", ordered: drop",
            _ => "",
        };
        writeln!(out, "  {}  {}{ordered}", letter.chunk.message(*position), why(dead))?;
    }
    Ok(())
}

fn why(dead: &Dead) -> String {
    let why = match dead.code {
        0 => "tried too often".to_owned(),
        code => format!("refused with the operator's code {code}"),
    };
    let times = match dead.attempts {
        1 => "1 attempt".to_owned(),
        attempts => format!("{attempts} attempts"),
    };
    let last = if dead.is_exhausted() {
        format!(", of {ATTEMPTS_MAX}: it cannot be sent again")
    } else {
        String::new()
    };
    format!("{why}, {times}{last}")
}

fn line(letter: &Letter, code: Option<i16>) -> String {
    let mut codes: BTreeMap<i16, usize> = BTreeMap::new();
    for dead in letter.dead.values().filter(|dead| code.is_none_or(|code| code == dead.code)) {
        *codes.entry(dead.code).or_default() += 1;
    }
    let mut waits: Vec<String> = codes.iter().map(|(code, count)| format!("{count} × code {code}")).collect();
    waits.extend(others(&letter.retried, "tried again"));
    waits.extend(others(&letter.quiet, "advertising that waits for its hours"));
    waits.extend(others(&letter.asked_about, "asked about"));
    let mut ordered = String::new();
    for (verb, messages) in [("requeue", letter.requeued), ("drop", letter.dropped)] {
        if !messages.is_empty() {
            ordered += &format!(", ordered: {verb} of {}", messages.len());
        }
    }
    format!(
        "{}  account {}  {}  {}  since {}, until {}{ordered}",
        letter.chunk.message(0),
        letter.account,
        letter.lane,
        waits.join(", "),
        letter.since.format("%F %T"),
        letter.send_by.format("%F %T UTC"),
    )
}

fn others(others: &Others, what: &str) -> Option<String> {
    let next = others.next?;
    Some(format!("{} × {what} at {} UTC", others.count, next.format("%F %T")))
}
