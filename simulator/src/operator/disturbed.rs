//! A send call while there are fault rules.

use std::io;
use std::time::Duration;

use super::calls::encoded;
use super::state::Met;
use super::{Answer, Behaviour, Operator};
use crate::answer;
use crate::fate::{Fate, Key};
use crate::fault::{Disturbed, Ending, Fault, Faults, Hit, On, Rule, Stage, Subject, Verdict};
use crate::journal::{Frame, Mark};
use crate::now_ms;
use crate::receipt::marked;
use crate::submission::Judged;

impl Operator {
    pub(super) fn send_disturbed(
        &self,
        behaviour: &Behaviour,
        faults: &Faults,
        mut judged: Vec<Judged<'_>>,
    ) -> io::Result<Answer> {
        let seed = behaviour.settings.seed;
        let subjects: Vec<Subject<'_>> = judged.iter().map(subject).collect();
        let Verdict { hit, receipts } = faults.befall(seed, On::Send, &subjects);
        if let Some(hit) = hit.as_ref().filter(|hit| !hit.rule.fault.takes()) {
            let call = self.leave(&judged, hit.rule.fault)?;
            let (body, ending) = hit.ended(seed, Vec::new());
            let disturbed = Disturbed { hold: Duration::ZERO, ending, gone: faults.gone() };
            return Ok(Answer { body, call, disturbed: Some(Box::new(disturbed)) });
        }
        let mut marks = hit.as_ref().map_or_else(Vec::new, |hit| mark_elements(hit, &mut judged));
        marks.extend(mark_receipts(&receipts, &mut judged));
        let met = Met { fault: hit.as_ref().map(|hit| hit.rule.fault), marks: &marks };
        let (first_mid, call) = self.take(behaviour, &judged, met)?;
        let given = hit.as_ref().map_or((0..judged.len()).collect(), |hit| hit.arranged(seed, judged.len()));
        let mid = |index: usize| first_mid.saturating_add_unsigned(index as u64);
        let given = given.into_iter().map(|index| (mid(index), &judged[index]));
        let body = answer::sent(&behaviour.settings, given);
        let (body, ending) = match hit {
            Some(hit) => hit.ended(seed, body),
            None => (body, Ending::Answer),
        };
        let disturbed = Disturbed { hold: held(&marks), ending, gone: faults.gone() };
        Ok(Answer { body, call, disturbed: Some(Box::new(disturbed)) })
    }

    /// Writes down a send call of which nothing is taken.
    fn leave(&self, judged: &[Judged<'_>], fault: Fault) -> io::Result<u64> {
        let elements = encoded(judged);
        let frame = Frame::NotTaken { count: judged.len(), elements: &elements };
        let mut state = self.state();
        let call = state.record(now_ms(), &frame, Met { fault: Some(fault), marks: &[] })?;
        state.memory.stats.not_taken_calls += 1;
        Ok(call)
    }
}

fn subject<'a>(element: &Judged<'a>) -> Subject<'a> {
    let key = Key::of(element.uid, element.national.unwrap_or(0));
    Subject { key: key.bits(), recipient: element.recipient }
}

/// Marks the elements that a fault hits in the answer; those to be refused are.
fn mark_elements(hit: &Hit<'_>, judged: &mut [Judged<'_>]) -> Vec<(usize, Mark)> {
    let fault = hit.rule.fault;
    if fault.stage() != Stage::Elements {
        return Vec::new();
    }
    let mut marks = Vec::new();
    for index in &hit.elements {
        let element = &mut judged[*index];
        if fault == Fault::Refuse && matches!(element.fate, Fate::Accepted { .. }) {
            element.fate = Fate::Refused(hit.rule.code());
        }
        marks.push((*index, Mark { fault, ms: 0 }));
    }
    marks
}

/// Gives the accepted elements that a rule hits their fate; what is wrong is marked.
fn mark_receipts(receipts: &[Option<&Rule>], judged: &mut [Judged<'_>]) -> Vec<(usize, Mark)> {
    let mut marks = Vec::new();
    for (index, (rule, element)) in receipts.iter().zip(judged).enumerate() {
        if let (Some(rule), Fate::Accepted { outcome, delay_ms }) = (rule, element.fate) {
            let (fate, mark) = marked(rule, outcome, delay_ms);
            element.fate = fate;
            marks.push((index, mark));
        }
    }
    marks
}

/// How long the answer waits, so that early receipts come before it.
fn held(marks: &[(usize, Mark)]) -> Duration {
    let early = marks.iter().filter(|(_, mark)| mark.fault == Fault::ReceiptEarly);
    let ms = early.map(|(_, mark)| mark.ms).max().unwrap_or(0);
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}
