//! Time that only moves forward, injected so that tests decide how fast.

use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Tells how much time has passed since some fixed moment.
pub trait Ticks: Send + Sync + Debug + 'static {
    /// The time since that moment.
    fn elapsed(&self) -> Duration;
}

/// The operating system's monotonic clock, from when this was made.
#[derive(Debug)]
pub(crate) struct SystemTicks(Instant);

impl SystemTicks {
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the operating system")]
    pub(crate) fn new() -> Self {
        Self(Instant::now())
    }
}

impl Ticks for SystemTicks {
    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Time that stands still until it is told to move.
#[derive(Debug, Default)]
pub struct ManualTicks(AtomicU64);

impl ManualTicks {
    /// Moves time forward.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(u64::try_from(by.as_micros()).unwrap_or(u64::MAX), Ordering::SeqCst);
    }
}

impl Ticks for ManualTicks {
    fn elapsed(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::SeqCst))
    }
}
