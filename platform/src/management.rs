//! The management port: what supervisors, Prometheus and the on-call engineer read. Loopback by default.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use metrics_exporter_prometheus::PrometheusHandle;

use crate::health::Health;
use crate::lifecycle::Stop;

/// The largest answer to `/metrics`. Labels are bounded, so this is far above what there can be.
const MAX_METRICS_BYTES: usize = 16 * 1024 * 1024;
const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What the management port shows.
#[derive(Clone)]
pub struct Management {
    /// The checks and alarms behind `/readyz`.
    pub health: Health,
    /// The metrics behind `/metrics`.
    pub metrics: PrometheusHandle,
    /// That of [`Phase::StopAccepting`](crate::lifecycle::Phase): once requested, `/readyz` answers 503. The
    /// port itself should close in the last phase.
    pub stopping: Stop,
}

/// The routes:
/// * `/livez`: 200 as long as the runtime turns.
/// * `/readyz`: [`Report`](crate::health::Report) as JSON; 200, or 503 where a check stands still.
/// * `/metrics`: Prometheus' text format.
pub fn router(management: Management) -> Router {
    Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(management)
}

async fn readyz(State(management): State<Management>) -> Response {
    let mut report = management.health.report();
    if management.stopping.is_requested() {
        report = report.stopping();
    }
    let status = if report.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(report)).into_response()
}

async fn metrics(State(management): State<Management>) -> Response {
    let text = management.metrics.render();
    if text.len() > MAX_METRICS_BYTES {
        return (StatusCode::INTERNAL_SERVER_ERROR, "more metrics than there can be\n").into_response();
    }
    ([(header::CONTENT_TYPE, PROMETHEUS_TEXT)], text).into_response()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use std::time::Duration;

    use axum::body::Body;
    use axum::http::Request;
    use http_body_util::BodyExt;
    use metrics_exporter_prometheus::PrometheusBuilder;
    use tower::ServiceExt;

    use super::*;

    async fn get(router: &Router, path: &str) -> (u16, String, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        let content_type = response.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned();
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, content_type, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn readiness_follows_checks_and_shutdown() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let (token, stopping) = Stop::manual();
        let health = Health::new();
        let router = router(Management { health: health.clone(), metrics: recorder.handle(), stopping });

        let check = health.check("billing", Duration::from_secs(3_600));
        let (status, content_type, body) = get(&router, "/readyz").await;
        assert_eq!((status, content_type.as_str()), (503, "application/json"));
        assert_eq!(
            body,
            r#"{"ready":false,"checks":[{"name":"billing","ok":false,"detail":"has not reported yet"}],"alarms":[]}"#
        );

        check.ok();
        let (status, _, body) = get(&router, "/readyz").await;
        assert_eq!(status, 200);
        assert_eq!(body, r#"{"ready":true,"checks":[{"name":"billing","ok":true}],"alarms":[]}"#);

        token.cancel();
        let (status, _, body) = get(&router, "/readyz").await;
        assert_eq!(status, 503);
        assert!(body.contains("the process is shutting down"), "{body}");
        assert_eq!(get(&router, "/livez").await.0, 200, "alive to the end");
    }

    #[tokio::test]
    async fn metrics_are_prometheus_text() {
        let recorder = PrometheusBuilder::new().build_recorder();
        metrics::with_local_recorder(&recorder, || metrics::counter!("smshub_x_total").increment(3));
        let (_, stopping) = Stop::manual();
        let management = Management { health: Health::new(), metrics: recorder.handle(), stopping };
        let (status, content_type, body) = get(&router(management), "/metrics").await;
        assert_eq!((status, content_type.as_str()), (200, PROMETHEUS_TEXT));
        assert!(body.contains("smshub_x_total 3"), "{body}");
    }
}
