//! Following a campaign until all of its messages are final.

use super::Api;
use super::shown::Campaign;
use crate::commands::send::show::Show;
use std::time::{Duration, Instant};

/// Between two questions.
const PAUSE: Duration = Duration::from_millis(500);

/// Asks until everything is final, or the deadline has passed. What it was last, where it was
/// ever told.
pub(super) async fn run(
    api: &Api,
    id: &str,
    accepted: u64,
    deadline: Instant,
    show: &Show,
) -> Option<Campaign> {
    let mut bar = show.following(accepted);
    let mut last = None;
    loop {
        // The messages go on without us: they are asked about again.
        if let Ok(campaign) = api.read(id).await {
            let ended = campaign.ended();
            bar.update(ended, "final");
            let over = ended >= accepted;
            last = Some(campaign);
            if over {
                break;
            }
        }
        if Instant::now() >= deadline {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    bar.finish();
    last
}
