//! Guests that wait for long: their memory is kept, their instance is not.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::base::Base;
use crate::fair::Turn;
use crate::guest::{Fault, Guest};
use crate::snapshot::Snapshot;
use crate::state::State;

/// A guest in the middle of waiting, at rest.
pub(crate) struct Suspended {
    snapshot: Snapshot,
    /// What the host keeps of the call: its bounds, its counts, its log.
    state: Box<State>,
    base: Arc<Base>,
    _held: Held,
}

/// Memory that all suspended guests together may take.
#[derive(Debug)]
pub(crate) struct Room {
    bytes_max: usize,
    used: AtomicUsize,
}

/// A part of the room; dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Held {
    room: Arc<Room>,
    bytes: usize,
}

impl Suspended {
    pub(crate) fn new(snapshot: Snapshot, state: State, base: Arc<Base>, held: Held) -> Self {
        Self { snapshot, state: Box::new(state), base, _held: held }
    }

    /// The guest, in a fresh instance.
    pub(crate) fn resume(self, turn: Turn) -> Result<Guest, Fault> {
        let mut guest = Guest::with_state(&self.base, *self.state, turn)?;
        guest.restore(&self.snapshot)?;
        Ok(guest)
    }

    pub(crate) fn state_mut(&mut self) -> &mut State {
        &mut self.state
    }

    /// Linear memory of the guest, in bytes.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.snapshot.memory_bytes()
    }
}

impl Room {
    pub(crate) fn new(bytes_max: usize) -> Arc<Self> {
        Arc::new(Self { bytes_max, used: AtomicUsize::new(0) })
    }

    /// Takes so much of it, if there is so much.
    pub(crate) fn hold(self: &Arc<Self>, bytes: usize) -> Option<Held> {
        let fits = |used: usize| used.checked_add(bytes).filter(|used| *used <= self.bytes_max);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).ok()?;
        Some(Held { room: Arc::clone(self), bytes })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.room.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Guests with more memory keep their instance: copying takes longer than it is worth.
pub(crate) const SUSPENDED_MEMORY_BYTES_MAX: usize = 16 << 20;
