#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::future::{pending, ready};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

/// Long enough never to pass in a test that does not mean it to.
const AMPLE_MS: u64 = 20_000;

fn lifecycle(budget_ms: u64) -> Lifecycle {
    Lifecycle::new(Budgets {
        stop_accepting_ms: budget_ms,
        drain_ms: budget_ms,
        flush_ms: budget_ms,
        release_ms: budget_ms,
        close_ms: budget_ms,
    })
}

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

type Journal = Arc<Mutex<Vec<Phase>>>;

/// A component that notes its phase when it has stopped, some time after it was asked.
fn add(lifecycle: &mut Lifecycle, phase: Phase, delay_ms: u64, thread: bool, journal: &Journal) {
    let journal = journal.clone();
    let delay = Duration::from_millis(delay_ms);
    if thread {
        let work = move |stop: Stop| {
            while !stop.is_requested() {
                std::thread::sleep(Duration::from_millis(1));
            }
            std::thread::sleep(delay);
            journal.lock().unwrap().push(phase);
            Ok(())
        };
        lifecycle.spawn_thread("thread", phase, work).unwrap();
    } else {
        lifecycle.spawn("task", phase, |stop| async move {
            stop.requested().await;
            tokio::time::sleep(delay).await;
            journal.lock().unwrap().push(phase);
            Ok(())
        });
    }
}

fn any_component() -> impl Strategy<Value = (Phase, u64, bool)> {
    (prop::sample::select(Phase::ALL.to_vec()), 0..4_u64, any::<bool>())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn components_stop_in_the_order_of_their_phases(
        components in prop::collection::vec(any_component(), 0..8)
    ) {
        let journal = Journal::default();
        let result = block_on(async {
            let mut lifecycle = lifecycle(AMPLE_MS);
            for (phase, delay_ms, thread) in &components {
                add(&mut lifecycle, *phase, *delay_ms, *thread, &journal);
            }
            lifecycle.run(ready(())).await
        });
        prop_assert_eq!(result, Ok(()));
        let stopped = journal.lock().unwrap().clone();
        prop_assert_eq!(stopped.len(), components.len());
        prop_assert!(stopped.is_sorted(), "{stopped:?}");
    }
}

type Start<'a> = &'a dyn Fn(&mut Lifecycle);

/// Runs with one component that ends by itself; returns its failure and what else stopped, in order.
fn death(start: impl FnOnce(&mut Lifecycle)) -> (Vec<Fault>, Vec<Phase>) {
    let journal = Journal::default();
    let failure = block_on(async {
        let mut lifecycle = lifecycle(AMPLE_MS);
        for phase in Phase::ALL {
            add(&mut lifecycle, phase, 0, false, &journal);
        }
        start(&mut lifecycle);
        lifecycle.run(pending()).await.unwrap_err()
    });
    let stopped = journal.lock().unwrap().clone();
    (failure.faults, stopped)
}

#[test]
fn a_component_that_ends_unasked_ends_everything() {
    let returns = |l: &mut Lifecycle| l.spawn("dies", Phase::Drain, |_| async { Ok(()) });
    let fails = |l: &mut Lifecycle| {
        l.spawn("dies", Phase::Drain, |_| async { Err(anyhow::anyhow!("cause").context("what")) });
    };
    let panics = |l: &mut Lifecycle| l.spawn("dies", Phase::Drain, |_| async { panic!("boom") });
    let thread_returns =
        |l: &mut Lifecycle| l.spawn_thread("dies", Phase::Drain, |_| Ok(())).expect("a thread");
    let thread_panics =
        |l: &mut Lifecycle| l.spawn_thread("dies", Phase::Drain, |_| panic!("boom")).expect("a thread");

    let cases: [(Start<'_>, &str); 5] = [
        (&returns, "returned"),
        (&fails, "what: cause"),
        (&panics, "panicked"),
        (&thread_returns, "returned"),
        (&thread_panics, "panicked"),
    ];
    for (start, how) in cases {
        let (faults, stopped) = death(start);
        assert_eq!(faults, [Fault::Died { name: "dies", how: how.to_owned() }]);
        assert_eq!(stopped, Phase::ALL, "everything else is stopped in order");
    }
}

#[test]
fn a_component_that_overruns_is_named_and_the_rest_goes_on() {
    let journal = Journal::default();
    let started = Instant::now();
    let failure = block_on(async {
        let mut lifecycle = lifecycle(50);
        lifecycle.spawn("stuck", Phase::Flush, |_| pending());
        add(&mut lifecycle, Phase::Close, 0, false, &journal);
        lifecycle.run(ready(())).await.unwrap_err()
    });
    assert_eq!(failure.faults, [Fault::Overran { name: "stuck", phase: Phase::Flush, budget_ms: 50 }]);
    assert_eq!(failure.to_string(), "stuck did not stop within the 50 ms of phase flush");
    assert_eq!(*journal.lock().unwrap(), [Phase::Close]);
    assert!(started.elapsed() < Duration::from_secs(10), "only its own budget was waited for");
}

#[test]
fn a_task_that_overruns_does_not_work_on() {
    let failure = block_on(async {
        let held = Arc::new(());
        let watched = Arc::downgrade(&held);
        let mut lifecycle = lifecycle(100);
        lifecycle.spawn("stuck", Phase::Drain, |_| async move {
            pending::<()>().await;
            drop(held);
            Ok(())
        });
        lifecycle.spawn("later", Phase::Close, |stop| async move {
            stop.requested().await;
            while watched.upgrade().is_some() {
                tokio::task::yield_now().await;
            }
            Ok(())
        });
        lifecycle.run(ready(())).await.unwrap_err()
    });
    assert_eq!(failure.faults, [Fault::Overran { name: "stuck", phase: Phase::Drain, budget_ms: 100 }]);
}

#[test]
fn errors_while_stopping_are_faults_running_out_of_work_is_not() {
    let failure = block_on(async {
        let mut lifecycle = lifecycle(AMPLE_MS);
        let begun = lifecycle.stop(Phase::StopAccepting);
        lifecycle.spawn("fails", Phase::Drain, |stop| async move {
            stop.requested().await;
            anyhow::bail!("cannot commit")
        });
        lifecycle.spawn("idle", Phase::Close, |_| async move {
            begun.requested().await;
            Ok(())
        });
        lifecycle.run(ready(())).await.unwrap_err()
    });
    assert_eq!(failure.faults, [Fault::FailedToStop { name: "fails", how: "cannot commit".to_owned() }]);
}

#[test]
fn the_budgets_are_checked_by_name() {
    let mut violations = crate::config::Violations::new();
    lifecycle(5).budgets.check("lifecycle", &mut violations);
    let refused = violations.into_result().unwrap_err().to_string();
    assert_eq!(refused.lines().count(), Phase::ALL.len());
    assert!(refused.starts_with("lifecycle.close_ms: expected from 10 to 600000, is 5"), "{refused}");
}
