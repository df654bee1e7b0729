//! Metrics, kept for Prometheus to fetch from the management port.

use std::time::Duration;

use anyhow::Context;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::lifecycle::Stop;

/// Upper ends of the buckets of histograms in seconds (`…_seconds`): from a fast insert to a slow operator.
const SECONDS: &[f64] =
    &[0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
/// Upper ends of the buckets of histograms that count messages (`…_messages`).
const MESSAGES: &[f64] = &[1.0, 4.0, 16.0, 64.0, 256.0, 1_024.0, 4_096.0, 16_384.0, 65_536.0];
/// How often raw samples are folded into the histograms (they wait in memory until then) and the figures of
/// the process (memory, CPU, descriptors) are read.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// Installs the recorder behind the `metrics` macros. Once in a process, before any metric is made.
///
/// # Errors
/// When a recorder was installed already.
pub fn install_recorder() -> anyhow::Result<PrometheusHandle> {
    let handle = builder()?.install_recorder().context("install the metrics recorder")?;
    crate::metrics::describe();
    metrics_process::Collector::default().describe();
    Ok(handle)
}

fn builder() -> anyhow::Result<PrometheusBuilder> {
    let builder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS)?
        .set_buckets_for_metric(Matcher::Suffix("_messages".to_owned()), MESSAGES)?
        .set_buckets_for_metric(Matcher::Suffix("_chunks".to_owned()), MESSAGES)?;
    Ok(builder)
}

/// The component that keeps the recorder's memory bounded. Stops when asked.
///
/// # Errors
/// None; the type is that of every component.
pub async fn upkeep(handle: PrometheusHandle, stop: Stop) -> anyhow::Result<()> {
    let process = metrics_process::Collector::default();
    let mut every = tokio::time::interval(UPKEEP_EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.requested() => return Ok(()),
            _ = every.tick() => {
                handle.run_upkeep();
                process.collect();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn histograms_have_buckets() {
        let recorder = builder().unwrap().build_recorder();
        metrics::with_local_recorder(&recorder, || {
            metrics::histogram!("smshub_x_seconds").record(0.003);
            metrics::histogram!("smshub_x_messages").record(200);
        });
        let text = recorder.handle().render();
        assert!(text.contains("smshub_x_seconds_bucket{le=\"0.005\"} 1"), "{text}");
        assert!(text.contains("smshub_x_seconds_bucket{le=\"0.0025\"} 0"), "{text}");
        assert!(text.contains("smshub_x_messages_bucket{le=\"256\"} 1"), "{text}");
    }

    #[tokio::test]
    async fn upkeep_ends_when_asked() {
        let recorder = builder().unwrap().build_recorder();
        let (token, stop) = Stop::manual();
        token.cancel();
        upkeep(recorder.handle(), stop).await.unwrap();
    }
}
