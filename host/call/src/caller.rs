//! The principal of a call.

use alknet_core::{Grants, Identity, IdentityId};

use crate::scope::CallScope;
use crate::{CallId, Composition};

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
