#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::HashSet;

use axum::http::{HeaderMap as Headers, StatusCode};
use axum::response::IntoResponse;
use http_body_util::BodyExt;
use serde_json::json;

use super::*;
use crate::http::RequestId;

async fn rendered(problem: Problem) -> (StatusCode, HeaderMap, Value, String) {
    let mut headers = Headers::new();
    headers.insert("request-id", HeaderValue::from_static("r-1"));
    let response = complete(problem.into_response(), &RequestId::of(&headers));
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    (parts.status, parts.headers, serde_json::from_str(&text).unwrap(), text)
}

#[tokio::test]
async fn a_problem_is_as_api_md_has_it() {
    let error = FieldError::new("messages[17].to", FieldCode::InvalidRecipient, "not a number");
    let (status, headers, body, text) = rendered(Problem::invalid(vec![error]).detail("one field")).await;
    assert_eq!(status, 400);
    assert_eq!(headers["content-type"], "application/problem+json");
    assert_eq!(headers["content-length"].to_str().unwrap(), text.len().to_string());
    assert_eq!(
        body,
        json!({
            "type": "/problems/invalid_request", "title": "The request is not valid", "status": 400,
            "detail": "one field", "code": "invalid_request", "request_id": "r-1",
            "errors": [{"field": "messages[17].to", "code": "invalid_recipient", "detail": "not a number"}]
        })
    );
    assert!(text.starts_with(r#"{"type":"#), "{text}");
}

#[tokio::test]
async fn further_members_and_headers() {
    let poor = Problem::new(Code::InsufficientFunds)
        .member("balance", 500)
        .member("required", 1_500)
        .member("currency", "IRR");
    let (status, _, body, _) = rendered(poor).await;
    assert_eq!(status, 402);
    assert_eq!(
        (&body["balance"], &body["required"], &body["currency"]),
        (&json!(500), &json!(1_500), &json!("IRR"))
    );

    let limited = Problem::new(Code::RateLimited)
        .retry_after(7)
        .header(HeaderName::from_static("ratelimit-remaining"), HeaderValue::from(0));
    let (_, headers, _, _) = rendered(limited).await;
    assert_eq!(headers["retry-after"], "7");
    assert_eq!(headers["ratelimit-remaining"], "0");
}

#[tokio::test]
async fn what_may_be_retried_says_when_and_401_how() {
    for code in Code::ALL {
        let (status, headers, body, _) = rendered(Problem::new(code)).await;
        assert_eq!(status, code.status());
        assert_eq!(body["status"], code.status().as_u16());
        assert_eq!(body["code"], code.as_str(), "the word and its serialised form are one");
        let retried = matches!(status.as_u16(), 429 | 503) || code == Code::IdempotencyInProgress;
        assert_eq!(headers.contains_key("retry-after"), retried, "{code:?}");
        assert_eq!(headers.contains_key("www-authenticate"), status == 401, "{code:?}");
    }
}

/// The table of api.md.
#[test]
fn the_codes_are_those_of_the_contract() {
    let table = [
        (400, "invalid_request malformed_json malformed_row"),
        (401, "unauthenticated"),
        (402, "insufficient_funds"),
        (403, "forbidden"),
        (404, "not_found"),
        (405, "method_not_allowed"),
        (408, "request_timeout"),
        (409, "idempotency_conflict idempotency_in_progress upload_mismatch"),
        (413, "body_too_large"),
        (415, "unsupported_media_type"),
        (429, "rate_limited"),
        (500, "internal_error"),
        (503, "overloaded unavailable"),
    ];
    let expected: HashSet<(u16, &str)> =
        table.iter().flat_map(|(status, codes)| codes.split(' ').map(|code| (*status, code))).collect();
    let actual: HashSet<(u16, &str)> =
        Code::ALL.iter().map(|code| (code.status().as_u16(), code.as_str())).collect();
    assert_eq!(actual, expected);
}
