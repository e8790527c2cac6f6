//! The configured peers and API keys, validated as a whole and looked up from memory.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::{
    AuthToken, Clock, Fingerprint, Grants, Identity, IdentityId, IdentityProvider, InvalidName, TokenHash,
};

/// A peer known by its key, by a token, or by both; every path gives the same identity (ADR-030).
#[derive(Debug, Clone)]
pub struct PeerEntry {
    /// The stable id; unique.
    pub peer_id: IdentityId,
    /// The keys that prove this peer; each belongs to one peer only.
    pub fingerprints: Vec<Fingerprint>,
    /// The hash of a bearer token that stands for this peer.
    pub auth_token_hash: Option<TokenHash>,
    /// What the peer holds.
    pub grants: Grants,
    /// A name for people.
    pub display_name: Option<String>,
    /// A disabled peer resolves to nobody.
    pub enabled: bool,
}

/// An API key: scopes only, no resources.
#[derive(Debug, Clone)]
pub struct ApiKeyEntry {
    /// The token's first eight characters; becomes the identity's id. Keys that share it are told apart by their
    /// hash: each is `prefix.` and eight digits of it, so that they are never one identity.
    pub prefix: String,
    /// The hash of the whole token.
    pub hash: TokenHash,
    /// What the key holds.
    pub grants: Grants,
    /// A note for people.
    pub description: String,
    /// Unix seconds from which the key is refused.
    pub expires_at: Option<u64>,
}

/// Everything that can be resolved to an identity.
#[derive(Debug, Clone, Default)]
pub struct AuthPolicy {
    /// The peers.
    pub peers: Vec<PeerEntry>,
    /// The API keys.
    pub api_keys: Vec<ApiKeyEntry>,
}

/// Why a policy was refused as a whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryError {
    /// Two peers share an id.
    #[error("peer `{0}` is configured twice")]
    DuplicatePeer(IdentityId),
    /// One key belongs to two peers.
    #[error("fingerprint {0} belongs to two peers")]
    DuplicateFingerprint(Fingerprint),
    /// One token stands for two entries.
    #[error("the token hash of `{0}` is used twice")]
    DuplicateToken(String),
    /// The id has another meaning: `local` names this host, `alk_` API keys, `session` authorities of sessions.
    #[error("the peer id `{0}` is reserved")]
    ReservedPeer(IdentityId),
    /// An API key's prefix does not fit.
    #[error("an API key's prefix is `alk_` and four more ASCII characters, not `{0}`")]
    BadPrefix(String),
    /// An API key's prefix is no identity id.
    #[error(transparent)]
    BadName(#[from] InvalidName),
}

const TOKEN_PREFIX: &str = "alk_";
const RESERVED_PREFIXES: [&str; 2] = [TOKEN_PREFIX, "session"];
const PREFIX_BYTES: usize = 8;

/// A validated [`AuthPolicy`], indexed.
#[derive(Debug, Default)]
pub struct Directory {
    by_fingerprint: HashMap<Fingerprint, Identity>,
    peer_tokens: Vec<(TokenHash, Identity)>,
    api_keys: HashMap<String, Vec<ApiKey>>,
}

#[derive(Debug)]
struct ApiKey {
    hash: TokenHash,
    identity: Identity,
    expires_at: Option<u64>,
}

/// What belongs to one entry only, whether that entry is enabled or not.
#[derive(Default)]
struct Taken {
    ids: BTreeSet<IdentityId>,
    fingerprints: BTreeSet<Fingerprint>,
    tokens: BTreeSet<String>,
}

impl Directory {
    /// Validates and indexes a policy.
    ///
    /// # Errors
    /// [`DirectoryError`] naming the first conflict; nothing is taken over then.
    pub fn new(policy: AuthPolicy) -> Result<Self, DirectoryError> {
        let mut directory = Self::default();
        let mut taken = Taken::default();
        for peer in policy.peers {
            directory.add_peer(peer, &mut taken)?;
        }
        let mut sharing: HashMap<String, usize> = HashMap::new();
        for key in &policy.api_keys {
            *sharing.entry(key.prefix.clone()).or_default() += 1;
        }
        for key in policy.api_keys {
            let alone = sharing.get(&key.prefix).is_none_or(|keys| *keys == 1);
            directory.add_api_key(key, alone, &mut taken)?;
        }
        Ok(directory)
    }

