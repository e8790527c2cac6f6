//! The life of a connection on the accepting side: gate, handshake, dispatch, close.

use std::error::Error;
use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use alknet_core::{AuthContext, Drain, HandlerError, HandlerRegistry, IdentityProvider, ProtocolHandler};
use futures_util::FutureExt as _;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::NetLimits;
use crate::close::CloseCode;
use crate::gate::{Gate, HalfOpen, Slot, Verdict};
use crate::source::{Attempt, Established, Listen};

/// What every connection of an endpoint needs.
pub(crate) struct Shared {
    pub(crate) handlers: HandlerRegistry,
    pub(crate) identities: Arc<dyn IdentityProvider>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) limits: NetLimits,
    /// Finish what you have begun.
    pub(crate) drain: Drain,
    /// Finish now.
    pub(crate) cut: CancellationToken,
    /// One task for each connection, handshake included.
    pub(crate) tasks: TaskTracker,
}

impl Shared {
    /// Accepts until `stop`, refusing everything once draining has begun; then closes the listener.
    pub(crate) async fn accept(self: Arc<Self>, listener: impl Listen, stop: CancellationToken) {
        while let Some(Some(attempt)) = stop.run_until_cancelled(listener.accept()).await {
            self.admit(attempt);
        }
        listener.close().await;
    }

    fn admit(self: &Arc<Self>, attempt: impl Attempt) {
        let origin = attempt.origin();
        if self.drain.signal().is_draining() {
            attempt.refuse();
            return;
        }
        match self.gate.judge(origin, attempt.validated()) {
            Verdict::Admit(slot, half_open) => {
                self.tasks.spawn(Arc::clone(self).connection(attempt, slot, half_open));
            }
            Verdict::Challenge => attempt.challenge(),
            Verdict::Refuse(reason) => {
                tracing::debug!(?origin, reason, "connection refused");
                attempt.refuse();
            }
        }
    }

    /// One connection, from its handshake to its close. The slot is free when this ends.
    async fn connection(self: Arc<Self>, attempt: impl Attempt, slot: Slot, half_open: HalfOpen) {
        let draining = self.drain.signal();
        let handshake = tokio::time::timeout(self.limits.handshake_timeout, attempt.handshake());
        let outcome = tokio::select! {
            biased;
            () = draining.draining() => return,
            outcome = handshake => outcome.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())),
        };
        drop(half_open);
        match outcome {
            Ok(established) => self.dispatch(established).await,
            Err(error) => tracing::debug!(error = chain(&error), "handshake failed"),
        }
        drop(slot);
    }

    async fn dispatch(&self, established: Established) {
        let Established { connection, fingerprint } = established;
        let alpn = connection.remote_alpn().to_vec();
        let Some(handler) = self.handlers.get(&alpn) else {
            tracing::warn!(alpn = %String::from_utf8_lossy(&alpn), "no handler");
            connection.close(CloseCode::NoHandler.code(), CloseCode::NoHandler.reason());
            return;
        };
        let identity = fingerprint.and_then(|key| self.identities.resolve_from_fingerprint(&key));
        let auth = AuthContext { identity, remote_addr: connection.remote_addr(), alpn, fingerprint };
        let span = tracing::info_span!(
            "connection",
            alpn = %String::from_utf8_lossy(&auth.alpn),
            remote = auth.remote_addr.map(tracing::field::display),
            fingerprint = auth.fingerprint.map(tracing::field::display),
            identity = auth.identity.as_ref().map(|known| tracing::field::display(known.id().clone())),
        );
        let code = self.handle(&*handler, connection.clone(), &auth).instrument(span).await;
        connection.close(code.code(), code.reason());
    }

    /// Runs the handler to its end, its panic, or the cut, whichever comes first.
    async fn handle(
        &self,
        handler: &dyn ProtocolHandler,
        connection: alknet_core::Connection,
        auth: &AuthContext,
    ) -> CloseCode {
        tracing::info!("connected");
        let handling = handler.handle(connection, auth, self.drain.signal());
        let outcome = tokio::select! {
            biased;
            () = self.cut.cancelled() => {
                tracing::info!("cut by shutdown");
                return CloseCode::Shutdown;
            }
            outcome = AssertUnwindSafe(handling).catch_unwind() => outcome,
        };
        match outcome {
            Ok(outcome) => self.verdict(outcome),
            Err(_) => {
                tracing::error!("handler panicked");
                CloseCode::HandlerFailed
            }
        }
    }

    fn verdict(&self, outcome: Result<(), HandlerError>) -> CloseCode {
        match outcome {
            Ok(()) | Err(HandlerError::ConnectionClosed) => {
                tracing::info!("disconnected");
                match self.drain.signal().is_draining() {
                    true => CloseCode::Shutdown,
                    false => CloseCode::Done,
                }
            }
            Err(HandlerError::AuthRequired) => {
                tracing::warn!("authentication required");
                CloseCode::AuthRequired
            }
            Err(error @ (HandlerError::StreamError(_) | HandlerError::Internal(_))) => {
                tracing::warn!(error = chain(&error), "handler failed");
                CloseCode::HandlerFailed
            }
        }
    }
}

/// An error and its causes on one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
