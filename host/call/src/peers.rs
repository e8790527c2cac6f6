//! What attached peers offer: one layer for each peer, in the order in which they attached (ADR-029).
//!
//! A call tree keeps the view it began with. One hop only: what a peer's own peers offer is not seen.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use alknet_core::IdentityId;
use arc_swap::ArcSwap;

use crate::{
    AuditSink, AuditUnavailable, OpName, PeerChange, Provenance, Recorded, Registration, RegistrationError,
    Registry,
};

/// The peers of a host. Cheap to clone; every clone is the same.
#[derive(Clone)]
pub struct Peers(Arc<Inner>);

struct Inner {
    curated: Arc<Registry>,
    audit: Arc<dyn AuditSink>,
    operations_max: usize,
    /// Held while the view is changed.
    generations: Mutex<u64>,
    view: ArcSwap<PeerSet>,
}

/// The peers at one moment, in attach order.
#[derive(Debug, Clone, Default)]
pub(crate) struct PeerSet(Vec<Slot>);

/// One peer's place.
#[derive(Debug, Clone)]
pub(crate) struct Slot {
    pub(crate) peer: IdentityId,
    generation: u64,
    operations: BTreeMap<OpName, Arc<Registration>>,
}

/// One link's hold on the place of its peer. Dropping it detaches the peer, unless a newer link has taken the place
/// over.
pub struct Attachment {
    peers: Peers,
    peer: IdentityId,
    generation: u64,
}

