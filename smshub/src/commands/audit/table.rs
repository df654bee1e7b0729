//! What an audit found, for people and for programs.

use domain::invariant::Invariant;
use ledger::audit::{Expect, Finding, Report};
use serde_json::json;
use std::io::Write;

/// What an audit looks at; M1 and M2 need more than the database and the topics show.
const CHECKED: [Invariant; 9] = [
    Invariant::L1,
    Invariant::L2,
    Invariant::L3,
    Invariant::L4,
    Invariant::L5,
    Invariant::O1,
    Invariant::O2,
    Invariant::S1,
    Invariant::P1,
];

/// As a table.
pub(super) fn print(report: &Report, expect: Expect) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "id  {:>10} {:>10}  {:<8}  what holds", "checked", "violations", "result")?;
    for invariant in CHECKED {
        let finding = report.findings.get(&invariant).cloned().unwrap_or_default();
        let result = match (invariant, expect) {
            _ if finding.violations > 0 => "VIOLATED",
            // Only what has ended can be judged by it.
            (Invariant::S1, Expect::Traffic) if report.in_flight > 0 => "pending",
            _ => "ok",
        };
        let (checked, violations) = (finding.checked, finding.violations);
        writeln!(out, "{invariant}  {checked:>10} {violations:>10}  {result:<8}  {}", invariant.statement())?;
    }
    for (invariant, finding) in &report.findings {
        for what in &finding.named {
            writeln!(out, "{invariant}  {what}")?;
        }
        let unnamed = finding.violations - finding.named.len() as u64;
        if unnamed > 0 {
            writeln!(out, "{invariant}  and {unnamed} more")?;
        }
    }
    for (invariant, finding) in report.findings.iter().filter(|(_, finding)| finding.unchecked > 0) {
        let unchecked = finding.unchecked;
        writeln!(out, "{invariant}  {unchecked} not checked: what they are judged by is not kept any more")?;
    }
    writeln!(out, "in flight {}, parked {}", report.in_flight, report.parked)?;
    writeln!(out, "{}", if report.is_clean() { "the books are balanced" } else { "AN INVARIANT IS VIOLATED" })
}

/// As one JSON object.
pub(super) fn json(report: &Report) -> std::io::Result<()> {
    let finding = |invariant: Invariant| {
        let Finding { checked, violations, unchecked, named } =
            report.findings.get(&invariant).cloned().unwrap_or_default();
        json!({
            "id": invariant.id(),
            "statement": invariant.statement(),
            "checked": checked,
            "violations": violations,
            "not_checked": unchecked,
            "named": named,
        })
    };
    let document = json!({
        "ok": report.is_clean(),
        "findings": CHECKED.map(finding),
        "in_flight": report.in_flight,
        "parked": report.parked,
    });
    writeln!(std::io::stdout(), "{document:#}")
}
