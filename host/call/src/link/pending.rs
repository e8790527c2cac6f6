//! Our calls that wait for the peer's answers, by our correlation ids.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use super::serving::StreamId;
use crate::CallError;

pub(super) type Answer = Result<Value, CallError>;

pub(super) struct Pending {
    waiting: Mutex<State>,
    /// First letter of our ids. The two sides' ids never collide, but for a peer that copies ours, which harms only
    /// itself.
    letter: char,
    max: usize,
}

struct State {
    /// `None` once the connection is gone.
    live: Option<HashMap<u64, Waiting>>,
    next: u64,
}

/// The id of a call of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OurId(char, u64);

struct Waiting {
    stream: StreamId,
    waiter: Waiter,
}

enum Waiter {
    /// A call that takes one answer.
    Once(oneshot::Sender<Answer>),
    /// A subscription; `alone` on its stream, or not. One place is kept for the error that ends it.
    Items { items: mpsc::Sender<Answer>, alone: bool, completed: Completed },
}

/// Whether the peer has completed a subscription: its items may also end because the connection is lost.
#[derive(Clone, Default)]
pub(super) struct Completed(Arc<AtomicBool>);

impl Completed {
    pub(super) fn get(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// The taker's side of a subscription.
pub(super) struct Taken {
    pub(super) id: OurId,
    pub(super) items: mpsc::Receiver<Answer>,
    pub(super) completed: Completed,
}

/// What is to be done about an event that was delivered.
pub(super) enum Delivered {
    /// Nothing.
    Done,
    /// Its taker is behind: wait for a place. Nothing but this subscription uses the stream.
    Behind(mpsc::Sender<Answer>, Answer),
    /// Nobody takes it any more: the peer is to stop.
    Unwanted,
}

impl Pending {
    pub(super) fn new(letter: char, max: usize) -> Self {
        let state = State { live: Some(HashMap::new()), next: 1 };
        Self { waiting: Mutex::new(state), letter, max }
    }

    /// Takes an id for a call that is about to be sent on a stream.
    pub(super) fn begin(&self, stream: StreamId) -> Result<(OurId, oneshot::Receiver<Answer>), CallError> {
        let (answer, receiver) = oneshot::channel();
        let id = self.insert(Waiting { stream, waiter: Waiter::Once(answer) })?;
        Ok((id, receiver))
    }

    /// Takes an id for a subscription, of which `queue_max` items may wait.
    pub(super) fn subscribe(
        &self,
        stream: StreamId,
        alone: bool,
        queue_max: usize,
    ) -> Result<Taken, CallError> {
        let (sender, items) = mpsc::channel(queue_max.saturating_add(1));
        let completed = Completed::default();
        let waiter = Waiter::Items { items: sender, alone, completed: completed.clone() };
        let id = self.insert(Waiting { stream, waiter })?;
        Ok(Taken { id, items, completed })
    }

    fn insert(&self, waiting: Waiting) -> Result<OurId, CallError> {
        let mut state = self.lock();
        let id = state.next;
        let Some(live) = state.live.as_mut() else {
            return Err(undelivered());
        };
        if live.len() >= self.max {
            let max = self.max;
            return Err(
                CallError::internal(format!("more than {max} calls wait for this peer")).retryable(true)
            );
        }
        live.insert(id, waiting);
        state.next += 1;
        Ok(OurId(self.letter, id))
    }

    /// Takes `call.responded` or `call.error`; ids that are none of ours are ignored.
    pub(super) fn answer(&self, id: &str, answer: Answer) -> Delivered {
        let Some(id) = self.parse(id) else { return Delivered::Done };
        let mut state = self.lock();
        let issued = id < state.next;
        let Some(live) = state.live.as_mut() else { return Delivered::Done };
        match live.get(&id).map(|waiting| &waiting.waiter) {
            Some(Waiter::Items { items, alone, .. }) => {
                let (items, alone) = (items.clone(), *alone);
                let over = answer.is_err() || items.is_closed();
                if over || (!alone && items.capacity() <= 1) {
                    live.remove(&id);
                }
                deliver(items, alone, answer)
            }
            Some(Waiter::Once(_)) => {
                if let Some(Waiting { waiter: Waiter::Once(taker), .. }) = live.remove(&id) {
                    drop(taker.send(answer));
                }
                Delivered::Done
            }
            // The second item of what was called as if it answered once.
            None if issued && answer.is_ok() => Delivered::Unwanted,
            None => Delivered::Done,
        }
    }

    /// Takes `call.completed`.
    pub(super) fn complete(&self, id: &str) {
        match self.take_if(id, |_| true) {
            Some(Waiter::Once(answer)) => drop(answer.send(Err(cancelled()))),
            // Dropping the sender ends the items.
            Some(Waiter::Items { completed, .. }) => completed.0.store(true, Ordering::SeqCst),
            None => {}
        }
    }

    /// Takes `call.aborted`, where it is `meant` for a call of ours that went out on this stream.
    pub(super) fn abort(&self, id: &str, meant: impl FnOnce(StreamId) -> bool) {
        if let Some(waiter) = self.take_if(id, meant) {
            waiter.fail(cancelled());
        }
    }

    /// Stops waiting; true when the call was not over.
    pub(super) fn forget(&self, OurId(_, id): OurId) -> bool {
        self.lock().live.as_mut().is_some_and(|live| live.remove(&id).is_some())
    }

    /// Fails the calls of a stream that has ended without answering them.
    pub(super) fn fail_stream(&self, stream: StreamId) {
        let mut state = self.lock();
        let Some(live) = state.live.as_mut() else { return };
        let gone: Vec<u64> = live.iter().filter(|(_, w)| w.stream == stream).map(|(id, _)| *id).collect();
        for id in gone {
            if let Some(waiting) = live.remove(&id) {
                waiting.waiter.fail(CallError::internal("the stream ended without an answer"));
            }
        }
    }

    /// Fails everything; the connection is gone.
    pub(super) fn fail_all(&self) {
        let gone = self.lock().live.take();
        for (_, waiting) in gone.into_iter().flatten() {
            waiting.waiter.fail(CallError::internal("connection closed"));
        }
    }

    fn take_if(&self, id: &str, wanted: impl FnOnce(StreamId) -> bool) -> Option<Waiter> {
        let mut state = self.lock();
        let Entry::Occupied(waiting) = state.live.as_mut()?.entry(self.parse(id)?) else { return None };
        wanted(waiting.get().stream).then(|| waiting.remove().waiter)
    }

    fn parse(&self, id: &str) -> Option<u64> {
        // As it was written, and in no other way.
        id.strip_prefix(self.letter).filter(|digits| !digits.starts_with(['0', '+']))?.parse().ok()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn deliver(items: mpsc::Sender<Answer>, alone: bool, answer: Answer) -> Delivered {
    if !alone && answer.is_ok() && items.capacity() <= 1 {
        // The last place is for this.
        let overrun = CallError::internal("subscription overrun: its items were not taken in time");
        drop(items.try_send(Err(overrun)));
        return Delivered::Unwanted;
    }
    match items.try_send(answer) {
        Ok(()) => Delivered::Done,
        Err(mpsc::error::TrySendError::Full(answer)) => Delivered::Behind(items, answer),
        Err(mpsc::error::TrySendError::Closed(answer)) if answer.is_ok() => Delivered::Unwanted,
        Err(mpsc::error::TrySendError::Closed(_)) => Delivered::Done,
    }
}

impl Waiter {
    fn fail(self, error: CallError) {
        match self {
            Self::Once(answer) => drop(answer.send(Err(error))),
            // Where no place is left, the end of items that were not completed tells the taker.
            Self::Items { items, .. } => drop(items.try_send(Err(error))),
        }
    }
}

impl fmt::Display for OurId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.0, self.1)
    }
}

/// The request provably never left this side.
pub(super) fn undelivered() -> CallError {
    CallError::new(crate::ErrorCode::CONNECTION_CLOSED, "the connection is closed")
}

fn cancelled() -> CallError {
    CallError::internal("request cancelled")
}
