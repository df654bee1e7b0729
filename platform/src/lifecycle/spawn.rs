//! Registering components.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;

use tokio::sync::oneshot;
use tokio::task::{AbortHandle, Id, JoinSet};
use tokio_util::sync::CancellationToken;

use super::{Budgets, Phase, Stop};

/// The components of this process. Needs to be used inside a tokio runtime.
pub struct Lifecycle {
    pub(super) budgets: Budgets,
    pub(super) tokens: [CancellationToken; Phase::ALL.len()],
    /// One task per component; for a thread, the task that waits for its result.
    pub(super) tasks: JoinSet<anyhow::Result<()>>,
    pub(super) running: HashMap<Id, Component>,
}

pub(super) struct Component {
    pub(super) name: &'static str,
    pub(super) phase: Phase,
    pub(super) abort: AbortHandle,
}

impl Lifecycle {
    /// Without components.
    pub fn new(budgets: Budgets) -> Self {
        let tokens = std::array::from_fn(|_| CancellationToken::new());
        Self { budgets, tokens, tasks: JoinSet::new(), running: HashMap::new() }
    }

    /// The request to stop of a phase. That of [`Phase::StopAccepting`] says that the shutdown has begun.
    pub fn stop(&self, phase: Phase) -> Stop {
        Stop::new(self.token(phase).clone())
    }

    /// Starts a component as a task. It should run until it is asked, then end with `Ok`.
    pub fn spawn<F>(&mut self, name: &'static str, stops_in: Phase, component: impl FnOnce(Stop) -> F)
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let abort = self.tasks.spawn(component(self.stop(stops_in)));
        self.running.insert(abort.id(), Component { name, phase: stops_in, abort });
    }

    /// Starts a component as an OS thread of that name. It looks at [`Stop::is_requested`] often enough to
    /// end within the budget of its phase; nothing can end it otherwise.
    ///
    /// # Errors
    /// When the system gives no more threads.
    pub fn spawn_thread(
        &mut self,
        name: &'static str,
        stops_in: Phase,
        component: impl FnOnce(Stop) -> anyhow::Result<()> + Send + 'static,
    ) -> std::io::Result<()> {
        let (result_sender, result) = oneshot::channel();
        let stop = self.stop(stops_in);
        std::thread::Builder::new().name(name.into()).spawn(move || {
            let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| component(stop)));
            // Nobody waits when the thread overran its budget.
            let _ = result_sender.send(outcome);
        })?;
        self.spawn(name, stops_in, |_| async move {
            match result.await? {
                Ok(outcome) => outcome,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        });
        Ok(())
    }

    pub(super) fn token(&self, phase: Phase) -> &CancellationToken {
        &self.tokens[phase as usize]
    }
}
