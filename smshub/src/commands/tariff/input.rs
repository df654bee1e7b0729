//! Prices as people write them.

use anyhow::{Context, bail};
use domain::money::Money;
use domain::tariff::{Prefix, ROWS_MAX, Row};
use domain::text::Encoding;
use ledger::admin::fields::PRICE;
use std::path::Path;

/// The columns of a file.
pub(super) const COLUMNS: [&str; 4] = ["lane", "encoding", "prefix", "price"];

/// A price on the command line: `LANE[/PREFIX[/ENCODING]]=AMOUNT`.
pub(super) fn price(text: &str) -> Result<Row, String> {
    let (key, price) = text.split_once('=').ok_or("expected LANE[/PREFIX[/ENCODING]]=AMOUNT")?;
    let mut parts = key.split('/');
    let (lane, prefix, encoding) = (
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
    );
    if parts.next().is_some() {
        return Err("expected LANE[/PREFIX[/ENCODING]]=AMOUNT".into());
    }
    row(lane, encoding, prefix, price)
}

/// All prices of a file.
pub(super) fn read(path: &Path) -> anyhow::Result<Vec<Row>> {
    let shown = path.display();
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_path(path)
        .with_context(|| format!("{shown} cannot be read"))?;
    let headers = reader.headers().with_context(|| format!("{shown} cannot be read"))?;
    if headers.iter().collect::<Vec<_>>() != COLUMNS {
        bail!("{shown}: expected the columns {} in its first line", COLUMNS.join(","));
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.with_context(|| format!("{shown} cannot be read"))?;
        if rows.len() == ROWS_MAX {
            bail!("{shown}: expected at most {ROWS_MAX} prices");
        }
        let field = |index: usize| record.get(index).unwrap_or_default();
        let row = row(field(0), field(1), field(2), field(3));
        let line = record.position().map_or(0, csv::Position::line);
        rows.push(row.map_err(|wrong| anyhow::anyhow!("{shown}, line {line}: {wrong}"))?);
    }
    Ok(rows)
}

fn row(lane: &str, encoding: &str, prefix: &str, price: &str) -> Result<Row, String> {
    let named = |text: &str| text.parse::<Encoding>().map_err(|error| format!("encoding: {error}"));
    let encoding = if encoding.is_empty() { None } else { Some(named(encoding)?) };
    let price: Option<i64> = price.parse().ok().filter(|price| PRICE.contains(price));
    let (least, most) = (PRICE.start(), PRICE.end());
    Ok(Row {
        lane: lane.parse().map_err(|error| format!("lane: {error}"))?,
        encoding,
        prefix: prefix.parse::<Prefix>().map_err(|error| format!("prefix: {error}"))?,
        price: Money::new(price.ok_or_else(|| format!("price: expected a whole number, {least} to {most}"))?),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use domain::lane::Lane;

    #[test]
    fn a_price_names_lane_prefix_and_encoding() {
        let row = |lane, encoding, prefix: &str, price| Row {
            lane,
            encoding,
            prefix: prefix.parse().unwrap(),
            price: Money::new(price),
        };
        assert_eq!(price("bulk=0"), Ok(row(Lane::Bulk, None, "", 0)));
        assert_eq!(price("bulk/98990=1200"), Ok(row(Lane::Bulk, None, "98990", 1200)));
        assert_eq!(price("express//ucs2=7"), Ok(row(Lane::Express, Some(Encoding::Ucs2), "", 7)));
        for (text, says) in [
            ("bulk", "LANE[/PREFIX"),
            ("fast=1", "lane: expected"),
            ("bulk/0912=1", "prefix: expected"),
            ("bulk/98/utf8=1", "encoding: expected"),
            ("bulk/98/ucs2/x=1", "LANE[/PREFIX"),
            ("bulk=-1", "price: expected"),
            ("bulk=1.5", "price: expected"),
            ("bulk=1000000000001", "0 to 1000000000000"),
        ] {
            let error = price(text).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
