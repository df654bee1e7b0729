use serde::{Deserialize, Serialize};
use serde_json::Deserializer;

use super::word::{Fault, On, Stage};

/// The most rules at once.
const MAX_RULES: usize = 64;
/// The longest `for_ms` and `delay_ms`, and the largest `offset_ms` either way: a day.
const MAX_MS: u32 = 86_400_000;
/// What `offset_ms` is where the rule has none: an hour.
const OFFSET_MS: i32 = 3_600_000;
/// The most digits of `recipient_suffix`: those of a whole national number.
const MAX_SUFFIX: usize = 10;

/// One fault, and whom it hits: what meets all the conditions that are given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What happens.
    pub fault: Fault,
    /// In which calls; `send` if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<On>,
    /// From which message on, counted from 1 since the rule was set: elements of send calls,
    /// ids of `statuses` calls, calls of the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u64>,
    /// Up to which message, itself included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<u64>,
    /// Which share, from 0 to 1: of the calls where a whole call is hit, else of the messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// The last digits of the recipient, 1 to 10 of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient_suffix: Option<String>,
    /// For so many milliseconds from when the rule is set; without it until it is removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_ms: Option<u32>,
    /// A delay in milliseconds; what it delays depends on the fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<u32>,
    /// How far off the clock is, in milliseconds; an hour ahead if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset_ms: Option<i32>,
    /// The status or HTTP status to answer with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<u16>,
}

impl Rule {
    /// A rule that hits everything, always.
    pub fn new(fault: Fault) -> Self {
        Self {
            fault,
            on: None,
            from: None,
            to: None,
            probability: None,
            recipient_suffix: None,
            for_ms: None,
            delay_ms: None,
            offset_ms: None,
            code: None,
        }
    }

    pub(crate) fn on(&self) -> On {
        self.on.unwrap_or(On::Send)
    }

    pub(crate) fn delay_ms(&self) -> u32 {
        self.delay_ms.or(self.fault.delay_ms()).unwrap_or(0)
    }

    pub(crate) fn offset_ms(&self) -> i32 {
        self.offset_ms.unwrap_or(OFFSET_MS)
    }

    pub(crate) fn code(&self) -> u16 {
        self.code.or(self.fault.codes().and_then(|codes| codes.default)).unwrap_or(0)
    }

    /// Says in one sentence what does not fit, if anything.
    fn check(&self) -> Result<(), String> {
        self.check_conditions()?;
        if self.delay_ms.is_some() && self.fault.delay_ms().is_none() {
            return Err("this fault has no delay_ms".to_owned());
        }
        if self.offset_ms.is_some() && self.fault != Fault::ClockOff {
            return Err("only clock_off has offset_ms".to_owned());
        }
        for (name, ms) in [("for_ms", self.for_ms), ("delay_ms", self.delay_ms)] {
            if ms.is_some_and(|ms| !(1..=MAX_MS).contains(&ms)) {
                return Err(format!("{name} must be from 1 to {MAX_MS}"));
            }
        }
        if self.offset_ms.is_some_and(|ms| ms.unsigned_abs() > MAX_MS) {
            return Err(format!("offset_ms must be from -{MAX_MS} to {MAX_MS}"));
        }
        match (self.fault.codes(), self.code) {
            (None, Some(_)) => Err("this fault has no code".to_owned()),
            (Some(codes), None) if codes.default.is_none() => Err("code is missing".to_owned()),
            (Some(codes), Some(code)) if !codes.allowed.iter().any(|range| range.contains(&code)) => {
                Err(format!("code must be {}, not {code}", codes.said))
            }
            _ => Ok(()),
        }
    }

    /// As [`Rule::check`], of what says whom the rule hits.
    fn check_conditions(&self) -> Result<(), String> {
        match self.on {
            Some(_) if self.fault.on().is_empty() => return Err("this fault has no on".to_owned()),
            Some(on) if !self.fault.on().contains(&on) => {
                return Err("this fault is not possible on these calls".to_owned());
            }
            _ => {}
        }
        let suffix = self.recipient_suffix.as_deref();
        if self.fault.stage() == Stage::Operator {
            if self.from.or(self.to).is_some() || self.probability.is_some() || suffix.is_some() {
                return Err("this fault hits everything: it has for_ms and nothing else".to_owned());
            }
            if self.for_ms.is_none() {
                return Err("for_ms is missing".to_owned());
            }
        }
        if self.from == Some(0) || self.to == Some(0) {
            return Err("messages are counted from 1".to_owned());
        }
        if let (Some(from), Some(to)) = (self.from, self.to)
            && from > to
        {
            return Err(format!("from ({from}) must not be above to ({to})"));
        }
        if let Some(share) = self.probability.filter(|share| !(0.0..=1.0).contains(share)) {
            return Err(format!("probability must be from 0 to 1, not {share}"));
        }
        let digits = |suffix: &str| {
            (1..=MAX_SUFFIX).contains(&suffix.len()) && suffix.bytes().all(|octet| octet.is_ascii_digit())
        };
        match suffix {
            Some(_) if self.on() != On::Send => Err("only send calls have a recipient_suffix".to_owned()),
            Some(suffix) if !digits(suffix) => {
                Err(format!("recipient_suffix must be 1 to {MAX_SUFFIX} digits"))
            }
            _ => Ok(()),
        }
    }
}

/// The rules of a JSON array. An error names the rule (from 0) and the field.
pub fn parse(json: &[u8]) -> Result<Vec<Rule>, String> {
    let mut deserializer = Deserializer::from_slice(json);
    let rules: Vec<Rule> = serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| format!("not a JSON array of rules: {error}"))?;
    deserializer.end().map_err(|error| format!("not a JSON array of rules: {error}"))?;
    check(&rules)?;
    Ok(rules)
}

/// Says in one sentence which rule does not fit and why, if one does not.
pub(super) fn check(rules: &[Rule]) -> Result<(), String> {
    if rules.len() > MAX_RULES {
        return Err(format!("at most {MAX_RULES} rules, not {}", rules.len()));
    }
    for (index, rule) in rules.iter().enumerate() {
        let name = serde_json::to_value(rule.fault).unwrap_or_default();
        let name = name.as_str().unwrap_or_default();
        rule.check().map_err(|error| format!("[{index}] ({name}): {error}"))?;
    }
    Ok(())
}
