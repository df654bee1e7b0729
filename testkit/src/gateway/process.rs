//! One process of the real binary.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a start may take on a busy machine.
const READY_LIMIT: Duration = Duration::from_secs(60);

/// A running process; killed when it is dropped.
pub struct Process {
    child: Child,
    /// The public API, where it runs ingest.
    pub api: SocketAddr,
    /// The management port.
    pub management: SocketAddr,
    log: PathBuf,
}

impl Process {
    pub(super) async fn start(mut command: Command, folder: &Path, name: &str, targets: &str) -> Self {
        let (api, management) = (free_port(), free_port());
        let log = folder.join(format!("{name}-{}.log", management.port()));
        let child = command
            .args(["run", "--target", targets])
            .env("SMSHUB__OWNERSHIP__DATA_FOLDER", folder.join(name))
            .env("SMSHUB__INGEST__LISTEN", api.to_string())
            .env("SMSHUB__MANAGEMENT__LISTEN", management.to_string())
            .stdout(Stdio::null())
            .stderr(File::create(&log).expect("a log"))
            .spawn()
            .expect("the binary starts");
        let mut process = Process { child, api, management, log };
        process.ready().await;
        process
    }

    async fn ready(&mut self) {
        let client = crate::http_client();
        let deadline = Instant::now() + READY_LIMIT;
        let url = format!("http://{}/readyz", self.management);
        loop {
            let ended = self.child.try_wait().expect("the child can be asked");
            assert!(ended.is_none(), "smshub ended: {ended:?}\n{}", self.log());
            if client.get(&url).send().await.is_ok_and(|response| response.status().is_success()) {
                return;
            }
            assert!(Instant::now() < deadline, "smshub is not ready:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await; // a look, not a hope: see the deadline
        }
    }

    /// Ends it as a crash does.
    ///
    /// # Panics
    /// Where it has ended already.
    pub fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    /// Stops all of its threads where they are, as a machine does that is suspended or starved
    /// (SIGSTOP). Its sockets stay open, and time goes on.
    ///
    /// # Panics
    /// Where it has ended already.
    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on from where it was frozen (SIGCONT).
    ///
    /// # Panics
    /// Where it has ended already.
    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let signalled = Command::new("kill").args([signal, &pid]).status().expect("kill is there");
        assert!(signalled.success(), "smshub cannot be signalled");
    }

    /// Asks it to stop, and waits. Returns whether it ended well.
    ///
    /// # Panics
    /// Where it does not end.
    pub async fn stop(mut self) -> bool {
        self.signal("-TERM");
        let deadline = Instant::now() + READY_LIMIT;
        loop {
            if let Some(status) = self.child.try_wait().expect("the child can be asked") {
                return status.success();
            }
            assert!(Instant::now() < deadline, "smshub does not stop:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await; // a look, not a hope: see the deadline
        }
    }

    /// All that it logged so far.
    ///
    /// # Panics
    /// Where the log cannot be read.
    pub fn whole_log(&self) -> String {
        std::fs::read_to_string(&self.log).expect("the log is there")
    }

    /// What it logged, the last part of it.
    pub fn log(&self) -> String {
        tail(&self.log)
    }
}

fn tail(log: &Path) -> String {
    let log = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(60)..].join("\n")
}

/// Shows what all processes of a test that failed logged, the last part of it.
pub(super) fn show_logs(folder: &Path) {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    for log in entries.filter(|path| path.extension().is_some_and(|extension| extension == "log")) {
        eprintln!("--- {}\n{}", log.display(), tail(&log));
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Already ended is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address")
}
