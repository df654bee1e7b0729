//! `smshub campaign`: a file of recipients of any length, through the public API.
//!
//! Unlike `smshub send` the file travels as it is, in one call, and the gateway takes it in row
//! by row; what broke off goes on where it was when the file is sent again.

mod body;
mod follow;
mod send;
mod shown;
mod upload;

use super::send::KEY;
use super::send::call::Patience;
use super::send::client::{Client, Key, read};
use anyhow::Context;
use bytes::Bytes;
use clap::Subcommand;
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;
use shown::{Campaign, Page};
use std::io::Write;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  export SMSHUB_KEY=sk_…
  smshub campaign send --file recipients.csv --text 'Dear {name}, your order {order} has left.'
  smshub campaign send --file recipients.csv --campaign 17     (goes on where it broke off)
  smshub campaign status 17
  smshub campaign cancel 17";

const SEND_EXAMPLES: &str = "\
Examples:
  smshub campaign send --file recipients.csv --text 'Dear {name}, …' --name autumn
  smshub campaign send --file recipients.ndjson.gz --text 'Hello' --dry-run
  smshub campaign send --file recipients.csv --campaign 17

The file is CSV with a header row (.csv) or NDJSON (.ndjson, .jsonl), compressed where its name
ends in .gz. The number is in `to`, `receiver` or `mobile`; the other columns fill the
{placeholders}; {{ and }} are braces. A broken connection or a restarted gateway is waited for:
the same file is sent again, and what was taken in is passed over. Exit code 1 means that the
file was not taken in to its end, or that something was not final in time.";

/// Send a file of any length as a campaign, and see what became of it
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The address of the public API
    #[arg(long, global = true, default_value = "http://127.0.0.1:8080")]
    url: String,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make a campaign without rows, and print its id
    #[command(after_help = "Example:\n  smshub campaign create --text 'Dear {name}, …' --name autumn")]
    Create(New),
    /// Make a campaign, upload its file, and follow it to the end
    #[command(after_help = SEND_EXAMPLES)]
    Send(send::Args),
    /// Show a campaign
    #[command(after_help = "Example:\n  smshub campaign status 17")]
    Status(Which),
    /// Take no more rows
    #[command(after_help = "Example:\n  smshub campaign close 17")]
    Close(Which),
    /// Do not send what is not yet sent; it is refunded
    #[command(after_help = "Example:\n  smshub campaign cancel 17")]
    Cancel(Which),
    /// List campaigns, newest first
    #[command(after_help = "Example:\n  smshub campaign list --limit 10")]
    List {
        /// How many
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=500))]
        limit: u32,
    },
}

#[derive(Debug, clap::Args)]
struct Which {
    /// The campaign's id
    campaign: i64,
}

/// What a campaign is made of.
#[derive(Clone, Debug, clap::Args)]
struct New {
    /// The text, with {column} where a column's value goes
    #[arg(long, value_name = "TEMPLATE")]
    text: Option<String>,
    /// A name, for people
    #[arg(long, default_value = "campaign")]
    name: String,
    /// The sender line; otherwise the account's default
    #[arg(long, value_name = "LINE")]
    from: Option<String>,
    /// Messages are not sent later than so many seconds after their row was taken in
    #[arg(long, value_name = "SECONDS")]
    ttl: Option<u32>,
    /// What a row's fault does: skip the row, or stop in front of it
    #[arg(long, default_value = "skip", value_parser = ["skip", "stop"])]
    on_error: String,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let key = std::env::var(KEY).ok().filter(|key| !key.is_empty());
    let key = key.with_context(|| {
        format!("no API key: set the environment variable {KEY} (smshub key create makes one)")
    })?;
    let api = Api(Client::new(&args.url, Key::new(key)?)?);
    let mut out = std::io::stdout();
    match args.verb {
        Verb::Create(new) => writeln!(out, "{}", api.create(&new).await?.id)?,
        Verb::Send(args) => return send::run(args, api).await,
        Verb::Status(which) => api.read(&which.campaign.to_string()).await?.write(&mut out)?,
        Verb::Close(which) => api.post(&which.campaign.to_string(), "close").await?.write(&mut out)?,
        Verb::Cancel(which) => api.post(&which.campaign.to_string(), "cancel").await?.write(&mut out)?,
        Verb::List { limit } => api.list(limit).await?.write(&mut out)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The API's part for campaigns.
struct Api(Client);

impl Api {
    async fn create(&self, new: &New) -> anyhow::Result<Campaign> {
        let text = new.text.as_deref().context("a campaign needs a text: --text TEMPLATE")?;
        let mut body = json!({"name": new.name, "text": text, "on_error": new.on_error});
        if let Some(from) = &new.from {
            body["from"] = json!(from);
        }
        if let Some(ttl) = new.ttl {
            body["ttl_seconds"] = json!(ttl);
        }
        let body = Bytes::from(serde_json::to_vec(&body)?);
        self.call(Patience::SHORT, Method::POST, "/v1/campaigns", Some(body)).await
    }

    async fn read(&self, id: &str) -> anyhow::Result<Campaign> {
        self.call(Patience::SHORT, Method::GET, &format!("/v1/campaigns/{id}"), None).await
    }

    async fn post(&self, id: &str, verb: &str) -> anyhow::Result<Campaign> {
        self.call(Patience::LONG, Method::POST, &format!("/v1/campaigns/{id}/{verb}"), None).await
    }

    async fn list(&self, limit: u32) -> anyhow::Result<Page> {
        self.call(Patience::SHORT, Method::GET, &format!("/v1/campaigns?limit={limit}"), None).await
    }

    async fn call<T: for<'de> Deserialize<'de>>(
        &self,
        patience: Patience,
        method: Method,
        path: &str,
        body: Option<Bytes>,
    ) -> anyhow::Result<T> {
        Ok(read(&self.0.call(patience, method, path, body, None).await?)?)
    }
}
