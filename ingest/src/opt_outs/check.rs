//! Asking before a call is taken.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use domain::phone::Msisdn;
use moka::future::Cache;
use platform::http::problem::{Code, Problem};
use platform::postgres::{Pool, Pools};

use super::store;
use crate::config::OptOutSettings;
use crate::prepare::Message;

/// Where Postgres does not answer, it is believed for so long that an account has no opt-outs.
/// Those made since are known to the sender, which remembers them for three days.
const BELIEVED: Duration = Duration::from_secs(3_600);

/// Who opted out.
pub(crate) struct OptOuts {
    /// Accounts without any opt-out, and when that was read.
    none: Cache<i64, Instant>,
    fresh: Duration,
}

impl OptOuts {
    pub(crate) fn new(settings: &OptOutSettings) -> Self {
        let none = Cache::builder().max_capacity(settings.accounts).time_to_live(BELIEVED).build();
        OptOuts { none, fresh: Duration::from_millis(settings.none_ms) }
    }

    /// Those of these recipients that opted out of this line.
    ///
    /// # Errors
    /// 503 where it cannot be known; nothing was taken.
    pub(crate) async fn blocked(
        &self,
        pool: &Pool,
        account: i64,
        line: &str,
        recipients: &[Msisdn],
    ) -> Result<HashSet<Msisdn>, Problem> {
        let none_at = self.none.get(&account).await;
        if none_at.is_some_and(|at| at.elapsed() < self.fresh) {
            return Ok(HashSet::new());
        }
        let asked_at = Instant::now();
        let ask = pool.within(async |connection| store::blocked(connection, account, line, recipients).await);
        match ask.await {
            Ok((blocked, true)) => {
                self.none.invalidate(&account).await;
                Ok(blocked)
            }
            Ok((_, false)) => {
                self.none.insert(account, asked_at).await;
                Ok(HashSet::new())
            }
            Err(error) if none_at.is_some() => {
                tracing::warn!(%error, account, "opt-outs could not be read; there were none a while ago");
                Ok(HashSet::new())
            }
            Err(error) => {
                tracing::warn!(%error, account, "opt-outs could not be read");
                let detail = "it cannot be read now who opted out; nothing was taken";
                Err(Problem::new(Code::Unavailable).detail(detail))
            }
        }
    }

    /// A message whose recipient opted out is refused. One that was taken before stays so.
    ///
    /// # Errors
    /// 400, and as [`OptOuts::blocked`].
    pub(crate) async fn unless_blocked(
        &self,
        pools: &Pools,
        is_new: bool,
        message: Message,
    ) -> Result<Message, Problem> {
        if !is_new {
            return Ok(message);
        }
        let (pool, call) = (pools.lane(message.call.lane), &message.call);
        let blocked = self.blocked(pool, call.account, &call.line, &[message.to]).await?;
        message.unless_blocked(&blocked)
    }

    /// The account has an opt-out now.
    pub(crate) async fn added(&self, account: i64) {
        self.none.invalidate(&account).await;
    }
}
