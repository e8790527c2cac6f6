//! The peer's live calls, by the peer's correlation ids.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::future::{AbortHandle, AbortRegistration};

use crate::{CallError, Limits};

/// Tells streams of a link apart.
pub(super) type StreamId = u64;

pub(super) struct Serving {
    state: Mutex<State>,
    in_flight_max: usize,
    duplicates_max: u32,
}

#[derive(Default)]
struct State {
    live: HashMap<String, Live>,
    duplicates: u32,
    draining: bool,
}

struct Live {
    stream: StreamId,
    abort: AbortHandle,
}

/// Why a request does not become a call.
pub(super) enum Turned {
    /// The id is live: answering would end the first call at the caller, so the request is dropped.
    Duplicate,
    /// So many duplicates in a row that the connection is to be closed.
    Hostile,
    /// Answered with this error.
    Refused(CallError),
}

impl Serving {
    pub(super) fn new(limits: &Limits) -> Self {
        let (in_flight_max, duplicates_max) = (limits.in_flight_max, limits.duplicate_ids_max);
        Self { state: Mutex::default(), in_flight_max, duplicates_max }
    }

    /// Takes an id for a new call.
    pub(super) fn begin(&self, id: &str, stream: StreamId) -> Result<AbortRegistration, Turned> {
        let mut state = self.lock();
        if state.live.contains_key(id) {
            state.duplicates += 1;
            let hostile = state.duplicates >= self.duplicates_max;
            return Err(if hostile { Turned::Hostile } else { Turned::Duplicate });
        }
        state.duplicates = 0;
        if state.draining {
            let error = CallError::internal("the host is shutting down").retryable(true);
            return Err(Turned::Refused(error));
        }
        if state.live.len() >= self.in_flight_max {
            let max = self.in_flight_max;
            let error = CallError::internal(format!("more than {max} calls in flight on one connection"));
            return Err(Turned::Refused(error.retryable(true)));
        }
        let (abort, registration) = AbortHandle::new_pair();
        state.live.insert(id.to_owned(), Live { stream, abort });
        Ok(registration)
    }

    /// Frees an id; false when the call was aborted meanwhile and must not be answered.
    pub(super) fn end(&self, id: &str) -> bool {
        self.lock().live.remove(id).is_some()
    }

    /// Cancels one call; an unknown id is ignored.
    pub(super) fn abort(&self, id: &str) {
        let live = self.lock().live.remove(id);
        if let Some(live) = live {
            live.abort.abort();
        }
    }

    /// Cancels the calls that came in on one stream.
    pub(super) fn abort_stream(&self, stream: StreamId) {
        self.lock().live.retain(|_, live| {
            let keep = live.stream != stream;
            if !keep {
                live.abort.abort();
            }
            keep
        });
    }

    /// Refuses calls from now on; those that run may finish.
    pub(super) fn drain(&self) {
        self.lock().draining = true;
    }

    /// Cancels everything and refuses the rest.
    pub(super) fn cancel_all(&self) {
        let mut state = self.lock();
        state.draining = true;
        for (_, live) in state.live.drain() {
            live.abort.abort();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
