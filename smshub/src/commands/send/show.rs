//! How far it has come: bars on a terminal, else a line now and then.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// Between two lines.
const LINE_EVERY: Duration = Duration::from_secs(2);

/// Whether bars are drawn, or lines written.
pub(in crate::commands) struct Show {
    bars: bool,
    file_bytes: u64,
}

/// The progress of one step.
pub(in crate::commands) struct Bar {
    step: &'static str,
    length: u64,
    position: u64,
    words: String,
    drawn: Option<ProgressBar>,
    line_at: Instant,
    shown: Option<u64>,
}

impl Show {
    /// For a file of so many bytes.
    pub(in crate::commands) fn new(file_bytes: u64) -> Self {
        Show { bars: std::io::stdout().is_terminal(), file_bytes }
    }

    /// Submission: how much of the file is accepted, in bytes.
    pub(in crate::commands) fn submission(&self) -> Bar {
        self.bar("submitting", self.file_bytes)
    }

    /// Following: how many messages are final.
    pub(in crate::commands) fn following(&self, messages: u64) -> Bar {
        self.bar("following", messages)
    }

    fn bar(&self, step: &'static str, length: u64) -> Bar {
        let drawn = self.bars.then(|| {
            let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stdout());
            let style =
                ProgressStyle::with_template("{prefix:>10} [{bar:40}] {percent:>3} % {msg} ({elapsed})");
            bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())).with_prefix(step)
        });
        Bar { step, length, position: 0, words: String::new(), drawn, line_at: Instant::now(), shown: None }
    }
}

impl Bar {
    /// It has come to `position`. (Calls end in any order: it never goes back.)
    pub(in crate::commands) fn update(&mut self, position: u64, words: &str) {
        self.position = self.position.max(position);
        words.clone_into(&mut self.words);
        if let Some(bar) = &self.drawn {
            bar.set_message(self.words.clone());
            bar.set_position(self.position);
        } else if self.line_at.elapsed() >= LINE_EVERY {
            self.line();
        }
    }

    /// Something happened that is worth a line of its own.
    pub(in crate::commands) fn say(&self, words: &str) {
        match &self.drawn {
            Some(bar) => bar.println(words),
            None => {
                // A reader that has left is found out by the summary.
                let _ = writeln!(std::io::stdout(), "{}: {words}", self.step);
            }
        }
    }

    /// The step is over.
    pub(in crate::commands) fn finish(&mut self) {
        match &self.drawn {
            Some(bar) => bar.abandon(),
            None => self.line(),
        }
    }

    fn line(&mut self) {
        self.line_at = Instant::now();
        let percent = (self.position * 100).checked_div(self.length).unwrap_or(100).min(100);
        if self.shown.replace(percent) == Some(percent) {
            return;
        }
        // A reader that has left is found out by the summary.
        let _ = writeln!(std::io::stdout(), "{}: {percent} % {}", self.step, self.words);
    }
}
