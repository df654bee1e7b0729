//! What can be tuned, by flags at start and by `PUT /control/settings` at run time.

use clap::Args;
use hyper::Uri;
use serde::{Deserialize, Serialize};

/// The highest latency or delivery delay that is accepted: one day in milliseconds.
const MAX_MS: u32 = 86_400_000;
/// The longest user name, domain, password or secret, in octets.
const MAX_CREDENTIAL: usize = 64;
/// The longest `push_url`, in octets.
const MAX_URL: usize = 1024;

/// How the operator behaves. All of it may change while it runs; a message keeps the fate
/// it was given when it was submitted.
#[derive(Debug, Clone, PartialEq, Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Milliseconds from a whole request to its answer (Magfa's paths only).
    #[arg(long, default_value_t = 0)]
    pub latency_ms: u32,
    /// Up to so many further milliseconds, drawn from the seed and the call's number.
    #[arg(long, default_value_t = 0)]
    pub latency_jitter_ms: u32,
    /// Share of the elements refused with `refuse_code`, 0 to 1.
    #[arg(long, default_value_t = 0.0)]
    pub refuse_ratio: f64,
    /// The operator's code for them, 1 to 999 (27 is its blacklist).
    #[arg(long, default_value_t = 27)]
    pub refuse_code: u16,
    /// Share of the accepted messages that end delivered, 0 to 1; the rest ends half as
    /// 2 (not delivered) and half as 16 (not reached the operator).
    #[arg(long, default_value_t = 0.97)]
    pub delivery_ratio: f64,
    /// Shortest time from submission to the final status, in milliseconds.
    #[arg(long, default_value_t = 300)]
    pub delivery_min_ms: u32,
    /// Longest time from submission to the final status, in milliseconds.
    #[arg(long, default_value_t = 1500)]
    pub delivery_max_ms: u32,
    /// Every decision is a pure function of this, the other settings and the message's uid
    /// (its recipient where no uid was given).
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Echo uids as JSON strings instead of numbers.
    #[arg(long)]
    pub uid_as_string: bool,
    /// What `GET /balance` answers, in rial; submissions do not change it.
    #[arg(long, default_value_t = 1_000_000_000)]
    pub balance: i64,
    /// User name of HTTP Basic authentication.
    #[arg(long, default_value = "demo")]
    pub user: String,
    /// Domain of HTTP Basic authentication; the client sends `user/domain`.
    #[arg(long, default_value = "demo")]
    pub domain: String,
    /// Service password of HTTP Basic authentication; never shown by the control endpoint.
    #[arg(long, default_value = "demo", hide_default_value = true)]
    pub password: String,
    /// Where final statuses are POSTed, http://HOST:PORT/PATH; empty for not at all. Polling
    /// goes on beside it.
    #[arg(long, default_value = "")]
    pub push_url: String,
    /// Value of the header X-Receipt-Secret; never shown by the control endpoint.
    #[arg(long, default_value = "", hide_default_value = true)]
    pub push_secret: String,
    /// Push the operator's own id (`mid`) in place of the client's (`uid`).
    #[arg(long)]
    pub push_by_mid: bool,
    /// Pause after a push that was not answered with 200, in milliseconds.
    #[arg(long, default_value_t = 500)]
    pub push_retry_ms: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            latency_ms: 0,
            latency_jitter_ms: 0,
            refuse_ratio: 0.0,
            refuse_code: 27,
            delivery_ratio: 0.97,
            delivery_min_ms: 300,
            delivery_max_ms: 1500,
            seed: 1,
            uid_as_string: false,
            balance: 1_000_000_000,
            user: "demo".to_owned(),
            domain: "demo".to_owned(),
            password: "demo".to_owned(),
            push_url: String::new(),
            push_secret: String::new(),
            push_by_mid: false,
            push_retry_ms: 500,
        }
    }
}

impl Settings {
    /// Says in one sentence which value is out of its range, if any.
    pub fn check(&self) -> Result<(), String> {
        for (name, ratio) in [("refuse_ratio", self.refuse_ratio), ("delivery_ratio", self.delivery_ratio)] {
            if !(0.0..=1.0).contains(&ratio) {
                return Err(format!("{name} must be from 0 to 1, not {ratio}"));
            }
        }
        if !(1..=999).contains(&self.refuse_code) {
            return Err(format!("refuse_code must be from 1 to 999, not {}", self.refuse_code));
        }
        let spans = [
            ("latency_ms", self.latency_ms),
            ("latency_jitter_ms", self.latency_jitter_ms),
            ("delivery_min_ms", self.delivery_min_ms),
            ("delivery_max_ms", self.delivery_max_ms),
            ("push_retry_ms", self.push_retry_ms),
        ];
        for (name, ms) in spans {
            if ms > MAX_MS {
                return Err(format!("{name} must be at most {MAX_MS}, not {ms}"));
            }
        }
        if self.delivery_min_ms > self.delivery_max_ms {
            return Err(format!(
                "delivery_min_ms ({}) must not be above delivery_max_ms ({})",
                self.delivery_min_ms, self.delivery_max_ms
            ));
        }
        if self.balance < 0 {
            return Err(format!("balance must not be negative, not {}", self.balance));
        }
        for (name, value) in [("user", &self.user), ("domain", &self.domain), ("password", &self.password)] {
            if value.is_empty() || value.len() > MAX_CREDENTIAL {
                return Err(format!("{name} must have 1 to {MAX_CREDENTIAL} octets"));
            }
        }
        // Either would move the border between the parts of `user/domain:password`.
        if self.user.contains([':', '/']) || self.domain.contains(':') {
            return Err("user must not contain ':' or '/', domain must not contain ':'".to_owned());
        }
        self.check_push()
    }

