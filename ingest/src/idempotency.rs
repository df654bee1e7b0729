//! `Idempotency-Key`: a request that is sent again is the same call, and not another one.
//!
//! Before anything is produced, a row is stored: the key, a hash of the request, and the stamps
//! that its records are rebuilt from. Whoever comes with the same request finds the row, and one
//! of these is so ([`row`](self::row::Meaning)):
//!
//! * It was answered: the answer is built again, from the request, the stamps, and what was noted
//!   of the answer. Nothing is produced.
//! * A living process works on it: 409.
//! * That process is dead, or gave up: nobody knows whether the records are in Kafka. The request
//!   takes the row over, produces the same records under the same ids, which billing sees as
//!   repetitions, and has the ledger's verdict.
//!
//! Calls for messages are stored by many in one transaction ([`group`]), charges together with
//! their entry ([`charge`]). What a process knows of a key it knows from the table alone.

mod charge;
mod group;
mod old;
mod once;
mod past;
mod request;
mod row;
mod stamps;
mod store;
mod turn;

use std::sync::Arc;

use domain::lane::Lane;
use platform::http::problem::{Code, Problem};
use platform::role::Common;

use crate::config::Settings;
use crate::keys::Identity;
use crate::metrics;
use crate::prepare::Ground;
use crate::tariffs::Tariffs;

pub(crate) use charge::{Booked, NotBooked, charge};
pub(crate) use old::delete_old;
pub(crate) use once::{Body, Once, Prepared, once};
pub(crate) use request::{Asked, KEY_CHARACTERS_MAX, key, replayed};

use group::{Group, NotBegun};
use past::Past;
use stamps::{Stamps, Told};
use store::{Begin, Fate};
use turn::Turn;

/// Requests with a key. One a process.
pub(crate) struct Idempotency {
    groups: [Arc<Group>; 3],
    past: Past,
}

/// How a request with a key goes on.
enum Begun {
    /// It is the first.
    First(Turn),
    /// It takes over from one that came to an unknown end.
    Again(Turn, Stamps),
    /// It was answered.
    Told(Stamps, Told),
    /// It is not known, and does not want to be.
    Nothing,
}

impl Idempotency {
    /// Call it inside a runtime.
    pub(crate) fn new(common: &Common, settings: &Settings, tariffs: Arc<Tariffs>) -> Self {
        let keys = &settings.idempotency;
        let group = |lane: Lane| {
            let (pool, threads) = (common.pools.lane(lane).clone(), common.threads.of(lane));
            Group::new(pool, threads, Arc::clone(&common.standing), keys.under_way, keys.batch_keys)
        };
        let past = Past::new(settings, common.pools.common().clone(), tariffs);
        Idempotency { groups: Lane::ALL.map(group), past }
    }

    /// Waits until no request with a key is under way, and all ends are written.
    pub(crate) async fn idle(&self) {
        for group in &self.groups {
            group.idle().await;
        }
    }

    /// The number of the rules of this process.
    async fn rules(&self) -> Result<i32, Problem> {
        self.past.today().await
    }

    /// Begins a request in a lane. Without stamps, only if somebody else did before. `attempt` is
    /// an id that nobody else has.
    async fn begin(
        &self,
        lane: Lane,
        asked: Asked,
        stamps: Option<Stamps>,
        attempt: i64,
    ) -> Result<Begun, Problem> {
        let wanted = stamps.is_some();
        let begun = self.groups[lane.index()].begin(Begin { asked, stamps, attempt }).await;
        let (fate, turn) = begun.map_err(|why| match why {
            NotBegun::Full => Problem::new(Code::Overloaded)
                .detail("too many requests with an Idempotency-Key at once; nothing was taken"),
            NotBegun::Unavailable => Problem::new(Code::Unavailable)
                .detail("the Idempotency-Key cannot be stored now; nothing was taken"),
        })?;
        if let Some(outcome) = fate.outcome() {
            metrics::keyed(outcome);
        }
        Ok(match fate {
            Fate::First => Begun::First(turn),
            Fate::Again(stamps) => Begun::Again(turn, stamps),
            Fate::Told(stamps, told) => Begun::Told(stamps, told),
            Fate::Conflict => return Err(conflict()),
            // Also of a row that was deleted between two looks.
            Fate::Nothing if !wanted => Begun::Nothing,
            Fate::InProgress | Fate::Nothing => return Err(in_progress()),
        })
    }

    /// What a call is rebuilt from.
    async fn ground(&self, stamps: &Stamps, caller: &Identity) -> Result<Ground, Problem> {
        self.past.ground(stamps, caller).await
    }
}

fn conflict() -> Problem {
    Problem::new(Code::IdempotencyConflict)
        .detail("another request was sent with this Idempotency-Key before; nothing was done")
}

fn in_progress() -> Problem {
    Problem::new(Code::IdempotencyInProgress).detail("send the same request again a little later")
}
