//! A call for messages, made once for all requests with one key.

use std::ops::Range;
use std::sync::Arc;

use domain::lane::Lane;
use domain::money::Money;
use platform::http::problem::{Code, Problem};

use super::Begun;
use super::request::{Asked, replayed};
use super::stamps::{Stamps, Told};
use super::turn::Turn;
use crate::app::App;
use crate::chunking::Call;
use crate::keys::Identity;
use crate::prepare::Ground;
use crate::submit::{Ready, Submitted, no_ids, submit};

/// The body of a request for messages.
pub(crate) trait Body: Sync {
    /// What its answer needs beside the call.
    type About: Send;

    /// What it comes to on some ground. Limits that hold only for what is new
    /// ([`Ground::is_new`]) belong in here: like everything that refuses, they count for nothing
    /// where the call was made before.
    fn prepare(
        &self,
        app: &Arc<App>,
        ground: Ground,
    ) -> impl Future<Output = Result<Prepared<Self::About>, Problem>> + Send;

    /// The places in the customer's list that were left out for a reason which changes by itself,
    /// so that [`Ground::left_out`] has them when the call is rebuilt.
    fn left_out(_: &Self::About) -> Vec<u32> {
        Vec::new()
    }
}

/// What a body comes to.
pub(crate) struct Prepared<A> {
    pub(crate) call: Call,
    /// The rows of each chunk.
    pub(crate) cuts: Vec<Range<usize>>,
    /// What else the answer needs.
    pub(crate) about: A,
}

/// A call that was made, now or before.
pub(crate) struct Once<A> {
    pub(crate) submitted: Submitted,
    pub(crate) about: A,
    /// Whether an earlier request with the same key made it.
    pub(crate) replayed: bool,
}

/// Makes a call, once for all requests with its key; each time where it came without one.
///
/// # Errors
/// Those of [`Body::prepare`] and of [`submit`](crate::submit); 409 where the key stands for another
/// request, or for one that is still running; 503 where keys cannot be stored.
pub(crate) async fn once<B: Body>(
    app: &Arc<App>,
    caller: &Arc<Identity>,
    asked: Option<Asked>,
    body: &B,
) -> Result<Once<B::About>, Problem> {
    let Some(asked) = asked else {
        let Prepared { call, cuts, about } = body.prepare(app, Ground::now(app, caller)?).await?;
        return Ok(Once { submitted: submit(app, call, cuts).await?, about, replayed: false });
    };
    let ready = ready(app, caller, body).await;
    let wanted = ready.as_ref().ok().map(|(ready, about)| (ready, B::left_out(about)));
    let (turn, stamps, told) = match begin(app, asked, wanted).await? {
        Begun::First(turn) => {
            let (ready, about) = ready?;
            return Ok(Once { submitted: send(app, turn, ready).await?, about, replayed: false });
        }
        Begun::Nothing => {
            let refused = ready.err();
            return Err(refused.unwrap_or_else(|| Problem::new(Code::InternalError)));
        }
        Begun::Again(turn, stamps) => (Some(turn), stamps, None),
        Begun::Told(stamps, told) => (None, stamps, Some(told)),
    };
    // What was promised to this request is promised to nobody.
    drop(ready);
    let Prepared { call, cuts, about } = rebuilt(app, caller, &stamps, body).await?;
    let submitted = match (turn, told) {
        (Some(turn), _) => made_again(app, turn, call, cuts, &stamps).await,
        (None, told) => answered(app, call, cuts, &stamps, told),
    };
    match submitted {
        Ok(submitted) => Ok(Once { submitted, about, replayed: true }),
        Err(problem) if problem.code() == Code::InsufficientFunds => {
            let (name, value) = replayed();
            Err(problem.header(name, value))
        }
        Err(problem) => Err(problem),
    }
}

/// The call as it would be made now: nothing is produced.
async fn ready<B: Body>(
    app: &Arc<App>,
    caller: &Arc<Identity>,
    body: &B,
) -> Result<(Ready, B::About), Problem> {
    let Prepared { call, cuts, about } = body.prepare(app, Ground::now(app, caller)?).await?;
    Ok((Ready::new(app, call, cuts).await?, about))
}

