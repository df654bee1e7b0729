//! Asking whether it is meant.

use anyhow::bail;
use std::io::{IsTerminal, Write};

/// Whether it is meant. What a command would do is shown first in any case.
#[derive(Debug, clap::Args)]
pub(crate) struct Meant {
    /// Do it without asking
    #[arg(long, conflicts_with = "dry_run")]
    yes: bool,
    /// Only show what it would do
    #[arg(long)]
    dry_run: bool,
}

impl Meant {
    /// Whether to go on: asks a person, where there is one.
    pub(crate) fn go(&self, question: &str) -> anyhow::Result<bool> {
        let mut out = std::io::stdout();
        if self.yes {
            return Ok(true);
        }
        if self.dry_run {
            writeln!(out, "nothing was changed: this was a dry run")?;
            return Ok(false);
        }
        if !std::io::stdin().is_terminal() {
            bail!("nothing was changed: nobody can be asked here; repeat it with --yes if it is meant");
        }
        write!(out, "{question} [y/N] ")?;
        out.flush()?;
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer)?;
        if matches!(answer.trim(), "y" | "Y" | "yes") {
            return Ok(true);
        }
        bail!("nothing was changed")
    }
}
