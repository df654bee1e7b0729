//! The signals that end the process.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The exit code after a second signal, as a shell has it for SIGINT.
const IMPATIENT: i32 = 130;

/// Returns a future that ends at the first SIGTERM or SIGINT. The second one exits the process at once with
/// code 130: a person at a terminal does not want to wait for the budgets.
///
/// The signals are caught from this call on. Needs to be called inside a tokio runtime.
///
/// # Errors
/// When the system does not let us catch signals.
pub fn termination() -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        either(&mut terminate, &mut interrupt).await;
        tokio::spawn(async move {
            either(&mut terminate, &mut interrupt).await;
            tracing::error!("shutdown: second signal, exiting at once");
            std::process::exit(IMPATIENT);
        });
    })
}

async fn either(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use std::io::{BufRead, BufReader, Write};
    use std::process::{Child, Command, Stdio};
    use std::time::{Duration, Instant};

    use super::*;

    /// What the test below runs in a process of its own.
    #[test]
    #[ignore = "ends its process: run by second_signal_exits_at_once"]
    fn waits_for_signals() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let termination = termination().unwrap();
            writeln!(std::io::stdout(), "waiting").unwrap();
            termination.await;
            writeln!(std::io::stdout(), "stopping").unwrap();
            std::future::pending::<()>().await;
        });
    }

    /// None, after killing it, if it does not end.
    fn exit_code(child: &mut Child) -> Option<i32> {
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline {
            if let Some(status) = child.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        child.kill().unwrap();
        child.wait().unwrap().code()
    }

    #[test]
    fn second_signal_exits_at_once() {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "lifecycle::signal::tests::waits_for_signals", "--ignored", "--nocapture"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let kill = |signal: &str| {
            assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
        };
        assert!(lines.any(|line| line.ends_with("waiting")));
        kill("-TERM");
        assert!(lines.any(|line| line.ends_with("stopping")));
        kill("-INT");
        assert_eq!(exit_code(&mut child), Some(IMPATIENT));
    }
}
