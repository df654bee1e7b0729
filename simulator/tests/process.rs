//! The binary: spawned, killed, started again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;
use simulator::fault::Fault;
use simulator::journal::{self, Event, FILE_NAME, What};
use simulator::{Operator, Settings};
use support::{Client, InProcess, mids};

struct Simulator {
    child: Child,
    client: Client,
}

impl Simulator {
    fn start(data: &Path) -> Self {
        Self::from(command(data, "127.0.0.1:0"))
    }

    fn from(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim_end().strip_prefix("listening on ").expect("first line");
        let client = Client::new(address.parse().unwrap());
        Self { child, client }
    }

    fn signal(mut self, name: &str) -> ExitStatus {
        let sent = Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        self.child.wait().unwrap()
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(data: &Path, listen: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_smshub-simulator"));
    command.args(["--listen", listen, "--delivery-max-ms", "300", "--data"]).arg(data);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn events(data: &Path) -> Vec<Event> {
    journal::read(&data.join(FILE_NAME)).unwrap().map(Result::unwrap).collect()
}

#[tokio::test]
async fn a_killed_simulator_has_forgotten_nothing_it_acknowledged() {
    let data = tempfile::tempdir().unwrap();
    let simulator = Simulator::start(data.path());
    let uids: Vec<i64> = (1..=100).collect();
    let first = mids(&simulator.client.send_uids(&uids).await);
    let second = mids(&simulator.client.send_uids(&[50]).await);
    let finals = simulator.client.finals(&first).await;
    simulator.signal("-KILL");

    let events_before = events(data.path());
    let accepted: Vec<(i64, i64)> = events_before.iter().flat_map(Event::taken).collect();
    let answered: Vec<(i64, i64)> = uids.into_iter().zip(first.clone()).chain([(50, second[0])]).collect();
    assert_eq!(accepted, answered);

    let again = Simulator::start(data.path());
    assert_eq!(again.client.finals(&first).await, finals);
    assert_eq!(again.client.get("mid/50").await, json!({"status": 0, "mid": second[0]}));
    let (_, stats) = again.client.control("GET", "/control/stats", "").await;
    assert_eq!((&stats["messages"], &stats["repeated_uids"]), (&json!(101), &json!(1)));
    let third = mids(&again.client.send_uids(&[101]).await);
    assert!(third[0] > second[0]);
    again.signal("-KILL");
    let calls: Vec<u64> = events(data.path()).iter().map(|event| event.call).collect();
    assert!(calls.is_sorted_by(|before, after| before < after), "{calls:?}");
}

#[tokio::test]
async fn sigterm_and_sigint_stop_it_cleanly_with_all_calls_in_the_journal() {
    for signal in ["-TERM", "-INT"] {
        let data = tempfile::tempdir().unwrap();
        let simulator = Simulator::start(data.path());
        simulator.client.send_uids(&[1]).await;
        simulator.client.get("mid/1").await;
        simulator.client.get("balance").await;
        simulator.client.get("statuses/1").await;
        assert!(simulator.signal(signal).success());
        let kinds: Vec<_> =
            events(data.path()).into_iter().map(|event| std::mem::discriminant(&event.what)).collect();
        assert_eq!(kinds.len(), 4, "{signal}");
    }
}

#[tokio::test]
async fn calls_that_take_nothing_are_in_the_file_soon() {
    let data = tempfile::tempdir().unwrap();
    let simulator = Simulator::start(data.path());
    simulator.client.get("mid/7").await;
    let deadline = Instant::now() + Duration::from_secs(10);
    while events(data.path()).is_empty() {
        assert!(Instant::now() < deadline, "never flushed");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(events(data.path())[0].what, What::Mid { uid: 7, mid: None });
}

/// The shell's limit on the size of a file stands for a full disk: writes come back short.
#[tokio::test]
async fn what_cannot_be_written_is_not_taken() {
    let data = tempfile::tempdir().unwrap();
    let mut command = Command::new("sh");
    let script = "trap '' XFSZ; ulimit -f 8; exec \"$0\" --listen 127.0.0.1:0 --data \"$1\"";
    command.args(["-c", script, env!("CARGO_BIN_EXE_smshub-simulator")]).arg(data.path());
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let simulator = Simulator::from(command);
    let Client { http, address, .. } = &simulator.client;
    let send = |uid: i64, count: i64| {
        let uids: Vec<i64> = (uid..uid + count).collect();
        let url = format!("http://{address}/api/http/sms/v2/send");
        let request = http.post(url).basic_auth("demo/demo", Some("demo"));
        request.body(support::request(&uids).to_string()).send()
    };
    let mut acknowledged = 0;
    while send(1000 + acknowledged, 20).await.unwrap().status() == 200 {
        acknowledged += 20;
        assert!(acknowledged < 1000, "the limit is not in force");
    }
    assert!(acknowledged >= 40);
    assert_eq!(send(1, 20).await.unwrap().status(), 500);
    assert_eq!(send(500, 1).await.unwrap().status(), 200, "a smaller call still has room");
    acknowledged += 1;
    let (_, stats) = simulator.client.control("GET", "/control/stats", "").await;
    assert_eq!(stats["messages"], acknowledged);
    assert_eq!(simulator.client.control("GET", "/control/messages/1", "").await.1["submissions"], json!([]));
    let sent = events(data.path()).into_iter().map(|event| match event.what {
        What::Send(elements) => elements.len(),
        other => panic!("{other:?}"),
    });
    assert_eq!(i64::try_from(sent.sum::<usize>()).unwrap(), acknowledged);
}

#[tokio::test]
async fn a_reset_holds_over_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let simulator = Simulator::start(data.path());
    let before = mids(&simulator.client.send_uids(&[1, 2]).await);
    simulator.client.control("POST", "/control/reset", "").await;
    simulator.signal("-KILL");
    let again = Simulator::start(data.path());
    assert_eq!(again.client.get("mid/1").await["mid"], -1);
    assert_eq!(mids(&again.client.send_uids(&[1]).await), [before[1] + 1]);
}

#[tokio::test]
async fn a_start_that_cannot_work_is_one_line_and_exit_code_1() {
    let (data, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let simulator = Simulator::start(data.path());
    let busy = simulator.client.address.to_string();
    let damaged = tempfile::tempdir().unwrap();
    std::fs::write(damaged.path().join(FILE_NAME), [7; 100]).unwrap();
    let rules = other.path().join("rules.json");
    std::fs::write(&rules, r#"[{"fault":"refuse"}]"#).unwrap();
    let faulty = |file: &Path| {
        let mut faulty = command(other.path(), "127.0.0.1:0");
        faulty.arg("--faults").arg(file);
        faulty
    };
    let cases = [
        (faulty(&rules), "rules.json: [0] (refuse): code is missing"),
        (faulty(Path::new("/nowhere/rules.json")), "/nowhere/rules.json: No such file"),
        (command(other.path(), &busy), "cannot listen on"),
        (command(data.path(), "127.0.0.1:0"), "another simulator"),
        (command(damaged.path(), "127.0.0.1:0"), "not a journal"),
        (
            {
                let mut bad = command(other.path(), "127.0.0.1:0");
                bad.args(["--refuse-ratio", "2"]);
                bad
            },
            "refuse_ratio must be from 0 to 1",
        ),
    ];
    for (mut command, wanted) in cases {
        let mut child = command.spawn().unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(1), "{wanted}");
        let mut error = String::new();
        child.stderr.take().unwrap().read_to_string(&mut error).unwrap();
        assert!(error.contains(wanted) && error.lines().count() == 1, "{error}");
    }
}

#[tokio::test]
async fn without_a_journal_nothing_is_written() {
    let data = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_smshub-simulator"));
    command.args(["--listen", "127.0.0.1:0", "--no-journal", "--threads", "2"]);
    command.current_dir(data.path()).stdout(Stdio::piped());
    let simulator = Simulator::from(command);
    assert_eq!(mids(&simulator.client.send_uids(&[1, 2]).await).len(), 2);
    assert!(simulator.signal("-TERM").success());
    assert_eq!(std::fs::read_dir(data.path()).unwrap().count(), 0);
}

/// The elements' calls have left both files by then; their mids must not come again.
#[tokio::test]
async fn mids_go_on_after_a_journal_has_dropped_its_oldest() {
    let data = tempfile::tempdir().unwrap();
    let open = || Operator::open(Settings::default(), 1000, data.path(), 1000).unwrap();
    let simulator = InProcess::serve(open()).await;
    let before = mids(&simulator.client.send_uids(&[1, 2, 3]).await);
    for _ in 0..100 {
        simulator.client.get("mid/1").await;
        simulator.operator.flush().unwrap();
    }
    simulator.shutdown.cancel();
    simulator.served.await.unwrap().unwrap();
    drop(simulator.operator);
    assert!(events(data.path()).iter().all(|event| matches!(event.what, What::Mid { .. })));
    let again = InProcess::serve(open()).await;
    assert_eq!(mids(&again.client.send_uids(&[1]).await), [before[2] + 1]);
    again.shutdown.cancel();
    again.served.await.unwrap().unwrap();
    drop(again.operator);

    // Even where nothing but the newest file's header is left.
    std::fs::remove_file(data.path().join("journal.old.bin")).unwrap();
    let newest = std::fs::OpenOptions::new().write(true).open(data.path().join(FILE_NAME));
    newest.unwrap().set_len(24).unwrap();
    let last = InProcess::serve(open()).await;
    assert!(mids(&last.client.send_uids(&[1]).await)[0] > before[2]);
}

#[tokio::test]
async fn faults_come_from_a_file_and_those_of_receipts_hold_over_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let rules = data.path().join("rules.json");
    let text = r#"[{"fault":"throttle","to":1},{"fault":"receipt_twice","from":2,"to":2},
        {"fault":"receipt_never","from":3},{"fault":"partial","from":4,"to":4}]"#;
    std::fs::write(&rules, text).unwrap();
    let mut with_faults = command(data.path(), "127.0.0.1:0");
    with_faults.args(["--delivery-ratio", "1", "--faults"]).arg(&rules);
    let simulator = Simulator::from(with_faults);
    assert_eq!(simulator.client.send_uids(&[1]).await, json!({"status": 15}));
    let sent = mids(&simulator.client.send_uids(&[2, 3, 4]).await);
    assert_eq!(sent.len(), 2);
    let finals = simulator.client.finals(&sent[..1]).await;
    assert_eq!(finals, [1, 1]);
    let (_, before) = simulator.client.control("GET", "/control/stats", "").await;
    simulator.signal("-KILL");

    let read = events(data.path());
    assert_eq!(read[0].fault, Some(Fault::Throttle));
    assert_eq!(read.iter().flat_map(Event::taken).map(|(uid, _)| uid).collect::<Vec<_>>(), [2, 3, 4]);
    let again = Simulator::start(data.path());
    assert_eq!(again.client.control("GET", "/control/faults", "").await.1, json!([]));
    assert_eq!(again.client.finals(&sent[..1]).await, [1, 1]);
    assert_eq!(again.client.statuses(&sent[1..]).await, [0]);
    let (_, after) = again.client.control("GET", "/control/stats", "").await;
    let faults = json!({"throttle": 1, "partial": 1, "receipt_twice": 1, "receipt_never": 2});
    assert_eq!((&before["faults"], &after["faults"]), (&faults, &faults));
    assert_eq!((&after["not_taken_calls"], &after["messages"]), (&json!(1), &json!(3)));
}

#[tokio::test]
async fn a_dead_process_comes_back_at_its_port() {
    let data = tempfile::tempdir().unwrap();
    let simulator = Simulator::start(data.path());
    let client = &simulator.client;
    let since = Instant::now();
    client.control("PUT", "/control/faults", r#"[{"fault":"dead","for_ms":500}]"#).await;
    let mut refused = false;
    loop {
        match client.attempt("balance", None, Duration::from_secs(10)).await {
            Ok(_) if refused => break,
            Ok(_) => {}
            Err(error) => refused |= error.is_connect(),
        }
        assert!(since.elapsed() < Duration::from_secs(10), "refused: {refused}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(since.elapsed() >= Duration::from_millis(400));
    assert!(simulator.signal("-TERM").success());
}
