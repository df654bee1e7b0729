//! Letting an upload in, and out again.

use std::sync::Arc;
use std::time::Duration;

use domain::lane::Lane;
use platform::http::Pieces;
use platform::http::problem::{Code, FieldCode, FieldError, Problem};
use platform::ownership::clock::unix_now;
use uuid::Uuid;

use super::campaign::{State, Taken};
use super::claim::{self, Claimed};
use super::store;
use super::upload::{Upload, Written, not_open, stored, unreadable};
use super::verdict;
use crate::app::App;
use crate::keys::Identity;
use crate::metrics;

/// How far the clocks of two machines may be apart: so long after `send_by` nobody sends any more.
const CLOCKS_APART_MS: i64 = 60_000;
/// The rest of a body is read, and thrown away, for so long after the answer: a client that is
/// still sending when the connection closes may lose the answer.
const LINGER: Duration = Duration::from_secs(5);
/// That an upload ended is told the database so often at most, where it does not answer.
const RELEASES: u32 = 600;
const RELEASE_EVERY: Duration = Duration::from_secs(1);

/// What to do with a body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) campaign: i64,
    pub(crate) written: Written,
    /// Counts and prices, sends nothing.
    pub(crate) dry_run: bool,
}

/// Takes a body's rows in. Goes on to a clean end of its own where nobody waits for the answer
/// any more.
///
/// # Errors
/// Why not all of them were; the problem says how far it came.
pub(crate) async fn upload(
    app: Arc<App>,
    caller: Arc<Identity>,
    asked: Asked,
    body: Pieces,
) -> Result<Taken, Problem> {
    let overloaded = || Problem::new(Code::Overloaded).detail("too many uploads at once; nothing was taken");
    let room = Arc::clone(&app.uploads).try_acquire_owned().map_err(|_| overloaded())?;
    let running = tokio::spawn(async move {
        metrics::uploads(1);
        let ended = within(&app, caller, asked, body).await;
        metrics::uploads(-1);
        drop(room);
        ended
    });
    // A panic is a defect; it has been logged where it happened.
    running.await.unwrap_or_else(|_| Err(Problem::new(Code::InternalError)))
}

async fn within(app: &Arc<App>, caller: Arc<Identity>, asked: Asked, body: Pieces) -> Result<Taken, Problem> {
    let account = caller.account;
    let read = async |connection: &mut _| store::read(connection, account, asked.campaign).await;
    let read = app.pools.common().within(read).await.map_err(|error| unreadable(&error.into()))?;
    let campaign =
        read.ok_or_else(|| Problem::new(Code::NotFound).detail("no such campaign of this account"))?;
    if campaign.state != State::Open {
        return Err(not_open(campaign.state));
    }
    if !caller.lines.contains(&campaign.line) {
        let detail = "the account may not use the sender line of the campaign any more";
        return Err(Problem::invalid(vec![FieldError::new("from", FieldCode::FromNotAllowed, detail)]));
    }
    if asked.dry_run {
        let upload = Upload::new((Arc::clone(app), caller), campaign, None, None, (body, asked.written));
        return ended(upload?).await;
    }
    let (upload, process) = (Uuid::now_v7(), app.standing.process());
    let claim = async |connection: &mut _| claim::claim(connection, &campaign, upload, process).await;
    let claimed =
        app.pools.lane(Lane::Bulk).within(claim).await.map_err(|error| unreadable(&error.into()))?;
    let Some(claimed) = claimed else {
        return Err(
            Problem::new(Code::IdempotencyInProgress).detail("another upload of this campaign is running")
        );
    };
    // A task of its own, so that the campaign is given back whatever becomes of it.
    let of = campaign.id;
    let running = tokio::spawn(taken_in(Arc::clone(app), caller, claimed, upload, (body, asked.written)));
    let ended = running.await.unwrap_or_else(|_| Err(Problem::new(Code::InternalError)));
    if !release(app, of, upload).await {
        tokio::spawn(release_at_last(Arc::clone(app), of, upload));
    }
    ended
}

/// Takes the rows of a body in, for a campaign that was claimed.
pub(super) async fn taken_in(
    app: Arc<App>,
    caller: Arc<Identity>,
    claimed: Claimed,
    upload: Uuid,
    body: (Pieces, Written),
) -> Result<Taken, Problem> {
    let Claimed { campaign, pending } = settled(&app, claimed, upload).await?;
    ended(Upload::new((app, caller), campaign, Some(upload), pending, body)?).await
}

/// Runs it; a problem says how far it came.
async fn ended(mut upload: Upload) -> Result<Taken, Problem> {
    let ran = upload.run().await;
    let taken = upload.taken().clone();
    ran.map(|()| taken.clone()).map_err(|problem| {
        let mut pieces = upload.into_pieces();
        tokio::spawn(async move {
            let rest = async { while let Ok(Some(_)) = pieces.next().await {} };
            let _ = tokio::time::timeout(LINGER, rest).await;
        });
        problem
            .member("rows", taken.prefix.rows)
            .member("accepted", taken.accepted)
            .member("invalid", taken.invalid)
    })
}

/// Where the ledger knows what became of the segment that was produced last, that is taken in.
/// What it does not know of is not sent any more once `send_by` is long past, whenever the
/// record comes to it: so it is owed then.
async fn settled(app: &App, claimed: Claimed, upload: Uuid) -> Result<Claimed, Problem> {
    let Claimed { mut campaign, pending: Some(pending) } = claimed else { return Ok(claimed) };
    let pool = app.pools.lane(Lane::Bulk);
    let known = verdict::read(pool, pending.run()).await.map_err(|error| unreadable(&error))?;
    let over = unix_now() > pending.send_by.plus(CLOCKS_APART_MS);
    if known.iter().any(Option::is_none) && !over {
        return Ok(Claimed { campaign, pending: Some(pending) });
    }
    let paid: Vec<_> = known.into_iter().map(Option::unwrap_or_default).collect();
    pending.settle(&paid, &mut campaign.taken);
    let (id, taken) = (campaign.id, &campaign.taken);
    let take_in = async |connection: &mut _| claim::take_in(connection, id, upload, taken).await;
    stored(pool.within(take_in).await)?;
    Ok(Claimed { campaign, pending: None })
}

/// Gives the campaign back; whether that was stored.
async fn release(app: &App, campaign: i64, upload: Uuid) -> bool {
    let release = async |connection: &mut _| claim::release(connection, campaign, upload).await;
    let released = app.pools.lane(Lane::Bulk).within(release).await;
    if let Err(error) = &released {
        tracing::warn!(%error, campaign, "an upload's end could not be stored");
    }
    released.is_ok()
}

/// Tries for a while. Should that fail too, the next upload is let in when this process ends.
async fn release_at_last(app: Arc<App>, campaign: i64, upload: Uuid) {
    for _ in 0..RELEASES {
        tokio::time::sleep(RELEASE_EVERY).await;
        if release(&app, campaign, upload).await {
            return;
        }
    }
    tracing::error!(
        campaign,
        "an upload's end could not be stored: the next is let in when this process ends"
    );
}
