//! What a request for messages stands on: the rules, the caller's lines, the prices, the time.

use std::sync::Arc;

use domain::tariff::Tariff;
use domain::time::UnixMillis;
use platform::http::problem::Problem;
use platform::ownership::clock::unix_now;

use super::Context;
use crate::app::App;
use crate::keys::Identity;
use crate::rules::Rules;

/// Everything that a call comes from beside its body. The same ground and the same body make the
/// same call.
#[derive(Clone)]
pub(crate) struct Ground {
    pub(crate) rules: Arc<Rules>,
    pub(crate) caller: Arc<Identity>,
    pub(crate) tariff: Arc<Tariff>,
    pub(crate) now: UnixMillis,
    /// Whether the call is made now; else it was made at an earlier time, and is built again.
    pub(crate) is_new: bool,
    /// Where it is not: the places in the customer's list that were left out then for a reason
    /// which changes by itself.
    #[allow(dead_code, reason = "for recipients that opted out")]
    pub(crate) left_out: Arc<[u32]>,
}

impl Ground {
    /// As it is now.
    ///
    /// # Errors
    /// 503 where the prices are not known yet.
    pub(crate) fn now(app: &App, caller: &Arc<Identity>) -> Result<Self, Problem> {
        Ok(Ground {
            rules: Arc::clone(&app.rules),
            caller: Arc::clone(caller),
            tariff: app.tariffs.current()?,
            now: unix_now(),
            is_new: true,
            left_out: Arc::default(),
        })
    }

    /// For [`super::message`] and [`super::bulk`].
    pub(crate) fn context(&self) -> Context<'_> {
        Context { rules: &self.rules, caller: &self.caller, tariff: &self.tariff, now: self.now }
    }
}
