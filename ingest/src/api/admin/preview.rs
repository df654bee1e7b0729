//! What other prices would mean, as it is answered.

use domain::money::Money;
use domain::tariff::Compared;
use serde::Serialize;
use utoipa::ToSchema;

use crate::admin::{DAYS, Effect, LaneTraffic};

/// What a version of the tariff would mean. Nothing was written.
#[derive(Serialize, ToSchema)]
pub(in crate::api) struct TariffPreview {
    /// The version that would hold without it.
    #[schema(example = 1)]
    replaces: u32,
    #[schema(example = "IRR")]
    currency: String,
    /// Every lane and prefix that either list names.
    prices: Vec<ComparedPrice>,
    /// Days (UTC) of traffic that were looked at, today among them.
    #[schema(example = 7)]
    days: u64,
    /// What this traffic would have cost.
    traffic: Vec<TrafficCost>,
}

/// The price of a segment, before and after.
#[derive(Serialize, ToSchema)]
pub(in crate::api) struct ComparedPrice {
    #[schema(example = "bulk")]
    lane: &'static str,
    /// Null where both encodings cost the same.
    #[schema(example = "ucs2")]
    encoding: Option<&'static str>,
    /// What the number begins with; empty: any.
    #[schema(example = "98912")]
    prefix: String,
    #[schema(example = 1000)]
    old: i64,
    #[schema(example = 1050)]
    new: i64,
}

/// What the traffic of a lane would have cost.
#[derive(Serialize, ToSchema)]
pub(in crate::api) struct TrafficCost {
    #[schema(example = "bulk")]
    lane: &'static str,
    #[schema(example = 90000)]
    messages: i64,
    /// Where these are less than the messages, the amounts are estimates.
    #[schema(example = 8000)]
    looked_at: i64,
    /// Null where there are messages, and none could be looked at.
    #[schema(example = 90000000)]
    old: Option<i64>,
    #[schema(example = 94500000)]
    new: Option<i64>,
}

impl TariffPreview {
    pub(super) fn new(effect: Effect, currency: &str) -> Self {
        TariffPreview {
            replaces: effect.replaces,
            currency: currency.to_owned(),
            prices: effect.prices.into_iter().map(ComparedPrice::from).collect(),
            days: DAYS,
            traffic: effect.traffic.into_iter().map(TrafficCost::from).collect(),
        }
    }
}

impl From<Compared> for ComparedPrice {
    fn from(compared: Compared) -> Self {
        ComparedPrice {
            lane: compared.lane.as_str(),
            encoding: compared.encoding.map(|encoding| encoding.as_str()),
            prefix: compared.prefix.to_string(),
            old: compared.old.get(),
            new: compared.new.get(),
        }
    }
}

impl From<LaneTraffic> for TrafficCost {
    fn from(traffic: LaneTraffic) -> Self {
        TrafficCost {
            lane: traffic.lane.as_str(),
            messages: traffic.messages,
            looked_at: traffic.looked_at,
            old: traffic.old.map(Money::get),
            new: traffic.new.map(Money::get),
        }
    }
}
