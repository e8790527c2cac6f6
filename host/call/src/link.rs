//! One connection to a peer, from both ends: serves the peer's calls and makes ours.
//!
//! Either side may open streams and call on them; who dialed does not matter. Answers go back on the stream the
//! request came in on. The host makes all its own calls on one stream.

mod outgoing;
mod pending;
mod serving;
mod stream;
mod writer;

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use alknet_core::{
    AuthContext, AuthToken, Connection, DrainSignal, HandlerError, Identity, IdentityProvider, StreamError,
};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::{Dispatcher, Limits};
use outgoing::Outgoing;
use pending::Pending;
use serving::Serving;

pub use outgoing::CallOptions;

/// A connection that speaks the call protocol. Cheap to clone; every clone is the same connection.
#[derive(Clone)]
pub struct Link(Arc<Inner>);

struct Inner {
    connection: Connection,
    side: Side,
    dispatcher: Dispatcher,
    identities: Arc<dyn IdentityProvider>,
    serving: Serving,
    pending: Pending,
    outgoing: Outgoing,
    failed_tokens: AtomicU32,
    misconduct: OnceLock<Misconduct>,
    /// Ends the readers and, through them, the writers.
    stop: CancellationToken,
    /// Calls of the peer that run.
    calls: TaskTracker,
    /// Readers and writers of streams.
    streams: TaskTracker,
}

/// Who dialed, and what is known of the peer by that.
enum Side {
    /// This side did; the transport has checked the peer against the key that was asked for.
    Dialed,
    /// The peer did; it is who its key says.
    Accepted(AuthContext),
}

/// What a peer did that ended the link.
#[derive(Debug, Clone, Copy)]
enum Misconduct {
    GuessedTokens,
    RepeatedIds,
}

impl Link {
    /// A link over a connection the peer dialed; nothing happens until [`Link::run`].
    pub fn accepted(
        connection: Connection,
        auth: AuthContext,
        dispatcher: Dispatcher,
        identities: Arc<dyn IdentityProvider>,
    ) -> Self {
        Self::new(Side::Accepted(auth), connection, dispatcher, identities)
    }

    /// A link over a connection this side dialed: the peer is the one whose key was asked for.
    pub fn dialed(
        connection: Connection,
        dispatcher: Dispatcher,
        identities: Arc<dyn IdentityProvider>,
    ) -> Self {
        Self::new(Side::Dialed, connection, dispatcher, identities)
    }

    fn new(
        side: Side,
        connection: Connection,
        dispatcher: Dispatcher,
        identities: Arc<dyn IdentityProvider>,
    ) -> Self {
        let limits = dispatcher.limits();
        let (serving, pending) = (Serving::new(limits), Pending::new(limits.pending_max));
        Self(Arc::new(Inner {
            connection,
            side,
            serving,
            pending,
            outgoing: Outgoing::default(),
            dispatcher,
            identities,
            failed_tokens: AtomicU32::new(0),
            misconduct: OnceLock::new(),
            stop: CancellationToken::new(),
            calls: TaskTracker::new(),
            streams: TaskTracker::new(),
        }))
    }

    /// Serves the connection until the peer leaves, or until draining has finished: then calls that are running
    /// get their answers, new ones are refused. When this returns, nothing of the link runs any more; whoever
    /// drives it closes the connection.
    ///
    /// Dropping the future cancels everything at once.
    ///
    /// # Errors
    /// [`HandlerError`] when the peer's misconduct ended the link.
    pub async fn run(&self, drain: DrainSignal) -> Result<(), HandlerError> {
        let _cancel_on_drop = CancelAll(self);
        let accepting = self.accept();
        tokio::select! {
            () = accepting => {}
            () = self.0.stop.cancelled() => {}
            () = drain.draining() => {
                self.0.serving.drain();
                self.0.calls.close();
                tokio::select! {
                    () = self.0.calls.wait() => {}
                    () = self.0.stop.cancelled() => {}
                }
            }
        }
        self.stop();
        self.0.serving.cancel_all();
        self.0.calls.close();
        self.0.calls.wait().await;
        self.0.streams.close();
        self.0.streams.wait().await;
        self.0.pending.fail_all();
        match self.0.misconduct.get() {
            None => Ok(()),
            Some(Misconduct::GuessedTokens) => Err(HandlerError::AuthRequired),
            Some(Misconduct::RepeatedIds) => Err(HandlerError::Internal("repeated ids of live calls".into())),
        }
    }

    /// Asks the link to end; [`Link::run`] returns soon after.
    pub fn stop(&self) {
        self.0.stop.cancel();
    }

    /// The connection below.
    #[must_use]
    pub fn connection(&self) -> &Connection {
        &self.0.connection
    }

    fn end(&self, misconduct: Misconduct) {
        self.0.misconduct.get_or_init(|| misconduct);
        self.stop();
    }

    async fn accept(&self) {
        loop {
            match self.0.connection.accept_bi().await {
                Ok((send, recv)) => {
                    if self.0.streams.len() >= self.limits().streams_max.saturating_mul(2) {
                        tracing::warn!("a peer opened more streams than it may");
                        continue;
                    }
                    let sender = stream::spawn(self, send, recv);
                    self.0.outgoing.accepted(&sender);
                }
                Err(StreamError::StreamClosed) => {}
                Err(StreamError::ConnectionClosed | StreamError::Timeout | StreamError::Internal(_)) => break,
            }
        }
        // Where there is only one stream, none can be opened either, and the link lives as long as that one. Any
        // other answer means that the connection is gone: calls are cancelled, also those whose stream the peer
        // had finished before.
        if matches!(self.0.connection.open_bi().await, Err(StreamError::StreamClosed)) {
            self.0.streams.close();
            self.0.streams.wait().await;
        }
    }

    fn limits(&self) -> &Limits {
        self.0.dispatcher.limits()
    }

    /// The identity behind the connection at this moment: a revoked key loses access on a live connection.
    fn connection_identity(&self) -> Option<Identity> {
        let Side::Accepted(auth) = &self.0.side else { return None };
        match &auth.fingerprint {
            Some(fingerprint) => self.0.identities.resolve_from_fingerprint(fingerprint),
            None => auth.identity.clone(),
        }
    }

    /// Largest frame body the peer may send, in bytes.
    fn frame_bytes_max(&self) -> usize {
        let known = matches!(self.0.side, Side::Dialed) || self.connection_identity().is_some();
        if known { self.limits().frame_bytes_max } else { self.limits().frame_bytes_anonymous_max }
    }

    /// The identity of one request: its token's, where the token is known, else the connection's.
    fn identify(&self, token: Option<&AuthToken>) -> Option<Identity> {
        let Some(token) = token else {
            return self.connection_identity();
        };
        if let Some(identity) = self.0.identities.resolve_from_token(token) {
            return Some(identity);
        }
        let failed = self.0.failed_tokens.fetch_add(1, Ordering::Relaxed) + 1;
        if failed > self.limits().auth_attempts_max {
            tracing::warn!(failed, "too many unknown tokens, closing the connection");
            self.end(Misconduct::GuessedTokens);
        }
        self.connection_identity()
    }
}

/// Cancels what is left when the driving future is dropped.
struct CancelAll<'a>(&'a Link);

impl Drop for CancelAll<'_> {
    fn drop(&mut self) {
        self.0.stop();
        self.0.0.serving.cancel_all();
        self.0.0.pending.fail_all();
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("connection", &self.0.connection).finish_non_exhaustive()
    }
}
