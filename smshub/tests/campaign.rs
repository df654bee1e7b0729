//! A campaign by the command line, through the real binary: killed in mid-upload, and
//! cancelled. Who got what is what the operator's journal says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::Value;
use simulator::Settings;
use simulator::journal::What;
use std::collections::HashMap;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Output;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use testkit::gateway::{Customer, Gateway};
use tokio::net::{TcpListener, TcpStream};

const BINARY: &str = env!("CARGO_BIN_EXE_smshub");
const END: Duration = Duration::from_secs(120);
const PRICE: i64 = 1_000;

fn operator() -> Settings {
    Settings { delivery_ratio: 0.9, delivery_min_ms: 0, delivery_max_ms: 300, ..Settings::default() }
}

/// An address that stays, in front of a process that moves.
async fn front(api: &Arc<Mutex<SocketAddr>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let api = Arc::clone(api);
    tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            let api = *api.lock().unwrap();
            tokio::spawn(async move {
                let Ok(mut server) = TcpStream::connect(api).await else { return };
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    address
}

/// A file of so many rows, of which every thousandth is at fault.
fn file(rows: u32) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::with_suffix(".csv").unwrap();
    writeln!(file, "receiver,name").unwrap();
    for row in 0..rows {
        let number = if row % 1_000 == 999 { "12".to_owned() } else { format!("0912{row:07}") };
        writeln!(file, "{number},\"n{row}\"").unwrap();
    }
    file.flush().unwrap();
    file
}

/// Runs `smshub campaign …` with a key of the customer, while this test goes on.
async fn campaign(gateway: &Gateway, key: &str, url: &str, arguments: &[&str]) -> Output {
    let mut command = gateway.command();
    command.args(["campaign", "--url", url]).args(arguments).env("SMSHUB_KEY", key);
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Waits until so many rows of the account's first campaign are accepted.
async fn accepted(gateway: &Gateway, customer: &Customer, count: i64) {
    let deadline = Instant::now() + END;
    loop {
        let accepted: Option<i64> =
            sqlx::query_scalar("select accepted from campaign where account_id = $1 order by id limit 1")
                .bind(customer.account)
                .fetch_optional(gateway.schema.pool())
                .await
                .unwrap();
        if accepted.is_some_and(|accepted| accepted >= count) {
            return;
        }
        assert!(Instant::now() < deadline, "{accepted:?} of {count} are accepted");
        tokio::time::sleep(Duration::from_millis(5)).await; // a look, not a hope: see the deadline
    }
}

/// How often the operator was given each recipient.
fn recipients(gateway: &Gateway) -> HashMap<String, usize> {
    let mut counts = HashMap::new();
    for event in gateway.operator.remembered() {
        if let What::Send(elements) = event.what {
            for element in elements {
                *counts.entry(element.recipient.to_string()).or_insert(0) += 1;
            }
        }
    }
    counts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_in_mid_upload_everybody_gets_one_message() {
    const ROWS: u32 = 12_000;
    let mut gateway = Gateway::new(Path::new(BINARY), &ledger::MIGRATIONS, operator()).await;
    gateway.set("INGEST__CAMPAIGNS__SEGMENT_ROWS", "300");
    let mut all = gateway.start("all", "all").await;
    let customer = gateway.customer(i64::from(ROWS) * PRICE);
    let key =
        gateway.must(&["key", "create", "--account", &customer.account.to_string(), "--scope", "send,read"]);
    let api = Arc::new(Mutex::new(all.api));
    let url = format!("http://{}", front(&api).await);
    let file = file(ROWS);
    let path = file.path().to_str().unwrap().to_owned();
    let arguments =
        ["send", "--file", &path, "--text", "سلام {name}", "--name", "autumn", "--deadline", "120"];
    let sending = campaign(&gateway, &key, &url, &arguments);
    let killing = async {
        for count in [2_000, 5_000, 8_000] {
            accepted(&gateway, &customer, count).await;
            all.kill();
            all = gateway.start("all", "all").await;
            *api.lock().unwrap() = all.api;
        }
        all
    };
    let (sent, all) = tokio::join!(sending, killing);
    assert!(sent.status.success(), "{}", said(&sent));
    let out = said(&sent);
    assert!(out.contains("trying again"), "{out}");
    assert!(out.contains("rows               12000\ninvalid               12\n"), "{out}");
    assert!(out.contains("row 1000: invalid_recipient: "), "{out}");
    gateway.quiescent(END).await;

    let given = recipients(&gateway);
    assert_eq!(given.len(), 11_988);
    assert!(given.values().all(|count| *count == 1), "everybody got one message");
    let (_, page) = customer.get(all.api, "/v1/campaigns").await.unwrap();
    let shown = &page["data"][0];
    let count = |status: &str| shown["counts"][status].as_i64().unwrap();
    assert_eq!([&shown["rows"], &shown["accepted"], &shown["invalid"]], [12_000, 11_988, 12]);
    assert_eq!(shown["status"], "closed");
    assert_eq!(count("delivered") + count("undelivered") + count("failed"), 11_988, "{shown}");
    assert_eq!(shown["price"], 11_988 * PRICE);
    assert_eq!(shown["refunded"], (11_988 - count("delivered")) * PRICE);
    // The books say the same: nothing else was paid for.
    let (_, balance) = customer.get(all.api, "/v1/balance").await.unwrap();
    assert_eq!(balance["balance"].as_i64(), Some(i64::from(ROWS) * PRICE - count("delivered") * PRICE));

    let id = shown["id"].as_str().unwrap();
    let status = campaign(&gateway, &key, &url, &["status", id]).await;
    assert!(said(&status).contains("autumn (closed"), "{}", said(&status));
    let list = campaign(&gateway, &key, &url, &["list"]).await;
    assert!(said(&list).contains("autumn"), "{}", said(&list));
    assert!(all.stop().await);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_money_it_says_so_and_goes_on_after_a_charge() {
    let mut gateway = Gateway::new(Path::new(BINARY), &ledger::MIGRATIONS, operator()).await;
    gateway.set("INGEST__CAMPAIGNS__SEGMENT_ROWS", "300");
    let all = gateway.start("all", "all").await;
    let customer = gateway.customer(700 * PRICE);
    let account = customer.account.to_string();
    let key = gateway.must(&["key", "create", "--account", &account, "--scope", "send,read"]);
    let url = format!("http://{}", all.api);
    let file = file(1_000);
    let path = file.path().to_str().unwrap().to_owned();

    let dry =
        campaign(&gateway, &key, &url, &["send", "--file", &path, "--text", "{name}", "--dry-run"]).await;
    assert!(dry.status.success(), "{}", said(&dry));
    assert!(said(&dry).contains("price             999000 IRR\nnothing was sent\n"), "{}", said(&dry));
    let wrong = campaign(&gateway, &key, &url, &["send", "--file", &path, "--text", "{nmae}"]).await;
    assert_eq!(wrong.status.code(), Some(1));
    assert!(said(&wrong).contains("the file has no such column; it has receiver, name"), "{}", said(&wrong));

    let poor = campaign(&gateway, &key, &url, &["send", "--file", &path, "--text", "{name}"]).await;
    assert_eq!(poor.status.code(), Some(1));
    let out = said(&poor);
    assert!(out.contains("402 insufficient_funds"), "{out}");
    let again = out.lines().find(|line| line.starts_with("to go on: ")).expect("it says how to go on");
    let id = again.split("--campaign ").nth(1).unwrap().split(' ').next().unwrap();
    gateway.must(&["account", "charge", &account, &(1_000 * PRICE).to_string()]);
    let rest = campaign(&gateway, &key, &url, &["send", "--file", &path, "--campaign", id]).await;
    assert!(rest.status.success(), "{}", said(&rest));
    gateway.quiescent(END).await;
    let given = recipients(&gateway);
    assert_eq!((given.len(), given.values().max()), (999, Some(&1)));
    let shown: Value = customer.get(all.api, &format!("/v1/campaigns/{id}")).await.unwrap().1;
    assert_eq!((&shown["accepted"], &shown["invalid"]), (&999.into(), &1.into()));
    assert!(all.stop().await);
    gateway.close().await;
}

/// Rows of the large file; another number by hand: `SMSHUB_TEST_CAMPAIGN_ROWS=10000000`.
const LARGE: u32 = 100_000;

/// What a process has in memory, in MiB.
async fn resident(management: SocketAddr) -> u64 {
    let url = format!("http://{management}/metrics");
    let text = testkit::http_client().get(url).send().await.unwrap().text().await.unwrap();
    let line = text.lines().find(|line| line.starts_with("process_resident_memory_bytes ")).unwrap();
    let bytes: f64 = line.split(' ').nth(1).unwrap().parse().unwrap();
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let bytes = bytes as u64;
    bytes >> 20
}

/// Only what takes the file in runs, so that the figures are of that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_does_not_grow_with_the_file() {
    let rows = std::env::var("SMSHUB_TEST_CAMPAIGN_ROWS").map_or(LARGE, |rows| rows.parse().unwrap());
    let gateway = Gateway::new(Path::new(BINARY), &ledger::MIGRATIONS, operator()).await;
    let ingest = gateway.start("ingest", "ingest").await;
    let billing = gateway.start("billing", "billing-consumer").await;
    let customer = gateway.customer(2 * i64::from(rows) * PRICE + 100_000 * PRICE);
    let account = customer.account.to_string();
    let key = gateway.must(&["key", "create", "--account", &account, "--scope", "send,read"]);
    let url = format!("http://{}", ingest.api);
    let mut peaks = Vec::new();
    // The first warms up what every process keeps: pools, queues, buffers.
    for count in [20_000, rows] {
        let file = file(count);
        let path = file.path().to_str().unwrap().to_owned();
        let began = Instant::now();
        let arguments = ["send", "--file", &path, "--text", "سلام {name}", "--no-follow"];
        let sending = campaign(&gateway, &key, &url, &arguments);
        tokio::pin!(sending);
        let mut peak = 0;
        let sent = loop {
            tokio::select! {
                sent = &mut sending => break sent,
                () = tokio::time::sleep(Duration::from_millis(100)) => {
                    peak = peak.max(resident(ingest.management).await);
                }
            }
        };
        assert!(sent.status.success(), "{}", said(&sent));
        eprintln!("{count} rows in {:?}, at most {peak} MiB resident", began.elapsed());
        peaks.push(peak.max(resident(ingest.management).await));
    }
    assert!(peaks[1] < peaks[0] + 40, "{peaks:?} MiB");
    assert!(ingest.stop().await && billing.stop().await);
    gateway.close().await;
}