    fn check_push(&self) -> Result<(), String> {
        if self.push_retry_ms == 0 {
            return Err("push_retry_ms must be at least 1".to_owned());
        }
        let visible = self.push_secret.bytes().all(|octet| octet.is_ascii_graphic());
        if self.push_secret.len() > MAX_CREDENTIAL || !visible {
            return Err(format!("push_secret must have at most {MAX_CREDENTIAL} visible ASCII characters"));
        }
        if !self.pushes() {
            return Ok(());
        }
        let url: Option<Uri> = self.push_url.parse().ok();
        let is_http = |url: Uri| url.scheme_str() == Some("http") && url.host().is_some();
        if self.push_url.len() > MAX_URL || !url.is_some_and(is_http) {
            return Err("push_url must be http://HOST:PORT/PATH".to_owned());
        }
        if self.push_secret.is_empty() {
            return Err("push_secret must not be empty where there is a push_url".to_owned());
        }
        Ok(())
    }

    /// Whether final statuses are pushed.
    pub(crate) fn pushes(&self) -> bool {
        !self.push_url.is_empty()
    }

    /// These settings with the named fields of a JSON object laid over them. An unknown
    /// field, a wrong type or a value out of range is refused, whatever else is in it.
    pub fn overlaid(&self, json: &[u8]) -> Result<Self, String> {
        let changes: serde_json::Map<String, serde_json::Value> =
            serde_json::from_slice(json).map_err(|error| format!("not a JSON object: {error}"))?;
        let mut merged = serde_json::to_value(self).map_err(|error| error.to_string())?;
        if let Some(fields) = merged.as_object_mut() {
            fields.extend(changes);
        }
        let settings: Self = serde_path_to_error::deserialize(merged).map_err(|error| error.to_string())?;
        settings.check()?;
        Ok(settings)
    }

    /// The settings as a JSON object, without the password and the secret.
    pub fn shown(&self) -> serde_json::Value {
        let mut value = serde_json::to_value(self).unwrap_or_default();
        if let Some(fields) = value.as_object_mut() {
            fields.remove("password");
            fields.remove("push_secret");
        }
        value
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[derive(clap::Parser)]
    struct Flags {
        #[command(flatten)]
        settings: Settings,
    }

    #[test]
    fn flags_without_values_are_the_defaults() {
        let flags = <Flags as clap::Parser>::parse_from(["simulator"]);
        assert_eq!(flags.settings, Settings::default());
        assert_eq!(flags.settings.check(), Ok(()));
    }

    #[test]
    fn an_overlay_changes_only_what_it_names() {
        let changed = Settings::default().overlaid(br#"{"latency_ms":20,"seed":7}"#).unwrap();
        let wanted = Settings { latency_ms: 20, seed: 7, ..Settings::default() };
        assert_eq!(changed, wanted);
    }

    #[test]
    fn a_bad_overlay_is_refused_with_the_field_named() {
        let cases = [
            (r#"{"latency":20}"#, "latency"),
            (r#"{"latency_ms":-1}"#, "latency_ms"),
            (r#"{"latency_ms":"20"}"#, "latency_ms"),
            (r#"{"latency_ms":86400001}"#, "latency_ms"),
            (r#"{"refuse_ratio":1.1}"#, "refuse_ratio"),
            (r#"{"delivery_ratio":null}"#, "delivery_ratio"),
            (r#"{"refuse_code":0}"#, "refuse_code"),
            (r#"{"delivery_min_ms":2000}"#, "delivery_min_ms"),
            (r#"{"balance":-1}"#, "balance"),
            (r#"{"user":""}"#, "user"),
            (r#"{"user":"a:b"}"#, "user"),
            (r#"{"push_url":"https://localhost/receipts/x","push_secret":"s"}"#, "push_url"),
            (r#"{"push_url":"/receipts/x","push_secret":"s"}"#, "push_url"),
            (r#"{"push_url":"http://localhost/receipts/x"}"#, "push_secret"),
            (r#"{"push_secret":"a b"}"#, "push_secret"),
            (r#"{"push_retry_ms":0}"#, "push_retry_ms"),
            (r#"[1]"#, "JSON object"),
        ];
        for (json, named) in cases {
            let error = Settings::default().overlaid(json.as_bytes()).unwrap_err();
            assert!(error.contains(named), "{json}: {error}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        assert!(
            ["password", "push_secret"].iter().all(|name| Settings::default().shown().get(name).is_none())
        );
    }
}
