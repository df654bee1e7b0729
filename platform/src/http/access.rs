//! One log line and two metrics for each request.

use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::http::{Method, StatusCode};

use super::RequestId;
use crate::metrics::{HTTP_REQUESTS, HTTP_SECONDS};

/// In place of a route, for a path that matches none.
const UNMATCHED: &str = "unmatched";
/// In place of a status, for a client that left before the answer (as nginx has it).
const CLIENT_LEFT: u16 = 499;

/// A request from its head to its answer's head. Dropped without an answer, it is counted as left.
pub(super) struct Exchange {
    request_id: RequestId,
    method: &'static str,
    /// As written in the router: the path itself may hold ids, the query anything.
    route: Option<MatchedPath>,
    started: Instant,
    answered: bool,
}

impl Exchange {
    pub(super) fn begin(request: &Request, request_id: RequestId) -> Self {
        Self {
            request_id,
            method: known(request.method()),
            route: request.extensions().get::<MatchedPath>().cloned(),
            started: Instant::now(),
            answered: false,
        }
    }

    pub(super) fn answered(mut self, status: StatusCode) {
        self.answered = true;
        self.note(status.as_u16());
    }

    fn note(&self, status: u16) {
        let elapsed = self.started.elapsed();
        let route = self.route.as_ref().map_or(UNMATCHED, MatchedPath::as_str).to_owned();
        tracing::info!(
            method = self.method,
            route,
            status,
            ms = elapsed.as_secs_f64() * 1_000.0,
            request_id = self.request_id.as_str(),
            "answered"
        );
        metrics::counter!(
            HTTP_REQUESTS, "route" => route.clone(), "method" => self.method, "status" => status.to_string()
        )
        .increment(1);
        metrics::histogram!(HTTP_SECONDS, "route" => route).record(elapsed);
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if !self.answered {
            self.note(CLIENT_LEFT);
        }
    }
}

/// A client may invent methods; a label must be bounded.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
