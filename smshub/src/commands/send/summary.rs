//! What is said at the end.

use super::client::Balance;
use super::follow::Followed;
use super::submit::Submitted;
use domain::status::Status;
use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

/// Everything about one run.
pub(super) struct Summary {
    pub(super) submitted: Submitted,
    /// Nothing where it was not asked for.
    pub(super) followed: Option<Followed>,
    pub(super) balance_before: Balance,
    /// Nothing where it could not be read.
    pub(super) balance_after: Option<Balance>,
    /// From the first call to the last answer.
    pub(super) submitting: Duration,
    /// From the first call to the last final message.
    pub(super) took: Duration,
}

impl Summary {
    /// Whether everything valid was accepted, and is final where that was asked for.
    pub(super) fn is_good(&self) -> bool {
        let ended =
            self.followed.as_ref().is_none_or(|followed| followed.open == 0 && followed.failure.is_none());
        self.submitted.failures.is_empty() && self.submitted.not_accepted == 0 && ended
    }

    /// To stdout; why something failed, to stderr.
    pub(super) fn print(&self) -> std::io::Result<()> {
        self.write(&mut std::io::stdout().lock())?;
        let mut stderr = std::io::stderr().lock();
        let failures = self.submitted.failures.iter().chain(self.followed.iter().flat_map(|f| &f.failure));
        for failure in failures {
            writeln!(stderr, "smshub: {failure}")?;
        }
        Ok(())
    }

    fn write(&self, out: &mut impl Write) -> std::io::Result<()> {
        let submitted = &self.submitted;
        let currency = &self.balance_before.currency;
        writeln!(out, "submitted   {:>12}", submitted.messages)?;
        let invalid = &submitted.invalid;
        writeln!(out, "invalid     {:>12}{}", invalid.count(), by_name(invalid.by_code()))?;
        invalid.write_rows(out)?;
        if submitted.not_accepted > 0 {
            writeln!(out, "not accepted{:>12}", submitted.not_accepted)?;
        }
        match &self.followed {
            None => writeln!(
                out,
                "accepted    {:>12}\nto pay      {:>12} {currency}",
                submitted.accepted, submitted.price
            )?,
            Some(followed) => followed.write(out, currency)?,
        }
        writeln!(out, "balance     {:>12} {currency} before", self.balance_before.balance)?;
        if let Some(after) = &self.balance_after {
            writeln!(out, "            {:>12} {currency} after{}", after.balance, held(after))?;
        }
        writeln!(
            out,
            "speed       {:>12} messages/s accepted, in {:.1} s",
            rate(submitted.accepted, self.submitting),
            self.submitting.as_secs_f64()
        )?;
        if let Some(followed) = &self.followed {
            let ended = submitted.accepted.saturating_sub(followed.open);
            writeln!(
                out,
                "            {:>12} messages/s to the end, in {:.1} s",
                rate(ended, self.took),
                self.took.as_secs_f64()
            )?;
        }
        Ok(())
    }
}

impl Followed {
    fn write(&self, out: &mut impl Write, currency: &str) -> std::io::Result<()> {
        let of = |status: Status| self.counts.get(status.as_str()).copied().unwrap_or_default();
        let failed = |status: &Status| status.is_final() && *status != Status::Delivered;
        let failed: BTreeMap<String, u64> = Status::ALL
            .into_iter()
            .filter(failed)
            .map(|status| (status.as_str().to_owned(), of(status)))
            .collect();
        writeln!(out, "charged     {:>12} {currency}", self.price)?;
        writeln!(out, "delivered   {:>12}", of(Status::Delivered))?;
        writeln!(out, "failed      {:>12}{}", failed.values().sum::<u64>(), by_name(&failed))?;
        writeln!(out, "refunded    {:>12} {currency}", self.refunded)?;
        if self.open > 0 {
            writeln!(out, "not final   {:>12}  ({} sent to an operator)", self.open, of(Status::Sent))?;
        }
        Ok(())
    }
}

fn by_name(counts: &BTreeMap<String, u64>) -> String {
    let named: Vec<String> = counts
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    if named.is_empty() { String::new() } else { format!("  ({})", named.join(", ")) }
}

fn held(balance: &Balance) -> String {
    if balance.held == 0 { String::new() } else { format!(" ({} held)", balance.held) }
}

/// Messages a second, rounded down.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // for people
fn rate(messages: u64, took: Duration) -> u64 {
    (messages as f64 / took.as_secs_f64().max(0.001)) as u64
}
