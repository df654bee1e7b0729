//! Postgres, as a command or a process begins with it: with errors that say what to do.

use anyhow::{Context, bail};
use platform::postgres::{Pools, PostgresSettings};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};
use std::str::FromStr;
use std::time::Duration;

/// Postgres' code for "no such table".
const UNDEFINED_TABLE: &str = "42P01";

/// The pools, after it is known that Postgres answers and has all tables.
pub(crate) async fn open(settings: &PostgresSettings) -> anyhow::Result<Pools> {
    let mut connection = connect(settings).await?;
    migrated(&mut connection).await?;
    connection.close().await?;
    Ok(Pools::open(settings)?)
}

/// One connection, without the time limits of the pools.
pub(crate) async fn connect(settings: &PostgresSettings) -> anyhow::Result<PgConnection> {
    let options = PgConnectOptions::from_str(settings.url.expose())?
        .application_name("smshub-command")
        .options([("search_path", settings.schema.clone())]);
    // The URL itself may hold a password.
    let place = format!(
        "Postgres at {}:{}, database {}",
        options.get_host(),
        options.get_port(),
        options.get_database().unwrap_or("of the user's name")
    );
    let limit = Duration::from_millis(settings.acquire_timeout_ms);
    let connected = tokio::time::timeout(limit, options.connect()).await;
    let connected =
        connected.with_context(|| format!("{place}, does not answer: is it up? (setting postgres.url)"))?;
    connected.with_context(|| format!("{place}, cannot be used: is it up? (setting postgres.url)"))
}

/// Whether every migration this program knows was run. Further ones, of a newer program that
/// runs beside this one, are no hindrance.
async fn migrated(connection: &mut PgConnection) -> anyhow::Result<()> {
    let found: Result<Vec<(i64,)>, sqlx::Error> =
        sqlx::query_as("select version from _sqlx_migrations where success").fetch_all(connection).await;
    let found = match found {
        Ok(rows) => rows,
        Err(error) if code_of(&error).as_deref() == Some(UNDEFINED_TABLE) => vec![],
        Err(error) => return Err(error.into()),
    };
    for migration in ledger::MIGRATIONS.iter() {
        if !found.iter().any(|(version,)| *version == migration.version) {
            bail!(
                "the database lacks migration {} ({}): run `smshub migrate` first",
                migration.version,
                migration.description
            );
        }
    }
    Ok(())
}

fn code_of(error: &sqlx::Error) -> Option<String> {
    Some(error.as_database_error()?.code()?.into_owned())
}
