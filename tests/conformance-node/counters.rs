//! What ran, and what was cancelled.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

/// Counts the runs of `p/tree` and the sleeps of `t/sleep` that were cut short.
#[derive(Debug, Default)]
pub struct Counters {
    started: AtomicU64,
    finished: AtomicU64,
    cancelled: AtomicU64,
    sleep_cancelled: AtomicU64,
}

impl Counters {
    /// The counts as `t/counters` answers them.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let read = |count: &AtomicU64| count.load(Ordering::SeqCst);
        json!({
            "started": read(&self.started),
            "finished": read(&self.finished),
            "cancelled": read(&self.cancelled),
            "sleep_cancelled": read(&self.sleep_cancelled),
        })
    }

    pub(crate) fn reset(&self) {
        for count in [&self.started, &self.finished, &self.cancelled, &self.sleep_cancelled] {
            count.store(0, Ordering::SeqCst);
        }
    }

    /// Counts a run of a tree until [`Run::finish`].
    pub(crate) fn run(self: &Arc<Self>) -> Run {
        self.started.fetch_add(1, Ordering::SeqCst);
        Run { counters: Arc::clone(self), of: Kind::Tree }
    }

    /// Counts a sleep, if it does not come to [`Run::finish`].
    pub(crate) fn sleep(self: &Arc<Self>) -> Run {
        Run { counters: Arc::clone(self), of: Kind::Sleep }
    }
}

/// A run that counts as cancelled when it is dropped unfinished.
#[derive(Debug)]
pub(crate) struct Run {
    counters: Arc<Counters>,
    of: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Tree,
    Sleep,
    Over,
}

impl Run {
    /// The run came to its end.
    pub(crate) fn finish(mut self) {
        if self.of == Kind::Tree {
            self.counters.finished.fetch_add(1, Ordering::SeqCst);
        }
        self.of = Kind::Over;
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let count = match self.of {
            Kind::Tree => &self.counters.cancelled,
            Kind::Sleep => &self.counters.sleep_cancelled,
            Kind::Over => return,
        };
        count.fetch_add(1, Ordering::SeqCst);
    }
}
