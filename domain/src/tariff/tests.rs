#![allow(clippy::unwrap_used)]
use super::*;
use proptest::prelude::*;

fn lane() -> impl Strategy<Value = Lane> {
    prop::sample::select(&Lane::ALL[..])
}

fn encoding() -> impl Strategy<Value = Encoding> {
    prop::sample::select(&Encoding::ALL[..])
}

/// Few digits, so that prefixes contain each other and numbers match them.
fn prefix() -> impl Strategy<Value = String> {
    "|[12]{1,4}|[12]{5,9}|[1-9][0-9]{0,14}"
}

fn number() -> impl Strategy<Value = Msisdn> {
    "[12]{7,9}|[1-9][0-9]{6,14}".prop_map(|digits| Msisdn::from_canonical(digits.parse().unwrap()).unwrap())
}

fn row() -> impl Strategy<Value = Row> {
    (lane(), prop::option::of(encoding()), prefix(), 0..5_000i64).prop_map(
        |(lane, encoding, prefix, price)| Row {
            lane,
            encoding,
            prefix: prefix.parse().unwrap(),
            price: Money::new(price),
        },
    )
}

/// Rows of a tariff: unique, and with the default rows where a catch-all is missing.
fn rows() -> impl Strategy<Value = Vec<Row>> {
    prop::collection::vec(row(), 0..40).prop_map(|mut rows| {
        rows.extend(Tariff::default_rows());
        let mut unique: Vec<Row> = Vec::new();
        for row in rows {
            if unique.iter().all(|other| other.key() != row.key()) {
                unique.push(row);
            }
        }
        unique
    })
}

/// The rule, on text: of the matching rows the longest prefix, then the named encoding.
fn by_definition(rows: &[Row], lane: Lane, encoding: Encoding, number: Msisdn) -> Money {
    let digits = number.get().to_string();
    let matching = rows.iter().filter(|row| {
        row.lane == lane
            && (row.encoding.is_none() || row.encoding == Some(encoding))
            && digits.starts_with(&row.prefix.to_string())
    });
    matching.max_by_key(|row| (row.prefix.to_string().len(), row.encoding.is_some())).unwrap().price
}

proptest! {
    #[test]
    fn the_price_is_what_the_definition_says(
        rows in rows().prop_shuffle(),
        lane in lane(), encoding in encoding(), number in number(), segments in 0..300u32,
    ) {
        let tariff = Tariff::new(7, rows.clone()).unwrap();
        let unit = by_definition(&rows, lane, encoding, number);
        prop_assert_eq!(tariff.unit_price(lane, encoding, number), unit);
        prop_assert_eq!(tariff.price(lane, encoding, number, segments), Ok(unit.checked_mul(segments).unwrap()));
        prop_assert_eq!(tariff.version(), 7);
    }

    #[test]
    fn the_order_of_rows_does_not_matter(
        (rows, shuffled) in rows().prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle())),
    ) {
        prop_assert_eq!(Tariff::new(1, rows), Tariff::new(1, shuffled));
    }

    #[test]
    fn one_key_has_one_price(rows in rows(), again in any::<prop::sample::Index>(), price in 0..9i64) {
        let repeated = Row { price: Money::new(price), ..rows[again.index(rows.len())] };
        let mut with_repeated = rows.clone();
        with_repeated.push(repeated);
        prop_assert_eq!(Tariff::new(1, with_repeated), Err(TariffError::DuplicateRow(rows.len())));
    }

    #[test]
    fn no_price_is_negative(rows in rows(), at in any::<prop::sample::Index>(), price in prop_oneof![Just(-1), i64::MIN..0]) {
        let at = at.index(rows.len());
        let mut negative = rows;
        negative[at].price = Money::new(price);
        prop_assert_eq!(Tariff::new(1, negative), Err(TariffError::NegativePrice(at)));
    }

    #[test]
    fn every_lane_has_a_catch_all(rows in rows(), lane in lane()) {
        let without: Vec<Row> = rows.into_iter().filter(|row| row.lane != lane || !row.is_catch_all()).collect();
        prop_assert_eq!(Tariff::new(1, without), Err(TariffError::NoCatchAll(lane)));
    }

    #[test]
    fn a_prefix_is_its_text(text in prefix(), number in number(), digits in 0..=16u32) {
        prop_assert_eq!(text.parse::<Prefix>().unwrap().to_string(), text);
        let first: String = number.get().to_string().chars().take(digits as usize).collect();
        prop_assert_eq!(Prefix::of(number, digits), first.parse().unwrap());
    }
}

#[test]
fn prefixes_are_checked() {
    for wrong in ["0", "098", "+98", "98 ", "۹۸", "1234567890123456", "99999999999999999999999"] {
        assert_eq!(wrong.parse::<Prefix>(), Err(PrefixError), "{wrong}");
    }
    assert_eq!("".parse(), Ok(Prefix::EMPTY));
    assert!("123456789012345".parse::<Prefix>().is_ok());
}

#[test]
fn the_default_prices() {
    let tariff = Tariff::new(1, Tariff::default_rows()).unwrap();
    let number = Msisdn::from_canonical(989_123_456_789).unwrap();
    for (lane, price) in [(Lane::Express, 1_500), (Lane::Standard, 1_000), (Lane::Bulk, 1_000)] {
        for encoding in Encoding::ALL {
            assert_eq!(tariff.price(lane, encoding, number, 3), Ok(Money::new(3 * price)));
        }
    }
}

#[test]
fn a_price_never_wraps() {
    let rows = Tariff::default_rows().into_iter().map(|row| Row { price: Money::new(i64::MAX / 2), ..row });
    let tariff = Tariff::new(1, rows.collect()).unwrap();
    let number = Msisdn::from_canonical(989_123_456_789).unwrap();
    assert!(tariff.price(Lane::Bulk, Encoding::Gsm7, number, 2).is_ok());
    assert_eq!(tariff.price(Lane::Bulk, Encoding::Gsm7, number, 3), Err(PriceOverflow));
}

#[test]
fn a_tariff_is_bounded() {
    let many = |count: u64| {
        let mut rows = Tariff::default_rows();
        let model = rows[0];
        let special = (1_000..).take(usize::try_from(count).unwrap() - rows.len());
        rows.extend(special.map(|prefix| Row { prefix: prefix.to_string().parse().unwrap(), ..model }));
        rows
    };
    assert!(Tariff::new(1, many(1_000)).is_ok());
    assert_eq!(Tariff::new(1, many(1_001)), Err(TariffError::TooManyRows));
}
