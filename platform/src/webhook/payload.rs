//! What a call says: told by dlr-reconciler, shown by ingest as a sample.

use crate::time::rfc3339;
use domain::time::UnixMillis;
use serde::Serialize;

/// One message in `data`.
pub const STATUS: &str = "message.status";
/// A list of them.
pub const STATUS_BATCH: &str = "message.status.batch";
/// A sample.
pub const TEST: &str = "webhook.test";

/// A message when it got a status: fields of `GET /v1/messages/{id}`, by the same names.
#[derive(Clone, Debug, Serialize)]
pub struct MessageStatus {
    /// The message's id.
    pub id: String,
    /// The status it got.
    pub status: &'static str,
    /// Why, where the status alone does not say it.
    pub reason: Option<&'static str>,
    /// The operator's own code behind it.
    pub operator_code: Option<i16>,
    /// The recipient; nothing where it is erased.
    pub to: Option<String>,
    /// The sender line.
    pub from: Option<String>,
    /// The customer's own.
    pub reference: Option<String>,
    /// The campaign it belongs to.
    pub campaign_id: Option<String>,
    /// Parts of its text.
    pub segments: Option<u8>,
    /// What was held for it, in the smallest unit.
    pub price: i64,
    /// What of that came back.
    pub refunded: i64,
    /// Of both.
    pub currency: String,
    /// When it was accepted.
    pub created_at: String,
    /// When an operator took it.
    pub sent_at: Option<String>,
    /// When it got a final status.
    pub final_at: Option<String>,
}

#[derive(Serialize)]
struct Payload<'a, D> {
    r#type: &'a str,
    timestamp: String,
    data: D,
}

/// The body of a call. The same arguments make the same body.
///
/// # Errors
/// None of these can fail to be written.
pub fn payload(r#type: &str, at: UnixMillis, data: impl Serialize) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&Payload { r#type, timestamp: rfc3339(at), data })
}
