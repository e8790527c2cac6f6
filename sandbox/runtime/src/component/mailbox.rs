//! How a component that is blocked in a call and the task that runs it pass the call and its answer.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::HostCallError;

type Answer = Result<String, HostCallError>;

/// Room for one call: a component waits for its answer before it makes another.
#[derive(Debug, Default)]
pub(super) struct Mailbox(Mutex<Slots>);

#[derive(Debug, Default)]
struct Slots {
    asked: Option<(String, String)>,
    answer: Option<Answer>,
    waker: Option<Waker>,
}

impl Mailbox {
    /// The component's side: leaves the call.
    pub(super) fn ask(&self, name: String, input: String) {
        self.slots().asked = Some((name, input));
    }

    /// The component's side: waits for the answer.
    pub(super) fn poll_answer(&self, context: &mut Context<'_>) -> Poll<Answer> {
        let mut slots = self.slots();
        match slots.answer.take() {
            Some(answer) => Poll::Ready(answer),
            None => {
                slots.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }

    /// The host's side: name and input of a call that was left.
    pub(super) fn take_call(&self) -> Option<(String, String)> {
        self.slots().asked.take()
    }

    /// The host's side: leaves the answer.
    pub(super) fn answer(&self, answer: Answer) {
        let mut slots = self.slots();
        slots.answer = Some(answer);
        let waker = slots.waker.take();
        drop(slots);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn slots(&self) -> MutexGuard<'_, Slots> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
