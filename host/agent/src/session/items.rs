//! A tool's items as a stream: the tool goes on when the stream is polled for the next one.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use alknet_call::CallError;
use alknet_sandbox::Items;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, Stream};
use serde_json::Value;

/// Where the running tool leaves its next item. Both sides are polled by the same task, so that neither has to be
/// woken for the other.
#[derive(Debug, Clone, Default)]
struct Slot(Arc<Mutex<Option<String>>>);

/// Leaves one item at a time.
pub(super) struct SlotItems(Slot);

impl Items for SlotItems {
    fn send(&mut self, item: String) -> BoxFuture<'_, ()> {
        let mut item = Some(item);
        let leave = poll_fn(move |_| {
            let mut slot = self.0.lock();
            if let Some(item) = item.take() {
                *slot = Some(item);
            }
            // The stream takes the item before it polls this again.
            if slot.is_none() { Poll::Ready(()) } else { Poll::Pending }
        });
        leave.boxed()
    }
}

/// The stream of the items that `run` leaves; `run` is polled by the stream, and ends it.
pub(super) fn stream<'a, F, Fut>(run: F) -> impl Stream<Item = Result<Value, CallError>> + Send + 'a
where
    F: FnOnce(SlotItems) -> Fut,
    Fut: Future<Output = Result<(), CallError>> + Send + 'a,
{
    let slot = Slot::default();
    let running = Some(run(SlotItems(slot.clone())).boxed());
    Running { slot, running }
}

struct Running<'a> {
    slot: Slot,
    running: Option<BoxFuture<'a, Result<(), CallError>>>,
}

impl Stream for Running<'_> {
    type Item = Result<Value, CallError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(running) = &mut self.running else { return Poll::Ready(None) };
        let ended = running.as_mut().poll(context);
        let item = self.slot.lock().take();
        match (item, ended) {
            (Some(item), _) => Poll::Ready(Some(parsed(&item))),
            (None, Poll::Pending) => Poll::Pending,
            (None, Poll::Ready(ended)) => {
                self.running = None;
                Poll::Ready(ended.err().map(Err))
            }
        }
    }
}

fn parsed(item: &str) -> Result<Value, CallError> {
    serde_json::from_str(item).map_err(|_| CallError::internal("the sandbox failed"))
}

impl Slot {
    fn lock(&self) -> MutexGuard<'_, Option<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
