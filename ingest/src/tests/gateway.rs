//! The role without its port: the router on a schema and topics of the test's own.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use domain::money::Money;
use http_body_util::BodyExt;
use platform::health::Health;
use platform::kafka::topics::{TopicAdmin, Topics};
use platform::lifecycle::Stop;
use platform::ownership::{DataFolder, IdSource, Registration, Role, heartbeat};
use platform::role::Common;
use platform::threads::Threads;
use serde_json::Value;
use testkit::postgres::Schema;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::settings::{calls, settings};
use crate::Settings;
use crate::api::router;
use crate::app::App;
use crate::keys::{Scope, create};

/// One ingest process, as far as its requests are concerned.
pub(crate) struct Gateway {
    pub(crate) schema: Schema,
    pub(crate) common: Common,
    pub(crate) ids: Arc<IdSource>,
    pub(crate) app: Arc<App>,
    pub(crate) account: i64,
    pub(crate) key: String,
    router: Router,
    admin: Option<TopicAdmin>,
    alive: CancellationToken,
    heart: JoinHandle<anyhow::Result<()>>,
    _folder: tempfile::TempDir,
}

/// An answer, with its body as JSON where it is that.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
    pub(crate) text: String,
}

impl Gateway {
    /// With an account of 1,000,000 rial, and without topics: nothing can be acknowledged.
    pub(crate) async fn without_topics() -> Self {
        Gateway::open(settings(), false).await
    }

    /// With topics too.
    pub(crate) async fn with_topics() -> Self {
        Gateway::open(settings(), true).await
    }

    pub(crate) async fn open(settings: Settings, topics: bool) -> Self {
        let schema = Schema::new(&ledger::MIGRATIONS).await;
        let kafka = testkit::kafka::settings();
        let names = Topics::new(&kafka.topic_prefix, 1);
        let mut admin = None;
        if topics {
            let made = TopicAdmin::new(&kafka).unwrap();
            made.create(&names).await.unwrap();
            admin = Some(made);
        }
        let folder = tempfile::tempdir().unwrap();
        let ownership = testkit::ownership(folder.path().into());
        let registration = Registration { roles: vec![Role::Ingest], mints: true };
        let data = Arc::new(DataFolder::open(folder.path()).unwrap());
        let (heart, standing, ids) =
            heartbeat(schema.pools().common().clone(), &ownership, registration, data).await.unwrap();
        let (alive, stop) = Stop::manual();
        let heart = tokio::spawn(heart.run(stop.clone()));

        let common = Common {
            pools: schema.pools().clone(),
            partitions: kafka.partitions,
            kafka,
            topics: names,
            standing,
            ownership,
            health: Health::new(),
            threads: Arc::new(Threads::shared()),
        };
        let app = Arc::new(App::new(&common, &settings, &calls(), Arc::clone(&ids)).unwrap());
        app.tariffs.read(schema.pools().common()).await.unwrap();
        let (refreshed, asking) = (Arc::clone(&app.funds), Arc::clone(&app.funds));
        let (stop_refreshing, stop_asking) = (stop.clone(), stop.clone());
        tokio::spawn(crate::funds::refresh(refreshed, stop_refreshing));
        tokio::spawn(crate::funds::ask_verdicts(asking, stop_asking));
        let router = router(Arc::clone(&app));
        let mut gateway = Gateway {
            schema,
            common,
            ids,
            app,
            account: 0,
            key: String::new(),
            router,
            admin,
            alive,
            heart,
            _folder: folder,
        };
        gateway.account = gateway.account_with(1_000_000).await;
        gateway.key = gateway.key_of(gateway.account, &[Scope::Send, Scope::Read]).await;
        gateway
    }

    /// The requests of another process, with other settings, over the same tables and topics.
    pub(super) async fn other(&self, settings: Settings) -> Router {
        let app = Arc::new(App::new(&self.common, &settings, &calls(), Arc::clone(&self.ids)).unwrap());
        app.tariffs.read(self.schema.pools().common()).await.unwrap();
        router(app)
    }

