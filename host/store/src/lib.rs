//! Credentials and identities of a host in one SQLite file, served from memory.
//!
//! **Goals.** The persistent adapter behind [`CredentialStore`] and [`IdentityStore`]: reads answer from memory and
//! never wait for the disk; a write is on the disk when it returns; what another process wrote is taken over whole
//! by [`SqliteStore::refresh`]. The file is for its owner alone.
//!
//! **Non-goals.** No decryption, no keys, no decision about who may do what.
//!
//! ```
//! use alknet_core::CredentialStore as _;
//! use alknet_store::SqliteStore;
//!
//! let dir = tempfile::tempdir()?;
//! let store = SqliteStore::open(&dir.path().join("store.sqlite"))?;
//! assert_eq!(store.get("openai"), None);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod content;
mod database;
mod entry;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use alknet_core::{
    ApiKeyEntry, AuthPolicy, CredentialStore, EncryptedData, IdentityId, IdentityStore, PeerEntry,
    StoreError, TokenHash,
};
use async_trait::async_trait;

use content::Content;
use database::Database;

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file cannot be made or read.
    #[error("cannot use {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// Others than its owner may read or change it.
    #[error("{} is open to other users (mode {mode:04o}); run: chmod 600 '{}'", path.display(), path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The file is no store, or damaged.
    #[error("{} is no store, or it is damaged: {reason}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file is a later version's.
    #[error("{} has format {found}; this program knows {known}", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The latest known format.
        known: i64,
    },
}

/// A store in a file. Cheap to share behind an [`Arc`].
pub struct SqliteStore {
    database: Mutex<Database>,
    content: RwLock<Arc<Content>>,
}

impl SqliteStore {
    /// Opens a store; the file is made where it is missing, for its owner alone.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let mut database = Database::open(path)?;
        let content = database
            .load()
            .map_err(|error| OpenError::Corrupt { path: path.to_owned(), reason: error.to_string() })?;
        Ok(Self { database: Mutex::new(database), content: RwLock::new(Arc::new(content)) })
    }

    /// Takes over what other processes wrote. Returns whether there was something.
    ///
    /// # Errors
    /// [`StoreError::Storage`]; what was known before is still answered then.
    pub fn refresh(&self) -> Result<bool, StoreError> {
        let mut database = self.database();
        if !database.has_changed()? {
            return Ok(false);
        }
        self.take_over(&mut database)?;
        Ok(true)
    }

    /// The credentials, in the order of their names.
    #[must_use]
    pub fn credentials(&self) -> Vec<Credential> {
        let content = self.content();
        let credentials = content.credentials.iter();
        credentials
            .map(|(name, stored)| Credential {
                name: name.clone(),
                key_version: stored.blob.key_version,
                changed_at: stored.changed_at,
            })
            .collect()
    }

    /// Stores several credentials at once, or none of them. `now` is in Unix seconds.
    ///
    /// # Errors
    /// [`StoreError::Storage`].
    pub fn put_credentials(
        &self,
        credentials: &[(String, EncryptedData)],
        now: u64,
    ) -> Result<(), StoreError> {
        self.write(|database| database.put_credentials(credentials, now))
    }

    /// Changes the file, then what is answered.
    fn write(&self, change: impl FnOnce(&mut Database) -> Result<(), StoreError>) -> Result<(), StoreError> {
        let mut database = self.database();
        change(&mut database)?;
        self.take_over(&mut database)
    }

    fn take_over(&self, database: &mut Database) -> Result<(), StoreError> {
        let content = Arc::new(database.load()?);
        *self.content.write().unwrap_or_else(PoisonError::into_inner) = content;
        Ok(())
    }

    fn content(&self) -> Arc<Content> {
        Arc::clone(&self.content.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn database(&self) -> MutexGuard<'_, Database> {
        self.database.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A credential, without what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// Its name.
    pub name: String,
    /// The key it is encrypted with.
    pub key_version: u32,
    /// When it was stored last, in Unix seconds.
    pub changed_at: u64,
}

#[async_trait]
impl CredentialStore for SqliteStore {
    fn get(&self, name: &str) -> Option<EncryptedData> {
        self.content().credentials.get(name).map(|stored| stored.blob.clone())
    }

    /// Blocks for one write to the disk.
    async fn put(&self, name: &str, credential: &EncryptedData) -> Result<(), StoreError> {
        self.put_credentials(&[(name.to_owned(), credential.clone())], 0)
    }

    /// Blocks for one write to the disk.
    async fn delete(&self, name: &str) -> Result<(), StoreError> {
        self.write(|database| database.delete_credential(name))
    }

    fn names(&self) -> Vec<String> {
        self.content().credentials.keys().cloned().collect()
    }
}

/// Writes block for one write to the disk.
#[async_trait]
impl IdentityStore for SqliteStore {
    fn policy(&self) -> AuthPolicy {
        self.content().policy.clone()
    }

    async fn put_peer(&self, peer: &PeerEntry) -> Result<(), StoreError> {
        self.write(|database| database.put_peer(peer))
    }

    async fn update_peer(&self, peer: &PeerEntry) -> Result<(), StoreError> {
        self.write(|database| database.update_peer(peer))
    }

    async fn remove_peer(&self, id: &IdentityId) -> Result<(), StoreError> {
        self.write(|database| database.remove_peer(id))
    }

    async fn put_api_key(&self, key: &ApiKeyEntry) -> Result<(), StoreError> {
        self.write(|database| database.put_api_key(key))
    }

    async fn remove_api_key(&self, hash: &TokenHash) -> Result<(), StoreError> {
        self.write(|database| database.remove_api_key(hash))
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
