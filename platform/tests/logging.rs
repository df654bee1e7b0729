//! What a request and a panic leave in the log. In a process of its own with a single test: `tracing` decides
//! once for a process whether anybody wants a line.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::Write;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request};
use axum::routing::get;
use platform::http::with_conventions;
use platform::telemetry::install_panic_hook;
use serde_json::Value;
use tower::ServiceExt;

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

async fn handler(Path(id): Path<String>) -> String {
    tracing::info!("handled");
    assert!(id != "989127654321", "cannot serve \"{id}\"");
    id
}

#[tokio::test]
async fn the_log_finds_a_request_and_holds_no_personal_data() {
    let written = Written::default();
    let writer = written.clone();
    let subscriber = tracing_subscriber::fmt().json().with_writer(move || writer.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    install_panic_hook();

    let router = with_conventions(Router::new().route("/items/{id}", get(handler)));
    for path in ["/items/989121234567?to=09121234567", "/items/989127654321"] {
        let request = Request::get(path).header("request-id", "r-1").body(Body::empty()).unwrap();
        router.clone().oneshot(request).await.unwrap();
    }
    drop(std::panic::take_hook());

    let log = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let messages: Vec<&str> = lines.iter().map(|line| line["fields"]["message"].as_str().unwrap()).collect();
    assert_eq!(messages, ["handled", "answered", "handled", "panic", "answered"]);

    assert_eq!(lines[0]["span"]["request_id"], "r-1");
    let answered = &lines[1]["fields"];
    assert_eq!(
        (&answered["method"], &answered["route"], &answered["status"], &answered["request_id"]),
        (&"GET".into(), &"/items/{id}".into(), &200.into(), &"r-1".into())
    );
    assert!(answered["ms"].as_f64().unwrap() >= 0.0);
    let panicked = &lines[3]["fields"];
    assert_eq!(panicked["reason"], "cannot serve \"…\"");
    assert!(panicked["place"].as_str().unwrap().starts_with("platform/tests/logging.rs:"), "{panicked}");
    assert_eq!(lines[4]["fields"]["status"], 500);
    assert!(!log.contains("9121234567") && !log.contains("9127654321"), "{log}");
}
