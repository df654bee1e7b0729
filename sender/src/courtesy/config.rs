//! Settings of what is asked before an intent.

use super::rules::Bounds;
use domain::hours::{Hours, minute_of_day};
use platform::config::{Violation, Violations, check_range};
use serde::{Deserialize, Serialize};

/// Settings of what is asked before a message is sent.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CourtesySettings {
    /// How often cancelled campaigns, opt-outs and the kinds of lines are read, in milliseconds.
    pub read_every_ms: u64,
    /// Changed opt-outs of the last days kept in memory at most: beyond them Postgres is asked
    /// before each call.
    pub opt_outs_max: usize,
    /// Cancelled campaigns of the last days kept in memory at most: likewise.
    pub canceled_max: usize,
    /// Advertising is sent from this time of the day on, `HH:MM`.
    pub advertising_from: String,
    /// And until this one.
    pub advertising_until: String,
    /// How far the zone of these times is ahead of UTC, in minutes.
    pub utc_ahead_minutes: i16,
}

impl CourtesySettings {
    /// The hours in which advertising is sent. Nothing where the settings are wrong, which
    /// [`CourtesySettings::check`] says.
    pub(super) fn hours(&self) -> Option<Hours> {
        let (from, until) = (minute_of_day(&self.advertising_from), minute_of_day(&self.advertising_until));
        Hours::new(from?, until?, self.utc_ahead_minutes)
    }

    pub(super) const fn bounds(&self) -> Bounds {
        Bounds { opt_outs: self.opt_outs_max, canceled: self.canceled_max }
    }

    pub(crate) fn check(&self, violations: &mut Violations) {
        let key = |setting: &str| format!("sender.courtesy.{setting}");
        violations.check(check_range(&key("read_every_ms"), self.read_every_ms, 50..=2_000));
        violations.check(check_range(&key("opt_outs_max"), self.opt_outs_max, 0..=100_000_000));
        violations.check(check_range(&key("canceled_max"), self.canceled_max, 0..=10_000_000));
        if self.hours().is_none() {
            let expected = "two different times of the day, HH:MM, and a zone of at most 840 minutes";
            violations.check(Err(Violation::new(key("advertising_from"), expected)));
        }
    }
}
