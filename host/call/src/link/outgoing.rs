//! The calls this side makes.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use alknet_core::{Secret, StreamError};
use futures_util::{FutureExt as _, Stream};
use serde_json::Value;
use tokio::sync::{Mutex, oneshot, watch};

use super::Link;
use super::pending::{Answer, OurId, Taken, undelivered};
use super::serving::StreamId;
use super::stream;
use super::writer::{FrameSender, WeakFrameSender};
use crate::wire::{Encoder, Outbound};
use crate::{CallError, ErrorCode, OnBehalfOf};

/// How a call is made.
#[derive(Clone, Default)]
pub struct CallOptions {
    /// A bearer token sent with the call; never logged.
    pub auth_token: Option<Secret>,
    /// Longest to wait for the answer. Absent, the host's call timeout for calls, and none for subscriptions and
    /// publications.
    pub timeout: Option<Duration>,
    /// On whose behalf the call is made, for the peer's information.
    pub on_behalf_of: Option<OnBehalfOf>,
}

/// The stream our calls go out on.
pub(super) struct Outgoing {
    current: Mutex<Option<FrameSender>>,
    accepted: watch::Sender<Option<WeakFrameSender>>,
}

impl Default for Outgoing {
    fn default() -> Self {
        let (accepted, _) = watch::channel(None);
        Self { current: Mutex::new(None), accepted }
    }
}

impl Outgoing {
    /// Notes a stream the peer opened; transports with a single stream have no other to call on.
    pub(super) fn accepted(&self, sender: &FrameSender) {
        self.accepted.send_if_modified(|first| {
            let is_first = first.is_none();
            if is_first {
                *first = Some(sender.downgrade());
            }
            is_first
        });
    }

    /// Lets go of a stream the peer has finished, so that its writer can end.
    pub(super) async fn finished(&self, stream: StreamId) {
        let mut current = self.current.lock().await;
        if current.as_ref().is_some_and(|sender| sender.stream() == stream) {
            *current = None;
        }
    }
}

impl Link {
    /// Calls an operation of the peer and waits for its answer; of a subscription, for its first item. Dropping the
    /// future aborts the call.
    ///
    /// # Errors
    /// What the peer answers; CONNECTION_CLOSED when the request never left, INTERNAL when the connection is
    /// lost after that, TIMEOUT.
    pub async fn call(&self, name: &str, input: &Value, options: &CallOptions) -> Result<Value, CallError> {
        let sender = self.outgoing_stream().await?;
        let (id, answer) = self.0.pending.begin(sender.stream())?;
        let mut waiting = Waiting { link: self, sender: &sender, id, sent: false };
        request(&sender, id, (name, input), options).await?;
        waiting.sent = true;
        let timeout = options.timeout.unwrap_or(self.limits().call_timeout);
        match tokio::time::timeout(timeout, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(connection_closed()),
            Err(_) => Err(CallError::timeout()),
        }
    }

    /// Subscribes to an operation of the peer. Where the transport has many streams, the subscription has one of its
    /// own, and the peer sends no faster than the items are taken; on a single stream, items that are not taken in time
    /// end it with an error.
    ///
    /// # Errors
    /// CONNECTION_CLOSED when the request never left; what the peer answers comes as the first item.
    pub async fn subscribe(
        &self,
        name: &str,
        input: &Value,
        options: &CallOptions,
    ) -> Result<Subscription, CallError> {
        let (sender, alone) = self.own_stream().await?;
        let taken = self.0.pending.subscribe(sender.stream(), alone, self.limits().subscription_queue_max)?;
        let mut ours = Ours { link: self.clone(), sender, id: taken.id, alone, sent: false };
        request(&ours.sender, ours.id, (name, input), options).await?;
        ours.sent = true;
        let timeout = options.timeout.map(|timeout| Box::pin(tokio::time::sleep(timeout)));
        Ok(Subscription { taken, ours, timeout, over: false })
    }

