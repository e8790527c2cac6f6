//! The principal of a call.

use alknet_core::{Grants, Identity, IdentityId};

use crate::scope::CallScope;
use crate::{CallId, Composition, PeerRef};

/// Who makes a call. There is no other way in: no flag marks a call as internal or trusted.
#[derive(Debug, Clone)]
pub enum Caller {
    /// A peer, over a connection; `None` is anonymous. Reaches External operations of the curated layer.
    Peer(Option<Identity>),
    /// A running operation. Reaches what its composition names, on its composition's authority.
    Operation(Composer),
}

/// A running operation in its role as caller.
#[derive(Debug, Clone)]
pub struct Composer {
    pub(crate) scope: CallScope,
    pub(crate) composition: Composition,
    /// Where the composed operation is to be found.
    pub(crate) peer: PeerRef,
    /// What becomes of the composed call when its composer is stopped.
    pub(crate) policy: AbortPolicy,
}

/// What becomes of a composed call when the call that composed it is stopped (ADR-016).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum AbortPolicy {
    /// It is stopped too.
    #[default]
    AbortDependents,
    /// It finishes if it had begun, within the deadline of its tree. Nothing new begins below it.
    ContinueRunning,
}

impl Caller {
    /// The grants that access control checks; `None` is anonymous.
    #[must_use]
    pub fn grants(&self) -> Option<&Grants> {
        match self {
            Self::Peer(identity) => identity.as_ref().map(Identity::grants),
            Self::Operation(composer) => composer.composition.authority().map(crate::Authority::grants),
        }
    }

    /// The id or authority label that audit records show.
    #[must_use]
    pub fn label(&self) -> Option<&IdentityId> {
        match self {
            Self::Peer(identity) => identity.as_ref().map(Identity::id),
            Self::Operation(composer) => composer.composition.authority().map(crate::Authority::label),
        }
    }

    pub(crate) fn policy(&self) -> AbortPolicy {
        match self {
            Self::Peer(_) => AbortPolicy::default(),
            Self::Operation(composer) => composer.policy,
        }
    }

    pub(crate) fn parent(&self) -> Option<CallId> {
        match self {
            Self::Peer(_) => None,
            Self::Operation(composer) => Some(composer.scope.id()),
        }
    }

    pub(crate) fn depth(&self) -> u32 {
        match self {
            Self::Peer(_) => 0,
            Self::Operation(composer) => composer.scope.depth() + 1,
        }
    }
}
