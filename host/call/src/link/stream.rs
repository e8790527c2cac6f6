//! One stream: a reader that takes events in order, a writer that coalesces frames.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use alknet_core::{RecvStream, SendStream};
use futures_util::AsyncWriteExt as _;
use futures_util::future::{AbortRegistration, Abortable};
use tokio::sync::mpsc;

use super::serving::{StreamId, Turned};
use super::{Link, Misconduct};
use crate::CallError;
use crate::wire::{Encoder, Event, FrameReader, Request};

/// Frames written with one flush.
const BATCH_FRAMES: usize = 64;
/// Bytes gathered before a write.
const BATCH_BYTES: usize = 64 << 10;

/// The way to write frames on one stream. Writing ends when the last sender is gone.
#[derive(Clone)]
pub(super) struct FrameSender {
    pub(super) stream: StreamId,
    frames: mpsc::Sender<Vec<u8>>,
    /// The peer has finished the stream: no answer will come on it.
    ended: Arc<AtomicBool>,
}

/// A [`FrameSender`] that does not keep the stream open.
#[derive(Clone)]
pub(super) struct WeakFrameSender {
    stream: StreamId,
    frames: mpsc::WeakSender<Vec<u8>>,
    ended: Arc<AtomicBool>,
}

impl WeakFrameSender {
    pub(super) fn upgrade(&self) -> Option<FrameSender> {
        let ended = Arc::clone(&self.ended);
        Some(FrameSender {
            stream: self.stream,
            frames: self.frames.upgrade()?,
            ended,
        })
    }
}

impl FrameSender {
    pub(super) fn downgrade(&self) -> WeakFrameSender {
        let ended = Arc::clone(&self.ended);
        WeakFrameSender {
            stream: self.stream,
            frames: self.frames.downgrade(),
            ended,
        }
    }

    /// Queues a frame; waits while the queue is full, which stalls only the call that answers.
    pub(super) async fn send(&self, frame: Vec<u8>) -> Result<(), CallError> {
        self.frames
            .send(frame)
            .await
            .map_err(|_| super::pending::undelivered())
    }

    /// Queues a frame if there is room.
    pub(super) fn try_send(&self, frame: Vec<u8>) {
        if self.frames.try_send(frame).is_err() {
            tracing::debug!("a frame was dropped: the stream is full or gone");
        }
    }

    /// Whether a call sent now could not be answered.
    pub(super) fn is_over(&self) -> bool {
        self.frames.is_closed() || self.ended.load(Ordering::SeqCst)
    }
}

/// Begins to read and write a stream; both tasks belong to the link.
pub(super) fn spawn(link: &Link, send: SendStream, recv: RecvStream) -> FrameSender {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let stream = NEXT.fetch_add(1, Ordering::Relaxed);
    let limits = link.limits();
    let (frames, queue) = mpsc::channel(limits.write_queue_max);
    let sender = FrameSender {
        stream,
        frames,
        ended: Arc::default(),
    };
    let body_max = match link.connection_identity() {
        Some(_) => limits.frame_bytes_max,
        None => limits.frame_bytes_anonymous_max,
    };
    let reader = FrameReader::new(recv, body_max, limits.frame_read_timeout);
    let timeout = limits.write_timeout;
    let writing = {
        let link = link.clone();
        async move {
            if write(send, queue, timeout).await.is_err() {
                link.0.serving.abort_stream(stream);
            }
        }
    };
    link.0.streams.spawn(writing);
    link.0.streams.spawn(read(link.clone(), reader, sender.clone()));
    sender
}

