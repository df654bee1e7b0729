//! Campaigns as the API shows them, and as they are printed.

use domain::status::Status;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::{self, Write};

/// Faults of rows that are printed.
const FAULTS_SHOWN: usize = 10;

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Campaign {
    pub(super) id: String,
    name: String,
    status: String,
    rows: u64,
    pub(super) accepted: u64,
    pub(super) invalid: u64,
    segments: u64,
    counts: BTreeMap<String, u64>,
    price: i64,
    refunded: i64,
    currency: String,
    rates: Rates,
    created_at: String,
}

#[derive(Clone, Debug, Deserialize)]
struct Rates {
    delivered: Option<f64>,
    per_second: Option<f64>,
}

/// A page of campaigns.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Page {
    data: Vec<Campaign>,
}

/// The answer to an upload.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Uploaded {
    pub(super) rows: u64,
    pub(super) accepted: u64,
    pub(super) invalid: u64,
    segments: u64,
    price: i64,
    currency: String,
    errors: Vec<RowError>,
}

#[derive(Clone, Debug, Deserialize)]
struct RowError {
    row: u64,
    code: String,
    detail: String,
}

impl Campaign {
    /// How many of its messages are final.
    pub(super) fn ended(&self) -> u64 {
        self.of(|status| status.is_final() && status != Status::Refused)
    }

    fn of(&self, wanted: impl Fn(Status) -> bool) -> u64 {
        let wanted = Status::ALL.into_iter().filter(|status| wanted(*status));
        wanted.filter_map(|status| self.counts.get(status.as_str())).sum()
    }

    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(
            out,
            "campaign    {:>12}  {} ({}, made {})",
            self.id, self.name, self.status, self.created_at
        )?;
        writeln!(out, "rows        {:>12}", self.rows)?;
        writeln!(out, "invalid     {:>12}", self.invalid)?;
        writeln!(out, "accepted    {:>12}  in {} segments", self.accepted, self.segments)?;
        for status in Status::ALL {
            let count = self.counts.get(status.as_str()).copied().unwrap_or_default();
            if count > 0 {
                writeln!(out, "  {:<10}{count:>12}", status.as_str())?;
            }
        }
        writeln!(out, "charged     {:>12} {}", self.price, self.currency)?;
        writeln!(out, "refunded    {:>12} {}", self.refunded, self.currency)?;
        if let Some(delivered) = self.rates.delivered {
            writeln!(out, "delivered   {:>10.1} % of what is final", delivered * 100.0)?;
        }
        if let Some(speed) = self.rates.per_second {
            writeln!(out, "speed       {speed:>12.0} messages/s")?;
        }
        Ok(())
    }
}

impl Page {
    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(
            out,
            "{:>10}  {:<8} {:>12} {:>12} {:>12}  name",
            "id", "status", "accepted", "final", "delivered"
        )?;
        for campaign in &self.data {
            let delivered = campaign.of(|status| status == Status::Delivered);
            let Campaign { id, status, accepted, name, .. } = campaign;
            let ended = campaign.ended();
            writeln!(out, "{id:>10}  {status:<8} {accepted:>12} {ended:>12} {delivered:>12}  {name}")?;
        }
        Ok(())
    }
}

impl Uploaded {
    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "rows        {:>12}", self.rows)?;
        writeln!(out, "invalid     {:>12}", self.invalid)?;
        for error in self.errors.iter().take(FAULTS_SHOWN) {
            writeln!(out, "  row {}: {}: {}", error.row, error.code, error.detail)?;
        }
        if self.invalid > FAULTS_SHOWN as u64 {
            writeln!(out, "  … {} more", self.invalid - FAULTS_SHOWN as u64)?;
        }
        writeln!(out, "accepted    {:>12}  in {} segments", self.accepted, self.segments)?;
        writeln!(out, "price       {:>12} {}", self.price, self.currency)
    }
}
