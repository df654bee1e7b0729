//! What a message costs the simulator: sends over kept-alive connections, each followed by
//! one statuses call for the same messages, and the CPU time of the simulator's process.
//!
//!     cargo build --release -p simulator --bins --examples
//!     target/release/examples/drive --messages 2000000 [--data FOLDER]
#![allow(clippy::print_stdout)]

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use anyhow::{Context, ensure};
use clap::Parser;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[derive(Parser)]
struct Flags {
    /// Messages to send, in all.
    #[arg(long, default_value_t = 2_000_000)]
    messages: u64,
    /// Messages in a call, 1 to 100.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=100))]
    per_call: u64,
    /// Connections, each with one call at a time.
    #[arg(long, default_value_t = 8)]
    connections: u64,
    /// Journal into this folder; without it the simulator keeps it in memory.
    #[arg(long)]
    data: Option<PathBuf>,
}

struct Spawned(Child);

impl Drop for Spawned {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let flags = Flags::parse();
    let (simulator, address) = spawn(&flags)?;
    let pid = simulator.0.id();
    let (cpu, start) = (cpu_us(pid)?, Instant::now());
    let each = flags.messages / flags.connections;
    let drivers: Vec<_> = (0..flags.connections)
        .map(|index| tokio::spawn(drive(address.clone(), index * each + 1, each, flags.per_call)))
        .collect();
    for driver in drivers {
        driver.await??;
    }
    let (cpu, took) = (cpu_us(pid)? - cpu, start.elapsed());
    let messages = each * flags.connections;
    #[allow(clippy::cast_precision_loss)]
    let (total, cpu) = (messages as f64, cpu as f64);
    println!("{messages} messages, {} a call, {} connections", flags.per_call, flags.connections);
    println!("{:.0} messages/s", total / took.as_secs_f64());
    println!("{:.2} us of the simulator's CPU per message (send and one status)", cpu / total);
    println!("{}", memory(pid)?);
    Ok(())
}

fn spawn(flags: &Flags) -> anyhow::Result<(Spawned, String)> {
    let beside = std::env::current_exe()?.with_file_name("../smshub-simulator");
    let mut command = Command::new(beside);
    command.args(["--listen", "127.0.0.1:0"]).stdout(Stdio::piped());
    match &flags.data {
        Some(folder) => command.arg("--data").arg(folder),
        None => command.arg("--no-journal"),
    };
    let mut child = command.spawn().context("cargo build --release -p simulator first")?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().context("stdout")?).read_line(&mut line)?;
    let address = line.trim_end().strip_prefix("listening on ").context("no address")?;
    Ok((Spawned(child), address.to_owned()))
}

async fn drive(address: String, first: u64, messages: u64, per_call: u64) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut answer = Vec::new();
    for uid in (first..first + messages).step_by(usize::try_from(per_call)?) {
        stream.write_all(&send(uid, per_call)).await?;
        receive(&mut stream, &mut answer).await?;
        let mid = id(&answer).context("no id in the answer")?;
        stream.write_all(&statuses(mid, per_call)).await?;
        receive(&mut stream, &mut answer).await?;
    }
    Ok(())
}

const HEAD: &str = "HTTP/1.1\r\nhost: simulator\r\nauthorization: Basic ZGVtby9kZW1vOmRlbW8=\r\n\
    accept: application/json\r\n";

fn send(first: u64, count: u64) -> Vec<u8> {
    let list = |item: &dyn Fn(u64) -> String| (0..count).map(item).collect::<Vec<_>>().join(",");
    let body = format!(
        r#"{{"senders":[{}],"recipients":[{}],"messages":[{}],"encodings":[{}],"uids":[{}]}}"#,
        list(&|_| r#""983000123""#.to_owned()),
        list(&|index| format!(r#""98912{:07}""#, index)),
        list(&|index| format!(r#""مشترک گرامی {index}، سفارش شما ثبت شد و به زودی ارسال می‌شود.""#)),
        list(&|_| "2".to_owned()),
        list(&|index| (first + index).to_string()),
    );
    let length = body.len();
    format!("POST /api/http/sms/v2/send {HEAD}content-length: {length}\r\n\r\n{body}").into_bytes()
}

fn statuses(first: u64, count: u64) -> Vec<u8> {
    let ids = (first..first + count).map(|mid| mid.to_string()).collect::<Vec<_>>().join(",");
    format!("GET /api/http/sms/v2/statuses/{ids} {HEAD}\r\n").into_bytes()
}

/// Reads one answer, which must be a 200 with status 0.
async fn receive(stream: &mut TcpStream, answer: &mut Vec<u8>) -> anyhow::Result<()> {
    answer.clear();
    loop {
        ensure!(stream.read_buf(answer).await? > 0, "the connection ended");
        let Some(head) = find(answer, b"\r\n\r\n") else { continue };
        let at = find(answer, b"content-length: ").context("no length")? + 16;
        let digits = answer[at..].iter().take_while(|octet| octet.is_ascii_digit());
        let length = digits.fold(0, |length, digit| length * 10 + usize::from(digit - b'0'));
        if answer.len() >= head + 4 + length {
            ensure!(answer.starts_with(b"HTTP/1.1 200"), "not a 200");
            ensure!(answer[head + 4..].starts_with(b"{\"status\":0,"), "refused");
            return Ok(());
        }
    }
}

fn id(answer: &[u8]) -> Option<u64> {
    let at = find(answer, b"\"id\":")? + 5;
    let digits: Vec<u8> = answer[at..].iter().copied().take_while(u8::is_ascii_digit).collect();
    String::from_utf8(digits).ok()?.parse().ok()
}

fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    hay.windows(needle.len()).position(|window| window == needle)
}

/// CPU time of all threads of a process, in microseconds.
fn cpu_us(pid: u32) -> anyhow::Result<u64> {
    let mut total = 0;
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let stat = std::fs::read_to_string(task?.path().join("schedstat"))?;
        let ns: u64 = stat.split(' ').next().context("schedstat")?.parse()?;
        total += ns / 1000;
    }
    Ok(total)
}

fn memory(pid: u32) -> anyhow::Result<String> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    Ok(status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or_default().to_owned())
}