async fn read(link: Link, mut reader: FrameReader<RecvStream>, sender: FrameSender) {
    let stop = link.0.stop.clone();
    loop {
        let next = tokio::select! {
            next = reader.next() => next,
            () = stop.cancelled() => break,
        };
        let event = match next {
            Ok(Some(body)) => Event::parse(body),
            Ok(None) => break,
            Err(fault) => Err(fault),
        };
        match event {
            Ok(event) => take(&link, event, &sender).await,
            Err(fault) => {
                tracing::debug!(%fault, "a stream was dropped");
                link.0.serving.abort_stream(sender.stream);
                break;
            }
        }
    }
    // Before the waiting calls fail: a call begun later looks at the mark.
    sender.ended.store(true, Ordering::SeqCst);
    link.0.outgoing.finished(sender.stream).await;
    link.0.pending.fail_stream(sender.stream);
}

async fn take(link: &Link, event: Event, sender: &FrameSender) {
    match event {
        Event::Requested { id, request } => begin(link, id, request, sender).await,
        Event::Answered { id, result } => link.0.pending.answer(&id, result),
        Event::Completed { id } => {
            link.0
                .pending
                .answer(&id, Err(CallError::internal("request cancelled")));
        }
        Event::Aborted { id } => {
            link.0.serving.abort(&id);
            link.0
                .pending
                .answer(&id, Err(CallError::internal("request cancelled")));
        }
        Event::Unknown => {}
    }
}

async fn begin(link: &Link, id: String, request: Result<Request, CallError>, sender: &FrameSender) {
    let registration = match link.0.serving.begin(&id, sender.stream) {
        Ok(registration) => registration,
        Err(Turned::Duplicate) => return,
        Err(Turned::Hostile) => return link.end(Misconduct::RepeatedIds),
        Err(Turned::Refused(error)) => {
            // Waiting here is the backpressure on a peer that keeps asking beyond its share.
            let stop = link.0.stop.cancelled();
            tokio::select! {
                _sent = sender.send(Encoder::answer(&id, &Err(error))) => {}
                () = stop => {}
            }
            return;
        }
    };
    let call = serve(link.clone(), id, request, sender.clone(), registration);
    link.0.calls.spawn(call);
}

/// Runs one call of the peer and answers it, unless it is aborted first.
async fn serve(
    link: Link,
    id: String,
    request: Result<Request, CallError>,
    sender: FrameSender,
    registration: AbortRegistration,
) {
    let running = async {
        let Request {
            name,
            input,
            auth_token,
        } = request?;
        let identity = link.identify(auth_token.as_ref());
        drop(auth_token);
        link.0.dispatcher.call(identity, &name, input).await
    };
    let Ok(result) = Abortable::new(running, registration).await else {
        return;
    };
    let frame = Encoder::answer(&id, &result);
    if link.0.serving.end(&id) && sender.send(frame).await.is_err() {
        tracing::debug!("an answer found its stream closed");
    }
}

/// Writes queued frames, many at a time, until every sender is gone; then closes the stream.
async fn write(
    mut send: SendStream,
    mut queue: mpsc::Receiver<Vec<u8>>,
    timeout: Duration,
) -> std::io::Result<()> {
    let mut batch = Vec::with_capacity(BATCH_FRAMES);
    let mut gathered = Vec::new();
    while queue.recv_many(&mut batch, BATCH_FRAMES).await > 0 {
        let flushed = tokio::time::timeout(timeout, flush(&mut send, &mut batch, &mut gathered)).await;
        flushed.map_err(|_| std::io::ErrorKind::TimedOut)??;
    }
    tokio::time::timeout(timeout, send.close())
        .await
        .map_err(|_| std::io::ErrorKind::TimedOut)?
}

async fn flush(
    send: &mut SendStream,
    batch: &mut Vec<Vec<u8>>,
    gathered: &mut Vec<u8>,
) -> std::io::Result<()> {
    if let [only] = batch.as_slice() {
        send.write_all(only).await?;
    } else {
        for frame in batch.iter() {
            gathered.extend_from_slice(frame);
            if gathered.len() >= BATCH_BYTES {
                send.write_all(gathered).await?;
                gathered.clear();
            }
        }
        send.write_all(gathered).await?;
        gathered.clear();
    }
    batch.clear();
    send.flush().await
}
