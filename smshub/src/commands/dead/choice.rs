//! Which letters a person means.

use crate::commands::message;
use anyhow::{Context, bail};
use clap::ArgGroup;
use domain::bits::Bits;
use domain::id::MessageId;
use sender::dead::{Letter, Which, find};
use sqlx::PgConnection;

/// Which letters.
#[derive(Debug, clap::Args)]
pub(super) struct Filter {
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

/// Which letters, and whether it is meant. One of these must be said: what is not meant cannot
/// be taken back.
#[derive(Debug, clap::Args)]
#[command(group = ArgGroup::new("which").required(true).multiple(true)
    .args(["message", "chunk", "all", "lane", "account", "code"]))]
pub(super) struct Choice {
    /// This message alone
    #[arg(value_name = "MESSAGE_ID", value_parser = message::parse,
          conflicts_with_all = ["chunk", "all", "lane", "account", "code"])]
    message: Option<MessageId>,
    /// All dead messages of the chunk of this message
    #[arg(long, value_name = "MESSAGE_ID", value_parser = message::parse,
          conflicts_with_all = ["all", "lane", "account", "code"])]
    chunk: Option<MessageId>,
    /// All that there are
    #[arg(long, conflicts_with_all = ["lane", "account", "code"])]
    all: bool,
    #[command(flatten)]
    filter: Filter,
    /// Do it; without this, only what would be done is shown
    #[arg(long)]
    pub(super) yes: bool,
}

/// What a choice selects.
pub(super) enum Selected {
    /// These messages of one chunk.
    OfChunk(Box<Letter>, Bits),
    /// All messages that match, of whichever chunks.
    Matching(Which),
}

impl Filter {
    /// The rows that match; `waiting`: also those without dead letters.
    pub(super) fn which(&self, waiting: bool) -> Which {
        Which { lane: self.lane.clone(), account: self.account, code: self.code, waiting }
    }
}

impl Choice {
    /// What it selects. Whoever names a message, or a chunk, names dead letters.
    pub(super) async fn selected(&self, connection: &mut PgConnection) -> anyhow::Result<Selected> {
        let Some(named) = self.message.or(self.chunk) else {
            return Ok(Selected::Matching(self.filter.which(false)));
        };
        let letter = letter(connection, named).await?;
        let mut messages = letter.of_code(None);
        if self.message.is_some() {
            if !messages.contains(named.index()) {
                bail!("message {named} is no dead letter: `smshub trace {named}` shows how it stands");
            }
            messages = [named.index()].into_iter().collect();
        }
        Ok(Selected::OfChunk(Box::new(letter), messages))
    }
}

/// The chunk of a message, with dead letters.
pub(super) async fn letter(connection: &mut PgConnection, message: MessageId) -> anyhow::Result<Letter> {
    let holds = ledger::hold::read(connection, &[message.chunk()]).await?;
    let hold = holds.first().with_context(|| {
        format!("no message {message} is in the books: `smshub trace {message}` shows whether it is parked")
    })?;
    if hold.prices.get(usize::from(message.index())).is_none() {
        bail!("no message {message}: its chunk has {} messages", hold.prices.count());
    }
    let found = find(connection, message.chunk()).await.context("dead letters cannot be read")?;
    let letter = found.filter(|letter| !letter.dead.is_empty());
    letter.with_context(|| {
        format!("no dead letter is in the chunk of message {message}: see `smshub dead list`")
    })
}
