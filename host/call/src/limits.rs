//! Every bound of the call path, in one place.

use std::time::Duration;

/// Bounds on calls and connections. A host sets them once, at start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Longest a call may take; children share the root's instant.
    pub call_timeout: Duration,
    /// Deepest nesting of composed calls below a root call.
    pub depth_max: u32,
    /// Composed calls one root call may make in all.
    pub tree_calls_max: u32,
    /// Largest frame body from an authenticated peer, in bytes; never above [`Limits::FRAME_BYTES_LEGAL`].
    pub frame_bytes_max: usize,
    /// Largest frame body from a peer without identity, in bytes.
    pub frame_bytes_anonymous_max: usize,
    /// Longest a peer may take from the first byte of a frame to its last.
    pub frame_read_timeout: Duration,
    /// Longest a peer may take to accept written bytes before its stream is dropped.
    pub write_timeout: Duration,
    /// Streams one connection may have open.
    pub streams_max: usize,
    /// Calls of a peer that may run at once on one connection.
    pub in_flight_max: usize,
    /// Calls of ours that may wait for answers at once on one connection.
    pub pending_max: usize,
    /// Replies queued on one stream before the calls producing them wait.
    pub write_queue_max: usize,
    /// Repeated ids of live calls in a row before the connection is closed.
    pub duplicate_ids_max: u32,
    /// Tokens that resolve to nobody before the connection is closed.
    pub auth_attempts_max: u32,
}

impl Limits {
    /// The largest frame body the protocol knows: 64 MiB.
    pub const FRAME_BYTES_LEGAL: usize = 64 << 20;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            call_timeout: Duration::from_secs(30),
            depth_max: 16,
            tree_calls_max: 100_000,
            frame_bytes_max: Self::FRAME_BYTES_LEGAL,
            frame_bytes_anonymous_max: 1 << 20,
            frame_read_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            streams_max: 128,
            in_flight_max: 1024,
            pending_max: 4096,
            write_queue_max: 256,
            duplicate_ids_max: 16,
            auth_attempts_max: 5,
        }
    }
}