    pub(crate) async fn account_with(&self, balance: i64) -> i64 {
        let mut transaction = self.schema.pool().begin().await.unwrap();
        let lines = ["100002".to_owned(), "3000".to_owned()];
        let id =
            ledger::account::create(&mut transaction, None, "a customer", &lines).await.unwrap().unwrap();
        if balance > 0 {
            ledger::account::charge(&mut transaction, id, Money::new(balance), None).await.unwrap();
        }
        transaction.commit().await.unwrap();
        id
    }

    pub(crate) async fn key_of(&self, account: i64, scopes: &[Scope]) -> String {
        let mut connection = self.schema.pool().acquire().await.unwrap();
        create(&mut connection, account, scopes).await.unwrap().key.expose().to_owned()
    }

    /// A request as it is.
    pub(crate) async fn ask(&self, request: Request<Body>) -> Answer {
        Gateway::ask_at(self.router.clone(), request).await
    }

    /// A request to another process.
    pub(super) async fn ask_at(router: Router, request: Request<Body>) -> Answer {
        let answer = tokio::time::timeout(Duration::from_secs(30), router.oneshot(request));
        let (parts, body) = answer.await.expect("answered in time").unwrap().into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Answer { status: parts.status, headers: parts.headers, body, text }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(self.request("GET", path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, body: impl Into<Body>) -> Answer {
        let request = self.request("POST", path).header("content-type", "application/json");
        self.ask(request.body(body.into()).unwrap()).await
    }

    pub(crate) async fn post_json(&self, path: &str, body: &Value) -> Answer {
        self.post(path, body.to_string()).await
    }

    /// Asks with another key, with a body where there is one.
    pub(super) async fn with_key(&self, key: &str, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let request = Request::builder().method(method).uri(path).header("x-api-key", key);
        let request = match body {
            Some(body) => {
                request.header("content-type", "application/json").body(Body::from(body.to_string()))
            }
            None => request.body(Body::empty()),
        };
        self.ask(request.unwrap()).await
    }

    /// With the key.
    pub(crate) fn request(&self, method: &str, path: &str) -> axum::http::request::Builder {
        Request::builder().method(method).uri(path).header("authorization", format!("Bearer {}", self.key))
    }

    pub(crate) async fn close(self) {
        self.delete_topics().await;
        self.alive.cancel();
        self.heart.await.unwrap().unwrap();
        self.schema.drop().await;
    }

    pub(crate) async fn delete_topics(&self) {
        if let Some(admin) = &self.admin {
            admin.delete(&self.common.topics).await.unwrap();
        }
    }
}

impl Answer {
    /// The status and the body, with what differs from run to run replaced.
    pub(crate) fn stable(&self) -> Value {
        let mut body = self.body.clone();
        stabilise(&mut body);
        serde_json::json!({ "status": self.status.as_u16(), "body": body })
    }
}

impl Answer {
    /// A problem in lines: status and code, detail, then each field error, the middle ones of
    /// many left out.
    pub(crate) fn lines(&self) -> Vec<String> {
        assert_eq!(self.headers["content-type"], "application/problem+json", "{}", self.text);
        let word = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
        let mut lines = vec![format!("{} {}", self.status.as_u16(), word(&self.body, "code"))];
        lines.extend(self.body["detail"].as_str().map(str::to_owned));
        let errors = self.body["errors"].as_array().cloned().unwrap_or_default();
        let line = |e: &Value| format!("{} {}: {}", word(e, "field"), word(e, "code"), word(e, "detail"));
        if errors.len() <= 10 {
            lines.extend(errors.iter().map(line));
        } else {
            lines.push(line(&errors[0]));
            lines.push(format!("[{} lines]", errors.len() - 3));
            lines.extend(errors[errors.len() - 2..].iter().map(line));
        }
        lines
    }
}

fn stabilise(value: &mut Value) {
    match value {
        Value::Array(list) => list.iter_mut().for_each(stabilise),
        Value::Object(object) => {
            for (name, value) in object {
                match (name.as_str(), &value) {
                    ("id" | "batch_id" | "first_id", Value::String(_)) => *value = "[id]".into(),
                    ("request_id", _) => *value = "[request]".into(),
                    ("key", Value::String(_)) => *value = "[key]".into(),
                    ("created_at" | "send_by" | "sent_at" | "final_at", Value::String(_)) => {
                        *value = "[time]".into();
                    }
                    _ => stabilise(value),
                }
            }
        }
        _ => {}
    }
}
