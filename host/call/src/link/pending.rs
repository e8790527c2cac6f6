//! Our calls that wait for the peer's answer, by our correlation ids.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::oneshot;

use super::serving::StreamId;
use crate::CallError;

type Answer = Result<Value, CallError>;

pub(super) struct Pending {
    waiting: Mutex<Option<HashMap<u64, Waiting>>>,
    next: AtomicU64,
    max: usize,
}

struct Waiting {
    stream: StreamId,
    answer: oneshot::Sender<Answer>,
}

impl Pending {
    pub(super) fn new(max: usize) -> Self {
        Self { waiting: Mutex::new(Some(HashMap::new())), next: AtomicU64::new(1), max }
    }

    /// Takes an id for a call that is about to be sent on a stream.
    pub(super) fn begin(&self, stream: StreamId) -> Result<(u64, oneshot::Receiver<Answer>), CallError> {
        let mut waiting = self.lock();
        let Some(live) = waiting.as_mut() else {
            return Err(undelivered());
        };
        if live.len() >= self.max {
            let max = self.max;
            return Err(
                CallError::internal(format!("more than {max} calls wait for this peer")).retryable(true)
            );
        }
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (answer, receiver) = oneshot::channel();
        live.insert(id, Waiting { stream, answer });
        Ok((id, receiver))
    }

    /// Gives a call its answer; ids that nobody waits for are ignored.
    pub(super) fn answer(&self, id: &str, answer: Answer) {
        let Ok(id) = id.parse::<u64>() else { return };
        let waiting = self.lock().as_mut().and_then(|live| live.remove(&id));
        if let Some(waiting) = waiting {
            drop(waiting.answer.send(answer));
        }
    }

    /// Stops waiting; true when the call had not been answered.
    pub(super) fn forget(&self, id: u64) -> bool {
        self.lock().as_mut().is_some_and(|live| live.remove(&id).is_some())
    }

    /// Fails the calls of a stream that has ended without answering them.
    pub(super) fn fail_stream(&self, stream: StreamId) {
        let mut waiting = self.lock();
        let Some(live) = waiting.as_mut() else { return };
        let gone: Vec<u64> = live.iter().filter(|(_, w)| w.stream == stream).map(|(id, _)| *id).collect();
        for id in gone {
            if let Some(waiting) = live.remove(&id) {
                drop(waiting.answer.send(Err(CallError::internal("the stream ended without an answer"))));
            }
        }
    }

    /// Fails everything; the connection is gone.
    pub(super) fn fail_all(&self) {
        let gone = self.lock().take();
        for (_, waiting) in gone.into_iter().flatten() {
            drop(waiting.answer.send(Err(CallError::internal("connection closed"))));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<HashMap<u64, Waiting>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The request provably never left this side.
pub(super) fn undelivered() -> CallError {
    CallError::new(crate::ErrorCode::CONNECTION_CLOSED, "the connection is closed")
}
