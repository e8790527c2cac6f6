//! One connection to a peer, from both ends: serves the peer's calls and makes ours.
//!
//! Either side may open streams and call on them; who dialed does not matter. Answers go back on the stream the
//! request came in on. The host makes its own calls on one stream, and each subscription and publication on one of its
//! own.

mod backlog;
mod burst;
mod inbound;
mod offers;
mod outgoing;
mod pending;
mod serving;
mod stream;
mod writer;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use alknet_core::{
    AuthContext, AuthToken, Connection, DrainSignal, HandlerError, Identity, IdentityId, IdentityProvider,
    StreamError,
};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::{Dispatcher, Limits};
use backlog::Backlog;
use offers::Offers;
use outgoing::Outgoing;
use pending::Pending;
use serving::Serving;
use writer::{FrameSender, WeakFrameSender};

pub use outgoing::{CallOptions, Publication, Subscription};

/// A connection that speaks the call protocol. Cheap to clone; every clone is the same connection.
#[derive(Clone)]
pub struct Link(Arc<Inner>);

struct Inner {
    connection: Connection,
    side: Side,
    auth: AuthContext,
    /// A token of the peer was known: it may send larger frames.
    authenticated: AtomicBool,
    /// The transport has a single stream.
    one_stream: AtomicBool,
    dispatcher: Dispatcher,
    identities: Arc<dyn IdentityProvider>,
    serving: Serving,
    pending: Pending,
    outgoing: Outgoing,
    /// What waits for the peer to take it.
    backlog: Arc<Backlog>,
    offers: Offers,
    /// Streams that the peer opened, oldest first.
    accepted: Mutex<Vec<WeakFrameSender>>,
    failed_tokens: AtomicU32,
    misconduct: OnceLock<Misconduct>,
    /// Ends the readers and, through them, the writers.
    stop: CancellationToken,
    /// Calls of the peer that run.
    calls: TaskTracker,
    /// Readers and writers of streams.
    streams: TaskTracker,
}

/// Who dialed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    /// This side did; the transport has checked the peer against the key that was asked for.
    Dialed,
    /// The peer did.
    Accepted,
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
        Self::new(Side::Accepted, (connection, auth), dispatcher, identities)
    }

    /// A link over a connection this side dialed: the peer is the one whose key was asked for.
    pub fn dialed(
        connection: Connection,
        auth: AuthContext,
        dispatcher: Dispatcher,
        identities: Arc<dyn IdentityProvider>,
    ) -> Self {
        Self::new(Side::Dialed, (connection, auth), dispatcher, identities)
    }

    fn new(
        side: Side,
        (connection, auth): (Connection, AuthContext),
        dispatcher: Dispatcher,
        identities: Arc<dyn IdentityProvider>,
    ) -> Self {
        let limits = dispatcher.limits();
        let letter = if side == Side::Dialed { 'c' } else { 's' };
        let (serving, pending) = (Serving::new(limits), Pending::new(letter, limits.pending_max));
        Self(Arc::new(Inner {
            connection,
            side,
            auth,
            authenticated: AtomicBool::new(false),
            one_stream: AtomicBool::new(false),
            serving,
            pending,
            outgoing: Outgoing::default(),
            backlog: Backlog::new(limits.unread_bytes_max),
            offers: Offers::default(),
            accepted: Mutex::default(),
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
        if let Some(identity) = self.connection_identity() {
            self.attach(identity.id());
        }
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
        self.0.offers.withdraw();
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
                    if !self.has_room_for_stream() {
                        tracing::warn!("a peer opened more streams than it may");
                        continue;
                    }
                    let sender = stream::spawn(self, send, recv);
                    self.0.outgoing.accepted(&sender);
                    self.note_accepted(&sender);
                }
                Err(StreamError::StreamClosed) => {}
                Err(StreamError::ConnectionClosed | StreamError::Timeout | StreamError::Internal(_)) => break,
            }
        }
        // Where there is only one stream, none can be opened either, and the link lives as long as that one. Any
        // other answer means that the connection is gone: calls are cancelled, also those whose stream the peer
        // had finished before.
        if matches!(self.0.connection.open_bi().await, Err(StreamError::StreamClosed)) {
            self.0.one_stream.store(true, Ordering::SeqCst);
            self.0.streams.close();
            self.0.streams.wait().await;
        }
    }

    /// Whether the peer may open one more stream.
    fn has_room_for_stream(&self) -> bool {
        self.open_streams().retain(|stream| !stream.is_over());
        self.give_up_idle_stream(self.limits().streams_max / 2);
        self.open_streams().len() < self.limits().streams_max
    }

    /// Notes that a call of the peer has ended, answered or not: it may be waiting to open a stream for the next one.
    fn call_ended(&self) {
        let max = self.limits().streams_max;
        // QUIC tells the peer of new places only when they are more than an eighth of all.
        self.give_up_idle_stream((max - max / 4).max(2));
    }

    /// Where the peer has `many` streams open, closes the one that was idle for the longest time: some peers open one
    /// for each call and end none.
    fn give_up_idle_stream(&self, many: usize) {
        let mut accepted = self.open_streams();
        if accepted.len() < many {
            return;
        }
        accepted.retain(|stream| !stream.is_over());
        let idle = accepted.iter().filter_map(|stream| Some((stream.idle_since()?, stream)));
        if let Some((_, longest)) = idle.min_by_key(|(since, _)| *since).filter(|_| accepted.len() >= many) {
            longest.give_up();
        }
    }

    fn note_accepted(&self, opened: &FrameSender) {
        self.open_streams().push(opened.downgrade());
    }

    fn open_streams(&self) -> MutexGuard<'_, Vec<WeakFrameSender>> {
        self.0.accepted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_one_stream(&self) -> bool {
        self.0.one_stream.load(Ordering::SeqCst)
    }

    pub(crate) fn limits(&self) -> &Limits {
        self.0.dispatcher.limits()
    }

    /// The identity behind the connection at this moment: a revoked key loses access on a live connection.
    fn connection_identity(&self) -> Option<Identity> {
        match &self.0.auth.fingerprint {
            Some(fingerprint) => self.0.identities.resolve_from_fingerprint(fingerprint),
            None => self.0.auth.identity.clone(),
        }
    }

    /// Whether the key of the connection is this peer's, at this moment.
    pub(crate) fn is_known_as(&self, peer: &IdentityId) -> bool {
        self.connection_identity().is_some_and(|identity| identity.id() == peer)
    }

    /// Whether the peer may send a frame body of so many bytes: a stranger less than a peer that is known, by its key
    /// or by a token.
    fn allows_frame(&self, bytes: usize) -> bool {
        let limits = self.limits();
        let known = || {
            self.0.side == Side::Dialed
                || self.0.authenticated.load(Ordering::Relaxed)
                || self.connection_identity().is_some()
        };
        bytes <= limits.frame_bytes_max && (bytes <= limits.frame_bytes_anonymous_max || known())
    }

    /// The identity of one request: its token's, where the token is known, else the connection's.
    fn identify(&self, token: Option<&AuthToken>) -> Option<Identity> {
        let Some(token) = token else {
            return self.connection_identity();
        };
        if let Some(identity) = self.0.identities.resolve_from_token(token) {
            self.0.authenticated.store(true, Ordering::Relaxed);
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
        self.0.0.offers.withdraw();
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("connection", &self.0.connection).finish_non_exhaustive()
    }
}
