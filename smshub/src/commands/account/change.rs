//! Changing accounts.

use crate::commands::confirm::Meant;
use crate::person::who;
use anyhow::{Context, bail};
use domain::money::Money;
use ledger::LedgerError;
use ledger::admin::account::{self, Alteration, Customer, Terms};
use ledger::admin::fields::{LINES_MAX, RATE_LIMIT, repeated};
use platform::postgres::Pool;
use std::io::Write;

/// A limit: so many segments a minute, or that of the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limit(Option<i32>);

/// Reads a limit.
pub(super) fn limit(text: &str) -> Result<Limit, String> {
    if text == "default" {
        return Ok(Limit(None));
    }
    let number = text.parse().ok().filter(|number: &u32| RATE_LIMIT.contains(number));
    let number = number.and_then(|number| i32::try_from(number).ok());
    let (least, most) = (RATE_LIMIT.start(), RATE_LIMIT.end());
    number
        .map(|number| Limit(Some(number)))
        .ok_or_else(|| format!("expected {least} to {most} segments, or default"))
}

pub(super) async fn create(pool: &Pool, name: &str, lines: &[String], id: Option<i64>) -> anyhow::Result<()> {
    check(lines)?;
    let terms = Terms::new(name.to_owned(), lines.to_vec());
    let mut transaction = pool.begin().await?;
    let made = account::create(&mut transaction, &who(), id, &terms).await;
    let made = match made {
        Err(error @ LedgerError::Taken(_)) => bail!("{error}: choose another --id"),
        made => made?,
    };
    transaction.commit().await?;
    writeln!(std::io::stdout(), "{}", made.id)?;
    Ok(())
}

pub(super) async fn charge(
    pool: &Pool,
    id: i64,
    amount: Money,
    reference: Option<&str>,
) -> anyhow::Result<()> {
    let mut transaction = pool.begin().await?;
    let charged = ledger::admin::charge::charge(&mut transaction, &who(), id, amount, reference).await?;
    transaction.commit().await.with_context(|| {
        format!("perhaps booked, perhaps not: see `smshub account show {id}` before you repeat it")
    })?;
    writeln!(std::io::stdout(), "charged {amount} to account {id}: its balance is {}", charged.balance)?;
    Ok(())
}

pub(super) async fn suspend(pool: &Pool, id: i64, meant: &Meant) -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    let mut connection = pool.acquire().await?;
    let account = account::read(&mut connection, id).await?.ok_or(LedgerError::NoAccount(id))?;
    if let Some(since) = account.suspended_at {
        writeln!(out, "account {id} is suspended since {}", super::show::day(since))?;
        return Ok(());
    }
    let in_flight = ingest::admin::in_flight(&mut connection, id).await?;
    // Nothing is held while somebody thinks.
    drop(connection);
    writeln!(
        out,
        "account {id} ({}): {in_flight} messages are in flight, {} are held for them; they go on",
        account.terms.name, account.held
    )?;
    if !meant.go(&format!("Suspend account {id}?"))? {
        return Ok(());
    }
    alter(pool, id, &Alteration { suspended: Some(true), ..Alteration::default() }).await?;
    writeln!(out, "suspended account {id}: within seconds it sends nothing more; it may still read")?;
    Ok(())
}

pub(super) async fn resume(pool: &Pool, id: i64) -> anyhow::Result<()> {
    alter(pool, id, &Alteration { suspended: Some(false), ..Alteration::default() }).await?;
    writeln!(std::io::stdout(), "account {id} may send, within seconds")?;
    Ok(())
}

pub(super) async fn set_limit(
    pool: &Pool,
    id: i64,
    standard: Option<Limit>,
    express: Option<Limit>,
) -> anyhow::Result<()> {
    let alteration = Alteration {
        rate_limit: standard.map(|limit| limit.0),
        express_rate_limit: express.map(|limit| limit.0),
        ..Alteration::default()
    };
    let account = alter(pool, id, &alteration).await?;
    writeln!(std::io::stdout(), "account {id}: {}", super::show::limits(&account))?;
    Ok(())
}

pub(super) async fn set_line(pool: &Pool, id: i64, lines: &[String]) -> anyhow::Result<()> {
    check(lines)?;
    let alteration = Alteration { lines: Some(lines.to_vec()), ..Alteration::default() };
    let account = alter(pool, id, &alteration).await?;
    writeln!(std::io::stdout(), "account {id} may use {}", account.terms.lines.join(", "))?;
    Ok(())
}

async fn alter(pool: &Pool, id: i64, alteration: &Alteration) -> anyhow::Result<Customer> {
    let mut transaction = pool.begin().await?;
    let account = account::alter(&mut transaction, &who(), id, alteration).await?;
    transaction.commit().await.with_context(|| {
        format!("perhaps changed, perhaps not: see `smshub account show {id}` before you repeat it")
    })?;
    Ok(account)
}

fn check(lines: &[String]) -> anyhow::Result<()> {
    if lines.len() > LINES_MAX {
        bail!("an account has at most {LINES_MAX} lines");
    }
    if let Some(line) = repeated(lines).and_then(|place| lines.get(place)) {
        bail!("expected each line once, and {line} stands there twice");
    }
    Ok(())
}