    /// Opens a publication to an operation of the peer; chunks follow.
    ///
    /// # Errors
    /// CONNECTION_CLOSED when the request never left; what the peer answers comes with [`Publication::finish`].
    pub async fn publish(
        &self,
        name: &str,
        input: &Value,
        options: &CallOptions,
    ) -> Result<Publication, CallError> {
        let (sender, alone) = self.own_stream().await?;
        let (id, answer) = self.0.pending.begin(sender.stream())?;
        let mut ours = Ours { link: self.clone(), sender, id, alone, sent: false };
        request(&ours.sender, id, (name, input), options).await?;
        ours.sent = true;
        Ok(Publication { ours, answer: Some(answer), early: None, timeout: options.timeout })
    }

    async fn outgoing_stream(&self) -> Result<FrameSender, CallError> {
        let mut current = self.0.outgoing.current.lock().await;
        if let Some(sender) = current.as_ref().filter(|sender| !sender.is_over()) {
            return Ok(sender.clone());
        }
        let sender = match self.open().await? {
            Some(sender) => sender,
            None => self.single_stream().await?,
        };
        *current = Some(sender.clone());
        Ok(sender)
    }

    /// A stream for one call alone, where the transport has many; else the one that all use.
    async fn own_stream(&self) -> Result<(FrameSender, bool), CallError> {
        match self.open().await? {
            Some(sender) => Ok((sender, true)),
            None => Ok((self.outgoing_stream().await?, false)),
        }
    }

    /// Opens a stream; `None` on a transport that has a single one. A peer that allows no more streams is waited for
    /// as long as a call may take.
    async fn open(&self) -> Result<Option<FrameSender>, CallError> {
        if self.0.stop.is_cancelled() {
            return Err(undelivered());
        }
        let opened = tokio::time::timeout(self.limits().call_timeout, self.0.connection.open_bi()).await;
        match opened.map_err(|_| CallError::timeout())? {
            Ok((send, recv)) => Ok(Some(stream::spawn(self, send, recv))),
            Err(StreamError::StreamClosed) => Ok(None),
            Err(StreamError::ConnectionClosed | StreamError::Timeout | StreamError::Internal(_)) => {
                Err(undelivered())
            }
        }
    }

    /// The only stream of a transport that has just one; [`Link::run`] accepts it.
    async fn single_stream(&self) -> Result<FrameSender, CallError> {
        let mut accepted = self.0.outgoing.accepted.subscribe();
        let first = tokio::select! {
            first = accepted.wait_for(Option::is_some) => first.ok().and_then(|first| first.as_ref()?.upgrade()),
            () = self.0.stop.cancelled() => None,
        };
        first.ok_or_else(undelivered)
    }

    /// Tells the peer to stop a call of ours. Does not wait: where the stream is full, a task of the link does.
    fn abort(&self, id: OurId, sender: &FrameSender) {
        if let Err(frame) = sender.try_send(Encoder::abort(&id.to_string())) {
            let sender = sender.clone();
            self.0.streams.spawn(async move { drop(sender.send(frame).await) });
        }
    }
}

/// Sends `call.requested`.
async fn request(
    sender: &FrameSender,
    id: OurId,
    (name, input): (&str, &Value),
    options: &CallOptions,
) -> Result<(), CallError> {
    if sender.is_over() {
        return Err(undelivered());
    }
    let auth_token = options.auth_token.as_ref().map(Secret::expose_secret);
    let request = Outbound { name, input, auth_token, on_behalf_of: options.on_behalf_of.as_ref() };
    sender.send(Encoder::request(&id.to_string(), &request)?).await
}

/// Aborts the call at the peer when nobody waits for its answer any more.
struct Waiting<'a> {
    link: &'a Link,
    sender: &'a FrameSender,
    id: OurId,
    sent: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.link.0.pending.forget(self.id) && self.sent {
            self.link.abort(self.id, self.sender);
        }
    }
}

