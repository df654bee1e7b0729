//! `smshub dead`: messages that wait for a person.

use crate::commands::message;
use crate::database;
use crate::settings::Settings;
use anyhow::{Context, bail};
use clap::Subcommand;
use domain::id::{ChunkId, MessageId};
use sender::dead::{Letter, Verb as Order, Which, find, list, order};
use sqlx::PgConnection;
use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;

/// Chunks looked at together.
const PAGE: u32 = 500;

const EXAMPLES: &str = "\
Examples:
  smshub dead list
  smshub dead show 117594862387200000
  smshub dead requeue --code 31          (shows what it would do)
  smshub dead requeue --code 31 --yes
  smshub dead drop 117594862387200000 --yes

A dead letter is a message that an operator refuses as wrongly asked (a defect of ours), or that
was tried too often. It waits until its time is over, and is then refunded as expired.";

/// List messages that wait for a person; send them again, or drop them
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

/// Which letters.
#[derive(Debug, clap::Args)]
struct Filter {
    /// Only of this lane: express, standard or bulk
    #[arg(long, value_parser = ["express", "standard", "bulk"])]
    lane: Option<String>,
    /// Only of this account
    #[arg(long, value_parser = clap::value_parser!(i64).range(1..))]
    account: Option<i64>,
    /// Only with this code of the operator (0: tried too often)
    #[arg(long)]
    code: Option<i16>,
}

/// Which letters, and whether it is meant.
#[derive(Debug, clap::Args)]
struct Choice {
    /// Only this message, or the chunk of this id
    #[arg(value_name = "MESSAGE_ID", value_parser = message::parse)]
    message: Option<MessageId>,
    #[command(flatten)]
    filter: Filter,
    /// Do it; without this, only what would be done is shown
    #[arg(long)]
    yes: bool,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// One line a chunk
    #[command(after_help = "Example:\n  smshub dead list --lane bulk --limit 20")]
    List {
        #[command(flatten)]
        filter: Filter,
        /// Chunks shown at most
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
    },
    /// Each message of a chunk
    #[command(after_help = "Example:\n  smshub dead show 117594862387200000")]
    Show {
        /// A message of it
        #[arg(value_name = "MESSAGE_ID", value_parser = message::parse)]
        message: MessageId,
    },
    /// Send them again
    #[command(after_help = "Example:\n  smshub dead requeue --code 31 --yes")]
    Requeue(Choice),
    /// Do not send them any more: they end failed, and are refunded
    #[command(after_help = "Example:\n  smshub dead drop --account 7 --yes")]
    Drop(Choice),
}

pub(crate) async fn run(args: &Args, settings: &Settings) -> anyhow::Result<ExitCode> {
    let pools = database::open(&settings.postgres).await?;
    let mut transaction = pools.common().begin().await?;
    match &args.verb {
        Verb::List { filter, limit } => show_list(&mut transaction, filter, *limit).await?,
        Verb::Show { message } => show_one(&mut transaction, *message).await?,
        Verb::Requeue(choice) => carry_out(&mut transaction, choice, Order::Requeue).await?,
        Verb::Drop(choice) => carry_out(&mut transaction, choice, Order::Drop).await?,
    }
    transaction.commit().await?;
    pools.close().await;
    Ok(ExitCode::SUCCESS)
}

async fn show_list(connection: &mut PgConnection, filter: &Filter, limit: u32) -> anyhow::Result<()> {
    let letters = list(connection, &filter.which(), 0, limit).await?;
    let mut out = std::io::stdout();
    if letters.is_empty() {
        writeln!(out, "no dead letters")?;
        return Ok(());
    }
    for letter in &letters {
        writeln!(out, "{}", line(letter, filter.code))?;
    }
    if letters.len() >= limit as usize {
        writeln!(out, "perhaps more: --limit shows them")?;
    }
    Ok(())
}

async fn show_one(connection: &mut PgConnection, message: MessageId) -> anyhow::Result<()> {
    let letter = wanted(connection, message.chunk()).await?;
    let mut out = std::io::stdout();
    writeln!(out, "{}", line(&letter, None))?;
    for (position, (code, tries)) in &letter.messages {
        let why = match code {
            0 => "tried too often".to_owned(),
            code => format!("refused with the operator's code {code}"),
        };
        writeln!(out, "  {}  {why}, {tries} tries in vain", letter.chunk.message(*position))?;
    }
    Ok(())
}

async fn carry_out(connection: &mut PgConnection, choice: &Choice, verb: Order) -> anyhow::Result<()> {
    let Choice { message, filter, yes } = choice;
    let (mut chunks, mut messages, mut after) = (0_usize, 0_usize, 0);
    let by = std::env::var("USER").unwrap_or_else(|_| "unknown".into());
    loop {
        let letters = match message {
            Some(message) => vec![wanted(connection, message.chunk()).await?],
            None => list(connection, &filter.which(), after, PAGE).await?,
        };
        let Some(last) = letters.last() else { break };
        after = last.chunk.get();
        chunks += letters.len();
        messages += letters.iter().map(|letter| letter.dead(filter.code).len()).sum::<usize>();
        if *yes {
            order(connection, &letters, filter.code, verb, &by).await?;
        }
        if message.is_some() {
            break;
        }
    }
    let mut out = std::io::stdout();
    let what = match verb {
        Order::Requeue => "sent again",
        Order::Drop => "dropped and refunded",
    };
    match (messages, *yes) {
        (0, _) => writeln!(out, "no dead letters")?,
        (_, true) => writeln!(out, "{messages} messages in {chunks} chunks will be {what} within seconds")?,
        (_, false) => {
            writeln!(out, "{messages} messages in {chunks} chunks would be {what}: say --yes to do it")?
        }
    }
    Ok(())
}

async fn wanted(connection: &mut PgConnection, chunk: ChunkId) -> anyhow::Result<Letter> {
    match find(connection, chunk).await.context("dead letters cannot be read")? {
        Some(letter) => Ok(letter),
        None => bail!("no dead letter of chunk {chunk}: see `smshub dead list`"),
    }
}

fn line(letter: &Letter, code: Option<i16>) -> String {
    let mut codes: BTreeMap<i16, usize> = BTreeMap::new();
    for (found, _) in letter.messages.values().filter(|(found, _)| code.is_none_or(|code| code == *found)) {
        *codes.entry(*found).or_default() += 1;
    }
    let codes: Vec<String> = codes.iter().map(|(code, count)| format!("{count} × code {code}")).collect();
    let ordered = letter.ordered.as_ref().map_or(String::new(), |verb| format!(", ordered: {verb}"));
    format!(
        "{}  account {}  {}  {}  since {}, until {}{ordered}",
        letter.chunk.message(0),
        letter.account,
        letter.lane,
        codes.join(", "),
        letter.since.format("%F %T"),
        letter.send_by.format("%F %T UTC"),
    )
}

impl Filter {
    fn which(&self) -> Which {
        Which { lane: self.lane.clone(), account: self.account, code: self.code }
    }
}
