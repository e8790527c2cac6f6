//! Which operations a composer may name, and with which authority: what a composition is made of.

use std::collections::BTreeSet;

use alknet_core::{Grants, IdentityId};

use crate::{Authority, OpName, PeerRef};

/// The operations a composer may name. Empty by default: nothing is reachable that was not granted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach {
    names: BTreeSet<OpName>,
    /// Pairs: one text for both could be read in two ways.
    pins: BTreeSet<(IdentityId, OpName)>,
    session: bool,
}

/// What an operation composes with: its authority and its reach. Can be narrowed, never widened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Composition {
    authority: Option<Authority>,
    reach: Reach,
}

/// A composition that was narrowed from another: the only kind an operation of a session can have.
#[derive(Debug, Clone)]
pub struct Attenuated(Composition);

impl Attenuated {
    /// The composition.
    #[must_use]
    pub fn into_composition(self) -> Composition {
        self.0
    }
}

impl std::ops::Deref for Attenuated {
    type Target = Composition;

    fn deref(&self) -> &Composition {
        &self.0
    }
}

impl Reach {
    /// Exactly these operations, wherever they are found.
    pub fn of(names: impl IntoIterator<Item = OpName>) -> Self {
        Self { names: names.into_iter().collect(), ..Self::default() }
    }

    /// Also this operation of this peer, and of no other.
    #[must_use]
    pub fn with_pinned(mut self, peer: IdentityId, name: OpName) -> Self {
        self.pins.insert((peer, name));
        self
    }

    /// Also every operation of the session the composer opens (for the `session/*` operations themselves).
    #[must_use]
    pub fn with_session_operations(mut self) -> Self {
        self.session = true;
        self
    }

    /// The operations that are allowed wherever they are found, in order.
    pub fn names(&self) -> impl Iterator<Item = &OpName> {
        self.names.iter()
    }

    /// Whether the name is granted itself.
    #[must_use]
    pub fn allows(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// Whether the operation may be called there: one that is pinned to a peer only on that one.
    pub(crate) fn allows_on(&self, peer: &PeerRef, name: &str) -> bool {
        let pinned = |(pinned_to, pinned): &(IdentityId, OpName)| match peer {
            PeerRef::Any => false,
            PeerRef::Specific(peer) => pinned_to == peer && pinned.as_str() == name,
        };
        self.allows(name) || self.pins.iter().any(pinned)
    }

    /// What both allow, of `wanted`; a session's operations are allowed to whoever may reach all of them.
    fn narrow(&self, wanted: &Self) -> Self {
        let allowed = |name: &&OpName| self.allows(name.as_str()) || (self.session && name.is_session());
        let pinned = |(peer, name): &&(IdentityId, OpName)| {
            self.allows_on(&PeerRef::Specific(peer.clone()), name.as_str())
        };
        Self {
            names: wanted.names.iter().filter(allowed).cloned().collect(),
            pins: wanted.pins.iter().filter(pinned).cloned().collect(),
            session: self.session && wanted.session,
        }
    }
}

impl Composition {
    /// A composition granted by the assembly.
    #[must_use]
    pub fn new(authority: Authority, reach: Reach) -> Self {
        Self { authority: Some(authority), reach }
    }

    /// The authority composed calls run on; `None` is anonymous.
    #[must_use]
    pub fn authority(&self) -> Option<&Authority> {
        self.authority.as_ref()
    }

    /// What composed calls may name.
    #[must_use]
    pub fn reach(&self) -> &Reach {
        &self.reach
    }

    /// The intersection of this composition with what is wanted, under another label.
    #[must_use]
    pub fn attenuate(&self, label: IdentityId, grants: &Grants, wanted: &Reach) -> Attenuated {
        Attenuated(Self {
            authority: self.authority.as_ref().map(|authority| authority.attenuate(label, grants)),
            reach: self.reach.narrow(wanted),
        })
    }
}
