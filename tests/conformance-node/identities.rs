//! Who the fixture host knows: the two tokens of every test, and the peers of the command line.

use std::collections::BTreeMap;
use std::str::FromStr;

use alknet_core::{
    AuthPolicy, AuthToken, Directory, DirectoryError, Fingerprint, Grants, Identity, IdentityId,
    IdentityProvider, InvalidFingerprint, InvalidName, PeerEntry, Scope,
};

use crate::FixtureError;
use crate::support::grants;

/// What every peer of the fixture host may do.
const ANNOUNCES: &str = "op:register";

/// A peer that is known by its key: `NAME=ed25519:<hex>[:scope,scope]`.
#[derive(Debug, Clone)]
pub struct PeerOption {
    id: IdentityId,
    fingerprint: Fingerprint,
    scopes: Vec<Scope>,
}

/// A text that describes no peer.
#[derive(Debug, thiserror::Error)]
pub enum InvalidPeer {
    /// It has another form.
    #[error("a peer is NAME=ed25519:<64 hexadecimal digits>[:scope,scope]")]
    Form,
    /// The name or a scope.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// The key.
    #[error(transparent)]
    Fingerprint(#[from] InvalidFingerprint),
}

impl FromStr for PeerOption {
    type Err = InvalidPeer;

    fn from_str(text: &str) -> Result<Self, InvalidPeer> {
        let (name, rest) = text.split_once('=').ok_or(InvalidPeer::Form)?;
        let rest = rest.strip_prefix("ed25519:").ok_or(InvalidPeer::Form)?;
        // Only the first colon ends the key: a scope may hold more of them.
        let (digits, listed) = rest.split_once(':').unwrap_or((rest, ""));
        let scopes = listed.split(',').filter(|scope| !scope.is_empty());
        let scopes = scopes.map(Scope::parse).collect::<Result<_, _>>()?;
        let fingerprint = format!("ed25519:{digits}").parse()?;
        Ok(Self { id: IdentityId::parse(name)?, fingerprint, scopes })
    }
}

/// Resolves keys of peers, and the tokens `good` (alice, who holds `admin`) and `low` (bob, who holds nothing).
#[derive(Debug)]
pub struct Identities {
    peers: Directory,
    alice: Identity,
    bob: Identity,
}

impl Identities {
    /// The identities with these peers. A peer that is given more than once has several keys, and the scopes of all.
    ///
    /// # Errors
    /// [`DirectoryError`] when a name is reserved or two peers share a key.
    pub fn new(peers: &[PeerOption]) -> Result<Self, IdentitiesError> {
        let mut entries: BTreeMap<IdentityId, PeerEntry> = BTreeMap::new();
        for PeerOption { id, fingerprint, scopes } in peers {
            let entry = entries.entry(id.clone()).or_insert(PeerEntry {
                peer_id: id.clone(),
                fingerprints: Vec::new(),
                auth_token_hash: None,
                grants: grants(&[ANNOUNCES]).map_err(FixtureError::from)?,
                display_name: None,
                enabled: true,
            });
            entry.fingerprints.push(*fingerprint);
            let held = std::mem::take(&mut entry.grants);
            entry.grants = scopes.iter().cloned().fold(held, Grants::with_scope);
        }
        let peers = AuthPolicy { peers: entries.into_values().collect(), api_keys: Vec::new() };
        let known = |id, held: &[&str]| -> Result<Identity, FixtureError> {
            Ok(Identity::new(IdentityId::parse(id)?, grants(held)?))
        };
        Ok(Self {
            peers: Directory::new(peers)?,
            alice: known("alice", &["admin"])?,
            bob: known("bob", &[])?,
        })
    }
}

/// Why the identities make no sense.
#[derive(Debug, thiserror::Error)]
pub enum IdentitiesError {
    /// A peer's name is reserved, or two share a key.
    #[error(transparent)]
    Peers(#[from] DirectoryError),
    /// A defect of this crate.
    #[error(transparent)]
    Fixture(#[from] FixtureError),
}

impl IdentityProvider for Identities {
    fn resolve_from_fingerprint(&self, fingerprint: &Fingerprint) -> Option<Identity> {
        self.peers.fingerprint(fingerprint)
    }

    fn resolve_from_token(&self, token: &AuthToken) -> Option<Identity> {
        match token.as_bytes() {
            b"good" => Some(self.alice.clone()),
            b"low" => Some(self.bob.clone()),
            _ => None,
        }
    }
}
