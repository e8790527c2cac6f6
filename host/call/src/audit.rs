//! What the dispatcher tells the audit log: every decision before a call runs, every outcome after.

use std::fmt;
use std::future::poll_fn;
use std::mem;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use alknet_core::IdentityId;
use futures_util::future::BoxFuture;
use serde_json::Value;

use crate::{CallId, ErrorCode, LayerKind, Provenance};

/// Takes records, or says that it cannot; the dispatcher fails closed: no record, no call.
pub trait AuditSink: Send + Sync + 'static {
    /// Records whether a call may run. Called before the handler.
    fn decided(&self, call: &CallFacts<'_>, decision: &Decision<'_>) -> Recorded;

    /// Records how an admitted call ended. Called before the reply.
    fn finished(&self, call: &CallFacts<'_>, outcome: &Outcome<'_>) -> Recorded;

    /// Writes the records that are only [`Recorded::Gathered`], at least through this one. Nothing may come of what
    /// they tell before: no handler runs, and no answer leaves.
    ///
    /// # Errors
    /// [`AuditUnavailable`] when they could not be written.
    fn flush(&self, through: u64) -> Result<(), AuditUnavailable> {
        let _ = through;
        Ok(())
    }

    /// Records what a peer offers to be composed, before it can be, and that it left, after. Calls that are recorded
    /// later are no less durable: nobody waits for this record. A sink that is about calls alone keeps nothing of it.
    fn peer_changed(&self, peer: &IdentityId, change: &PeerChange<'_>) -> Recorded {
        let _ = (peer, change);
        Recorded::Done
    }
}

/// What changed about the operations of an attached peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerChange<'a> {
    /// It offers these, beside those it offered before.
    Offered(&'a [&'a str]),
    /// It offers these and no others.
    Replaced(&'a [&'a str]),
    /// Its connection is over, and what it offered is gone.
    Left,
}

/// The state of a record handed to the log.
pub enum Recorded {
    /// It is as durable as the log promises.
    Done,
    /// It is in memory, with others, and will be as durable as the log promises once [`AuditSink::flush`] has answered.
    Gathered {
        /// What to flush through: the number of records before and with this one.
        through: u64,
    },
    /// It will be once the future resolves.
    Pending(BoxFuture<'static, Result<(), AuditUnavailable>>),
    /// It could not be written.
    Failed(AuditUnavailable),
}

/// When a record is to be as durable as the log promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Due {
    /// Before the call goes on.
    #[default]
    Now,
    /// Before [`AuditSink::flush`] has answered: calls that arrived together are recorded together.
    Flush,
}

/// The log cannot take records at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the audit log is unavailable")]
pub struct AuditUnavailable;

/// What is known of a call when it is decided. Borrowed: a sink copies what it keeps.
#[derive(Debug, Clone, Copy)]
pub struct CallFacts<'a> {
    /// This call.
    pub id: CallId,
    /// The call that composed it.
    pub parent: Option<CallId>,
    /// The call at the root of the tree.
    pub root: CallId,
    /// The operation's name as asked for, cut to 256 bytes when it is no name.
    pub operation: &'a str,
    /// The identity behind the root call; `None` is anonymous.
    pub caller: Option<&'a IdentityId>,
    /// The id or label this call was decided on: the caller's identity for a root call, the composer's
    /// authority for a composed one; `None` is anonymous.
    pub authority: Option<&'a IdentityId>,
    /// The session the tree runs in.
    pub session: Option<&'a Arc<str>>,
    /// Where the operation was found.
    pub layer: Option<LayerKind>,
    /// The peer that serves the operation, where it is one of a peer's.
    pub peer: Option<&'a IdentityId>,
    /// Where it came from.
    pub provenance: Option<Provenance>,
    /// SHA-256 of the source of a session operation, in hexadecimal.
    pub source_digest: Option<&'a Arc<str>>,
    /// When its record is to be written; no part of it.
    pub due: Due,
}

/// Whether a call may run.
#[derive(Debug, Clone, Copy)]
pub enum Decision<'a> {
    /// It may, with this input.
    Admitted {
        /// The input; a sink keeps a keyed digest of it, never the value.
        input: &'a Value,
    },
    /// It may not.
    Refused {
        /// The class of the reason.
        reason: &'static str,
        /// The code the caller gets.
        code: &'a ErrorCode,
    },
}

/// How an admitted call ended.
#[derive(Debug, Clone, Copy)]
pub struct Outcome<'a> {
    /// What was answered, or the code the caller gets.
    pub result: Result<Answered<'a>, &'a ErrorCode>,
    /// Time from the decision to the end.
    pub duration: Duration,
}

/// What an admitted call that went well answered.
#[derive(Debug, Clone, Copy)]
pub enum Answered<'a> {
    /// One output; a sink keeps a keyed digest of it, never the value.
    Value(&'a Value),
    /// The items of a subscription, this many.
    Items(u64),
}

impl Outcome<'_> {
    /// The code recorded for a call that was cancelled.
    pub const CANCELLED: &'static str = "CANCELLED";
}

impl Recorded {
    /// Waits until the call that was decided may run.
    ///
    /// Where its record was gathered, the first poll ends here without a waker: whoever began the call polls it again
    /// when the calls that came with it have got as far.
    pub(crate) async fn before_running(self, sink: &dyn AuditSink) -> Result<(), AuditUnavailable> {
        match self {
            Self::Gathered { through } => {
                let mut polled = false;
                poll_fn(|_| if mem::replace(&mut polled, true) { Poll::Ready(()) } else { Poll::Pending })
                    .await;
                sink.flush(through)
            }
            other => other.at_once().await,
        }
    }

    /// Waits until a record is written that was due at once.
    pub(crate) async fn at_once(self) -> Result<(), AuditUnavailable> {
        match self.before_answering().await? {
            0 => Ok(()),
            // Nobody would flush it.
            _ => Err(AuditUnavailable),
        }
    }

    /// Waits until the call may be answered; what the answer must be preceded by a flush through, zero for nothing.
    pub(crate) async fn before_answering(self) -> Result<u64, AuditUnavailable> {
        match self {
            Self::Done => Ok(0),
            Self::Gathered { through } => Ok(through),
            Self::Pending(pending) => pending.await.map(|()| 0),
            Self::Failed(error) => Err(error),
        }
    }
}

/// A sink that keeps nothing, for benchmarks and for hosts that have no log.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoAudit;

impl AuditSink for NoAudit {
    fn decided(&self, _: &CallFacts<'_>, _: &Decision<'_>) -> Recorded {
        Recorded::Done
    }

    fn finished(&self, _: &CallFacts<'_>, _: &Outcome<'_>) -> Recorded {
        Recorded::Done
    }
}

impl fmt::Debug for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Done => "Done",
            Self::Gathered { .. } => "Gathered",
            Self::Pending(_) => "Pending",
            Self::Failed(_) => "Failed",
        })
    }
}
