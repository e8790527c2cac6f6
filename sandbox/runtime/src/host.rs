//! The host's side of a tool's calls.

use futures_util::future::BoxFuture;

/// What a running tool can reach: nothing but this.
///
/// The tool chooses `name` and `input` freely; every check is the implementation's. A future is dropped, which
/// must cancel its work, when the tool's call ends before it: dropped, timed out, over a limit, or failed.
/// Futures are polled on the task that awaits [`Tool::call`](crate::Tool::call).
pub trait HostCalls: Send + Sync {
    /// Starts one call. `input` is JSON text, and so must be the result.
    fn call(&self, name: String, input: String) -> BoxFuture<'_, Result<String, HostCallError>>;

    /// What `Date` shows the tool, in milliseconds since the Unix epoch. Asked about once a millisecond.
    fn now_millis(&self) -> u64;

    /// Seed of the tool's `Math.random`; asked once for each call.
    fn seed(&self) -> u64;

    /// Whether the call must do the same again for the same input and the same answers, and from which seed its
    /// other random bytes come. Then finished host calls are handed over in the order they were asked for, and timers
    /// fire in the order of their times, without real waiting, once no host call is under way; `Date` moves on with
    /// them, from what [`now_millis`](Self::now_millis) says, which must stand still.
    fn determinism(&self) -> Option<Seed> {
        None
    }
}

/// What the random bytes of a deterministic call are derived from.
pub type Seed = [u8; 32];

/// A failed host call, as the tool sees it: a `CallError` it may catch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostCallError {
    /// Machine-readable code, such as `NOT_FOUND`.
    pub code: String,
    /// What went wrong, for people.
    pub message: String,
    /// Whether the same call may succeed later.
    pub retryable: bool,
    /// More about it, as JSON text.
    pub details: Option<String>,
}