/// Why a peer's operation is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OfferError {
    /// The name or the handler does not do.
    #[error(transparent)]
    Registration(#[from] RegistrationError),
    /// The peer offers two operations of one name.
    #[error("the peer offers `{0}` twice")]
    SamePeerCollision(OpName),
    /// The peer offers too many operations.
    #[error("a peer may offer {0} operations")]
    TooMany(usize),
    /// A newer link of the same peer has taken its place.
    #[error("a newer connection of this peer has taken its place")]
    Replaced,
    /// It cannot be recorded.
    #[error(transparent)]
    Unrecorded(#[from] AuditUnavailable),
}

/// Beginnings of names that no peer may use: discovery and registration, sessions, binary channels.
const RESERVED: [&str; 4] = ["services/", "op/", "session/", "channel"];

impl Peers {
    pub(crate) fn new(curated: Arc<Registry>, audit: Arc<dyn AuditSink>, operations_max: usize) -> Self {
        let view = ArcSwap::from_pointee(PeerSet::default());
        Self(Arc::new(Inner { curated, audit, operations_max, generations: Mutex::new(0), view }))
    }

    /// The peers at this moment.
    pub(crate) fn snapshot(&self) -> Arc<PeerSet> {
        self.0.view.load_full()
    }

    /// The ids of the attached peers, in attach order.
    #[must_use]
    pub fn ids(&self) -> Vec<IdentityId> {
        self.snapshot().iter().map(|slot| slot.peer.clone()).collect()
    }

    /// The contract of an operation that composed calls would find with a peer.
    #[must_use]
    pub fn described(&self, name: &str) -> Option<crate::OperationSpec> {
        self.snapshot().first(name).map(|found| found.spec().clone())
    }

    /// Gives a peer a place, at the end. A peer that has one keeps it: its operations stay until the new link offers
    /// some of its own, and then they are replaced.
    #[must_use]
    pub fn attach(&self, peer: IdentityId) -> Attachment {
        let mut generations = self.lock();
        *generations += 1;
        let generation = *generations;
        self.change(|view| {
            if view.slot(&peer).is_none() {
                let slot = Slot { peer: peer.clone(), generation, operations: BTreeMap::new() };
                view.0.push(slot);
            }
        });
        Attachment { peers: self.clone(), peer, generation }
    }

    /// Whether an operation may be a peer's at all: a leaf that was imported, and no layer is shadowed, on any way in.
    fn check(&self, registration: &Registration) -> Result<(), RegistrationError> {
        let name = registration.spec().name();
        if registration.provenance() != Provenance::FromCall {
            return Err(RegistrationError::Namespace(name.clone()));
        }
        if self.0.curated.get(name.as_str()).is_some() {
            return Err(RegistrationError::Exists(name.clone()));
        }
        if RESERVED.iter().any(|reserved| name.as_str().starts_with(reserved)) {
            return Err(RegistrationError::Namespace(name.clone()));
        }
        registration.check_kind()
    }

    /// Changes the view; the caller holds the lock.
    fn change(&self, change: impl FnOnce(&mut PeerSet)) {
        let mut view = PeerSet::clone(&self.0.view.load());
        change(&mut view);
        self.0.view.store(Arc::new(view));
    }

    fn lock(&self) -> MutexGuard<'_, u64> {
        self.0.generations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attachment {
    /// The peer.
    #[must_use]
    pub fn peer(&self) -> &IdentityId {
        &self.peer
    }

    /// Adds one operation, or replaces the peer's own of the same name. It is an import ([`ImportedFrom::Call`]): an
    /// assembly may offer one on behalf of a peer.
    ///
    /// # Errors
    /// [`OfferError`]; nothing is changed then.
    ///
    /// [`ImportedFrom::Call`]: crate::ImportedFrom::Call
    pub fn offer(&self, registration: Registration, replace: bool) -> Result<(), OfferError> {
        self.peers.check(&registration)?;
        let name = registration.spec().name().clone();
        let _changing = self.peers.lock();
        let mut operations = self.operations()?;
        if operations.contains_key(&name) && !replace {
            return Err(RegistrationError::Exists(name).into());
        }
        operations.insert(name.clone(), Arc::new(registration.served_by(self.peer.clone())));
        // The first of a link takes the place of what an older link offered.
        let offered = [name.as_str()];
        let is_first = operations.len() == 1;
        self.put(
            operations,
            if is_first { PeerChange::Replaced(&offered) } else { PeerChange::Offered(&offered) },
        )
    }

    /// Replaces all operations of the peer at once: calls see the old ones or the new ones, never some of both.
    ///
    /// # Errors
    /// [`OfferError`]; nothing is changed then.
    pub fn replace_all(&self, registrations: Vec<Registration>) -> Result<(), OfferError> {
        let mut operations = BTreeMap::new();
        for registration in registrations {
            self.peers.check(&registration)?;
            let name = registration.spec().name().clone();
            let served = Arc::new(registration.served_by(self.peer.clone()));
            if operations.insert(name.clone(), served).is_some() {
                return Err(OfferError::SamePeerCollision(name));
            }
        }
        let _changing = self.peers.lock();
        self.operations()?;
        let names: Vec<OpName> = operations.keys().cloned().collect();
        let names: Vec<&str> = names.iter().map(OpName::as_str).collect();
        self.put(operations, PeerChange::Replaced(&names))
    }

    /// What this link offers so far. Nothing, where the place is still an older link's.
    fn operations(&self) -> Result<BTreeMap<OpName, Arc<Registration>>, OfferError> {
        match self.peers.0.view.load().slot(&self.peer) {
            Some(slot) if slot.generation == self.generation => Ok(slot.operations.clone()),
            Some(slot) if slot.generation > self.generation => Err(OfferError::Replaced),
            Some(_) | None => Ok(BTreeMap::new()),
        }
    }

    fn put(
        &self,
        operations: BTreeMap<OpName, Arc<Registration>>,
        change: PeerChange<'_>,
    ) -> Result<(), OfferError> {
        let max = self.peers.0.operations_max;
        if operations.len() > max {
            return Err(OfferError::TooMany(max));
        }
        if let Recorded::Failed(error) = self.peers.0.audit.peer_changed(&self.peer, &change) {
            return Err(error.into());
        }
        let slot = Slot { peer: self.peer.clone(), generation: self.generation, operations };
        self.peers.change(|view| match view.0.iter_mut().find(|slot| slot.peer == self.peer) {
            Some(place) => *place = slot,
            None => view.0.push(slot),
        });
        Ok(())
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        let _changing = self.peers.lock();
        let own = |slot: &Slot| slot.peer == self.peer && slot.generation == self.generation;
        let offered = self.peers.0.view.load().iter().any(|slot| own(slot) && !slot.operations.is_empty());
        self.peers.change(|view| view.0.retain(|slot| !own(slot)));
        if offered
            && let Recorded::Failed(error) = self.peers.0.audit.peer_changed(&self.peer, &PeerChange::Left)
        {
            tracing::warn!(peer = %self.peer, %error, "that a peer left is not on record");
        }
    }
}

impl PeerSet {
    /// An operation of one peer.
    pub(crate) fn get(&self, peer: &IdentityId, name: &str) -> Option<&Arc<Registration>> {
        self.slot(peer)?.operations.get(name)
    }

    /// The operation of the first peer that has one of this name.
    pub(crate) fn first(&self, name: &str) -> Option<&Arc<Registration>> {
        self.0.iter().find_map(|slot| slot.operations.get(name))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Slot> {
        self.0.iter()
    }

    fn slot(&self, peer: &IdentityId) -> Option<&Slot> {
        self.0.iter().find(|slot| slot.peer == *peer)
    }
}

impl Slot {
    pub(crate) fn operations(&self) -> impl Iterator<Item = &Arc<Registration>> {
        self.operations.values()
    }
}

impl fmt::Debug for Peers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Peers").field(&self.ids()).finish()
    }
}

impl fmt::Debug for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attachment").field("peer", &self.peer).finish_non_exhaustive()
    }
}
