//! How long a guest has been executing, shared between the task that polls it and the interrupt inside it.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// CPU account and clock of one call.
#[derive(Debug)]
pub(crate) struct Meter {
    origin: Instant,
    limit: Duration,
    /// Nanoseconds of finished polls.
    used: AtomicU64,
    /// Nanoseconds from `origin` to the start of the running poll.
    started: AtomicU64,
    now_millis: AtomicU64,
}

impl Meter {
    pub(crate) fn new(limit: Duration) -> Self {
        Self {
            origin: real_now(),
            limit,
            used: AtomicU64::new(0),
            started: AtomicU64::new(0),
            now_millis: AtomicU64::new(0),
        }
    }

    /// What the tool's `Date` shows, in milliseconds since the Unix epoch.
    pub(crate) fn now_millis(&self) -> u64 {
        self.now_millis.load(Ordering::Relaxed)
    }

    /// Time executed in finished polls.
    pub(crate) fn used(&self) -> Duration {
        Duration::from_nanos(self.used.load(Ordering::Relaxed))
    }

    /// The limit in force.
    pub(crate) fn limit(&self) -> Duration {
        self.limit
    }

    /// Whether the limit is passed. Only true while a poll runs or after one.
    pub(crate) fn is_spent(&self) -> bool {
        let running = self.elapsed().saturating_sub(self.started.load(Ordering::Relaxed));
        self.used.load(Ordering::Relaxed).saturating_add(running) > nanos(self.limit)
    }

    /// Awaits `future`, charging every poll, with `clock` read at its start.
    pub(crate) async fn charge<F: Future>(&self, clock: &(impl Fn() -> u64 + Sync), future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|context| {
            self.now_millis.store(clock(), Ordering::Relaxed);
            let started = self.elapsed();
            self.started.store(started, Ordering::Relaxed);
            let poll = future.as_mut().poll(context);
            let spent = self.elapsed().saturating_sub(started);
            self.used.fetch_add(spent, Ordering::Relaxed);
            poll
        })
        .await
    }

    fn elapsed(&self) -> u64 {
        nanos(real_now().saturating_duration_since(self.origin))
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[expect(
    clippy::disallowed_methods,
    reason = "executing takes real time, also where a test stops tokio's clock"
)]
fn real_now() -> Instant {
    Instant::now()
}
