//! `smshub migrate`: tables, and the ledger's ranges.

use crate::database;
use crate::settings::Settings;
use anyhow::Context;
use platform::ownership::clock;
use sqlx::Connection;
use std::io::Write;
use std::process::ExitCode;

pub(crate) async fn run(settings: &Settings) -> anyhow::Result<ExitCode> {
    let mut connection = database::connect(&settings.postgres).await?;
    platform::postgres::ensure_schema(&settings.postgres).await.context("the schema could not be made")?;
    ledger::MIGRATIONS.run(&mut connection).await.context("the tables could not be made or updated")?;
    let days = settings.billing_consumer.ledger_days_ahead;
    let mut transaction = connection.begin().await?;
    ledger::ranges::ensure(&mut transaction, clock::unix_now(), days).await.context("the ledger's ranges")?;
    transaction.commit().await?;
    let count = ledger::MIGRATIONS.iter().count();
    writeln!(
        std::io::stdout(),
        "the database is up to date: {count} migrations, ledger ranges for {days} days ahead"
    )?;
    Ok(ExitCode::SUCCESS)
}
