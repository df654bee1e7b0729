//! `smshub campaign send`: make, upload, close, follow.

use super::{Api, New, follow, upload};
use crate::commands::send::show::Show;
use anyhow::Context;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The file of rows
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
    /// Go on with this campaign, instead of making one
    #[arg(long, value_name = "ID", conflicts_with_all = ["text", "name", "from", "ttl", "on_error"])]
    campaign: Option<i64>,
    #[command(flatten)]
    new: New,
    /// Count and price the file, send nothing
    #[arg(long)]
    dry_run: bool,
    /// Leave the campaign open for more rows at the end of the file
    #[arg(long)]
    keep_open: bool,
    /// End when everything is uploaded
    #[arg(long)]
    no_follow: bool,
    /// How long to wait for all messages to be final, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 3_600)]
    deadline: u64,
}

pub(super) async fn run(args: Args, api: Api) -> anyhow::Result<ExitCode> {
    let bytes = std::fs::metadata(&args.file).map(|meta| meta.len());
    let bytes = bytes.with_context(|| format!("{} cannot be read", args.file.display()))?;
    let id = match args.campaign {
        Some(id) => id.to_string(),
        None => api.create(&args.new).await?.id,
    };
    let mut out = std::io::stdout();
    writeln!(out, "campaign    {id:>12}")?;
    let again = format!("to go on: smshub campaign send --campaign {id} --file {}", args.file.display());
    let show = Show::new(bytes);
    let ended = tokio::select! {
        ended = to_the_end(&args, &api, &id, &show) => ended,
        interrupted = tokio::signal::ctrl_c() => {
            interrupted?;
            writeln!(std::io::stderr(), "smshub: interrupted; what was taken in is sent\n{again}")?;
            return Ok(ExitCode::FAILURE);
        }
    };
    if ended.is_err() && !args.dry_run {
        writeln!(std::io::stderr(), "{again}")?;
    }
    ended
}

async fn to_the_end(args: &Args, api: &Api, id: &str, show: &Show) -> anyhow::Result<ExitCode> {
    let began = Instant::now();
    let uploaded = upload::run(api, id, &args.file, args.dry_run, show).await?;
    let took = began.elapsed();
    let mut out = std::io::stdout();
    if args.dry_run {
        uploaded.write(&mut out)?;
        // Nothing else is to become of it, unless it was there before.
        if args.campaign.is_none() {
            api.post(id, "cancel").await?;
        }
        writeln!(out, "nothing was sent")?;
        return Ok(ExitCode::SUCCESS);
    }
    if !args.keep_open {
        api.post(id, "close").await?;
    }
    let mut all_final = true;
    if !args.no_follow {
        let deadline = began + Duration::from_secs(args.deadline);
        let followed = follow::run(api, id, uploaded.accepted, deadline, show).await;
        all_final = followed.is_some_and(|campaign| campaign.ended() >= uploaded.accepted);
    }
    uploaded.write(&mut out)?;
    writeln!(out, "uploaded in {:>10.1} s  {} rows/s", took.as_secs_f64(), rate(uploaded.rows, took))?;
    api.read(id).await?.write(&mut out)?;
    if all_final {
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(std::io::stderr(), "smshub: not all messages are final yet: smshub campaign status {id}")?;
    Ok(ExitCode::FAILURE)
}

/// Rows a second, rounded down.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // for people
fn rate(rows: u64, took: Duration) -> u64 {
    (rows as f64 / took.as_secs_f64().max(0.001)) as u64
}
