//! The names of the metrics of this crate, in one place: dashboards and alerts are written against them.
//! Labels are bounded: codes, routes as written in the router, methods, statuses.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

/// Gauge: raised alarms by `code`.
pub const ALARM: &str = "smshub_alarm";
/// Counter: answered requests by `route`, `method` and `status` (499: the client left before the answer).
pub const HTTP_REQUESTS: &str = "smshub_http_requests_total";
/// Histogram: seconds from a request's head to its answer's head, by `route`.
pub const HTTP_SECONDS: &str = "smshub_http_request_seconds";
/// Gauge: open connections of all HTTP servers.
pub const HTTP_CONNECTIONS: &str = "smshub_http_connections";
/// Gauge: records that stored positions are behind the ends of topics, by `role` and `topic`, in all
/// partitions that this process holds.
pub const LAG: &str = "smshub_lag_records";
/// Gauge: the same of the partition that is furthest behind.
pub const LAG_MAX: &str = "smshub_lag_max_records";

/// Tells the recorder what they mean.
pub(crate) fn describe() {
    describe_gauge!(ALARM, "Raised alarms by code");
    describe_counter!(HTTP_REQUESTS, "Answered requests by route, method and status");
    describe_histogram!(HTTP_SECONDS, Unit::Seconds, "Time from a request's head to its answer's head");
    describe_gauge!(HTTP_CONNECTIONS, "Open connections");
    describe_gauge!(LAG, "Records between stored positions and ends of topics, all partitions held");
    describe_gauge!(LAG_MAX, "Records between stored position and end, of the partition furthest behind");
}
