#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn subjects(keys: &[u64]) -> Vec<Subject<'static>> {
    keys.iter().map(|key| Subject { key: *key, recipient: "989120000012" }).collect()
}

/// The places that a rule hits in calls of these lengths, one after the other.
fn hits(rule: &Rule, seed: u64, calls: &[u64]) -> Vec<Vec<usize>> {
    let faults = Faults::new(vec![rule.clone()]).unwrap();
    let mut next = 1;
    let call = |length: &u64| {
        let keys: Vec<u64> = (next..next + length).collect();
        next += length;
        let Verdict { hit, receipts } = faults.befall(seed, On::Send, &subjects(&keys));
        let of_receipts = (0..receipts.len()).filter(|index| receipts[*index].is_some());
        hit.map_or_else(|| of_receipts.collect(), |hit| hit.elements)
    };
    calls.iter().map(call).collect()
}

#[test]
fn every_fault_has_its_own_word_and_octet() {
    let words: BTreeSet<String> = Fault::ALL.iter().map(|fault| json!(fault).to_string()).collect();
    let octets: BTreeSet<u8> = Fault::ALL.iter().map(|fault| fault.octet()).collect();
    assert_eq!((words.len(), octets.len()), (Fault::ALL.len(), Fault::ALL.len()));
    for fault in Fault::ALL {
        assert_eq!(Fault::from_octet(fault.octet()), Some(fault));
    }
    assert_eq!(Fault::from_octet(0), None);
    assert!(words.contains("\"error_500_after\"") && words.contains("\"receipt_twice\""));
}

#[test]
fn rules_are_read_as_they_are_written() {
    let text = r#"[{"fault":"partial","on":"statuses","from":2,"to":9,"probability":0.5},
        {"fault":"refuse","code":27,"recipient_suffix":"07","for_ms":1000},
        {"fault":"clock_off","offset_ms":-5}]"#;
    let rules = parse(text.as_bytes()).unwrap();
    let wanted = [
        Rule {
            on: Some(On::Statuses),
            from: Some(2),
            to: Some(9),
            probability: Some(0.5),
            ..Rule::new(Fault::Partial)
        },
        Rule {
            code: Some(27),
            recipient_suffix: Some("07".to_owned()),
            for_ms: Some(1000),
            ..Rule::new(Fault::Refuse)
        },
        Rule { offset_ms: Some(-5), ..Rule::new(Fault::ClockOff) },
    ];
    assert_eq!(rules, wanted);
    assert_eq!(parse(json!(rules).to_string().as_bytes()).unwrap(), wanted);
    assert_eq!(parse(b"[]").unwrap(), []);
}

#[test]
fn the_readme_has_an_example_of_each_that_fits() {
    let readme = include_str!("../../README.md");
    let cells = readme.lines().filter_map(|line| line.strip_suffix("` |")?.rsplit_once('`'));
    let examples = cells.map(|(_, example)| example).filter(|example| example.starts_with("{\"fault\""));
    let rules: Vec<Rule> =
        examples.flat_map(|example| parse(format!("[{example}]").as_bytes()).expect(example)).collect();
    let shown: Vec<Fault> = rules.iter().map(|rule| rule.fault).collect();
    assert_eq!(shown.len(), Fault::ALL.len());
    assert!(Fault::ALL.iter().all(|fault| shown.contains(fault)));
}

