//! Uploading a file until it is taken in: a broken connection and a restarted gateway are
//! waited for, and the same file is sent again.

use super::Api;
use super::body::{FileBody, Form};
use super::shown::Uploaded;
use crate::commands::send::call::{Call, Patience, Refusal};
use crate::commands::send::client::read;
use crate::commands::send::show::{Bar, Show};
use anyhow::Context;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Tries in a row between which nothing is taken in.
const TRIES: u32 = 20;
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// Between two looks at how far it has come.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Whether to try again is decided here.
const ONCE: Patience = Patience { first: Duration::ZERO, longest: Duration::ZERO, total: Duration::ZERO };

/// Uploads the file; nothing is sent where it is a dry run.
pub(super) async fn run(
    api: &Api,
    id: &str,
    path: &Path,
    dry_run: bool,
    show: &Show,
) -> anyhow::Result<Uploaded> {
    let mut upload =
        Upload { api, id, path, dry_run, bar: show.submission(), began: Instant::now(), taken: 0 };
    let (mut tries, mut pause) = (0, FIRST_PAUSE);
    loop {
        let before = upload.taken;
        let refusal = match upload.once().await? {
            Ok(uploaded) => {
                upload.bar.finish();
                return Ok(uploaded);
            }
            Err(refusal) => refusal,
        };
        (tries, pause) = if upload.taken > before { (0, FIRST_PAUSE) } else { (tries + 1, pause) };
        if !passes(&refusal) || tries >= TRIES {
            upload.bar.finish();
            return Err(refusal.into());
        }
        upload.bar.say(&format!("{refusal}; trying again in {:.1} s", pause.as_secs_f64()));
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

struct Upload<'u> {
    api: &'u Api,
    id: &'u str,
    path: &'u Path,
    dry_run: bool,
    bar: Bar,
    began: Instant,
    /// Rows that were seen to be taken in.
    taken: u64,
}

impl Upload<'_> {
    /// One try, shown while it goes on.
    async fn once(&mut self) -> anyhow::Result<Result<Uploaded, Refusal>> {
        let position = Arc::new(AtomicU64::new(0));
        let form = Form::of(self.path);
        let opened = FileBody::open(self.path, Arc::clone(&position));
        let body = opened.with_context(|| format!("{} cannot be read", self.path.display()))?;
        let size = body.bytes();
        let query = if self.dry_run { "?dry_run=true" } else { "" };
        let body = Mutex::new(Some(body));
        let build = || {
            let request = self.api.0.put(&format!("/v1/campaigns/{}/rows{query}", self.id));
            let request = request.header("Content-Type", form.content_type);
            let request = if form.gzip { request.header("Content-Encoding", "gzip") } else { request };
            // Built once: it is tried once.
            match body.lock().ok().and_then(|mut body| body.take()) {
                Some(body) => request.body(reqwest::Body::wrap(body)),
                None => request,
            }
        };
        let call = Call { build };
        let answer = call.answer(ONCE);
        tokio::pin!(answer);
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                answer = &mut answer => return Ok(answer.and_then(|body| read(&body))),
                _ = look.tick() => {
                    // What cannot be read now is shown later.
                    if let Ok(campaign) = self.api.read(self.id).await {
                        self.taken = campaign.accepted + campaign.invalid;
                    }
                    let sent = position.load(Ordering::Relaxed);
                    let words = words(self.taken, sent, size, self.began.elapsed());
                    self.bar.update(sent, &words);
                }
            }
        }
    }
}

/// Whether it passes by itself.
fn passes(refusal: &Refusal) -> bool {
    match refusal {
        Refusal::Problem(problem) => {
            let later = ["unavailable", "overloaded", "idempotency_in_progress", "request_timeout"];
            later.contains(&problem.code.as_str()) || problem.status == 429
        }
        Refusal::Unreachable(_) | Refusal::Unclear(_) => true,
    }
}

#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // for people
fn words(rows: u64, sent: u64, size: u64, took: Duration) -> String {
    let seconds = took.as_secs_f64().max(0.001);
    let rate = rows as f64 / seconds;
    let left = if sent == 0 { 0.0 } else { (size.saturating_sub(sent)) as f64 * seconds / sent as f64 };
    format!("{rows} rows, {rate:.0}/s, {} left", span(left as u64))
}

/// A span of time, for people.
fn span(seconds: u64) -> String {
    match seconds {
        0..=99 => format!("{seconds} s"),
        100..=5_999 => format!("{} min", seconds / 60),
        _ => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_and_time_left_are_told() {
        assert_eq!(words(500, 25, 100, Duration::from_secs(10)), "500 rows, 50/s, 30 s left");
        assert_eq!([span(99), span(600), span(7_300)], ["99 s", "10 min", "2 h 1 min"]);
    }
}
