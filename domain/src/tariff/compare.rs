//! Two price lists side by side.

use super::{Prefix, Tariff};
use crate::lane::Lane;
use crate::money::Money;
use crate::text::Encoding;
use std::collections::BTreeSet;

/// What a segment to numbers of a prefix costs by either list, where neither names a longer
/// prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compared {
    /// The lane that was asked for.
    pub lane: Lane,
    /// The encoding, or none where both cost the same.
    pub encoding: Option<Encoding>,
    /// What the number begins with; the empty prefix is that of every number.
    pub prefix: Prefix,
    /// The price by the first list.
    pub old: Money,
    /// The price by the second.
    pub new: Money,
}

/// Every lane and prefix that either list names, by lane and prefix.
pub fn compare(old: &Tariff, new: &Tariff) -> Vec<Compared> {
    let named: BTreeSet<(Lane, Prefix)> =
        old.rows().chain(new.rows()).map(|row| (row.lane, row.prefix)).collect();
    let mut lines = Vec::with_capacity(named.len());
    for (lane, prefix) in named {
        let [gsm7, ucs2] = Encoding::ALL.map(|encoding| {
            let price = |tariff: &Tariff| tariff.lanes[lane.index()].of_prefix(encoding, prefix);
            Compared { lane, encoding: Some(encoding), prefix, old: price(old), new: price(new) }
        });
        if (gsm7.old, gsm7.new) == (ucs2.old, ucs2.new) {
            lines.push(Compared { encoding: None, ..gsm7 });
        } else {
            lines.extend([gsm7, ucs2]);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::tariff::Row;

    fn tariff(version: u32, special: &[(Lane, Option<Encoding>, &str, i64)]) -> Tariff {
        let special = special.iter().map(|&(lane, encoding, prefix, price)| Row {
            lane,
            encoding,
            prefix: prefix.parse().unwrap(),
            price: Money::new(price),
        });
        Tariff::new(version, Tariff::default_rows().into_iter().chain(special).collect()).unwrap()
    }

    fn lines(old: &Tariff, new: &Tariff) -> Vec<(Lane, Option<Encoding>, String, i64, i64)> {
        let line = |c: &Compared| (c.lane, c.encoding, c.prefix.to_string(), c.old.get(), c.new.get());
        compare(old, new).iter().map(line).collect()
    }

    #[test]
    fn what_only_one_list_names_is_held_against_what_the_other_asks_for_it() {
        use Lane::{Bulk, Express, Standard};
        let old = tariff(1, &[(Bulk, None, "98", 900)]);
        let new = tariff(2, &[(Bulk, None, "98912", 800), (Bulk, Some(Encoding::Ucs2), "98912", 850)]);
        let all = |lane, price| (lane, None, String::new(), price, price);
        let expected = vec![
            all(Express, 1_500),
            all(Standard, 1_000),
            all(Bulk, 1_000),
            (Bulk, None, "98".into(), 900, 1_000),
            (Bulk, Some(Encoding::Gsm7), "98912".into(), 900, 800),
            (Bulk, Some(Encoding::Ucs2), "98912".into(), 900, 850),
        ];
        assert_eq!(lines(&old, &new), expected);
    }

    /// A number has the price that is shown for the longest prefix of it that is named.
    #[test]
    fn the_shown_price_is_that_of_the_numbers() {
        let special = [(Lane::Bulk, Some(Encoding::Ucs2), "989", 7), (Lane::Bulk, None, "9891", 8)];
        let (old, new) = (tariff(1, &special), tariff(2, &[]));
        for line in compare(&old, &new) {
            // No list here has a prefix that goes on with a 5.
            let number = format!("{}5000000", line.prefix).parse().unwrap();
            let msisdn = crate::phone::Msisdn::from_canonical(number).unwrap();
            for encoding in
                Encoding::ALL.into_iter().filter(|e| line.encoding.is_none_or(|named| named == *e))
            {
                assert_eq!(old.unit_price(line.lane, encoding, msisdn), line.old, "{line:?}");
                assert_eq!(new.unit_price(line.lane, encoding, msisdn), line.new, "{line:?}");
            }
        }
    }

    #[test]
    fn a_list_gives_its_rows_back() {
        let tariff =
            tariff(3, &[(Lane::Bulk, Some(Encoding::Ucs2), "989", 7), (Lane::Express, None, "98", 8)]);
        let again = Tariff::new(3, tariff.rows().collect()).unwrap();
        assert_eq!(again, tariff);
        assert_eq!(tariff.rows().count(), 5);
    }
}
