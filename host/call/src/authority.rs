//! Who may run what: the access rule, and the authority compositions run on (ADR-015, ADR-022).

use std::sync::Arc;

use alknet_core::{Grants, IdentityId, Scope};

/// The authority an operation composes with: a label and what it holds. Cheap to clone.
///
/// It never comes from an identity provider and is never the user's: the assembly gives it to an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority(Arc<Inner>);

#[derive(Debug, PartialEq, Eq)]
struct Inner {
    label: IdentityId,
    grants: Grants,
}

impl Authority {
    /// An authority with its grants.
    #[must_use]
    pub fn new(label: IdentityId, grants: Grants) -> Self {
        Self(Arc::new(Inner { label, grants }))
    }

    /// The name that audit records show.
    #[must_use]
    pub fn label(&self) -> &IdentityId {
        &self.0.label
    }

    /// What the authority holds.
    #[must_use]
    pub fn grants(&self) -> &Grants {
        &self.0.grants
    }

    /// A weaker authority: what this one holds and `wanted` names.
    #[must_use]
    pub fn attenuate(&self, label: IdentityId, wanted: &Grants) -> Self {
        Self::new(label, self.0.grants.intersect(wanted))
    }
}

/// What an operation demands of its caller. The default demands nothing, not even an identity.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccessControl {
    /// Scopes that must all be held.
    pub required_scopes: Vec<Scope>,
    /// Scopes of which one must be held; empty means no such demand.
    pub required_scopes_any: Vec<Scope>,
    /// Resource type on which an action must be held.
    pub resource_type: Option<String>,
    /// Action that must be held on a resource.
    pub resource_action: Option<String>,
}

/// Proof that [`AccessControl::check`] said yes; the gate demands it.
#[derive(Debug)]
pub struct Permit(());

/// Why access was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// The operation demands an identity and there is none.
    AuthenticationRequired,
    /// A required scope is missing.
    Scope,
    /// A required resource action is missing.
    Resource,
}

impl AccessControl {
    /// Demands one scope.
    #[must_use]
    pub fn scope(scope: Scope) -> Self {
        Self { required_scopes: vec![scope], ..Self::default() }
    }

    /// Whether nothing is demanded.
    #[must_use]
    pub fn is_open(&self) -> bool {
        *self == Self::default()
    }

    /// Checks what a principal holds; `None` is an anonymous principal.
    ///
    /// # Errors
    /// [`Denied`] with the first demand that is not met.
    pub fn check(&self, held: Option<&Grants>) -> Result<Permit, Denied> {
        if self.is_open() {
            return Ok(Permit(()));
        }
        let held = held.ok_or(Denied::AuthenticationRequired)?;
        let has = |scope: &Scope| held.has_scope(scope.as_str());
        let any = self.required_scopes_any.is_empty() || self.required_scopes_any.iter().any(has);
        if !any || !self.required_scopes.iter().all(has) {
            return Err(Denied::Scope);
        }
        let (kind, action) = (self.resource_type.as_deref(), self.resource_action.as_deref());
        let demands_resource = kind.is_some() || action.is_some();
        if demands_resource && !held.has_resource(kind, action) {
            return Err(Denied::Resource);
        }
        Ok(Permit(()))
    }
}
