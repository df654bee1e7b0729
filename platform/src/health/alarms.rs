//! States a person must look at.

use std::collections::BTreeMap;

use super::AlarmLine;
use crate::metrics::ALARM;

/// The most alarms kept apart: one for every partition of every lane and role, with room. Above it an alarm
/// is logged, but not listed.
const MAX_ALARMS: usize = 1_024;

/// Raised alarms by code and subject.
#[derive(Default)]
pub(super) struct Alarms(BTreeMap<(&'static str, String), String>);

impl Alarms {
    pub(super) fn raise(&mut self, code: &'static str, subject: &str, detail: &str) {
        let key = (code, subject.to_owned());
        let known = self.0.get(&key);
        if known.is_some_and(|known| known == detail) {
            return;
        }
        tracing::error!(code, subject, detail, "alarm raised");
        if known.is_some() || self.0.len() < MAX_ALARMS {
            self.0.insert(key, detail.to_owned());
        }
        self.export(code);
    }

    pub(super) fn clear(&mut self, code: &'static str, subject: &str) {
        if self.0.remove(&(code, subject.to_owned())).is_some() {
            tracing::info!(code, subject, "alarm cleared");
            self.export(code);
        }
    }

    pub(super) fn lines(&self) -> Vec<AlarmLine> {
        let line = |((code, subject), detail): (&(&'static str, String), &String)| AlarmLine {
            code,
            subject: subject.clone(),
            detail: detail.clone(),
        };
        self.0.iter().map(line).collect()
    }

    fn export(&self, code: &'static str) {
        let raised = u32::try_from(self.0.keys().filter(|(other, _)| *other == code).count());
        metrics::gauge!(ALARM, "code" => code).set(raised.unwrap_or(u32::MAX));
    }
}
