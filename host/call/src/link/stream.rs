//! One stream: a reader that takes events in order, begins calls and passes on what belongs to calls that run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use alknet_core::{RecvStream, SendStream};
use futures_util::FutureExt as _;

use super::Link;
use super::burst::{Burst, Rest};
use super::pending::{Answer, Delivered};
use super::writer::{self, FrameSender};
use crate::CallError;
use crate::feed::{FeedSender, NotFed};
use crate::wire::{Encoder, Event, FrameReader};

/// Begins to read and write a stream; both tasks belong to the link.
pub(super) fn spawn(link: &Link, send: SendStream, recv: RecvStream) -> FrameSender {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let stream = NEXT.fetch_add(1, Ordering::Relaxed);
    let limits = link.limits();
    let bounds = writer::Bounds {
        queue_max: limits.write_queue_max,
        timeout: limits.write_timeout,
        backlog: Arc::clone(&link.0.backlog),
    };
    let audit = Arc::clone(link.0.dispatcher.audit());
    let (sender, writer) = writer::pair(stream, send, bounds, audit, link.0.stop.child_token());
    let reader = FrameReader::new(recv, limits.frame_read_timeout);
    let writing = {
        let link = link.clone();
        async move {
            if writer.run().await.is_err() {
                link.0.serving.abort_stream(stream);
            }
        }
    };
    link.0.streams.spawn(writing);
    link.0.streams.spawn(read(link.clone(), reader, sender.clone()));
    sender
}

async fn read(link: Link, mut reader: FrameReader<RecvStream>, sender: FrameSender) {
    let closing = sender.closing();
    let mut ended = std::pin::pin!(closing.cancelled());
    let mut burst = Burst::new(&link, &sender);
    loop {
        if burst.is_full() {
            burst.turn();
            tokio::task::yield_now().await;
        }
        let next = tokio::select! {
            biased;
            () = &mut ended => break,
            next = reader.next(|bytes| link.allows_frame(bytes)) => next,
        };
        let event = match next {
            Ok(Some(body)) => Event::parse(body).map(|event| (event, body.len())),
            Ok(None) => break,
            Err(fault) => Err(fault),
        };
        match event {
            Ok((event, bytes)) => {
                let is_last = !reader.has_next();
                let event = burst.take(event, bytes, is_last);
                let mut took = std::pin::pin!(take(&link, event, bytes, &sender));
                // Most events are taken at once; those that wait for somebody do so no longer than the stream lives,
                // and keep no answer back.
                if took.as_mut().now_or_never().is_none() {
                    burst.end();
                    tokio::select! {
                        biased;
                        () = &mut took => {}
                        () = &mut ended => break,
                    }
                }
                if is_last {
                    burst.end();
                    tokio::task::consume_budget().await;
                }
            }
            Err(fault) => {
                tracing::debug!(%fault, "a stream was dropped");
                burst.end();
                link.0.serving.abort_stream(sender.stream());
                break;
            }
        }
    }
    drop(burst);
    for (id, feed) in link.0.serving.end_feeds(sender.stream()) {
        let error = CallError::internal("the stream ended before the publication was completed");
        fail_feed(&link, &id, &feed, error);
    }
    // Before the waiting calls fail: a call begun later looks at the mark.
    sender.end();
    link.0.outgoing.finished(sender.stream()).await;
    link.0.pending.fail_stream(sender.stream());
    let given_up = sender.is_given_up() && !link.0.stop.is_cancelled();
    // The writing half ends with the last sender.
    drop(sender);
    if given_up && tokio::time::timeout(LINGER, reader.discard()).await.is_err() {
        link.0.connection.stream_given_up();
    }
}

/// How long a stream that is closed on this side waits for the peer to end its half too. Most do at once.
const LINGER: Duration = Duration::from_millis(100);

async fn take(link: &Link, event: Rest, bytes: usize, sender: &FrameSender) {
    let event = match event {
        Rest::Nothing => return,
        // Waiting here is the backpressure on a peer that keeps asking beyond its share.
        Rest::Refusal(frame) => return drop(sender.send(frame).await),
        Rest::Event(event) => event,
    };
    match event {
        Event::Published { id, chunk } => publish(link, &id, Ok(chunk), bytes, sender).await,
        Event::Answered { id, result } => match result {
            Err(error) if link.0.serving.feed(&id, sender.stream()).is_some() => {
                end_feed(link, &id, Some(error), sender);
            }
            result => answer(link, &id, result, sender).await,
        },
        Event::Completed { id } => {
            if !end_feed(link, &id, None, sender) {
                link.0.pending.complete(&id);
            }
        }
        Event::Aborted { id } => {
            // An id belongs to the side that issued it: the peer may have one that a call of ours has too, and means its
            // own where it has a call of that id, or makes its calls on this stream.
            let meant = |stream| stream == sender.stream() || !sender.has_served();
            if !link.0.serving.cancel(&id) {
                link.0.pending.abort(&id, meant);
            }
        }
        Event::Requested { .. } | Event::Unknown => {}
    }
}

/// Passes on an answer to a call of ours.
async fn answer(link: &Link, id: &str, result: Answer, sender: &FrameSender) {
    match link.0.pending.answer(id, result) {
        Delivered::Done => {}
        // The stream carries nothing else: not reading on is the backpressure on the peer.
        Delivered::Behind(items, item) => drop(items.send(item).await),
        Delivered::Unwanted => {
            if sender.try_send(Encoder::abort(id)).is_err() {
                tracing::debug!("an abort found its stream full; the next item will bring another");
            }
        }
    }
}

/// Passes on a chunk to the publication it belongs to; ids of none are ignored.
async fn publish(link: &Link, id: &str, chunk: Answer, bytes: usize, sender: &FrameSender) {
    let Some(feed) = link.0.serving.feed(id, sender.stream()) else { return };
    let limits = link.limits();
    match feed.offer(chunk, bytes, limits.feed_bytes_max) {
        Ok(()) => {}
        Err(NotFed::Over) => return,
        Err(NotFed::Overrun) => {
            let error = CallError::internal("publication overrun: its chunks were not taken in time");
            return link.cut(id, error.retryable(true), sender).await;
        }
    }
    // Where nothing else uses the stream, not reading on is the backpressure on the publisher.
    if feed.is_behind(limits.feed_queue_max) && !sender.is_shared() && !link.has_one_stream() {
        let settled = tokio::time::timeout(limits.feed_timeout, feed.settled(limits.feed_queue_max));
        if settled.await.is_err() {
            link.cut(id, CallError::timeout(), sender).await;
        }
    }
}

/// Ends the feed of a publication, well or with the publisher's error; false when there is none.
fn end_feed(link: &Link, id: &str, error: Option<CallError>, sender: &FrameSender) -> bool {
    let Some(feed) = link.0.serving.end_feed(id, sender.stream()) else { return false };
    if let Some(error) = error {
        fail_feed(link, id, &feed, error);
    }
    true
}

/// Ends a feed with an error. Where that finds no place, the publication is cut: its end must not look like a good one.
fn fail_feed(link: &Link, id: &str, feed: &FeedSender, error: CallError) {
    if feed.offer(Err(error), 0, usize::MAX) == Err(NotFed::Overrun) {
        link.0.serving.cancel(id);
    }
}
