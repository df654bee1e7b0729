//! The bodies of charges, and of administrators' calls.

use serde::Serialize;
use utoipa::ToSchema;

/// A charge.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct ChargeRequest {
    /// In the smallest unit of the currency.
    #[schema(minimum = 1, example = 5000000)]
    amount: i64,
    /// What it belongs to, for people.
    #[schema(max_length = 200, example = "invoice 12")]
    reference: Option<String>,
}

/// An account to be made.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct NewAccount {
    /// For people.
    #[schema(min_length = 1, max_length = 200, example = "Acme")]
    name: String,
    /// The sender lines it may use; the first is its default.
    #[schema(min_items = 1, max_items = 1000, example = json!(["100002", "3000"]))]
    lines: Vec<String>,
    /// Segments a minute in lane standard; otherwise as the settings say.
    #[schema(minimum = 1, maximum = 100000000, example = 5000)]
    rate_limit_per_minute: Option<u32>,
    /// Segments a minute in lane express; otherwise as the settings say.
    #[schema(minimum = 1, maximum = 100000000, example = 600)]
    express_rate_limit_per_minute: Option<u32>,
    /// Whether it may not send.
    #[schema(default = false, example = false)]
    suspended: Option<bool>,
}

/// What is to be changed of an account.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct AccountChange {
    /// For people.
    #[schema(min_length = 1, max_length = 200, example = "Acme")]
    name: Option<String>,
    /// All sender lines it may use; the first is its default.
    #[schema(min_items = 1, max_items = 1000, example = json!(["100002", "3000"]))]
    lines: Option<Vec<String>>,
    /// Segments a minute in lane standard; null: as the settings say.
    #[schema(minimum = 1, maximum = 100000000, example = 5000)]
    rate_limit_per_minute: Option<u32>,
    /// Segments a minute in lane express; null: as the settings say.
    #[schema(minimum = 1, maximum = 100000000, example = 600)]
    express_rate_limit_per_minute: Option<u32>,
    /// Whether it may not send.
    #[schema(example = true)]
    suspended: Option<bool>,
}

/// A key to be made.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct NewKeyRequest {
    /// What it may do.
    #[schema(min_items = 1, max_items = 4, example = json!(["send", "read"]))]
    scopes: Vec<KeyScope>,
}

/// What a key may do.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::api) enum KeyScope {
    Send,
    Read,
    Charge,
    Admin,
}

/// How a key is replaced.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct KeyRotation {
    /// How long the old one goes on.
    #[schema(minimum = 0, maximum = 2592000, default = 86400, example = 86400)]
    grace_seconds: Option<u32>,
}

/// What a sender line is to be.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct LineRequest {
    /// Whether what goes over it is only sent in the hours in which advertising is allowed.
    #[schema(example = true)]
    advertising: bool,
    /// For people.
    #[schema(max_length = 200, default = "", example = "of the shop")]
    note: Option<String>,
}

/// A version of the tariff to be made.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct NewTariff {
    /// All of its prices.
    #[schema(min_items = 1, max_items = 1000,
             example = json!([{"lane": "express", "price": 1500}, {"lane": "standard", "price": 1000},
                              {"lane": "bulk", "price": 1000}, {"lane": "bulk", "prefix": "98990", "price": 1200}]))]
    prices: Vec<NewPrice>,
    /// Since when it is to hold, not in the past; otherwise from now on.
    #[schema(format = DateTime, example = "2096-12-01T00:00:00+03:30")]
    effective_at: Option<String>,
}

/// The price of a segment.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct NewPrice {
    lane: PriceLane,
    /// Otherwise either.
    encoding: Option<PriceEncoding>,
    /// What the number begins with, country code first; otherwise any. The longest one wins.
    #[schema(max_length = 15, default = "", example = "98990")]
    prefix: Option<String>,
    /// In the smallest unit of the currency.
    #[schema(minimum = 0, maximum = 1000000000000_i64, example = 1200)]
    price: i64,
}

/// The lane that was asked for.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::api) enum PriceLane {
    Express,
    Standard,
    Bulk,
}

/// How a text is encoded on the air.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::api) enum PriceEncoding {
    Gsm7,
    Ucs2,
}
