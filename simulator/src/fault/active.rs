//! Rules in force: they count what passes, and say whom they hit.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::drawn;
use super::rule::{Rule, check};
use super::word::{Fault, On, Stage};

/// The rules in force, in their order.
pub(crate) struct Faults {
    active: Vec<Active>,
    /// Cancelled when other rules take their place: what they hold open is then closed.
    gone: CancellationToken,
}

struct Active {
    rule: Rule,
    /// When it ends by itself.
    end: Option<Instant>,
    /// Calls that it could have hit so far.
    calls: AtomicU64,
    /// Messages in them.
    messages: AtomicU64,
}

/// One message of a call, as rules see it.
pub(crate) struct Subject<'a> {
    /// What its draws are made from.
    pub(crate) key: u64,
    /// As received; empty where the call has none.
    pub(crate) recipient: &'a str,
}

impl Subject<'_> {
    /// The id that a look-up asks for.
    pub(crate) fn of_id(id: i64) -> Self {
        Self { key: id.cast_unsigned(), recipient: "" }
    }
}

/// A rule that hits a call.
pub(crate) struct Hit<'a> {
    pub(crate) rule: &'a Rule,
    /// Ordinal number of the call since the rule was set.
    pub(crate) call: u64,
    /// The elements that are hit; of faults of a whole call those that meet its conditions.
    pub(crate) elements: Vec<usize>,
    /// When the rule ends by itself.
    pub(crate) end: Option<Instant>,
}

/// All that rules do to one call.
pub(crate) struct Verdict<'a> {
    /// What becomes of its answer.
    pub(crate) hit: Option<Hit<'a>>,
    /// What becomes of the receipts of its elements; of other calls than `send` empty.
    pub(crate) receipts: Vec<Option<&'a Rule>>,
}

impl Faults {
    /// Puts rules into force from now; refused where one does not fit.
    pub(crate) fn new(rules: Vec<Rule>) -> Result<Self, String> {
        check(&rules)?;
        let now = Instant::now();
        let active = |rule: Rule| Active {
            end: rule.for_ms.map(|ms| now + Duration::from_millis(ms.into())),
            rule,
            calls: AtomicU64::new(0),
            messages: AtomicU64::new(0),
        };
        Ok(Self { active: rules.into_iter().map(active).collect(), gone: CancellationToken::new() })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.active.is_empty()
    }

    pub(crate) fn rules(&self) -> Vec<Rule> {
        self.active.iter().map(|active| active.rule.clone()).collect()
    }

    pub(crate) fn gone(&self) -> CancellationToken {
        self.gone.clone()
    }

    /// Ends what is held open, when other rules take the place of these.
    pub(crate) fn retire(&self) {
        self.gone.cancel();
    }

    /// Until when the operator is dead, if it is to be.
    pub(crate) fn dead_until(&self) -> Option<Instant> {
        let dead = self.active.iter().filter(|active| active.rule.fault == Fault::Dead);
        dead.filter_map(|active| active.end).max()
    }

    /// Counts a call in all rules, and says what they do to it.
    pub(crate) fn befall(&self, seed: u64, on: On, subjects: &[Subject<'_>]) -> Verdict<'_> {
        let receipts = if on == On::Send { subjects.len() } else { 0 };
        let mut verdict = Verdict { hit: None, receipts: vec![None; receipts] };
        for active in self.active.iter().filter(|active| active.concerns(on)) {
            let (call, before) = active.count(subjects.len() as u64);
            if active.end.is_some_and(|end| end <= Instant::now()) {
                continue;
            }
            if active.rule.fault.stage() == Stage::Receipt {
                for index in active.elements(seed, before, subjects) {
                    verdict.receipts[index].get_or_insert(&active.rule);
                }
            } else if verdict.hit.is_none() {
                verdict.hit = active.hit(seed, call, before, subjects);
            }
        }
        verdict
    }
}

impl Active {
    fn concerns(&self, on: On) -> bool {
        match self.rule.fault.stage() {
            Stage::Call | Stage::Elements => self.rule.on() == on,
            Stage::Receipt => on == On::Send,
            Stage::Operator => self.rule.fault == Fault::Hang,
        }
    }

    /// The number of this call, from 1, and how many messages came before it.
    fn count(&self, messages: u64) -> (u64, u64) {
        let call = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        (call, self.messages.fetch_add(messages, Ordering::Relaxed))
    }

    fn hit(&self, seed: u64, call: u64, before: u64, subjects: &[Subject<'_>]) -> Option<Hit<'_>> {
        let elements = match self.rule.fault.stage() {
            Stage::Elements => self.elements(seed, before, subjects),
            _ if self.draws(seed, call) => self.meeting(before, subjects).collect(),
            _ => Vec::new(),
        };
        let hit = !elements.is_empty();
        hit.then_some(Hit { rule: &self.rule, call, elements, end: self.end })
    }

    /// The elements that meet all conditions.
    fn elements(&self, seed: u64, before: u64, subjects: &[Subject<'_>]) -> Vec<usize> {
        self.meeting(before, subjects).filter(|index| self.draws(seed, subjects[*index].key)).collect()
    }

    /// The elements that meet the conditions other than the probability.
    fn meeting(&self, before: u64, subjects: &[Subject<'_>]) -> impl Iterator<Item = usize> {
        let range = self.rule.from.unwrap_or(1)..=self.rule.to.unwrap_or(u64::MAX);
        let suffix = self.rule.recipient_suffix.as_deref().unwrap_or_default();
        let meets = move |(number, subject): (u64, &Subject<'_>)| {
            range.contains(&number) && subject.recipient.ends_with(suffix)
        };
        (before + 1..).zip(subjects).enumerate().filter_map(move |(index, one)| meets(one).then_some(index))
    }

    fn draws(&self, seed: u64, key: u64) -> bool {
        self.rule.probability.is_none_or(|share| drawn(seed, self.rule.fault, key) < share)
    }
}