/// Begins a request; where it would be refused now, only if it was made before.
async fn begin(app: &Arc<App>, asked: Asked, ready: Option<(&Ready, Vec<u32>)>) -> Result<Begun, Problem> {
    let keys = &app.idempotency;
    if let Some((ready, left_out)) = ready {
        let (call, run) = (ready.call(), ready.run());
        let stamps = Stamps::of(call, price(call), keys.rules().await?, run, left_out);
        return keys.begin(call.lane, asked, Some(stamps), run.first.get()).await;
    }
    let attempt = app.ids.reserve(1).map_err(no_ids)?.first.get();
    keys.begin(Lane::Standard, asked, None, attempt).await
}

/// Sends the call, and has it noted what the customer is told.
async fn send(app: &Arc<App>, turn: Turn, ready: Ready) -> Result<Submitted, Problem> {
    let sent = ready.send(app).await;
    match &sent {
        Ok(submitted) => turn.told(Told::Accepted(told_paid(submitted))),
        Err(problem) => match problem.code() {
            // The ledger's verdict: it stays, whatever is charged later.
            Code::InsufficientFunds => {
                turn.told(Told::Refused(Money::new(problem.number("balance").unwrap_or_default())));
            }
            // Says that nothing was taken. With all else nobody knows; so it is left to the next.
            Code::Overloaded => turn.withdrawn().await,
            _ => {}
        },
    }
    sent
}

/// The same records under the same ids; what of them is there already is a repetition to billing.
async fn made_again(
    app: &Arc<App>,
    turn: Turn,
    call: Call,
    cuts: Vec<Range<usize>>,
    stamps: &Stamps,
) -> Result<Submitted, Problem> {
    send(app, turn, Ready::again(app, call, cuts, stamps.run)?).await
}

/// The answer as it was given.
fn answered(
    app: &Arc<App>,
    call: Call,
    cuts: Vec<Range<usize>>,
    stamps: &Stamps,
    told: Option<Told>,
) -> Result<Submitted, Problem> {
    let sizes = cuts.iter().map(Range::len);
    let paid = match told {
        Some(Told::Refused(balance)) => return Err(app.funds.insufficient(balance, stamps.price)),
        Some(Told::Accepted(Some(paid))) => {
            sizes.zip(paid).map(|(size, paid)| size.min(usize::from(paid))).collect()
        }
        Some(Told::Accepted(None)) | None => sizes.collect(),
    };
    Ok(Submitted::new(stamps.run, Arc::new(call), cuts, paid))
}

/// The call as it was made.
async fn rebuilt<B: Body>(
    app: &Arc<App>,
    caller: &Arc<Identity>,
    stamps: &Stamps,
    body: &B,
) -> Result<Prepared<B::About>, Problem> {
    let ground = app.idempotency.ground(stamps, caller).await?;
    let mut prepared = body.prepare(app, ground).await;
    if let Ok(prepared) = &mut prepared {
        prepared.call.lane = stamps.lane;
    }
    match prepared {
        Ok(prepared) if stamps.fit(&prepared.call, price(&prepared.call), prepared.cuts.len()) => {
            Ok(prepared)
        }
        // It cannot be told now.
        Err(problem) if problem.code().status().is_server_error() => Err(problem),
        other => {
            let refused = other.err().map(|problem| problem.code().as_str());
            tracing::error!(
                account = caller.account,
                chunk = stamps.run.first.get(),
                refused,
                "a call is not what it was when it was taken; it is not made again"
            );
            let detail = "what the first request with this key was cannot be told any more";
            Err(Problem::new(Code::InternalError).detail(detail))
        }
    }
}

/// Of each chunk how many messages the customer is told to be accepted; nothing where all are.
fn told_paid(submitted: &Submitted) -> Option<Vec<u16>> {
    let whole = submitted.chunks().all(|(rows, accepted)| rows.len() == accepted);
    let count = |(_, accepted)| u16::try_from(accepted).unwrap_or(u16::MAX);
    (!whole).then(|| submitted.chunks().map(count).collect())
}

fn price(call: &Call) -> Money {
    // The sum of the whole call is known to fit.
    Money::checked_sum(call.rows.iter().map(|row| row.price)).unwrap_or(Money::new(i64::MAX))
}