    fn add_peer(&mut self, peer: PeerEntry, taken: &mut Taken) -> Result<(), DirectoryError> {
        let id = peer.peer_id.as_str();
        if id == "local" || RESERVED_PREFIXES.iter().any(|prefix| id.starts_with(prefix)) {
            return Err(DirectoryError::ReservedPeer(peer.peer_id));
        }
        if !taken.ids.insert(peer.peer_id.clone()) {
            return Err(DirectoryError::DuplicatePeer(peer.peer_id));
        }
        let identity = Identity::new(peer.peer_id.clone(), peer.grants);
        for fingerprint in peer.fingerprints {
            if !taken.fingerprints.insert(fingerprint) {
                return Err(DirectoryError::DuplicateFingerprint(fingerprint));
            }
            if peer.enabled {
                self.by_fingerprint.insert(fingerprint, identity.clone());
            }
        }
        if let Some(hash) = peer.auth_token_hash {
            if !taken.tokens.insert(hash.to_string()) {
                return Err(DirectoryError::DuplicateToken(peer.peer_id.to_string()));
            }
            if peer.enabled {
                self.peer_tokens.push((hash, identity));
            }
        }
        Ok(())
    }

    fn add_api_key(
        &mut self,
        key: ApiKeyEntry,
        alone: bool,
        taken: &mut Taken,
    ) -> Result<(), DirectoryError> {
        if key.prefix.len() != PREFIX_BYTES || !key.prefix.starts_with(TOKEN_PREFIX) || !key.prefix.is_ascii()
        {
            return Err(DirectoryError::BadPrefix(key.prefix));
        }
        if !taken.tokens.insert(key.hash.to_string()) {
            return Err(DirectoryError::DuplicateToken(key.prefix));
        }
        let grants = Grants::from_scopes(key.grants.scopes().cloned());
        let digits: String = key.hash.to_string().chars().skip("sha256:".len()).take(8).collect();
        let id = if alone { key.prefix.clone() } else { format!("{}.{digits}", key.prefix) };
        let identity = Identity::new(IdentityId::parse(&id)?, grants);
        let entry = ApiKey { hash: key.hash, identity, expires_at: key.expires_at };
        self.api_keys.entry(key.prefix).or_default().push(entry);
        Ok(())
    }

    /// The identity of a proven key.
    #[must_use]
    pub fn fingerprint(&self, fingerprint: &Fingerprint) -> Option<Identity> {
        self.by_fingerprint.get(fingerprint).cloned()
    }

    /// The identity of a token: peers first, then API keys that have not expired.
    #[must_use]
    pub fn token(&self, token: &AuthToken, unix_seconds: u64) -> Option<Identity> {
        let hash = token.hash()?;
        if let Some((_, peer)) = self.peer_tokens.iter().find(|(known, _)| *known == hash) {
            return Some(peer.clone());
        }
        let prefix = std::str::from_utf8(token.as_bytes().get(..PREFIX_BYTES)?).ok()?;
        let live = |key: &&ApiKey| key.expires_at.is_none_or(|end| unix_seconds < end);
        let keys = self.api_keys.get(prefix)?;
        keys.iter().filter(|key| key.hash == hash).find(live).map(|key| key.identity.clone())
    }
}

/// Resolves from the current [`Directory`]; swapping it affects the very next resolution.
#[derive(Debug)]
pub struct ConfigIdentityProvider {
    directory: ArcSwap<Directory>,
    clock: Arc<dyn Clock>,
}

impl ConfigIdentityProvider {
    /// A provider over a directory.
    #[must_use]
    pub fn new(directory: Directory, clock: Arc<dyn Clock>) -> Self {
        Self { directory: ArcSwap::from_pointee(directory), clock }
    }

    /// Replaces the whole directory. A grant of privilege: only local, authenticated triggers may call it.
    pub fn replace(&self, directory: Directory) {
        self.directory.store(Arc::new(directory));
    }
}

impl IdentityProvider for ConfigIdentityProvider {
    fn resolve_from_fingerprint(&self, fingerprint: &Fingerprint) -> Option<Identity> {
        self.directory.load().fingerprint(fingerprint)
    }

    fn resolve_from_token(&self, token: &AuthToken) -> Option<Identity> {
        self.directory.load().token(token, self.clock.unix_seconds())
    }
}

#[cfg(test)]
mod tests;
