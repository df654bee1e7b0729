//! Running until the end.

use std::time::Instant;

use tokio::task::{Id, JoinError};

use super::{Failure, Fault, Lifecycle, Phase};

type Ended = Result<(Id, anyhow::Result<()>), JoinError>;

impl Lifecycle {
    /// Runs until `signal` (usually [`termination`](super::termination)) or until a component dies, then
    /// stops everything phase by phase.
    ///
    /// A task that overruns its budget is aborted, so that it does not work on with what the next phase gives
    /// back; a thread cannot be aborted and runs until the process exits, so exit soon after this returns.
    ///
    /// # Errors
    /// [`Failure`], naming every component that died, failed to stop, or overran.
    pub async fn run(mut self, signal: impl Future<Output = ()>) -> Result<(), Failure> {
        let mut faults = Vec::new();
        self.until_asked(signal, &mut faults).await;
        for phase in Phase::ALL {
            self.stop_phase(phase, &mut faults).await;
        }
        if faults.is_empty() { Ok(()) } else { Err(Failure { faults }) }
    }

    async fn until_asked(&mut self, signal: impl Future<Output = ()>, faults: &mut Vec<Fault>) {
        tokio::pin!(signal);
        tokio::select! {
            () = &mut signal => tracing::info!("shutdown: asked to stop"),
            // Without components there is nothing that could die.
            Some(ended) = self.tasks.join_next_with_id() => self.ended(ended, None, faults),
        }
    }

    async fn stop_phase(&mut self, phase: Phase, faults: &mut Vec<Fault>) {
        let started = Instant::now();
        let asked = self.running_in(phase);
        self.token(phase).cancel();

        let deadline = tokio::time::Instant::now() + self.budgets.of(phase);
        while self.running_in(phase) > 0 {
            match tokio::time::timeout_at(deadline, self.tasks.join_next_with_id()).await {
                Ok(Some(ended)) => self.ended(ended, Some(phase), faults),
                Ok(None) | Err(_) => break,
            }
        }
        let overran = self.abandon(phase, faults);
        tracing::info!(
            phase = phase.name(),
            components = asked,
            overran,
            ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            "shutdown: phase over"
        );
    }

    fn running_in(&self, phase: Phase) -> usize {
        self.running.values().filter(|component| component.phase == phase).count()
    }

    /// Notes how a component ended. `reached` is the phase reached; `None` before the shutdown.
    fn ended(&mut self, ended: Ended, reached: Option<Phase>, faults: &mut Vec<Fault>) {
        let (id, how) = match ended {
            Ok((id, Ok(()))) => (id, None),
            Ok((id, Err(error))) => (id, Some(format!("{error:#}"))),
            // The panic hook has logged where; the message may hold a customer's data.
            Err(error) => (error.id(), Some("panicked".to_owned())),
        };
        // What was abandoned is reported already.
        let Some(component) = self.running.remove(&id) else { return };
        let name = component.name;
        let fault = match (reached, how) {
            (Some(reached), Some(how)) if component.phase <= reached => Fault::FailedToStop { name, how },
            // Once the others are stopping, a component that merely runs out of work is no fault.
            (Some(_), None) => return,
            (_, how) => Fault::Died { name, how: how.unwrap_or_else(|| "returned".to_owned()) },
        };
        tracing::error!(component = name, phase = component.phase.name(), "shutdown: {fault}");
        faults.push(fault);
    }

    /// Gives up on what still runs in a phase whose budget has passed. Returns how many.
    fn abandon(&mut self, phase: Phase, faults: &mut Vec<Fault>) -> usize {
        let budget_ms = self.budgets.of(phase).as_millis();
        let late = self.running.extract_if(|_, component| component.phase == phase);
        let before = faults.len();
        for (_, component) in late {
            component.abort.abort();
            let fault = Fault::Overran { name: component.name, phase, budget_ms };
            tracing::error!(component = component.name, phase = phase.name(), "shutdown: {fault}");
            faults.push(fault);
        }
        faults.len() - before
    }
}
