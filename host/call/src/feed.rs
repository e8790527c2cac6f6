//! The chunks of a publication on their way to its handler.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use futures_util::{Stream, StreamExt as _};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::{CallError, Registration};

/// A chunk as its publisher sent it, or the error with which the publisher ended the publication.
pub(crate) type Chunk = Result<Value, CallError>;

/// The handler's end of a feed that nobody has opened yet.
pub(crate) type Chunks = mpsc::Receiver<Queued>;

/// The publisher's end of a feed.
#[derive(Clone)]
pub(crate) struct FeedSender {
    chunks: mpsc::Sender<Queued>,
    bytes: Arc<AtomicUsize>,
}

/// A chunk that waits for its handler, counted as long as it does.
pub(crate) struct Queued {
    chunk: Chunk,
    bytes: usize,
    waiting: Arc<AtomicUsize>,
}

/// Why a chunk was not queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotFed {
    /// The handler takes no more chunks.
    Over,
    /// More waits than may.
    Overrun,
}

/// A feed in which at most this many chunks can wait.
pub(crate) fn feed() -> (FeedSender, Chunks) {
    let (chunks, receiver) = mpsc::channel(CHUNKS_MAX);
    (FeedSender { chunks, bytes: Arc::default() }, receiver)
}

/// Chunks that may wait in one feed.
const CHUNKS_MAX: usize = 4096;

impl FeedSender {
    /// Queues a chunk that came in a frame of so many bytes.
    pub(crate) fn offer(&self, chunk: Chunk, bytes: usize, bytes_max: usize) -> Result<(), NotFed> {
        let waiting = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let queued = Queued { chunk, bytes, waiting: Arc::clone(&self.bytes) };
        // Dropping what was not queued takes its bytes off again.
        if waiting > 0 && waiting.saturating_add(bytes) > bytes_max {
            return Err(NotFed::Overrun);
        }
        self.chunks.try_send(queued).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => NotFed::Overrun,
            mpsc::error::TrySendError::Closed(_) => NotFed::Over,
        })
    }

    /// Queues chunks as they come, waiting whenever more than `max` wait; ends with them, with the first error, or when
    /// no more are taken.
    pub(crate) async fn forward(self, chunks: impl Stream<Item = Chunk> + Send, max: usize) {
        let mut chunks = std::pin::pin!(chunks);
        while let Some(chunk) = chunks.next().await {
            let is_last = chunk.is_err();
            if self.offer(chunk, 0, usize::MAX).is_err() || is_last {
                return;
            }
            self.settled(max).await;
        }
    }

    /// Waits until at most `max` chunks wait, or until no more are taken.
    pub(crate) async fn settled(&self, max: usize) {
        let free = CHUNKS_MAX.saturating_sub(max.max(1));
        drop(self.chunks.reserve_many(free).await);
    }

    /// Whether more than `max` chunks wait.
    pub(crate) fn is_behind(&self, max: usize) -> bool {
        !self.chunks.is_closed() && CHUNKS_MAX.saturating_sub(self.chunks.capacity()) > max.max(1)
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        self.waiting.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// The chunks that a caller publishes, each checked against the operation's publish schema.
///
/// The stream ends when the caller has completed the publication, or after its first error: a chunk that does not
/// fit (INVALID_INPUT, with the chunk's index and the places, never its content), or the caller's own error.
pub struct Feed {
    chunks: Chunks,
    registration: Arc<Registration>,
    index: u64,
    over: bool,
}

impl Feed {
    pub(crate) fn new(chunks: Chunks, registration: Arc<Registration>) -> Self {
        Self { chunks, registration, index: 0, over: false }
    }

    fn check(&mut self, chunk: Chunk) -> Chunk {
        let index = self.index;
        self.index += 1;
        let chunk = chunk?;
        match self.registration.spec().publish_schema() {
            Some(schema) if !schema.accepts(&chunk) => {
                let violations = crate::schema::places(schema.violations(&chunk));
                Err(CallError::invalid_input("a chunk failed publish_schema validation")
                    .with_details(json!({ "chunk": index, "violations": violations })))
            }
            Some(_) | None => Ok(chunk),
        }
    }
}

impl Stream for Feed {
    type Item = Result<Value, CallError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.over {
            return Poll::Ready(None);
        }
        let next = std::task::ready!(self.chunks.poll_recv(cx));
        let next = next.map(|mut queued| std::mem::replace(&mut queued.chunk, Ok(Value::Null)));
        let next = next.map(|chunk| self.check(chunk));
        if !matches!(next, Some(Ok(_))) {
            self.over = true;
            self.chunks.close();
        }
        Poll::Ready(next)
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed").field("operation", self.registration.spec().name()).finish_non_exhaustive()
    }
}
