//! Magfa's calls, each from its text to its answer.

use std::io;
use std::time::Duration;

use super::state::Met;
use super::{Answer, Behaviour, Operator};
use crate::answer::{self, code};
use crate::fault::{Disturbed, Hit, On, Subject};
use crate::journal::{Frame, push_element};
use crate::number::international;
use crate::receipt;
use crate::stats::StatusCounts;
use crate::store::{Entry, NO_UID};
use crate::submission::{Judged, MAX_PER_CALL, Submission};
use crate::{Settings, now_ms};

impl Operator {
    /// `POST /send`.
    pub(crate) fn send(&self, behaviour: &Behaviour, body: &[u8]) -> io::Result<Answer> {
        let Ok(submission) = serde_json::from_slice::<Submission<'_>>(body) else {
            return self.refuse(code::PARAMETERS);
        };
        if let Some(code) = submission.refusal() {
            return self.refuse(code);
        }
        let judged = submission.judge(&behaviour.settings);
        if let Some(faults) = &behaviour.faults {
            return self.send_disturbed(behaviour, faults, judged);
        }
        let (first_mid, call) = self.take(behaviour, &judged, Met::default())?;
        let body = answer::sent(&behaviour.settings, (first_mid..).zip(&judged));
        Ok(Answer { body, call, disturbed: None })
    }

    /// Journal first, then memory: what could not be written was not taken. Returns the
    /// first element's mid and the call's number.
    pub(super) fn take(
        &self,
        behaviour: &Behaviour,
        judged: &[Judged<'_>],
        met: Met<'_>,
    ) -> io::Result<(i64, u64)> {
        let elements = encoded(judged);
        let at_ms = now_ms();
        let mut state = self.state();
        let first = state.memory.store.next();
        let first_mid = state.mid_of(first);
        let frame = Frame::Send { first_mid, count: judged.len(), elements: &elements };
        let call = state.record(at_ms, &frame, met)?;
        state.memory.stats.send_calls += 1;
        for &Judged { uid, fate, .. } in judged {
            state.memory.take(Entry { uid, at_ms, fate });
        }
        for (index, mark) in met.marks {
            state.memory.mark(first + *index as u64, *mark);
        }
        let Settings { push_by_mid, .. } = behaviour.settings;
        if behaviour.settings.pushes() {
            // Without a uid nobody would know whose receipt it is.
            let named = |(_, element): &(u64, &Judged<'_>)| push_by_mid || element.uid != NO_UID;
            let receipts = (first..).zip(judged).filter(named).flat_map(|(number, element)| {
                let mark = state.memory.mark_of(number);
                receipt::pushed((element.uid, state.mid_of(number)), at_ms, element.fate, mark)
            });
            state.memory.stats.push_dropped += self.pushes.add(receipts);
        }
        Ok((first_mid, call))
    }

    /// `GET /mid/{uid}`.
    pub(crate) fn mid(&self, behaviour: &Behaviour, uid: &str) -> io::Result<Answer> {
        let Ok(uid) = uid.parse::<i64>() else {
            return self.refuse(code::PARAMETERS);
        };
        let hit = behaviour.hit(On::Mid, || vec![Subject::of_id(uid)]);
        let mut state = self.state();
        let mid = state.memory.store.newest_accepted(uid).map(|number| state.mid_of(number));
        let call = state.record(now_ms(), &Frame::Mid { uid, mid }, met(hit.as_ref()))?;
        state.memory.count_mid(mid);
        drop(state);
        Ok(behaviour.answered(answer::mid(mid), call, hit))
    }

    /// `GET /statuses/{mid,mid,…}`.
    pub(crate) fn statuses(&self, behaviour: &Behaviour, ids: &str) -> io::Result<Answer> {
        let mut mids = Vec::with_capacity(MAX_PER_CALL);
        for id in ids.split(',') {
            match id.parse::<i64>() {
                Ok(_) if mids.len() == MAX_PER_CALL => return self.refuse(code::TOO_MANY),
                Ok(mid) => mids.push(mid),
                Err(_) => return self.refuse(code::BAD_ID),
            }
        }
        let hit = behaviour.hit(On::Statuses, || mids.iter().map(|mid| Subject::of_id(*mid)).collect());
        if let Some(hit) = &hit {
            let given = hit.arranged(behaviour.settings.seed, mids.len());
            mids = given.into_iter().map(|index| mids[index]).collect();
        }
        let now = now_ms();
        let mut counts = StatusCounts::default();
        let mut state = self.state();
        let of = state.statuses(&mids, now);
        of.iter().for_each(|of| counts.count(of.status));
        let call = state.record(now, &Frame::Statuses(&counts), met(hit.as_ref()))?;
        state.memory.stats.statuses_calls += 1;
        state.memory.stats.statuses.add(&counts);
        drop(state);
        Ok(behaviour.answered(answer::statuses(&of), call, hit))
    }

    /// `GET /balance`.
    pub(crate) fn balance(&self, behaviour: &Behaviour) -> io::Result<Answer> {
        let hit = behaviour.hit(On::Balance, || vec![Subject::of_id(0)]);
        let mut state = self.state();
        let call = state.record(now_ms(), &Frame::Balance, met(hit.as_ref()))?;
        state.memory.stats.balance_calls += 1;
        drop(state);
        Ok(behaviour.answered(answer::balance(behaviour.settings.balance), call, hit))
    }

    /// Any call refused as a whole, for its form.
    pub(crate) fn refuse(&self, code: u16) -> io::Result<Answer> {
        let mut state = self.state();
        let call = state.record(now_ms(), &Frame::Refused(code), Met::default())?;
        state.memory.stats.refused_calls += 1;
        Ok(Answer { body: answer::refused(code), call, disturbed: None })
    }
}

impl Behaviour {
    /// The rule that hits a call other than `send`, if one does.
    fn hit<'a>(&self, on: On, subjects: impl FnOnce() -> Vec<Subject<'a>>) -> Option<Hit<'_>> {
        self.faults.as_ref()?.befall(self.settings.seed, on, &subjects()).hit
    }

    fn answered(&self, body: Vec<u8>, call: u64, hit: Option<Hit<'_>>) -> Answer {
        let Some((hit, faults)) = hit.zip(self.faults.as_ref()) else {
            return Answer { body, call, disturbed: None };
        };
        let (body, ending) = hit.ended(self.settings.seed, body);
        let disturbed = Disturbed { hold: Duration::ZERO, ending, gone: faults.gone() };
        Answer { body, call, disturbed: Some(Box::new(disturbed)) }
    }
}

fn met(hit: Option<&Hit<'_>>) -> Met<'static> {
    Met { fault: hit.map(|hit| hit.rule.fault), marks: &[] }
}

/// The elements as the journal keeps them.
pub(super) fn encoded(judged: &[Judged<'_>]) -> Vec<u8> {
    let mut out = Vec::with_capacity(judged.len() * 48);
    let mut digits = itoa::Buffer::new();
    for element in judged {
        let recipient = match element.national {
            Some(national) => digits.format(international(national)),
            None => element.recipient,
        };
        push_element(&mut out, element.uid, element.parts, element.fate, recipient, element.sender);
    }
    out
}
