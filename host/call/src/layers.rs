//! The layers a name is looked up in: session, then peers, then curated; the first match is final (ADR-024).

use std::collections::BTreeMap;
use std::sync::Arc;

use alknet_core::IdentityId;

use crate::peers::PeerSet;
use crate::{OpName, Provenance, Registration, RegistrationError, Registry};

/// Which layer answered a lookup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LayerKind {
    /// The host's own, fixed at start.
    Curated,
    /// One peer's operations.
    Peer,
    /// One session's operations.
    Session,
}

/// Where a composed operation is to be found (ADR-029).
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub enum PeerRef {
    /// In the session, else with the first peer that has it, else in the host itself.
    #[default]
    Any,
    /// With this peer and nowhere else.
    Specific(IdentityId),
}

impl LayerKind {
    /// The name that audit records show.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Curated => "curated",
            Self::Peer => "peer",
            Self::Session => "session",
        }
    }
}

/// The operations of one session at one moment. Immutable: a running call tree keeps the one it began with.
#[derive(Debug, Clone, Default)]
pub struct SessionLayer {
    operations: BTreeMap<OpName, Arc<Registration>>,
}

/// The layers a call tree sees.
#[derive(Debug, Clone)]
pub(crate) struct Layers {
    pub(crate) curated: Arc<Registry>,
    pub(crate) peers: Arc<PeerSet>,
    pub(crate) session: Option<Arc<SessionLayer>>,
}

impl SessionLayer {
    /// This layer with one operation added or replaced.
    ///
    /// # Errors
    /// [`RegistrationError`] when it is no session operation or would shadow the curated layer.
    pub fn with(
        &self,
        registration: Arc<Registration>,
        curated: &Registry,
    ) -> Result<Self, RegistrationError> {
        let name = registration.spec().name().clone();
        if registration.provenance() != Provenance::Session {
            return Err(RegistrationError::Namespace(name));
        }
        registration.check_kind()?;
        if curated.get(name.as_str()).is_some() {
            return Err(RegistrationError::Exists(name));
        }
        let mut operations = self.operations.clone();
        operations.insert(name, registration);
        Ok(Self { operations })
    }

    /// This layer without one operation.
    #[must_use]
    pub fn without(&self, name: &OpName) -> Self {
        let mut operations = self.operations.clone();
        operations.remove(name);
        Self { operations }
    }

    /// The operation with this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<Registration>> {
        self.operations.get(name)
    }

    /// All operations, by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<Registration>> {
        self.operations.values()
    }
}

impl Layers {
    pub(crate) fn lookup(&self, peer: &PeerRef, name: &str) -> Option<(LayerKind, &Arc<Registration>)> {
        if let PeerRef::Specific(peer) = peer {
            return Some((LayerKind::Peer, self.peers.get(peer, name)?));
        }
        let session = self.session.as_ref().and_then(|layer| layer.get(name));
        if let Some(found) = session {
            return Some((LayerKind::Session, found));
        }
        if let Some(found) = self.peers.first(name) {
            return Some((LayerKind::Peer, found));
        }
        Some((LayerKind::Curated, self.curated.get(name)?))
    }
}
