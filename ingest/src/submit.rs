//! Submitting: the order of steps from a checked call to the moment it may be confirmed.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use domain::id::Run;
use domain::money::Money;
use domain::partition;
use platform::http::problem::{Code, Problem};
use platform::ownership::NoIds;
use wire::submitted::CHUNK_BYTES_MAX;

use crate::app::App;
use crate::chunking::{Call, build};
use crate::produce::Produced;
use crate::{funds, metrics};

/// A call of more messages than this is encoded beside the threads that serve requests.
const ENCODED_AT_ONCE: usize = 8;

/// Submits a call: the balance covers it, its chunks have ids, Kafka has all of them. Before
/// the first chunk is produced every refusal means that nothing was taken.
pub(crate) async fn submit(
    app: &Arc<App>,
    call: Call,
    cuts: Vec<Range<usize>>,
    required: Money,
) -> Result<(Run, Arc<Call>), Problem> {
    funds::cover(app.pools.lane(call.lane), call.account, required, &app.currency).await?;
    let chunks = u32::try_from(cuts.len()).unwrap_or(u32::MAX);
    let run = app.ids.reserve(chunks).map_err(no_ids)?;

    let call = Arc::new(call);
    let produced = if call.rows.len() <= ENCODED_AT_ONCE {
        produce(app, &call, &cuts, run)?
    } else {
        let call = Arc::clone(&call);
        app.aside(move |app| produce(app, &call, &cuts, run)).await?
    };
    produced.acknowledged().await?;

    metrics::accepted(call.lane, call.rows.len());
    tracing::info!(
        account = call.account,
        chunk = run.first.get(),
        chunks,
        messages = call.rows.len(),
        lane = call.lane.as_str(),
        "accepted"
    );
    Ok((run, call))
}

fn produce(app: &App, call: &Call, cuts: &[Range<usize>], run: Run) -> Result<Produced, Problem> {
    let version = app.standing.write_version();
    let chunks = cuts.iter().cloned().zip(run.ids());
    let records: Vec<Bytes> = chunks.map(|(rows, id)| build(call, rows, id, run).encode(version)).collect();
    // Neither can be: the estimate is from above, and a run has as many ids as were asked for.
    if records.len() != cuts.len() || records.iter().any(|record| record.len() > CHUNK_BYTES_MAX) {
        tracing::error!(chunk = run.first.get(), "a call was cut wrongly; nothing was produced");
        return Err(Problem::new(Code::InternalError));
    }
    app.lane(call.lane).produce(partition::of_account(call.account, app.partitions), &records)
}

#[allow(clippy::needless_pass_by_value)] // the form that map_err wants
fn no_ids(error: NoIds) -> Problem {
    tracing::warn!(%error, "no ids");
    Problem::new(Code::Unavailable).detail("no ids can be given out now; nothing was taken")
}
