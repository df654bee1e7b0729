//! `smshub send --dry-run`: reads and counts everything, sends nothing.
//!
//! Numbers and texts are judged here by the rules that ingest uses, with the settings at
//! hand. The price of a segment is asked of the API, for one message of each encoding.

use super::Args;
use super::client::Client;
use super::rows::{Message, Rows};
use crate::settings::Settings;
use bytes::Bytes;
use domain::phone::{Msisdn, PhoneError, Served};
use domain::text::{Encoding, measure};
use serde_json::json;
use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;

/// Rows looked at between two looks at anything else.
const ROWS: usize = 1_000;

#[derive(Default)]
struct Counted {
    rows: u64,
    invalid: BTreeMap<&'static str, u64>,
    by_encoding: BTreeMap<Encoding, OfEncoding>,
}

#[derive(Default)]
struct OfEncoding {
    messages: i64,
    segments: i64,
    sample: Option<Message>,
}

pub(super) async fn run(
    mut rows: Rows,
    args: &Args,
    client: Option<&Client>,
    settings: &Settings,
) -> anyhow::Result<ExitCode> {
    let served = Served::new(&settings.ingest.countries)?;
    let counted =
        tokio::task::block_in_place(|| count(&mut rows, &served, settings.ingest.limits.text_segments))?;
    let mut out = std::io::stdout();
    writeln!(out, "rows        {:>12}", counted.rows)?;
    for (code, count) in &counted.invalid {
        writeln!(out, "invalid     {count:>12}  {code}")?;
    }
    let mut price = Some((0_i64, String::new()));
    for (encoding, of) in &counted.by_encoding {
        writeln!(out, "{:<12}{:>12}  messages in {} segments", encoding.as_str(), of.messages, of.segments)?;
        let unit = match (client, &of.sample) {
            (Some(client), Some(sample)) => Some(unit_price(client, sample, args.from.as_deref()).await?),
            _ => None,
        };
        price = price.zip(unit).map(|((sum, _), (unit, currency))| {
            (sum.saturating_add(unit.saturating_mul(of.segments)), currency)
        });
    }
    match price {
        Some((sum, currency)) => {
            writeln!(out, "price       {sum:>12} {currency}, as estimated from one message of each encoding")?
        }
        None => writeln!(out, "price             not known: set SMSHUB_KEY to ask the API")?,
    }
    writeln!(out, "nothing was sent")?;
    Ok(ExitCode::SUCCESS)
}

fn count(rows: &mut Rows, served: &Served, segments_max: u32) -> anyhow::Result<Counted> {
    let mut counted = Counted::default();
    loop {
        let messages = rows.batch(ROWS)?;
        if messages.is_empty() {
            return Ok(counted);
        }
        for message in messages {
            counted.add(message, served, segments_max);
        }
    }
}

impl Counted {
    fn add(&mut self, message: Message, served: &Served, segments_max: u32) {
        self.rows += 1;
        let measured = measure(&message.text);
        let fault = match Msisdn::parse(&message.to, served) {
            Err(PhoneError::Invalid) => Some("invalid_recipient"),
            Err(PhoneError::UnsupportedCountry) => Some("unsupported_country"),
            Ok(_) if measured.segments == 0 => Some("text_empty"),
            Ok(_) if measured.segments > segments_max => Some("text_too_long"),
            Ok(_) => None,
        };
        if let Some(fault) = fault {
            *self.invalid.entry(fault).or_default() += 1;
            return;
        }
        let of = self.by_encoding.entry(measured.encoding).or_default();
        of.messages += 1;
        of.segments += i64::from(measured.segments);
        of.sample.get_or_insert(message);
    }
}

/// What one segment costs. The preview is of lane standard: bulk is none of single messages.
async fn unit_price(client: &Client, sample: &Message, from: Option<&str>) -> anyhow::Result<(i64, String)> {
    let mut body = json!({"to": sample.to, "text": sample.text});
    if let Some(from) = from {
        body["from"] = json!(from);
    }
    let preview = client.preview(Bytes::from(serde_json::to_vec(&body)?)).await?;
    Ok((preview.price / preview.segments.max(1), preview.currency))
}
