//! A message as the old gateway showed it.

use chrono::{DateTime, FixedOffset, SecondsFormat};
use domain::lane::Lane;
use domain::status::Status;
use domain::time::UnixMillis;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::reports::MessageReport;

/// A message and what became of it.
#[derive(Serialize, ToSchema)]
#[schema(as = LegacyMessage)]
pub(super) struct Row {
    /// As `sms_id` of the answer to sending.
    #[schema(example = 117594862387200000_i64)]
    id: i64,
    /// The operator's: a string where it is not a number, null until it is known.
    #[schema(value_type = Option<OperatorId>, example = 28043994082001_i64)]
    message_id: Value,
    /// With its country code, without `+`. Empty where it was erased for its age.
    #[schema(example = "989123456789")]
    receiver: String,
    #[schema(example = "100002")]
    sender: String,
    /// `in_queue`, `sent`, `delivered`, `failed`, `user_canceled` or `user_blocked`.
    #[schema(example = "delivered")]
    status: &'static str,
    /// Empty where it was erased for its age.
    #[schema(example = "کد ورود: ۱۲۳۴")]
    content: String,
    /// What it was charged, in rial. What was refunded is still shown here.
    #[schema(example = 1500)]
    cost: i64,
    #[schema(example = true)]
    is_express: bool,
    #[schema(format = DateTime, example = "2026-11-21T15:30:00.000000+03:30")]
    created_at: String,
    /// When its status changed last.
    #[schema(format = DateTime, example = "2026-11-21T15:30:03.480000+03:30")]
    modified_at: String,
}

/// A number, or a string where it is none.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = LegacyOperatorId)]
#[allow(dead_code, reason = "describes what operator_id makes")]
enum OperatorId {
    Number(u64),
    Word(String),
}

impl Row {
    pub(super) fn new(message: &MessageReport, local: FixedOffset) -> Self {
        let (chunk, index) = (message.chunk(), message.index());
        let receiver = chunk.recipients.get(index).map(|receiver| receiver.get().to_string());
        // That of its id, by which a list is ordered and filtered.
        let created = message.id.chunk().minted_at();
        let changed = message.final_at.or(message.sent_at).unwrap_or(created);
        Row {
            id: message.id.get(),
            message_id: operator_id(message.operator_message_id.as_deref()),
            receiver: receiver.unwrap_or_default(),
            sender: chunk.line.clone(),
            status: old_word(message.state.status()),
            content: chunk.text(index).map(|text| text.body.clone()).unwrap_or_default(),
            cost: message.price.get(),
            is_express: chunk.asked_lane == Lane::Express,
            created_at: time(created, local),
            modified_at: time(changed, local),
        }
    }
}

/// The old gateway's word for a status.
pub(super) const fn old_word(status: Status) -> &'static str {
    match status {
        Status::Queued => "in_queue",
        Status::Sent => "sent",
        Status::Delivered => "delivered",
        Status::Undelivered | Status::Failed | Status::Expired | Status::Refused => "failed",
        Status::Canceled => "user_canceled",
        Status::Blocked => "user_blocked",
    }
}

/// A number only where it is written as one: nothing of an id may be lost.
fn operator_id(id: Option<&str>) -> Value {
    let Some(id) = id else { return Value::Null };
    let number = id.parse::<u64>().ok().filter(|number| number.to_string() == id);
    number.map_or_else(|| Value::from(id), Value::from)
}

/// ISO 8601 with microseconds and the offset.
fn time(at: UnixMillis, local: FixedOffset) -> String {
    let at = DateTime::from_timestamp_millis(at.0).unwrap_or_default();
    at.with_timezone(&local).to_rfc3339_opts(SecondsFormat::Micros, false)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn an_operators_id_is_a_number_where_nothing_is_lost() {
        for (id, shown) in [
            (Some("28043994082001"), json!(28_043_994_082_001_u64)),
            (Some("0"), json!(0)),
            (Some("007"), json!("007")),
            (Some("+7"), json!("+7")),
            (Some("a1f"), json!("a1f")),
            (Some("99999999999999999999"), json!("99999999999999999999")),
            (Some(""), json!("")),
            (None, json!(null)),
        ] {
            assert_eq!(operator_id(id), shown);
        }
    }

    #[test]
    fn times_have_the_offset_of_the_gateway() {
        let tehran = FixedOffset::east_opt(210 * 60).unwrap();
        assert_eq!(time(UnixMillis(1_795_262_400_120), tehran), "2026-11-21T15:30:00.120000+03:30");
        assert_eq!(
            time(UnixMillis(0), FixedOffset::east_opt(0).unwrap()),
            "1970-01-01T00:00:00.000000+00:00"
        );
    }
}