/// A call of ours with its stream: when it is dropped unfinished, it is aborted, and a stream of its own is closed.
struct Ours {
    link: Link,
    sender: FrameSender,
    id: OurId,
    alone: bool,
    sent: bool,
}

impl Drop for Ours {
    fn drop(&mut self) {
        if self.link.0.pending.forget(self.id) && self.sent {
            self.link.abort(self.id, &self.sender);
        }
        if self.alone {
            self.sender.close();
        }
    }
}

/// The items of a subscription to an operation of the peer. The stream ends when the peer has completed it, or after
/// its first error. Dropping it stops the subscription.
pub struct Subscription {
    taken: Taken,
    ours: Ours,
    timeout: Option<Pin<Box<tokio::time::Sleep>>>,
    over: bool,
}

impl Stream for Subscription {
    type Item = Result<Value, CallError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.over {
            return Poll::Ready(None);
        }
        let late = self.timeout.as_mut().is_some_and(|timeout| timeout.poll_unpin(cx).is_ready());
        let next = match self.taken.items.poll_recv(cx) {
            Poll::Ready(next) => next,
            Poll::Pending if late => Some(Err(CallError::timeout())),
            Poll::Pending => return Poll::Pending,
        };
        let next = match next {
            None if !self.taken.completed.get() => Some(Err(connection_closed())),
            next => next,
        };
        self.over = !matches!(next, Some(Ok(_)));
        Poll::Ready(next)
    }
}

/// A publication to an operation of the peer. Dropping it unfinished aborts it.
pub struct Publication {
    ours: Ours,
    answer: Option<oneshot::Receiver<Answer>>,
    early: Option<Answer>,
    timeout: Option<Duration>,
}

impl Publication {
    /// Sends a chunk; waits while the peer is behind. False once the peer has answered: it takes no more.
    ///
    /// # Errors
    /// INVALID_INPUT when the chunk is larger than a frame, CONNECTION_CLOSED when the stream is gone.
    pub async fn send(&mut self, chunk: &Value) -> Result<bool, CallError> {
        let frame = Encoder::chunk(&self.ours.id.to_string(), chunk)?;
        let Some(answer) = &mut self.answer else { return Ok(false) };
        tokio::select! {
            biased;
            answer = &mut *answer => {
                self.early = Some(answer.unwrap_or_else(|_| Err(connection_closed())));
                self.answer = None;
                Ok(false)
            }
            sent = self.ours.sender.send(frame) => sent.map(|()| true),
        }
    }

    /// Says that no chunk follows and waits for the answer.
    ///
    /// # Errors
    /// As [`Link::call`].
    pub async fn finish(self) -> Answer {
        let frame = Encoder::completed(&self.ours.id.to_string());
        self.end(frame).await
    }

    /// Ends the publication with an error of this side and waits for the answer.
    ///
    /// # Errors
    /// As [`Link::call`].
    pub async fn fail(self, error: CallError) -> Answer {
        let frame = Encoder::answer(&self.ours.id.to_string(), &Err(error));
        self.end(frame).await
    }

    async fn end(mut self, frame: Vec<u8>) -> Answer {
        let Some(answer) = self.answer.take() else {
            return self.early.take().unwrap_or_else(|| Err(connection_closed()));
        };
        self.ours.sender.send(frame).await?;
        let answer = async { answer.await.unwrap_or_else(|_| Err(connection_closed())) };
        match self.timeout {
            Some(timeout) => {
                tokio::time::timeout(timeout, answer).await.unwrap_or_else(|_| Err(CallError::timeout()))
            }
            None => answer.await,
        }
    }
}

fn connection_closed() -> CallError {
    CallError::new(ErrorCode::INTERNAL, "connection closed")
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").field("id", &self.ours.id).finish_non_exhaustive()
    }
}

impl fmt::Debug for Publication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publication").field("id", &self.ours.id).finish_non_exhaustive()
    }
}

impl fmt::Debug for CallOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallOptions").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}
