//! The control endpoint: what a person or a test may see and change. No credentials: the
//! simulator belongs on loopback.

use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use crate::Operator;
use crate::fate::Fate;

/// The answer to a path that is not Magfa's, as JSON.
pub(crate) fn respond(
    operator: &Operator,
    method: &Method,
    path: &str,
    body: &[u8],
) -> (StatusCode, Vec<u8>) {
    let (status, value) = route(operator, method, path, body)
        .unwrap_or_else(|(status, error)| (status, json!({ "error": error })));
    (status, value.to_string().into_bytes())
}

type Routed = Result<(StatusCode, Value), (StatusCode, String)>;

fn route(operator: &Operator, method: &Method, path: &str, body: &[u8]) -> Routed {
    let uid = path.strip_prefix("/control/messages/");
    match (path, uid, method) {
        ("/livez", _, &Method::GET) => ok(json!({ "status": "ok" })),
        ("/control/settings", _, &Method::GET) => ok(operator.settings().shown()),
        ("/control/settings", _, &Method::PUT) => change(operator, body),
        ("/control/faults", _, &Method::GET) => faults(operator),
        ("/control/faults", _, &Method::PUT) => set_faults(operator, body),
        ("/control/faults", _, &Method::DELETE) => set_faults(operator, b"[]"),
        ("/control/stats", _, &Method::GET) => stats(operator),
        ("/control/reset", _, &Method::POST) => reset(operator),
        (_, Some(uid), &Method::GET) => messages(operator, uid),
        ("/livez" | "/control/settings" | "/control/faults" | "/control/stats" | "/control/reset", _, _)
        | (_, Some(_), _) => Err((StatusCode::METHOD_NOT_ALLOWED, format!("{path} does not have {method}"))),
        _ => Err((StatusCode::NOT_FOUND, "no such path".to_owned())),
    }
}

fn ok(value: Value) -> Routed {
    Ok((StatusCode::OK, value))
}

fn change(operator: &Operator, body: &[u8]) -> Routed {
    let changed = operator.change(body);
    ok(changed.map_err(|error| (StatusCode::UNPROCESSABLE_ENTITY, error))?.shown())
}

fn faults(operator: &Operator) -> Routed {
    ok(serde_json::to_value(operator.faults()).unwrap_or_default())
}

fn set_faults(operator: &Operator, body: &[u8]) -> Routed {
    let set = operator.set_faults_json(body);
    set.map_err(|error| (StatusCode::UNPROCESSABLE_ENTITY, error))?;
    faults(operator)
}

fn stats(operator: &Operator) -> Routed {
    let mut value = serde_json::to_value(operator.stats()).unwrap_or_default();
    if let Some(fields) = value.as_object_mut() {
        fields.insert("remembered".to_owned(), operator.remembered_messages().into());
        fields.insert("push_waiting".to_owned(), operator.pushes.len().into());
    }
    ok(value)
}

fn reset(operator: &Operator) -> Routed {
    let done = operator.reset();
    done.map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, format!("journal: {error}")))?;
    ok(json!({ "status": "ok" }))
}

fn messages(operator: &Operator, uid: &str) -> Routed {
    let Ok(number) = uid.parse() else {
        return Err((StatusCode::UNPROCESSABLE_ENTITY, "the uid is not a 64-bit number".to_owned()));
    };
    let submissions: Vec<Value> = operator
        .submissions(number)
        .into_iter()
        .map(|(mid, at_ms, fate)| match fate {
            Fate::Accepted { outcome, delay_ms } => json!({
                "mid": mid, "submitted_ms": at_ms,
                "final_status": outcome.status(), "final_ms": at_ms + i64::from(delay_ms),
            }),
            Fate::Refused(code) => json!({ "submitted_ms": at_ms, "refused": code }),
        })
        .collect();
    ok(json!({ "uid": number, "submissions": submissions }))
}
