//! The calls this side makes.

use std::fmt;
use std::time::Duration;

use alknet_core::{Secret, StreamError};
use serde_json::Value;
use tokio::sync::{Mutex, watch};

use super::Link;
use super::pending::undelivered;
use super::serving::StreamId;
use super::stream;
use super::writer::{FrameSender, WeakFrameSender};
use crate::wire::Encoder;
use crate::{CallError, ErrorCode};

/// How a call is made.
#[derive(Clone, Default)]
pub struct CallOptions {
    /// A bearer token sent with the call; never logged.
    pub auth_token: Option<Secret>,
    /// Longest to wait for the answer; the host's call timeout when absent.
    pub timeout: Option<Duration>,
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
    /// Calls an operation of the peer and waits for its answer. Dropping the future aborts the call.
    ///
    /// # Errors
    /// What the peer answers; CONNECTION_CLOSED when the request never left, INTERNAL when the connection is
    /// lost after that, TIMEOUT.
    pub async fn call(&self, name: &str, input: &Value, options: &CallOptions) -> Result<Value, CallError> {
        let sender = self.outgoing_stream().await?;
        let (id, answer) = self.0.pending.begin(sender.stream())?;
        let mut waiting = Waiting { link: self, sender: &sender, id, sent: false };
        if sender.is_over() {
            return Err(undelivered());
        }
        let path = format!("/{name}");
        let token = options.auth_token.as_ref().map(Secret::expose_secret);
        let frame = Encoder::request(&id.to_string(), &path, input, token)?;
        sender.send(frame).await?;
        waiting.sent = true;
        let timeout = options.timeout.unwrap_or(self.limits().call_timeout);
        match tokio::time::timeout(timeout, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(CallError::new(ErrorCode::INTERNAL, "connection closed")),
            Err(_) => Err(CallError::timeout()),
        }
    }

    async fn outgoing_stream(&self) -> Result<FrameSender, CallError> {
        let mut current = self.0.outgoing.current.lock().await;
        if let Some(sender) = current.as_ref().filter(|sender| !sender.is_over()) {
            return Ok(sender.clone());
        }
        if self.0.stop.is_cancelled() {
            return Err(undelivered());
        }
        let sender = match self.0.connection.open_bi().await {
            Ok((send, recv)) => stream::spawn(self, send, recv),
            Err(StreamError::StreamClosed) => self.single_stream().await?,
            Err(StreamError::ConnectionClosed | StreamError::Timeout | StreamError::Internal(_)) => {
                return Err(undelivered());
            }
        };
        *current = Some(sender.clone());
        Ok(sender)
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
}

/// Aborts the call at the peer when nobody waits for its answer any more.
struct Waiting<'a> {
    link: &'a Link,
    sender: &'a FrameSender,
    id: u64,
    sent: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.link.0.pending.forget(self.id) && self.sent {
            self.sender.try_send(Encoder::abort(&self.id.to_string()));
        }
    }
}

impl fmt::Debug for CallOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallOptions").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}
