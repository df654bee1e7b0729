//! A campaign as it is shown.

use std::collections::BTreeMap;

use domain::status::Status;
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::format::time;
use crate::campaigns::{self, Progress};

/// A campaign, what of its file is taken in, and what became of its messages.
#[derive(Serialize, ToSchema)]
pub(in crate::api) struct Campaign {
    #[schema(example = "17")]
    id: String,
    #[schema(example = "autumn")]
    name: String,
    #[schema(example = "سلام {name}، جشنواره از فردا")]
    text: String,
    /// The sender line.
    #[schema(example = "100002")]
    from: String,
    #[schema(example = 259200)]
    ttl_seconds: u32,
    /// `skip` or `stop`.
    #[schema(example = "skip")]
    on_error: &'static str,
    /// `open`, `closed` or `canceled`.
    #[schema(example = "open")]
    status: &'static str,
    /// Rows of the file that are taken in.
    #[schema(example = 1000000)]
    rows: u64,
    /// Messages of these that are accepted and paid for.
    #[schema(example = 999990)]
    accepted: u64,
    /// Rows left out because of a fault.
    #[schema(example = 10)]
    invalid: u64,
    /// Of the accepted messages.
    #[schema(example = 1999980)]
    segments: u64,
    /// How many messages have each status; all statuses are named.
    counts: BTreeMap<&'static str, u64>,
    /// What was charged so far, in the smallest unit of the currency.
    #[schema(example = 1999980000)]
    price: i64,
    /// What of that came back so far.
    #[schema(example = 2400000)]
    refunded: i64,
    #[schema(example = "IRR")]
    currency: String,
    rates: Rates,
    #[schema(format = DateTime, example = "2026-11-21T12:00:00.000Z")]
    created_at: String,
    /// When rows were taken in last.
    #[schema(format = DateTime, example = "2026-11-21T12:04:00.000Z")]
    uploaded_at: Option<String>,
    /// When its first message was recorded.
    #[schema(format = DateTime, example = "2026-11-21T12:00:02.000Z")]
    first_at: Option<String>,
    /// When anything became of its messages last.
    #[schema(format = DateTime, example = "2026-11-21T12:40:00.000Z")]
    last_at: Option<String>,
    #[schema(format = DateTime, example = "2026-11-21T13:00:00.000Z")]
    closed_at: Option<String>,
    #[schema(format = DateTime, example = "2026-11-21T13:00:00.000Z")]
    canceled_at: Option<String>,
}

/// How it goes.
#[derive(Serialize, ToSchema)]
#[schema(as = CampaignRates)]
pub(in crate::api) struct Rates {
    /// Of the messages that are final, how many were delivered, from 0 to 1; null where none is.
    #[schema(example = 0.97)]
    delivered: Option<f64>,
    /// Messages that an operator took, or that are final, a second, from the first to the last.
    #[schema(example = 1234.5)]
    per_second: Option<f64>,
}

/// A page of campaigns.
#[derive(Serialize, ToSchema)]
#[schema(as = CampaignPage)]
pub(in crate::api) struct Page {
    pub(super) data: Vec<Campaign>,
    /// For the next page; null at the end.
    #[schema(example = "16")]
    pub(super) next_cursor: Option<String>,
}

impl Campaign {
    pub(super) fn new(campaign: &campaigns::Campaign, progress: &Progress, currency: &str) -> Self {
        let taken = &campaign.taken;
        let counts = Status::ALL.iter().map(|status| status.as_str()).zip(progress.counts).collect();
        Campaign {
            id: campaign.id.to_string(),
            name: campaign.name.clone(),
            text: campaign.text.clone(),
            from: campaign.line.clone(),
            ttl_seconds: campaign.ttl_seconds,
            on_error: if campaign.stops_at_faults { "stop" } else { "skip" },
            status: campaign.state.as_str(),
            rows: taken.prefix.rows,
            accepted: taken.accepted,
            invalid: taken.invalid,
            segments: taken.segments,
            counts,
            price: progress.price.get(),
            refunded: progress.refunded.get(),
            currency: currency.to_owned(),
            rates: Rates::new(progress),
            created_at: time(campaign.created_at),
            uploaded_at: campaign.uploaded_at.map(time),
            first_at: progress.times.map(|(first, _)| time(first)),
            last_at: progress.times.map(|(_, last)| time(last)),
            closed_at: campaign.closed_at.map(time),
            canceled_at: campaign.canceled_at.map(time),
        }
    }
}

impl Rates {
    #[allow(clippy::cast_precision_loss)] // for people
    fn new(progress: &Progress) -> Self {
        let of = |wanted: fn(Status) -> bool| -> u64 {
            let counts = Status::ALL.into_iter().zip(progress.counts);
            counts.filter(|(status, _)| wanted(*status)).map(|(_, count)| count).sum()
        };
        // What was refused was never ours to deliver.
        let ended = of(|status| status.is_final() && status != Status::Refused);
        let delivered = of(|status| status == Status::Delivered);
        let gone = ended + of(|status| status == Status::Sent);
        let seconds = progress.times.map(|(first, last)| (last.0 - first.0) as f64 / 1_000.0);
        Rates {
            delivered: (ended > 0).then(|| delivered as f64 / ended as f64),
            per_second: seconds.filter(|seconds| *seconds > 0.0).map(|seconds| gone as f64 / seconds),
        }
    }
}
