//! Who calls, and for whom. The old gateway had no keys; the words are the framework's.

use std::sync::Arc;

use axum::http::HeaderMap;
use platform::http::problem::{Code, Problem};

use super::refusal::Refusal;
use crate::api::{Caller, sends_a_key};
use crate::app::App;
use crate::keys::{Identity, Scope, speaks_for};

/// The caller, whose key may do this.
///
/// # Errors
/// 401 without a key or with a wrong one, 403 where it has neither the scope nor that of
/// administrators.
pub(super) fn authorised(
    caller: Result<Caller, Problem>,
    headers: &HeaderMap,
    scope: Scope,
) -> Result<Arc<Identity>, Refusal> {
    let caller = caller.map_err(|problem| match problem.code() {
        Code::Unauthenticated if !sends_a_key(headers) => {
            Refusal::detail(Code::Unauthenticated, "Authentication credentials were not provided.")
        }
        Code::Unauthenticated => Refusal::detail(Code::Unauthenticated, "Invalid token."),
        _ => Refusal::from(problem),
    })?;
    if may(&caller.0, scope) || may(&caller.0, Scope::Admin) {
        return Ok(caller.0);
    }
    Err(Refusal::detail(Code::Forbidden, &format!("This needs a key with the scope {scope}.")))
}

/// Whom the caller speaks for when it names this user: its own account, or with an
/// administrator's key any.
///
/// # Errors
/// 403 for another's account, 404 where an administrator names nobody, 503.
pub(super) async fn on_behalf(
    app: &App,
    caller: Arc<Identity>,
    user_id: i64,
) -> Result<Arc<Identity>, Refusal> {
    if caller.account == user_id {
        return Ok(caller);
    }
    if !may(&caller, Scope::Admin) {
        return Err(Refusal::detail(Code::Forbidden, "The key does not belong to this user."));
    }
    let (key, scopes) = (caller.key, caller.scopes.clone());
    let read =
        app.pools.common().within(async |connection| speaks_for(connection, key, user_id, scopes).await);
    let found = read.await.map_err(|error| {
        tracing::warn!(%error, account = user_id, "an account could not be read");
        Problem::new(Code::Unavailable).detail("Users cannot be read now; nothing was taken.")
    })?;
    found.map(Arc::new).ok_or_else(Refusal::no_user)
}

/// # Errors
/// 403, where the user is suspended.
pub(super) fn may_send(user: &Identity) -> Result<(), Refusal> {
    if user.suspended {
        let detail = "The user is suspended: what was accepted before goes on, nothing new is taken.";
        return Err(Refusal::detail(Code::Forbidden, detail));
    }
    Ok(())
}

fn may(identity: &Identity, scope: Scope) -> bool {
    identity.scopes.contains(&scope)
}
