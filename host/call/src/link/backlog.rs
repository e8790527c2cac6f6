//! The bytes of frames that wait for the peer to take them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts what waits on all streams of a connection.
#[derive(Debug)]
pub(super) struct Backlog {
    bytes: AtomicUsize,
    max: usize,
}

/// A part of what is counted, until it is dropped.
#[derive(Debug)]
pub(super) struct Part {
    backlog: Arc<Backlog>,
    bytes: usize,
}

impl Backlog {
    pub(super) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { bytes: AtomicUsize::new(0), max })
    }

    /// Whether so many more bytes may wait. Where none do, any frame may.
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        let waiting = self.bytes.load(Ordering::Relaxed);
        waiting == 0 || waiting.saturating_add(bytes) <= self.max
    }

    /// Counts some bytes.
    pub(super) fn part(self: &Arc<Self>, bytes: usize) -> Part {
        let mut part = Part { backlog: Arc::clone(self), bytes: 0 };
        part.add(bytes);
        part
    }
}

impl Part {
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn add(&mut self, bytes: usize) {
        self.bytes += bytes;
        self.backlog.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn take(&mut self, bytes: usize) {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        self.backlog.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.take(self.bytes);
    }
}
