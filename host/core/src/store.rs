//! Where credentials and identities are kept: what an adapter offers, and one that keeps nothing.
//!
//! A store never decrypts: it sees neither a plaintext nor a key.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{ApiKeyEntry, AuthPolicy, IdentityId, PeerEntry, TokenHash};

/// An encrypted credential, as the vault makes it. The same five members, so that nothing here depends on the vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EncryptedData {
    /// Which key it is encrypted with.
    pub key_version: u32,
    /// Base64 of random bytes.
    pub salt: String,
    /// Base64 of the nonce.
    pub iv: String,
    /// Base64 of the ciphertext with its tag.
    pub data: String,
    /// What the tag covers beside the text: 0 nothing, 1 version, salt and context.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub aad_v: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(version: &u32) -> bool {
    *version == 0
}

/// Why a store did not do what it was asked. Never holds a credential.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is nothing of this name to change.
    #[error("there is no {kind} `{name}`")]
    Missing {
        /// What was looked for.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// The storage failed, or does not hold what it should.
    #[error("the store cannot be used: {0}")]
    Storage(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Credentials by name (ADR-031, ADR-035). Reads are synchronous and answer from memory.
#[async_trait]
pub trait CredentialStore: Send + Sync {
    /// The credential of this name.
    fn get(&self, name: &str) -> Option<EncryptedData>;

    /// Stores a credential, in place of one of the same name.
    async fn put(&self, name: &str, credential: &EncryptedData) -> Result<(), StoreError>;

    /// Forgets a credential; one that is not there is no error.
    async fn delete(&self, name: &str) -> Result<(), StoreError>;

    /// The names of all credentials, in order; a store may keep them to itself.
    fn names(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Peers and API keys that a host knows beside those of its configuration.
#[async_trait]
pub trait IdentityStore: Send + Sync {
    /// Everything in it.
    fn policy(&self) -> AuthPolicy;

    /// Stores a peer, in place of one with the same id.
    async fn put_peer(&self, peer: &PeerEntry) -> Result<(), StoreError>;

    /// Replaces a peer, which must be there.
    async fn update_peer(&self, peer: &PeerEntry) -> Result<(), StoreError>;

    /// Forgets a peer, which must be there.
    async fn remove_peer(&self, id: &IdentityId) -> Result<(), StoreError>;

    /// Stores an API key.
    async fn put_api_key(&self, key: &ApiKeyEntry) -> Result<(), StoreError>;

    /// Forgets an API key, which must be there.
    async fn remove_api_key(&self, hash: &TokenHash) -> Result<(), StoreError>;
}

/// Credentials in memory, gone with the process.
#[derive(Debug, Default)]
pub struct InMemoryCredentialStore(RwLock<BTreeMap<String, EncryptedData>>);

impl InMemoryCredentialStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A store with these credentials.
    #[must_use]
    pub fn with_entries(entries: impl IntoIterator<Item = (String, EncryptedData)>) -> Self {
        Self(RwLock::new(entries.into_iter().collect()))
    }
}

#[async_trait]
impl CredentialStore for InMemoryCredentialStore {
    fn get(&self, name: &str) -> Option<EncryptedData> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    async fn put(&self, name: &str, credential: &EncryptedData) -> Result<(), StoreError> {
        let mut entries = self.0.write().unwrap_or_else(PoisonError::into_inner);
        entries.insert(name.to_owned(), credential.clone());
        Ok(())
    }

    async fn delete(&self, name: &str) -> Result<(), StoreError> {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(name);
        Ok(())
    }

    fn names(&self) -> Vec<String> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_store_keeps_what_it_was_given() {
        let blob = |data: &str| EncryptedData {
            key_version: 2,
            salt: "c2FsdA==".to_owned(),
            iv: "aXY=".to_owned(),
            data: data.to_owned(),
            aad_v: 1,
        };
        let store = InMemoryCredentialStore::with_entries([("b".to_owned(), blob("1"))]);
        store.put("a", &blob("2")).await.unwrap();
        store.put("b", &blob("3")).await.unwrap();
        assert_eq!(store.names(), ["a", "b"]);
        assert_eq!(store.get("b"), Some(blob("3")));
        store.delete("b").await.unwrap();
        store.delete("b").await.unwrap();
        assert_eq!(store.get("b"), None);
        let text = serde_json::to_string(&blob("4")).unwrap();
        assert_eq!(serde_json::from_str::<EncryptedData>(&text).unwrap(), blob("4"));
    }
}
