//! Decisions are pure and have the shares that the settings name.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;
use simulator::Settings;
use simulator::fate::{Fate, Key, Outcome, decide};

fn settings() -> impl Strategy<Value = Settings> {
    let ratio = || prop_oneof![Just(0.0), Just(1.0), 0.0..1.0];
    (any::<u64>(), ratio(), ratio(), 0_u32..5000, 0_u32..5000, 1_u16..1000).prop_map(
        |(seed, refuse_ratio, delivery_ratio, from, more, refuse_code)| Settings {
            seed,
            refuse_ratio,
            refuse_code,
            delivery_ratio,
            delivery_min_ms: from,
            delivery_max_ms: from + more,
            ..Settings::default()
        },
    )
}

fn key() -> impl Strategy<Value = Key> {
    prop_oneof![any::<i64>().prop_map(Key::Uid), (9_000_000_000..9_999_999_999_u64).prop_map(Key::Recipient)]
}

fn share(settings: &Settings, of: impl Fn(Fate) -> bool) -> f64 {
    let hits = (1..=20_000).filter(|uid| of(decide(settings, Key::Uid(*uid)))).count();
    f64::from(u32::try_from(hits).unwrap()) / 20_000.0
}

fn ends(outcome: Outcome) -> impl Fn(Fate) -> bool {
    move |fate| matches!(fate, Fate::Accepted { outcome: ended, .. } if ended == outcome)
}

proptest! {
    #[test]
    fn a_decision_repeats_and_keeps_its_bounds(settings in settings(), key in key()) {
        let fate = decide(&settings, key);
        prop_assert_eq!(fate, decide(&settings.clone(), key));
        match fate {
            Fate::Refused(code) => {
                prop_assert!(settings.refuse_ratio > 0.0);
                prop_assert_eq!(code, settings.refuse_code);
            }
            Fate::Accepted { outcome, delay_ms } => {
                prop_assert!(settings.refuse_ratio < 1.0);
                prop_assert!((settings.delivery_min_ms..=settings.delivery_max_ms).contains(&delay_ms));
                prop_assert!(outcome == Outcome::Delivered || settings.delivery_ratio < 1.0);
                prop_assert!(outcome != Outcome::Delivered || settings.delivery_ratio > 0.0);
            }
        }
    }

    /// Changing one ratio moves no other decision of a message.
    #[test]
    fn decisions_are_independent(settings in settings(), key in key()) {
        let accepting = Settings { refuse_ratio: 0.0, ..settings.clone() };
        if let Fate::Accepted { .. } = decide(&settings, key) {
            prop_assert_eq!(decide(&settings, key), decide(&accepting, key));
        }
    }
}

#[test]
fn the_shares_are_those_of_the_settings() {
    let settings = Settings { refuse_ratio: 0.1, delivery_ratio: 0.8, ..Settings::default() };
    let near = |share: f64, wanted: f64| assert!((share - wanted).abs() < 0.01, "{share} not {wanted}");
    near(share(&settings, |fate| matches!(fate, Fate::Refused(27))), 0.1);
    near(share(&settings, ends(Outcome::Delivered)), 0.9 * 0.8);
    near(share(&settings, ends(Outcome::Undelivered)), 0.9 * 0.1);
    near(share(&settings, ends(Outcome::NotReached)), 0.9 * 0.1);
    let early = |fate| matches!(fate, Fate::Accepted { delay_ms: 300..900, .. });
    near(share(&settings, early), 0.45);
}

/// These values are part of the contract: a run made with a seed can be repeated later.
#[test]
fn known_decisions_stay() {
    let settings = Settings { seed: 42, refuse_ratio: 0.2, delivery_ratio: 0.5, ..Settings::default() };
    let shown: Vec<String> = (1..=6)
        .map(|uid| match decide(&settings, Key::Uid(uid)) {
            Fate::Refused(code) => format!("refused {code}"),
            Fate::Accepted { outcome, delay_ms } => format!("{} {delay_ms}", outcome.status()),
        })
        .collect();
    assert_eq!(shown, ["1 594", "1 576", "2 1360", "16 980", "refused 27", "1 991"]);
}
