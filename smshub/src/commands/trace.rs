//! `smshub trace`: every record, row and call of one message, in time order.

mod attempts;
mod content;
mod event;
mod records;
mod rows;

use crate::commands::message;
use crate::settings::Settings;
use crate::{database, kafka};
use anyhow::bail;
use content::Content;
use domain::id::{ChunkId, MessageId};
use event::Event;
use platform::kafka::tail::Tail;
use platform::kafka::topics::Topics;
use records::Search;
use rows::Rows;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  smshub trace 117594862387200000
  smshub trace 117594862387200000 --json
  smshub trace 117594862387200000 --show-content    (shows the number and the text)

Looks into the books, the tables of states, and every topic from the time at which the
message was made. Numbers and texts are masked unless --show-content is given.";

/// Show every record, row and call of one message, in time order
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The message's id
    #[arg(value_name = "MESSAGE_ID", value_parser = message::parse)]
    message: MessageId,
    /// As JSON
    #[arg(long)]
    json: bool,
    /// Show the recipient's number, the text and the reference
    #[arg(long)]
    show_content: bool,
    /// Records read of one partition at most
    #[arg(long, value_name = "RECORDS", default_value_t = 2_000_000, value_parser = clap::value_parser!(i64).range(1..))]
    limit: i64,
}

/// What is looked for.
#[derive(Clone, Copy)]
struct Wanted {
    message: MessageId,
    chunk: ChunkId,
    index: u8,
    content: Content,
}

pub(crate) async fn run(args: &Args, settings: &Settings) -> anyhow::Result<ExitCode> {
    let pools = database::open(&settings.postgres).await?;
    let message = args.message;
    let content = if args.show_content { Content::Shown } else { Content::Masked };
    let wanted = Wanted { message, chunk: message.chunk(), index: message.index(), content };
    let (install, topics) = kafka::installed(&settings.kafka, pools.common()).await?;
    let mut connection = pools.common().acquire().await?;
    let rows = rows::read(&mut connection, wanted).await?;
    drop(connection);
    pools.close().await;
    let Some(rows) = rows else {
        bail!("no message {message}: it is not in the books and not parked (or it is not billed yet)");
    };
    let search = Search { wanted, partitions: install.partitions, limit: args.limit };
    let kafka = settings.kafka.clone();
    let find = move || -> anyhow::Result<Vec<Event>> {
        let tail = Tail::new(&kafka)?;
        found(&search, &tail, &topics, rows).map_err(|error| crate::kafka::unreachable(&kafka, error))
    };
    let mut events = tokio::task::spawn_blocking(find).await??;
    events.sort_by_key(Event::order);
    if args.json {
        event::json(wanted, &events)?
    } else {
        event::print(wanted, &events)?
    }
    Ok(ExitCode::SUCCESS)
}

fn found(
    search: &Search,
    tail: &Tail,
    topics: &Topics,
    rows: Rows,
) -> Result<Vec<Event>, platform::kafka::KafkaProblem> {
    let mut events = rows.events;
    for source in &rows.sources {
        search.submitted(tail, source, &mut events)?;
        search.topics(tail, topics, source, &mut events)?;
    }
    search.receipts(tail, topics, &mut events)?;
    Ok(events)
}
