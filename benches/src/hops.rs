//! Where the time of express messages goes, from the records that are written anyway: nothing
//! in smshub measures it.
//!
//! The load generator's file ([`answers`](crate::answers)), the broker's times of the records
//! ([`records`]) and the operator's journal ([`journal`]) are joined by message
//! ([`journey`]); the report ([`table`]) shows what is between them. All clocks are one, that
//! of the machine.

mod journal;
mod journey;
mod records;
mod table;

use crate::answers;
use clap::Parser;
use journey::Journeys;
use std::path::PathBuf;

/// Joins what the load generator, Kafka and the simulated operator wrote down of express
/// messages, and reports the time between, as Markdown on stdout. All on one machine.
#[derive(Debug, Parser)]
#[command(name = "hops")]
pub struct HopsFlags {
    /// The file that loadgen wrote (its --answers)
    #[arg(long, value_name = "FILE")]
    answers: PathBuf,
    /// Kafka's address
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:19092")]
    kafka: String,
    /// The operator's journal: the file journal.bin of smshub-simulator's --data
    #[arg(long, value_name = "FILE")]
    journal: PathBuf,
    /// The heading of the report
    #[arg(long, default_value = "Time per hop")]
    title: String,
}

/// Does what the flags say; returns the report, a part of a section of Markdown. Blocks.
///
/// # Errors
/// When one of the three cannot be read.
pub fn hops(flags: &HopsFlags) -> anyhow::Result<String> {
    let mut journeys = Journeys::of(&answers::read(&flags.answers)?);
    records::read(&flags.kafka, &mut journeys)?;
    journal::read(&flags.journal, &mut journeys)?;
    Ok(table::report(&flags.title, &journeys))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        HopsFlags::command().debug_assert();
    }
}
