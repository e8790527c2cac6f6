//! A subscription inside of the program, as a stream: each item is handed over when the stream is polled for it.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use futures_util::future::{BoxFuture, poll_fn};
use futures_util::{FutureExt as _, Stream};
use serde_json::Value;

use crate::CallError;
use crate::door::{Gone, Items};

/// Where the running subscription leaves its next item. Both sides are polled by the same task, so that neither has
/// to be woken for the other.
#[derive(Clone, Default)]
struct Slot(Arc<Mutex<Option<Value>>>);

/// The stream of the items that `run` hands over; `run` is polled by the stream, and ends it.
pub(crate) fn stream<F, Fut>(run: F) -> impl Stream<Item = Result<Value, CallError>> + Send + 'static
where
    F: FnOnce(SlotItems) -> Fut,
    Fut: Future<Output = Result<(), CallError>> + Send + 'static,
{
    let slot = Slot::default();
    let running = Some(run(SlotItems(slot.clone())).boxed());
    Running { slot, running }
}

struct Running {
    slot: Slot,
    running: Option<BoxFuture<'static, Result<(), CallError>>>,
}

/// Leaves one item at a time.
pub(crate) struct SlotItems(Slot);

impl Items for SlotItems {
    fn item(&mut self, item: Value) -> BoxFuture<'_, Result<(), Gone>> {
        let mut item = Some(item);
        let leave = poll_fn(move |_| {
            let mut slot = self.0.lock();
            if let Some(item) = item.take() {
                *slot = Some(item);
            }
            // The stream takes the item before it polls this again.
            if slot.is_none() { Poll::Ready(Ok(())) } else { Poll::Pending }
        });
        leave.boxed()
    }
}

impl Stream for Running {
    type Item = Result<Value, CallError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(running) = &mut self.running else { return Poll::Ready(None) };
        let ended = running.as_mut().poll(cx);
        let item = self.slot.lock().take();
        match (item, ended) {
            (Some(item), _) => Poll::Ready(Some(Ok(item))),
            (None, Poll::Pending) => Poll::Pending,
            (None, Poll::Ready(ended)) => {
                self.running = None;
                Poll::Ready(ended.err().map(Err))
            }
        }
    }
}

impl Slot {
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Value>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
