//! `smshub tariff`: what messages cost.

mod input;
mod set;
mod show;

use crate::commands::confirm::Meant;
use crate::database;
use crate::settings::Settings;
use chrono::{DateTime, Utc};
use clap::{ArgGroup, Subcommand};
use domain::tariff::Row;
use std::path::PathBuf;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  smshub tariff show
  smshub tariff show 2 --csv > prices.csv
  smshub tariff set --file prices.csv --effective-at 2026-12-01T00:00:00+03:30 --dry-run";

const SET_EXAMPLES: &str = "\
Examples:
  smshub tariff set --price express=1600 --price standard=1100 --price bulk=1050 --price bulk/98990=1200
  smshub tariff set --file prices.csv --dry-run
  smshub tariff set --file prices.csv --effective-at 2026-12-01T00:00:00+03:30 --yes

Say all prices, not only those that change: each lane needs one for any number. A price is
LANE[/PREFIX[/ENCODING]]=AMOUNT; the longest prefix of a number wins, and the row that names the
encoding (gsm7 or ucs2) before the one that does not. A file is CSV with the columns lane,
encoding, prefix, price, as `tariff show --csv` prints it.

What it would mean is shown first. A version never changes: to take one back, make another.";

/// Show what messages cost, and set new prices
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Which versions there are, which holds now, which comes; and the prices of one
    #[command(after_help = EXAMPLES)]
    Show {
        /// Show the prices of this version; otherwise of the one that holds now
        #[arg(value_parser = clap::value_parser!(i32).range(1..))]
        version: Option<i32>,
        /// Only the prices, as `tariff set --file` takes them
        #[arg(long)]
        csv: bool,
    },
    /// Make a new version of the prices
    #[command(after_help = SET_EXAMPLES,
              group = ArgGroup::new("prices").required(true).args(["price", "file"]))]
    Set {
        /// A price of the new version
        #[arg(long = "price", value_name = "LANE[/PREFIX[/ENCODING]]=AMOUNT", value_parser = input::price)]
        price: Vec<Row>,
        /// All prices of the new version, as CSV
        #[arg(long)]
        file: Option<PathBuf>,
        /// Since when it holds, with its offset; otherwise from now on
        #[arg(long, value_name = "TIME", value_parser = ingest::admin::time)]
        effective_at: Option<DateTime<Utc>>,
        #[command(flatten)]
        meant: Meant,
    },
}

pub(crate) async fn run(args: &Args, settings: &Settings) -> anyhow::Result<ExitCode> {
    let pools = database::open(&settings.postgres).await?;
    let pool = pools.common();
    match &args.verb {
        Verb::Show { version, csv } => show::show(pool, *version, *csv).await?,
        Verb::Set { price, file, effective_at, meant } => {
            let rows = match file {
                Some(file) => input::read(file)?,
                None => price.clone(),
            };
            set::set(pool, rows, *effective_at, meant).await?;
        }
    }
    pools.close().await;
    Ok(ExitCode::SUCCESS)
}
