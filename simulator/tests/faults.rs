//! Faults of submission over a real socket: what the client sees, and what was taken.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use simulator::fault::{Fault, Rule};
use simulator::journal::{Submitted, What};
use support::{InProcess, mids, quick, request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long a client waits that expects no answer.
const SHORT: Duration = Duration::from_millis(150);
/// How long one waits that expects an answer, or a close.
const LONG: Duration = Duration::from_secs(10);

async fn with(rules: Value) -> InProcess {
    let simulator = InProcess::start(quick()).await;
    simulator.client.faults(&rules).await;
    simulator
}

fn uids(what: &What) -> Vec<i64> {
    match what {
        What::Send(elements) | What::NotTaken(elements) => {
            elements.iter().map(|element| element.uid).collect()
        }
        other => panic!("{other:?}"),
    }
}

/// Without a rule again, the operator answers as ever, and knows what it took.
async fn is_well_again(simulator: &InProcess, taken: &[i64]) {
    assert_eq!(simulator.client.control("DELETE", "/control/faults", "").await, (200, json!([])));
    assert_eq!(simulator.taken(), taken);
    for uid in taken {
        assert!(simulator.client.get(&format!("mid/{uid}")).await["mid"].as_i64().unwrap() > 0);
    }
    let fresh = 1_000_000;
    assert_eq!(simulator.client.get(&format!("mid/{fresh}")).await["mid"], -1);
    assert_eq!(mids(&simulator.client.send_uids(&[fresh]).await).len(), 1);
}

#[tokio::test]
async fn a_timeout_before_takes_nothing_and_one_after_takes_all() {
    for (fault, taken) in [("timeout_before", &[][..]), ("timeout_after", &[1, 2])] {
        let simulator = with(json!([{"fault": fault}])).await;
        let error = simulator.client.attempt("send", Some(&request(&[1, 2])), SHORT).await.unwrap_err();
        assert!(error.is_timeout(), "{error:?}");
        let met = simulator.met();
        assert_eq!((met.len(), uids(&met[0].0), json!(met[0].1)), (1, vec![1, 2], json!(fault)));
        assert_eq!(simulator.client.applied().await, json!({fault: 1}));
        is_well_again(&simulator, taken).await;
    }
}

#[tokio::test]
async fn a_timeout_ends_with_a_close_after_its_delay_or_with_its_rule() {
    let simulator = with(json!([{"fault": "timeout_after", "delay_ms": 200}])).await;
    let before = Instant::now();
    let error = simulator.client.attempt("send", Some(&request(&[1])), LONG).await.unwrap_err();
    assert!(!error.is_timeout() && before.elapsed() >= Duration::from_millis(200), "{error:?}");
    simulator.client.faults(&json!([{"fault": "timeout_before", "delay_ms": 3_600_000}])).await;
    let body = request(&[2]);
    let (ended, ()) = tokio::join!(simulator.client.attempt("send", Some(&body), LONG), async {
        while simulator.met().len() < 2 {
            tokio::task::yield_now().await;
        }
        simulator.operator.set_faults(Vec::new()).unwrap();
    });
    assert!(!ended.unwrap_err().is_timeout());
    is_well_again(&simulator, &[1]).await;
}

#[tokio::test]
async fn a_reset_comes_in_the_middle_of_the_answer() {
    let simulator = with(json!([{"fault": "reset_after"}])).await;
    let body = request(&[1, 2]).to_string();
    let call = format!(
        "POST /api/http/sms/v2/send HTTP/1.1\r\nhost: x\r\nauthorization: Basic ZGVtby9kZW1vOmRlbW8=\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut lengths = Vec::new();
    for _ in 0..5 {
        let mut stream = TcpStream::connect(simulator.client.address).await.unwrap();
        stream.write_all(call.as_bytes()).await.unwrap();
        let mut octets = Vec::new();
        let error = stream.read_to_end(&mut octets).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
        assert!(b"HTTP/1.1 200 OK\r\n".iter().zip(&octets).all(|(one, two)| one == two));
        assert!(!octets.is_empty() && !octets.ends_with(b"]}"), "{}", String::from_utf8_lossy(&octets));
        lengths.push(octets.len());
    }
    lengths.dedup();
    assert_eq!(lengths.len(), 5, "cut elsewhere each time: {lengths:?}");
    assert_eq!(simulator.taken(), [1, 2].repeat(5));
    let error = simulator.client.attempt("send", Some(&request(&[3])), LONG).await.unwrap_err();
    assert!(!error.is_timeout() && !error.is_connect(), "{error:?}");
    assert_eq!(simulator.client.applied().await, json!({"reset_after": 6}));
}

#[tokio::test]
async fn errors_500_before_and_after() {
    for (rule, code, taken) in [
        (json!({"fault": "error_500_before"}), 500, &[][..]),
        (json!({"fault": "error_500_after"}), 500, &[1, 2]),
        (json!({"fault": "error_500_after", "code": 503}), 503, &[1, 2]),
    ] {
        let simulator = with(json!([rule])).await;
        let answer = simulator.client.attempt("send", Some(&request(&[1, 2])), LONG).await.unwrap();
        assert_eq!(answer, (code, Vec::new()));
        assert_eq!(uids(&simulator.met()[0].0), [1, 2]);
        is_well_again(&simulator, taken).await;
    }
}

fn given(answer: &Value) -> Vec<i64> {
    let messages = answer["messages"].as_array().unwrap();
    messages.iter().map(|message| message["userId"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn elements_are_missing_doubled_or_in_another_order() {
    let all: Vec<i64> = (1..=20).collect();
    for fault in [Fault::Partial, Fault::Duplicated] {
        let simulator = with(json!([{"fault": fault, "probability": 0.4}])).await;
        let given = given(&simulator.client.send_uids(&all).await);
        let is_hit = |uid: &i64| simulator::fault::drawn(1, fault, uid.unsigned_abs()) < 0.4;
        let times = |uid: &i64| match (fault, is_hit(uid)) {
            (Fault::Partial, hit) => usize::from(!hit),
            (_, hit) => 1 + usize::from(hit),
        };
        let wanted: Vec<i64> = all.iter().flat_map(|uid| vec![*uid; times(uid)]).collect();
        assert_eq!(given, wanted);
        assert!(wanted.len() != all.len());
        let What::Send(elements) = &simulator.met()[0].0 else { panic!("taken") };
        let marked = elements.iter().filter(|element| element.marks.iter().any(|mark| mark.fault == fault));
        let marked: Vec<i64> = marked.map(|element| element.uid).collect();
        assert_eq!(marked, all.iter().copied().filter(is_hit).collect::<Vec<_>>());
        is_well_again(&simulator, &all).await;
    }
    let simulator = with(json!([{"fault": "reordered"}])).await;
    let answer = simulator.client.send_uids(&all).await;
    let mut given = given(&answer);
    assert_ne!(given, all);
    given.sort_unstable();
    assert_eq!(given, all);
    for message in answer["messages"].as_array().unwrap() {
        let known = simulator.client.get(&format!("mid/{}", message["userId"])).await;
        assert_eq!(known["mid"], message["id"], "each element keeps its own id");
    }
    let simulator = with(json!([{"fault": "partial"}])).await;
    assert_eq!(simulator.client.send_uids(&[1]).await, json!({"status": 0, "messages": []}));
}

#[tokio::test]
async fn garbage_is_taken_and_never_an_answer() {
    let simulator = with(json!([{"fault": "garbage"}])).await;
    let mut kinds = std::collections::HashSet::new();
    let all: Vec<i64> = (1..=40).collect();
    for uid in &all {
        let (status, body) = simulator.client.attempt("send", Some(&request(&[*uid])), LONG).await.unwrap();
        let read = serde_json::from_slice::<Value>(&body);
        assert_eq!(status, 200);
        assert!(!read.as_ref().is_ok_and(|value| value["status"].is_number()), "{read:?}");
        kinds.insert(match (body.first(), read.is_ok()) {
            (None, _) => "nothing",
            (_, true) => "another shape",
            (Some(b'<'), _) => "a page",
            (Some(b'{'), _) => "cut off",
            _ => "octets",
        });
    }
    assert_eq!(kinds.len(), 5, "{kinds:?}");
    is_well_again(&simulator, &all).await;
}

#[tokio::test]
async fn throttling_and_want_of_credit_take_nothing() {
    for (rule, wanted) in [
        (json!({"fault": "throttle"}), (200, json!({"status": 15}))),
        (json!({"fault": "throttle", "code": 23}), (200, json!({"status": 23}))),
        (json!({"fault": "throttle", "code": 429}), (429, Value::Null)),
        (json!({"fault": "credit"}), (200, json!({"status": 14}))),
        (json!({"fault": "refuse_call", "code": 22}), (200, json!({"status": 22}))),
    ] {
        let simulator = with(json!([rule])).await;
        let (status, body) = simulator.client.attempt("send", Some(&request(&[1, 2])), LONG).await.unwrap();
        assert_eq!((status, serde_json::from_slice(&body).unwrap_or_default()), wanted);
        let (what, fault) = &simulator.met()[0];
        assert_eq!((uids(what), json!(fault)), (vec![1, 2], rule["fault"].clone()));
        let What::NotTaken(elements) = what else { panic!("{what:?}") };
        assert!(elements.iter().all(|element| element.result == Submitted::NotTaken));
        assert_eq!(elements[0].recipient, "989120000001");
        let stats = simulator.operator.stats();
        assert_eq!((stats.calls, stats.send_calls, stats.not_taken_calls, stats.messages), (1, 0, 1, 0));
        is_well_again(&simulator, &[]).await;
    }
}

/// Every code of the operator's table can be had, for single elements.
#[tokio::test]
async fn elements_are_refused_with_any_code() {
    for code in [1, 2, 8, 14, 15, 27, 33, 101, 999] {
        let rule = json!({"fault": "refuse", "code": code, "from": 2, "to": 3});
        let simulator = with(json!([rule])).await;
        let answer = simulator.client.send_uids(&[1, 2, 3, 4]).await;
        let statuses: Vec<&Value> =
            answer["messages"].as_array().unwrap().iter().map(|message| &message["status"]).collect();
        assert_eq!(statuses, [&json!(0), &json!(code), &json!(code), &json!(0)]);
        assert!(answer["messages"][1].get("id").is_none());
        let What::Send(elements) = &simulator.met()[0].0 else { panic!("judged") };
        assert_eq!(elements[1].result, Submitted::Refused(code));
        is_well_again(&simulator, &[1, 4]).await;
    }
}

#[tokio::test]
async fn a_range_a_suffix_and_a_time_choose_the_calls() {
    let simulator = with(json!([
        {"fault": "throttle", "from": 3, "to": 4},
        {"fault": "credit", "recipient_suffix": "77"},
        {"fault": "refuse_call", "code": 22, "for_ms": 86_400_000, "from": 7},
    ]))
    .await;
    let client = &simulator.client;
    let status = async |uids: &[i64]| client.send_uids(uids).await["status"].clone();
    assert_eq!([status(&[1, 2]).await, status(&[3]).await, status(&[4, 5]).await], [0, 15, 15]);
    let mut body = request(&[6]);
    body["recipients"] = json!(["+989120000077"]);
    assert_eq!(client.send(&body).await["status"], 14);
    assert_eq!([status(&[7]).await, status(&[8]).await], [22, 22]);
    client.faults(&json!([{"fault": "throttle", "for_ms": 1}])).await;
    let deadline = Instant::now() + LONG;
    while status(&[9]).await != 0 {
        assert!(Instant::now() < deadline, "the storm does not end");
    }
}

/// The same calls with the same seed meet the same faults.
#[tokio::test]
async fn a_run_repeats() {
    let rules = json!([
        {"fault": "throttle", "probability": 0.2},
        {"fault": "garbage", "probability": 0.2},
        {"fault": "partial", "probability": 0.1},
        {"fault": "receipt_late", "probability": 0.1},
        {"fault": "receipt_twice", "probability": 0.2},
    ]);
    let run = async |seed: u64| {
        let simulator = InProcess::start(simulator::Settings { seed, ..quick() }).await;
        simulator.client.faults(&rules).await;
        for call in 0..40 {
            let uids: Vec<i64> = (call * 10 + 1..=call * 10 + 10).collect();
            simulator.client.attempt("send", Some(&request(&uids)), LONG).await.unwrap();
        }
        let events = simulator.operator.remembered();
        let marks = |what: &What| match what {
            What::Send(elements) => elements.iter().map(|element| element.marks.clone()).collect(),
            _ => Vec::new(),
        };
        events.iter().map(|event| (event.fault, marks(&event.what))).collect::<Vec<_>>()
    };
    let first = run(5).await;
    assert_eq!(first, run(5).await);
    assert_ne!(first, run(6).await);
    assert!(first.iter().any(|(fault, _)| fault.is_none()) && first.iter().any(|(fault, _)| fault.is_some()));
}

#[tokio::test]
async fn a_call_of_the_wrong_form_meets_no_fault() {
    let mut simulator =
        with(json!([{"fault": "timeout_after"}, {"fault": "timeout_before", "on": "mid"}])).await;
    assert_eq!(simulator.client.send(&json!({})).await, json!({"status": 31}));
    assert_eq!(simulator.client.get("mid/x").await, json!({"status": 31}));
    simulator.client.password = "wrong".to_owned();
    assert_eq!(simulator.client.send_uids(&[1]).await, json!({"status": 18}));
    assert_eq!(simulator.met(), []);
}

#[tokio::test]
async fn a_hanging_operator_answers_nothing_for_its_time() {
    let simulator = with(json!([{"fault": "hang", "for_ms": 3_600_000}])).await;
    let client = &simulator.client;
    let body = request(&[1]);
    for (path, body) in [("send", Some(&body)), ("mid/1", None), ("statuses/1", None), ("balance", None)] {
        assert!(client.attempt(path, body, SHORT).await.unwrap_err().is_timeout(), "{path}");
    }
    assert_eq!(client.applied().await, json!({"hang": 4}));
    is_well_again(&simulator, &[]).await;
    client.faults(&json!([{"fault": "hang", "for_ms": 100}])).await;
    let ended = client.attempt("send", Some(&body), LONG).await;
    assert!(!ended.unwrap_err().is_timeout(), "closed when its time is over");
    assert_eq!(mids(&client.send_uids(&[3]).await).len(), 1);
}

/// Connections that a client gave up must not use up the operator's places.
#[tokio::test]
async fn hanging_connections_end_when_the_client_is_gone() {
    let simulator = with(json!([{"fault": "timeout_before", "delay_ms": 86_400_000}])).await;
    let client = &simulator.client;
    for round in 0..12 {
        let body = request(&[round]);
        let attempts = (0..100).map(|_| client.attempt("send", Some(&body), SHORT * 3));
        assert!(all(attempts).await.iter().all(Result::is_err));
    }
    // More than the operator has places for.
    assert!(client.applied().await["timeout_before"].as_u64().unwrap() > 1024);
}

/// Runs them together to their ends.
async fn all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut all: Vec<_> = futures.map(Box::pin).collect();
    let mut done: Vec<Option<F::Output>> = all.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, done) in all.iter_mut().zip(&mut done).filter(|(_, done)| done.is_none()) {
            if let std::task::Poll::Ready(output) = future.as_mut().poll(context) {
                *done = Some(output);
            }
        }
        if done.iter().all(Option::is_some) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    done.into_iter().flatten().collect()
}

#[tokio::test]
async fn a_dead_operator_refuses_connections_and_comes_back() {
    let simulator = InProcess::start(quick()).await;
    let client = &simulator.client;
    let mut standing = TcpStream::connect(client.address).await.unwrap();
    let before = mids(&client.send_uids(&[1]).await);
    client.faults(&json!([{"fault": "dead", "for_ms": 600}])).await;
    let since = Instant::now();
    let ended = tokio::time::timeout(LONG, standing.read(&mut [0])).await;
    assert_eq!(ended.expect("what stood is gone").unwrap_or(0), 0);
    let mut refused = 0;
    while since.elapsed() < Duration::from_millis(400) {
        let error = client.attempt("send", Some(&request(&[2])), LONG).await.unwrap_err();
        refused += usize::from(error.is_connect());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(refused >= 5, "{refused}");
    let refusal = TcpStream::connect(client.address).await.unwrap_err();
    assert_eq!(refusal.kind(), std::io::ErrorKind::ConnectionRefused);
    while client.attempt("balance", None, LONG).await.is_err() {
        assert!(since.elapsed() < LONG, "it stays dead");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(since.elapsed() >= Duration::from_millis(550), "{:?}", since.elapsed());
    assert_eq!(simulator.client.applied().await, json!({"dead": 1}));
    assert_eq!(client.get("mid/1").await["mid"], before[0]);
    is_well_again(&simulator, &[1]).await;
}

#[tokio::test]
async fn death_ends_when_its_rule_goes_and_a_stop_ends_it_too() {
    let simulator = InProcess::start(quick()).await;
    let dead = Rule { for_ms: Some(3_600_000), ..Rule::new(Fault::Dead) };
    simulator.operator.set_faults(vec![dead.clone()]).unwrap();
    let deadline = Instant::now() + LONG;
    while TcpStream::connect(simulator.client.address).await.is_ok() {
        assert!(Instant::now() < deadline, "it lives");
        tokio::task::yield_now().await;
    }
    simulator.operator.set_faults(Vec::new()).unwrap();
    while TcpStream::connect(simulator.client.address).await.is_err() {
        assert!(Instant::now() < deadline, "it stays dead");
        tokio::task::yield_now().await;
    }
    is_well_again(&simulator, &[]).await;
    simulator.operator.set_faults(vec![dead]).unwrap();
    simulator.shutdown.cancel();
    tokio::time::timeout(LONG, simulator.served).await.unwrap().unwrap().unwrap();
}
