//! One stream: a reader that takes events in order and begins calls.

use std::sync::atomic::{AtomicU64, Ordering};

use alknet_core::{RecvStream, SendStream};
use futures_util::future::{AbortRegistration, Abortable};

use super::serving::Turned;
use super::writer::{self, FrameSender};
use super::{Link, Misconduct};
use crate::CallError;
use crate::wire::{Encoder, Event, FrameReader, Request};

/// Begins to read and write a stream; both tasks belong to the link.
pub(super) fn spawn(link: &Link, send: SendStream, recv: RecvStream) -> FrameSender {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let stream = NEXT.fetch_add(1, Ordering::Relaxed);
    let limits = link.limits();
    let (sender, writer) = writer::pair(stream, send, limits.write_queue_max, limits.write_timeout);
    let reader = FrameReader::new(recv, link.frame_bytes_max(), limits.frame_read_timeout);
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
    let stop = link.0.stop.clone();
    let mut stopped = std::pin::pin!(stop.cancelled());
    loop {
        let next = tokio::select! {
            biased;
            () = &mut stopped => break,
            next = reader.next() => next,
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
                link.0.serving.abort_stream(sender.stream());
                break;
            }
        }
    }
    // Before the waiting calls fail: a call begun later looks at the mark.
    sender.end();
    link.0.outgoing.finished(sender.stream()).await;
    link.0.pending.fail_stream(sender.stream());
}

async fn take(link: &Link, event: Event, sender: &FrameSender) {
    match event {
        Event::Requested { id, request } => begin(link, id, request, sender).await,
        Event::Answered { id, result } => link.0.pending.answer(&id, result),
        Event::Completed { id } => {
            link.0.pending.answer(&id, Err(CallError::internal("request cancelled")));
        }
        Event::Aborted { id } => {
            link.0.serving.abort(&id);
            link.0.pending.answer(&id, Err(CallError::internal("request cancelled")));
        }
        Event::Unknown => {}
    }
}

async fn begin(link: &Link, id: String, request: Result<Request, CallError>, sender: &FrameSender) {
    let registration = match link.0.serving.begin(&id, sender.stream()) {
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
        let Request { name, input, auth_token } = request?;
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
        link.0.serving.abort_stream(sender.stream());
    }
}