#[test]
fn what_does_not_fit_is_named() {
    let cases = [
        ("", "not a JSON array of rules"),
        ("{}", "not a JSON array of rules"),
        ("[] []", "trailing"),
        (r#"[{"on":"send"}]"#, "missing field `fault`"),
        (r#"[{"fault":"boom"}]"#, "[0].fault: unknown variant `boom`"),
        (r#"[{"fault":"garbage"},{"fault":"garbage","proability":1}]"#, "[1].proability: unknown field"),
        (r#"[{"fault":"garbage","on":"push"}]"#, "[0].on: unknown variant `push`"),
        (r#"[{"fault":"garbage","from":-1}]"#, "[0].from: invalid value"),
        (r#"[{"fault":"garbage","probability":"1"}]"#, "[0].probability: invalid type"),
        (r#"[{"fault":"garbage"},{"fault":"garbage","probability":1.5}]"#, "[1] (garbage): probability"),
        (r#"[{"fault":"garbage","from":0}]"#, "counted from 1"),
        (r#"[{"fault":"garbage","to":0}]"#, "counted from 1"),
        (r#"[{"fault":"garbage","from":3,"to":2}]"#, "from (3) must not be above to (2)"),
        (r#"[{"fault":"garbage","recipient_suffix":""}]"#, "recipient_suffix must be 1 to 10 digits"),
        (r#"[{"fault":"garbage","recipient_suffix":"12345678901"}]"#, "recipient_suffix"),
        (r#"[{"fault":"garbage","recipient_suffix":"+1"}]"#, "recipient_suffix"),
        (r#"[{"fault":"garbage","on":"mid","recipient_suffix":"1"}]"#, "only send calls"),
        (r#"[{"fault":"partial","on":"mid"}]"#, "not possible on these calls"),
        (r#"[{"fault":"credit","on":"statuses"}]"#, "not possible on these calls"),
        (r#"[{"fault":"receipt_late","on":"send"}]"#, "has no on"),
        (r#"[{"fault":"garbage","delay_ms":5}]"#, "has no delay_ms"),
        (r#"[{"fault":"timeout_after","delay_ms":0}]"#, "delay_ms must be from 1 to 86400000"),
        (r#"[{"fault":"timeout_after","delay_ms":86400001}]"#, "delay_ms must be from 1"),
        (r#"[{"fault":"garbage","for_ms":0}]"#, "for_ms must be from 1"),
        (r#"[{"fault":"garbage","offset_ms":1}]"#, "only clock_off"),
        (r#"[{"fault":"clock_off","offset_ms":-86400001}]"#, "offset_ms must be from -86400000"),
        (r#"[{"fault":"garbage","code":5}]"#, "has no code"),
        (r#"[{"fault":"throttle","code":14}]"#, "code must be 15, 23 or 429, not 14"),
        (r#"[{"fault":"error_500_after","code":499}]"#, "code must be from 500 to 599"),
        (r#"[{"fault":"refuse"}]"#, "[0] (refuse): code is missing"),
        (r#"[{"fault":"refuse_call","code":1000}]"#, "code must be from 1 to 999"),
        (r#"[{"fault":"dead"}]"#, "for_ms is missing"),
        (r#"[{"fault":"hang"}]"#, "for_ms is missing"),
        (r#"[{"fault":"dead","for_ms":5,"probability":1}]"#, "hits everything"),
        (r#"[{"fault":"dead","for_ms":5,"to":1}]"#, "hits everything"),
    ];
    for (text, named) in cases {
        let error = parse(text.as_bytes()).unwrap_err();
        assert!(error.contains(named), "{text}: {error}");
    }
    let many = json!(vec![json!({"fault": "garbage"}); 65]).to_string();
    assert_eq!(parse(many.as_bytes()).unwrap_err(), "at most 64 rules, not 65");
}

#[test]
fn a_range_counts_messages_over_calls() {
    let rule = Rule { from: Some(3), to: Some(6), ..Rule::new(Fault::Partial) };
    assert_eq!(hits(&rule, 1, &[2, 3, 3, 3]), [vec![], vec![0, 1, 2], vec![0], vec![]]);
    let call = Rule { fault: Fault::Garbage, ..rule.clone() };
    assert_eq!(hits(&call, 1, &[2, 3, 3, 3]), hits(&rule, 1, &[2, 3, 3, 3]));
    let receipt = Rule { fault: Fault::ReceiptLate, ..rule };
    assert_eq!(hits(&receipt, 1, &[2, 3, 3, 3]), [vec![], vec![0, 1, 2], vec![0], vec![]]);
}

#[test]
fn a_suffix_and_a_range_hold_together() {
    let faults = Faults::new(vec![Rule {
        recipient_suffix: Some("2".to_owned()),
        to: Some(2),
        ..Rule::new(Fault::Refuse)
    }]);
    assert!(faults.is_err(), "refuse needs a code");
    let rule = Rule {
        recipient_suffix: Some("2".to_owned()),
        to: Some(2),
        code: Some(1),
        ..Rule::new(Fault::Refuse)
    };
    let faults = Faults::new(vec![rule]).unwrap();
    let call: Vec<_> = ["1", "12", "22"].map(|recipient| Subject { key: 1, recipient }).into();
    assert_eq!(faults.befall(1, On::Send, &call).hit.unwrap().elements, [1]);
    assert!(faults.befall(1, On::Mid, &call).hit.is_none());
}

#[test]
fn the_first_that_hits_decides_each_stage() {
    let rules = [
        Rule { to: Some(1), ..Rule::new(Fault::ReceiptNever) },
        Rule { from: Some(2), ..Rule::new(Fault::Garbage) },
        Rule::new(Fault::ReceiptTwice),
        Rule::new(Fault::Reordered),
    ];
    let faults = Faults::new(rules.to_vec()).unwrap();
    let mut seen = Vec::new();
    for keys in [&[1][..], &[2, 3]] {
        let Verdict { hit, receipts } = faults.befall(1, On::Send, &subjects(keys));
        let receipts: Vec<_> = receipts.iter().map(|rule| rule.unwrap().fault).collect();
        seen.push((hit.unwrap().rule.fault, receipts));
    }
    let twice = Fault::ReceiptTwice;
    assert_eq!(seen, [(Fault::Reordered, vec![Fault::ReceiptNever]), (Fault::Garbage, vec![twice, twice])]);
}

/// These values are part of the contract: a run made with a seed can be repeated later.
#[test]
fn known_draws_stay() {
    let rule = |fault| Rule { probability: Some(0.3), ..Rule::new(fault) };
    let calls: Vec<bool> =
        hits(&rule(Fault::TimeoutAfter), 42, &[1; 12]).iter().map(|hit| !hit.is_empty()).collect();
    let calls: Vec<usize> = (1..=12).filter(|call| calls[call - 1]).collect();
    let messages = hits(&rule(Fault::Partial), 42, &[12]);
    assert_eq!((calls, messages), (vec![8], vec![vec![4, 5, 8, 10]]));
}

#[test]
fn the_shares_are_those_of_the_rules() {
    for (fault, share) in [(Fault::TimeoutAfter, 0.01), (Fault::Partial, 0.3), (Fault::ReceiptLate, 0.9)] {
        let hit = (1..=20_000).filter(|key| drawn(7, fault, *key) < share).count();
        let found = f64::from(u32::try_from(hit).unwrap()) / 20_000.0;
        assert!((found - share).abs() < 0.01, "{fault:?}: {found} not {share}");
    }
}

fn of_stage(stage: Stage) -> impl Strategy<Value = Fault> {
    let of: Vec<Fault> = Fault::ALL.into_iter().filter(move |fault| fault.stage() == stage).collect();
    prop::sample::select(of)
}

fn rule(fault: Fault, share: f64) -> Rule {
    let code = fault.codes().and_then(|codes| codes.allowed.first().map(|range| *range.start()));
    Rule { probability: Some(share), code, ..Rule::new(fault) }
}

proptest! {
    /// A message is hit or not whatever call it comes in, and a larger share hits it too.
    #[test]
    fn a_message_draws_alone(
        fault in prop_oneof![of_stage(Stage::Elements), of_stage(Stage::Receipt)],
        (seed, share, more) in (any::<u64>(), 0.0..1.0_f64, 0.0..1.0_f64),
        calls in prop::collection::vec(1_u64..20, 1..6),
    ) {
        let flat = |rule: &Rule, calls: &[u64]| -> Vec<u64> {
            let starts = calls.iter().scan(1, |next, length| { *next += length; Some(*next - length) });
            let hits = hits(rule, seed, calls);
            starts.zip(hits).flat_map(|(start, hit)| hit.into_iter().map(move |at| start + at as u64)).collect()
        };
        let rule = rule(fault, share);
        let together = flat(&rule, &[calls.iter().sum()]);
        prop_assert_eq!(&together, &flat(&rule, &calls));
        let larger = Rule { probability: Some(share.max(more)), ..rule };
        let larger = flat(&larger, &calls);
        prop_assert!(together.iter().all(|message| larger.contains(message)));
    }

    /// A call is hit or not by its number alone.
    #[test]
    fn a_call_draws_alone(
        fault in of_stage(Stage::Call),
        (seed, share) in (any::<u64>(), 0.0..1.0_f64),
        calls in prop::collection::vec(1_u64..20, 1..6),
    ) {
        let rule = rule(fault, share);
        for ((number, hit), length) in (1..).zip(hits(&rule, seed, &calls)).zip(calls) {
            let is_hit = drawn(seed, fault, number) < share;
            prop_assert_eq!(hit.len() as u64, if is_hit { length } else { 0 });
        }
    }

    #[test]
    fn answers_are_arranged_as_said(
        fault in prop::sample::select(vec![Fault::Partial, Fault::Duplicated, Fault::Reordered]),
        (seed, call, length) in (any::<u64>(), 1_u64..1000, prop_oneof![1_usize..4, 1_usize..100]),
        drawn in prop::collection::vec(any::<bool>(), 100),
    ) {
        let rule = Rule::new(fault);
        let elements: Vec<usize> = (0..length).filter(|index| drawn[*index]).collect();
        let hit = Hit { rule: &rule, call, elements: elements.clone(), end: None };
        let given = hit.arranged(seed, length);
        prop_assert_eq!(&given, &hit.arranged(seed, length));
        for index in 0..length {
            let times = given.iter().filter(|given| **given == index).count();
            let is_hit = elements.contains(&index);
            let wanted = match fault {
                Fault::Partial => usize::from(!is_hit),
                Fault::Duplicated => 1 + usize::from(is_hit),
                _ => 1,
            };
            prop_assert_eq!(times, wanted);
        }
        prop_assert_eq!(given.is_sorted(), fault != Fault::Reordered || length == 1);
    }

    #[test]
    fn garbage_is_no_answer_of_magfas(seed in any::<u64>(), call in any::<u64>(), status in 0..1000) {
        let rule = Rule::new(Fault::Garbage);
        let hit = Hit { rule: &rule, call, elements: vec![0], end: None };
        let answer = json!({"status": status, "mid": 7}).to_string().into_bytes();
        let garbage = hit.garbage(seed, &answer);
        prop_assert_eq!(&garbage, &hit.garbage(seed, &answer));
        let read = serde_json::from_slice::<serde_json::Value>(&garbage);
        prop_assert!(!read.is_ok_and(|value| value["status"].is_number()));
        let cut = hit.cut(seed, answer.len());
        prop_assert!(cut >= 1 && cut < answer.len());
    }
}
