//! What became of a campaign's messages: the tables that dlr-reconciler keeps.

use std::collections::HashMap;

use domain::money::Money;
use domain::status::Status;
use domain::time::UnixMillis;
use sqlx::PgConnection;

use super::Campaign;

/// What became of a campaign's messages so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Progress {
    /// By [`Status::ALL`].
    pub(crate) counts: [u64; Status::ALL.len()],
    /// What was charged so far.
    pub(crate) price: Money,
    /// What of that came back so far.
    pub(crate) refunded: Money,
    /// When the first message was recorded, and when anything changed last.
    pub(crate) times: Option<(UnixMillis, UnixMillis)>,
}

/// Reads it, for each of the campaigns.
pub(crate) async fn progress(
    connection: &mut PgConnection,
    campaigns: &[Campaign],
) -> Result<Vec<Progress>, sqlx::Error> {
    let ids: Vec<i64> = campaigns.iter().map(|campaign| campaign.id).collect();
    let counts: Vec<(i64, String, i64)> = sqlx::query_as(
        "select campaign_id, status, messages from campaign_count where campaign_id = any($1)",
    )
    .bind(&ids)
    .fetch_all(&mut *connection)
    .await?;
    let money: Vec<(i64, i64, i64, i64, i64)> = sqlx::query_as(
        "select campaign_id, price, refunded, (extract(epoch from first_at) * 1000)::bigint,
                (extract(epoch from last_at) * 1000)::bigint
         from campaign_money where campaign_id = any($1)",
    )
    .bind(&ids)
    .fetch_all(connection)
    .await?;
    let mut by_campaign: HashMap<i64, HashMap<String, i64>> = HashMap::new();
    for (campaign, status, messages) in counts {
        by_campaign.entry(campaign).or_default().insert(status, messages);
    }
    let none = HashMap::new();
    let of = |campaign: &Campaign| {
        let counted = by_campaign.get(&campaign.id).unwrap_or(&none);
        let mut progress = Progress { counts: counts_of(campaign, counted), ..Progress::default() };
        if let Some((_, price, refunded, first, last)) = money.iter().find(|row| row.0 == campaign.id) {
            (progress.price, progress.refunded) = (Money::new(*price), Money::new(*refunded));
            progress.times = Some((UnixMillis(*first), UnixMillis(*last)));
        }
        progress
    };
    Ok(campaigns.iter().map(of).collect())
}

/// The counts of each status. What is accepted and not recorded yet is queued, as is what is
/// recorded and neither sent nor at its end.
fn counts_of(campaign: &Campaign, counted: &HashMap<String, i64>) -> [u64; Status::ALL.len()] {
    let of = |status: &str| counted.get(status).map_or(0, |count| u64::try_from(*count).unwrap_or(0));
    let mut counts = Status::ALL.map(|status| of(status.as_str()));
    let recorded = of("submitted");
    let moved: u64 = counts.iter().sum();
    let unrecorded =
        campaign.taken.accepted.saturating_sub(recorded.saturating_sub(of(Status::Refused.as_str())));
    for (status, count) in Status::ALL.iter().zip(&mut counts) {
        if *status == Status::Queued {
            *count = recorded.saturating_sub(moved) + unrecorded;
        }
    }
    counts
}
