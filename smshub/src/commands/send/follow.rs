//! Following: each batch is asked about until all of its messages are final.

use super::call::Refusal;
use super::client::{Client, Report};
use super::show::Show;
use super::submit::Batch;
use domain::status::Status;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Questions at once.
const QUESTIONS: usize = 4;
/// Between two rounds of questions.
const PAUSE: Duration = Duration::from_millis(250);

/// What became of what was accepted.
#[derive(Debug, Default)]
pub(super) struct Followed {
    /// Messages by status.
    pub(super) counts: BTreeMap<String, u64>,
    /// Messages that are not final.
    pub(super) open: u64,
    /// What was held for them.
    pub(super) price: i64,
    pub(super) refunded: i64,
    /// Why following ended early.
    pub(super) failure: Option<String>,
}

/// Asks until everything is final, the deadline has passed, or the API refuses to say.
pub(super) async fn run(
    batches: Vec<Batch>,
    client: &Arc<Client>,
    show: &Show,
    deadline: Instant,
) -> Followed {
    let total = batches.iter().map(|batch| batch.accepted).sum();
    let mut bar = show.following(total);
    let mut followed = Followed::default();
    let mut open: Vec<(Batch, Report)> =
        batches.into_iter().map(|batch| (batch, Report::default())).collect();
    let (mut ended, mut trouble) = (0, None);
    while !open.is_empty() && followed.failure.is_none() && Instant::now() < deadline {
        let mut still_open = Vec::new();
        let mut waiting = open.into_iter();
        let mut asked: JoinSet<(Batch, Report, Result<Option<Report>, Refusal>)> = JoinSet::new();
        loop {
            while asked.len() < QUESTIONS
                && let Some((batch, last)) = waiting.next()
            {
                let client = Arc::clone(client);
                asked.spawn(async move {
                    let answer = client.report(&batch.id).await;
                    (batch, last, answer)
                });
            }
            let Some(Ok((batch, mut report, answer))) = asked.join_next().await else { break };
            match answer {
                Ok(Some(newer)) => report = newer,
                Ok(None) => {}
                Err(refusal) if is_for_good(&refusal) => followed.failure = Some(refusal.to_string()),
                // The messages go on without us: they are asked about again.
                Err(refusal) => trouble = Some(refusal.to_string()),
            }
            if report.messages > 0 && not_final(&report) == 0 {
                ended += batch.accepted;
                followed.add(&batch, &report);
            } else {
                still_open.push((batch, report));
            }
            let so_far: u64 = still_open.iter().map(|(_, report)| report.messages - not_final(report)).sum();
            bar.update(ended + so_far, "final");
        }
        open = still_open;
        if !open.is_empty() {
            tokio::time::sleep(PAUSE).await;
        }
    }
    for (batch, report) in &open {
        followed.add(batch, report);
    }
    if !open.is_empty() {
        followed.failure = followed.failure.or(trouble);
    }
    bar.finish();
    followed
}

/// Whether asking again would be answered the same: a key that may not read.
fn is_for_good(refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::Problem(problem) if (400..500).contains(&problem.status) && problem.status != 429)
}

/// How many messages of a batch are not final, as far as the report knows of them.
fn not_final(report: &Report) -> u64 {
    let open = Status::ALL.into_iter().filter(|status| !status.is_final());
    open.filter_map(|status| report.counts.get(status.as_str())).sum::<u64>().min(report.messages)
}

impl Followed {
    fn add(&mut self, batch: &Batch, report: &Report) {
        for (status, count) in &report.counts {
            *self.counts.entry(status.clone()).or_default() += count;
        }
        self.open += batch.accepted - (report.messages - not_final(report)).min(batch.accepted);
        self.price = self.price.saturating_add(report.price);
        self.refunded = self.refunded.saturating_add(report.refunded);
    }
}
