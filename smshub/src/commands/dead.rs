//! `smshub dead`: messages that wait for a person.

mod choice;
mod orders;
mod plan;
mod show;

use crate::commands::message;
use crate::database;
use crate::settings::Settings;
use anyhow::Context;
use choice::{Choice, Filter};
use clap::Subcommand;
use domain::id::MessageId;
use orders::carry_out;
use sender::dead::Verb as Order;
use std::io::Write;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  smshub dead list
  smshub dead show 117594862387200000
  smshub dead requeue --code 31          (shows what it would do)
  smshub dead requeue --code 31 --yes
  smshub dead drop 117594862387200003 --yes

A dead letter is a message that an operator refuses as wrongly asked (a defect of ours), or that
was tried too often. It waits until its time is over, and is then refunded as expired.";

const LIST_EXAMPLES: &str = "\
Examples:
  smshub dead list --lane bulk --limit 20
  smshub dead list --after 117594862387200000      (what comes behind that chunk)
  smshub dead list --waiting";

const REQUEUE_EXAMPLES: &str = "\
Examples:
  smshub dead requeue --code 31          (shows what it would do)
  smshub dead requeue --code 31 --yes
  smshub dead requeue 117594862387200003 --yes
  smshub dead requeue --all --yes

A message can be tried 250 times: what was, cannot be sent again.";

const DROP_EXAMPLES: &str = "\
Examples:
  smshub dead drop --account 7           (shows what it would do, and what it refunds)
  smshub dead drop --account 7 --yes
  smshub dead drop 117594862387200003 --yes
  smshub dead drop --chunk 117594862387200003 --yes

It cannot be undone.";

/// List messages that wait for a person; send them again, or drop them
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// One line a chunk, in the order in which they were submitted
    #[command(after_help = LIST_EXAMPLES)]
    List {
        #[command(flatten)]
        filter: Filter,
        /// Also what waits by itself, to be tried again or asked about (but not for seconds only)
        #[arg(long, conflicts_with = "code")]
        waiting: bool,
        /// Chunks shown at most
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
        /// Only chunks behind that of this message
        #[arg(long, value_name = "MESSAGE_ID", value_parser = message::parse)]
        after: Option<MessageId>,
    },
    /// Each dead message of a chunk
    #[command(after_help = "Example:\n  smshub dead show 117594862387200000")]
    Show {
        /// A message of it
        #[arg(value_name = "MESSAGE_ID", value_parser = message::parse)]
        message: MessageId,
    },
    /// Send them again
    #[command(after_help = REQUEUE_EXAMPLES)]
    Requeue(Choice),
    /// Do not send them any more: they end failed, and are refunded
    #[command(after_help = DROP_EXAMPLES)]
    Drop(Choice),
}

pub(crate) async fn run(args: &Args, settings: &Settings) -> anyhow::Result<ExitCode> {
    let pools = database::open(&settings.postgres).await?;
    let mut transaction = pools.common().begin().await?;
    let costs = &settings.dlr_reconciler.costs;
    let mut ordered = None;
    match &args.verb {
        Verb::List { filter, waiting, limit, after } => {
            let which = filter.which(*waiting);
            show::list(&mut transaction, &which, *after, *limit).await?;
        }
        Verb::Show { message } => show::one(&mut transaction, *message).await?,
        Verb::Requeue(choice) => {
            ordered = Some(carry_out(&mut transaction, choice, Order::Requeue, costs).await?);
        }
        Verb::Drop(choice) => {
            ordered = Some(carry_out(&mut transaction, choice, Order::Drop, costs).await?);
        }
    }
    transaction.commit().await.context("perhaps ordered, perhaps not: see `smshub dead list`")?;
    if let Some(lines) = ordered {
        writeln!(std::io::stdout(), "{lines}")?;
    }
    pools.close().await;
    Ok(ExitCode::SUCCESS)
}
