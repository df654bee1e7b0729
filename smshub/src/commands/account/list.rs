//! Listing accounts.

use ledger::admin::account;
use platform::postgres::Pool;
use std::io::Write;

pub(super) async fn list(pool: &Pool, limit: u32, below: Option<i64>) -> anyhow::Result<()> {
    let mut connection = pool.acquire().await?;
    let mut accounts = account::list(&mut connection, below, limit + 1).await?;
    let more = accounts.len() > usize::try_from(limit)?;
    accounts.truncate(usize::try_from(limit)?);
    let mut out = std::io::stdout().lock();
    writeln!(out, "{:>10}  {:>15}  {:>15}  {:<9}  name", "id", "balance", "held", "state")?;
    for account in &accounts {
        let state = if account.terms.suspended { "suspended" } else { "active" };
        writeln!(
            out,
            "{:>10}  {:>15}  {:>15}  {state:<9}  {}",
            account.id,
            account.balance.get(),
            account.held.get(),
            account.terms.name
        )?;
    }
    if let Some(last) = accounts.last().filter(|_| more) {
        let last = last.id;
        writeln!(std::io::stderr(), "{limit} accounts are shown, and there are more: --below {last}")?;
    }
    Ok(())
}
