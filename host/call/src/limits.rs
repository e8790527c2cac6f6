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
    /// Composed calls that may outlive those that composed them, at once on the whole host.
    pub detached_calls_max: usize,
    /// Operations that one peer may offer.
    pub peer_operations_max: usize,
    /// Largest specification that a peer may announce, in bytes of JSON.
    pub peer_spec_bytes_max: usize,
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
    /// Bytes of requests whose calls may run at once on one connection. One request always may, however large.
    pub in_flight_bytes_max: usize,
    /// Bytes of answers and items that may wait for the peer to take them, on all streams of one connection. Beyond that
    /// calls are answered with an error, and subscriptions end. Where none wait, one always may, however large.
    pub unread_bytes_max: usize,
    /// Items of one subscription of ours that wait for their taker.
    pub subscription_queue_max: usize,
    /// Chunks of one publication of a peer that wait for their handler before its stream is not read on. Where other
    /// calls use the stream too, it is read on, up to [`Limits::feed_bytes_max`].
    pub feed_queue_max: usize,
    /// Bytes of chunks of one publication that wait for their handler; beyond that the publication is ended.
    pub feed_bytes_max: usize,
    /// Longest that a stream is not read on because a handler takes no chunks; then the publication is ended. Less than
    /// the publisher's [`Limits::write_timeout`], which would end the stream.
    pub feed_timeout: Duration,
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
            detached_calls_max: 1024,
            peer_operations_max: 256,
            peer_spec_bytes_max: 256 << 10,
            frame_bytes_max: Self::FRAME_BYTES_LEGAL,
            frame_bytes_anonymous_max: 1 << 20,
            frame_read_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            streams_max: 100,
            in_flight_max: 1024,
            pending_max: 4096,
            in_flight_bytes_max: 128 << 20,
            unread_bytes_max: 128 << 20,
            subscription_queue_max: 32,
            feed_queue_max: 64,
            feed_bytes_max: 64 << 20,
            feed_timeout: Duration::from_secs(20),
            write_queue_max: 256,
            duplicate_ids_max: 16,
            auth_attempts_max: 5,
        }
    }
}
