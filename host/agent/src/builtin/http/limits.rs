//! Every bound of the HTTP operation that is not a target's own, in one place.

use std::time::Duration;

/// Bounds on `http/fetch`. A host sets them once, at start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpLimits {
    /// Longest path with its query, in bytes.
    pub path_bytes_max: usize,
    /// Most headers a caller may set.
    pub headers_max: usize,
    /// Longest value of a header a caller may set, in bytes; also of a response header that is answered.
    pub header_bytes_max: usize,
    /// Largest request body, in bytes.
    pub request_bytes_max: usize,
    /// Requests that may be under way at once; further ones wait, within their target's timeout.
    pub in_flight_max: usize,
    /// Idle connections kept per target.
    pub idle_connections_max: usize,
    /// How long an idle connection is kept.
    pub idle_timeout: Duration,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            path_bytes_max: 8 << 10,
            headers_max: 32,
            header_bytes_max: 4 << 10,
            request_bytes_max: 1 << 20,
            in_flight_max: 64,
            idle_connections_max: 8,
            idle_timeout: Duration::from_secs(60),
        }
    }
}
