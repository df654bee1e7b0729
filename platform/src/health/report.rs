//! What `/readyz` answers.

use serde::Serialize;

/// The body of `/readyz`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether every check is ok.
    pub ready: bool,
    /// In the order they were registered.
    pub checks: Vec<CheckLine>,
    /// By code and subject. They do not change `ready`.
    pub alarms: Vec<AlarmLine>,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckLine {
    /// The component.
    pub name: String,
    /// Whether it moves and has not failed.
    pub ok: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// One raised alarm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AlarmLine {
    /// A stable word, as in the gauge `smshub_alarm{code}`.
    pub code: &'static str,
    /// What it is about: a lane and partition, a connector.
    pub subject: String,
    /// What is wrong.
    pub detail: String,
}

impl Report {
    pub(super) fn new(checks: Vec<CheckLine>, alarms: Vec<AlarmLine>) -> Self {
        Self { ready: checks.iter().all(|check| check.ok), checks, alarms }
    }

    /// The same, not ready because the process is stopping.
    pub fn stopping(mut self) -> Self {
        self.ready = false;
        let detail = Some("the process is shutting down".to_owned());
        self.checks.push(CheckLine { name: "lifecycle".to_owned(), ok: false, detail });
        self
    }
}
