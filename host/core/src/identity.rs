//! Who is calling, and how that is found out.

use std::sync::Arc;

use crate::{AuthToken, Fingerprint, Grants, IdentityId};

/// A fully known principal. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity(Arc<Inner>);

#[derive(Debug, PartialEq, Eq)]
struct Inner {
    id: IdentityId,
    grants: Grants,
}

impl Identity {
    /// An identity with its grants.
    #[must_use]
    pub fn new(id: IdentityId, grants: Grants) -> Self {
        Self(Arc::new(Inner { id, grants }))
    }

    /// The stable id; it survives key rotation.
    #[must_use]
    pub fn id(&self) -> &IdentityId {
        &self.0.id
    }

    /// What the identity holds.
    #[must_use]
    pub fn grants(&self) -> &Grants {
        &self.0.grants
    }
}

/// Resolves credentials to identities (ADR-004). `None` means unrecognised, never a default identity.
///
/// Both methods are synchronous and answer from memory: they run on every request.
pub trait IdentityProvider: Send + Sync + 'static {
    /// The identity of a proven public key.
    fn resolve_from_fingerprint(&self, fingerprint: &Fingerprint) -> Option<Identity>;

    /// The identity of a bearer token.
    fn resolve_from_token(&self, token: &AuthToken) -> Option<Identity>;
}
