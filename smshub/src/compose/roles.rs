//! The roles a process can run: one row each of what it needs and how it starts.

use super::Parts;
use crate::settings::Settings;
use crate::target::Targets;
use anyhow::Context;
use platform::lifecycle::Lifecycle;
use platform::ownership::Role;

/// One role, as the composition root sees it.
struct Start {
    role: Role,
    /// Whether it mints ids, and so needs a node number of its own.
    mints: bool,
    start: fn(&Parts, &mut Lifecycle) -> anyhow::Result<()>,
}

/// In the order in which they start: who reads comes before who writes, and the public port
/// opens last.
const ROLES: [Start; 4] = [
    Start { role: Role::DlrReconciler, mints: false, start: dlr_reconciler },
    Start { role: Role::Sender, mints: false, start: sender },
    Start { role: Role::BillingConsumer, mints: false, start: billing_consumer },
    Start { role: Role::Ingest, mints: true, start: ingest },
];

/// Whether any of the roles mints ids.
pub(super) fn mint(targets: &Targets) -> bool {
    ROLES.iter().any(|start| start.mints && targets.roles().contains(&start.role))
}

/// Starts the roles that are asked for.
pub(super) fn start(targets: &Targets, parts: &Parts, lifecycle: &mut Lifecycle) -> anyhow::Result<()> {
    for Start { role, start, .. } in ROLES.iter().filter(|start| targets.roles().contains(&start.role)) {
        start(parts, lifecycle).with_context(|| format!("{role} could not start"))?;
    }
    Ok(())
}

fn ingest(parts: &Parts, lifecycle: &mut Lifecycle) -> anyhow::Result<()> {
    let Settings { ingest, webhooks, .. } = &parts.settings;
    ingest::start(&parts.common, ingest, webhooks, parts.ids.clone(), lifecycle).map(drop)
}

fn billing_consumer(parts: &Parts, lifecycle: &mut Lifecycle) -> anyhow::Result<()> {
    billing_consumer::start(&parts.common, &parts.settings.billing_consumer, lifecycle)
}

fn sender(parts: &Parts, lifecycle: &mut Lifecycle) -> anyhow::Result<()> {
    sender::start(&parts.common, &parts.settings.sender, lifecycle)
}

fn dlr_reconciler(parts: &Parts, lifecycle: &mut Lifecycle) -> anyhow::Result<()> {
    let Settings { webhooks, ingest, dlr_reconciler, .. } = &parts.settings;
    let webhooks = dlr_reconciler::Webhooks { calls: webhooks, currency: &ingest.currency };
    dlr_reconciler::start(&parts.common, dlr_reconciler, webhooks, lifecycle)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_role_has_its_row_and_only_ingest_mints() {
        for role in Role::ALL {
            assert_eq!(ROLES.iter().filter(|start| start.role == role).count(), 1, "{role}");
            assert_eq!(mint(&role.as_str().parse().unwrap()), role == Role::Ingest, "{role}");
        }
    }
}
