//! Submitting: a thread reads the file, a few calls at once carry it.

use super::call::{Problem, Refusal};
use super::client::{Accepted, Client};
use super::left_out::LeftOut;
use super::rows::{Message, Rows};
use super::show::Show;
use bytes::Bytes;
use serde::Serialize;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use uuid::Uuid;

/// How to submit.
pub(super) struct Job {
    /// Messages in a call.
    pub(super) batch: usize,
    /// Calls at once.
    pub(super) calls: usize,
    pub(super) lane: String,
    pub(super) from: Option<String>,
}

/// What was submitted.
#[derive(Debug, Default)]
pub(super) struct Submitted {
    /// Messages read and handed to the API.
    pub(super) messages: u64,
    pub(super) accepted: u64,
    /// Left out because they are not valid.
    pub(super) invalid: LeftOut,
    /// Not accepted for another reason.
    pub(super) not_accepted: u64,
    /// Of what was accepted.
    pub(super) price: i64,
    /// Why something was not accepted, or the file not read to its end.
    pub(super) failures: Vec<String>,
    /// What must be followed.
    pub(super) batches: Vec<Batch>,
}

/// A call that was accepted.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    pub(super) id: String,
    pub(super) accepted: u64,
}

/// A call to be made.
struct Ready {
    body: Bytes,
    first_row: u64,
    count: u64,
    /// How far into the file it reaches, in bytes.
    position: u64,
}

#[derive(Serialize)]
struct Body<'a> {
    lane: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'a str>,
    messages: &'a [Message],
}

type Done = (Ready, Result<Accepted, Refusal>);

/// Submits all rows. A failure ends the submission; what is under way is waited for.
pub(super) async fn run(rows: Rows, job: Job, client: Arc<Client>, show: &Show) -> anyhow::Result<Submitted> {
    let calls = job.calls;
    let (sender, mut ready) = mpsc::channel(calls);
    let reading = tokio::task::spawn_blocking(move || read(rows, &job, &sender));
    let run_id = Uuid::new_v4().simple().to_string();
    let mut bar = show.submission();
    let mut submitted = Submitted::default();
    let mut under_way: JoinSet<Done> = JoinSet::new();
    let mut number = 0_u64;
    while submitted.failures.is_empty() {
        tokio::select! {
            Some(done) = under_way.join_next() => submitted.take(done?, &mut bar),
            next = ready.recv(), if under_way.len() < calls => match next {
                Some(Ok(call)) => {
                    number += 1;
                    let (client, key) = (Arc::clone(&client), format!("smshub-send-{run_id}-{number}"));
                    under_way.spawn(async move {
                        let answer = client.submit(call.body.clone(), &key).await;
                        (call, answer)
                    });
                }
                Some(Err(error)) => submitted.failures.push(format!("{error:#}")),
                None => break,
            },
        }
    }
    // The reader ends when nobody takes its batches any more.
    drop(ready);
    while let Some(done) = under_way.join_next().await {
        submitted.take(done?, &mut bar);
    }
    reading.await?;
    bar.finish();
    Ok(submitted)
}

fn read(mut rows: Rows, job: &Job, ready: &mpsc::Sender<anyhow::Result<Ready>>) {
    loop {
        let next = rows.batch(job.batch).and_then(|messages| {
            let body = Body { lane: &job.lane, from: job.from.as_deref(), messages: &messages };
            let first = messages.first().map(|message| message.row);
            let body = Bytes::from(serde_json::to_vec(&body)?);
            let (count, position) = (messages.len() as u64, rows.position());
            Ok(first.map(|first_row| Ready { body, first_row, count, position }))
        });
        let (next, ended) = match next {
            Ok(None) => return,
            Ok(Some(call)) => (Ok(call), false),
            Err(error) => (Err(error), true),
        };
        if ready.blocking_send(next).is_err() || ended {
            return;
        }
    }
}

impl Submitted {
    fn take(&mut self, (call, answer): Done, bar: &mut super::show::Bar) {
        self.messages += call.count;
        match answer {
            Ok(accepted) => self.accept(&call, accepted),
            Err(Refusal::Problem(problem)) if nothing_valid(&problem) => self.all_invalid(&call, &problem),
            Err(refusal) => {
                self.not_accepted += call.count;
                let last = call.first_row + call.count - 1;
                self.failures.push(format!("rows {} to {last}: {refusal}", call.first_row));
            }
        }
        bar.update(call.position, &format!("{} accepted", self.accepted));
    }

    fn accept(&mut self, call: &Ready, accepted: Accepted) {
        self.accepted += accepted.accepted;
        self.price = self.price.saturating_add(accepted.price);
        for rejected in accepted.rejected {
            if rejected.code == "insufficient_funds" {
                self.not_accepted += 1;
                if self.failures.is_empty() {
                    let row = call.first_row + rejected.index;
                    self.failures.push(format!("row {row} and others: the balance did not suffice"));
                }
            } else {
                self.invalid.add(call.first_row + rejected.index, &rejected.code);
            }
        }
        if accepted.accepted > 0 {
            self.batches.push(Batch { id: accepted.batch_id, accepted: accepted.accepted });
        }
    }

    fn all_invalid(&mut self, call: &Ready, problem: &Problem) {
        let of = |index: u64| {
            let place = format!("messages[{index}].");
            problem.errors.iter().find(|error| error.field.starts_with(&place)).or(problem.errors.first())
        };
        for index in 0..call.count {
            self.invalid.add(call.first_row + index, of(index).map_or("", |error| &error.code));
        }
    }
}

/// A call without any valid message is refused as a whole; our own form is never at fault.
fn nothing_valid(problem: &Problem) -> bool {
    problem.code == "invalid_request"
        && !problem.errors.is_empty()
        && problem.errors.iter().all(|error| error.field.starts_with("messages["))
}
