//! The vault itself: locked or unlocked, shared by its clones.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use zeroize::Zeroizing;

use crate::cache::{Cache, CacheConfig};
use crate::encrypted::{Binding, EncryptedData, EncryptionKey};
use crate::error::{EncryptionError, VaultServiceError};
use crate::keys::{DerivedKey, KeyType, PublicHalf};
use crate::memory::{Protection, SecretPage};
use crate::mnemonic::Mnemonic;
use crate::path::{DerivationPath, InvalidPath, encryption_path_for_version};
use crate::slip10;
use crate::ticks::{SystemTicks, Ticks};

/// How a vault behaves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VaultConfig {
    /// The cache of derived keys.
    pub cache: CacheConfig,
    /// Locks the vault when it was not used for so long; found out at the next use, or by
    /// [`VaultServiceHandle::lock_if_idle`].
    pub idle_lock: Option<Duration>,
    /// Refuses to unlock where the seed's memory cannot be kept out of swap.
    pub require_mlock: bool,
}

/// A vault. Clones share one state: the vault is unlocked exactly while a seed is in memory.
///
/// Any number of threads may use it at once: keys are derived side by side, only the cache is looked up by one at a
/// time. A panic of one thread does not keep others out.
#[derive(Clone)]
pub struct VaultServiceHandle(Arc<Shared>);

/// Taken in this order: `root`, then `cache` or `encryptions`.
struct Shared {
    root: RwLock<Option<Root>>,
    cache: Mutex<Cache>,
    /// Encryptions by key version, for the budget of random nonces.
    encryptions: Mutex<BTreeMap<u32, u64>>,
    config: VaultConfig,
    ticks: Arc<dyn Ticks>,
    /// Microseconds of `ticks` at the last use.
    used: AtomicU64,
}

/// The seed, in a page of its own.
struct Root(SecretPage);

impl VaultServiceHandle {
    /// A locked vault.
    #[must_use]
    pub fn new() -> Self {
        Self::with_config(VaultConfig::default())
    }

    /// A locked vault with another cache.
    #[must_use]
    pub fn with_cache_config(cache: CacheConfig) -> Self {
        Self::with_config(VaultConfig { cache, ..VaultConfig::default() })
    }

    /// A locked vault that behaves as configured.
    #[must_use]
    pub fn with_config(config: VaultConfig) -> Self {
        Self::with_ticks(config, Arc::new(SystemTicks::new()))
    }

    /// A locked vault by another clock.
    #[must_use]
    pub fn with_ticks(config: VaultConfig, ticks: Arc<dyn Ticks>) -> Self {
        Self(Arc::new(Shared {
            root: RwLock::new(None),
            cache: Mutex::new(Cache::new(config.cache)),
            encryptions: Mutex::default(),
            config,
            ticks,
            used: AtomicU64::new(0),
        }))
    }

    /// Unlocks with a phrase. A failure leaves the vault as it was.
    ///
    /// # Errors
    /// [`VaultServiceError::AlreadyUnlocked`] whatever the phrase; else [`VaultServiceError::Mnemonic`] or
    /// [`VaultServiceError::Memory`].
    pub fn unlock(&self, phrase: &str, passphrase: Option<&str>) -> Result<(), VaultServiceError> {
        self.refuse_unlocked()?;
        self.unlock_mnemonic(&Mnemonic::from_phrase(phrase)?, passphrase)
    }

    /// Unlocks with a mnemonic, such as one from a seed file.
    ///
    /// # Errors
    /// [`VaultServiceError::AlreadyUnlocked`] or [`VaultServiceError::Memory`].
    pub fn unlock_mnemonic(
        &self,
        mnemonic: &Mnemonic,
        passphrase: Option<&str>,
    ) -> Result<(), VaultServiceError> {
        self.refuse_unlocked()?;
        // Slow on purpose; not under the lock.
        let seed = mnemonic.to_seed(passphrase);
        let mut page = SecretPage::new();
        if self.0.config.require_mlock && !page.protection().locked {
            return Err(VaultServiceError::Memory);
        }
        for (to, from) in page.bytes_mut().iter_mut().zip(seed.as_bytes()) {
            *to = *from;
        }
        let mut root = self.root_mut();
        if root.is_some() {
            return Err(VaultServiceError::AlreadyUnlocked);
        }
        *root = Some(Root(page));
        self.touch();
        Ok(())
    }

    /// Unlocks with fresh words, which are returned to be written down.
    ///
    /// # Errors
    /// As [`VaultServiceHandle::unlock`]; [`VaultServiceError::Randomness`].
    pub fn unlock_new(
        &self,
        word_count: usize,
        passphrase: Option<&str>,
    ) -> Result<Zeroizing<String>, VaultServiceError> {
        self.refuse_unlocked()?;
        let mnemonic = Mnemonic::generate(word_count)?;
        self.unlock_mnemonic(&mnemonic, passphrase)?;
        Ok(mnemonic.phrase())
    }

    /// Wipes the seed and every cached key. May be called at any time.
    pub fn lock(&self) {
        let mut root = self.root_mut();
        *root = None;
        self.cache().clear();
    }

    /// Locks when the vault was not used for as long as its configuration says; for whoever keeps the time. Also
    /// wipes cached keys that are too old. Returns whether the vault is locked now.
    pub fn lock_if_idle(&self) -> bool {
        self.evict_expired();
        if self.is_idle() {
            self.lock();
        }
        !self.is_unlocked()
    }

    /// Whether there is a seed in memory.
    #[must_use]
    pub fn is_unlocked(&self) -> bool {
        self.root().is_some()
    }

    /// How the memory of the seed and the cached keys is protected; `None` while locked.
    #[must_use]
    pub fn protection(&self) -> Option<Protection> {
        let root = self.root();
        let (seed, cache) = (root.as_ref()?.0.protection(), self.cache().protection());
        Some(Protection { locked: seed.locked && cache.locked, undumped: seed.undumped && cache.undumped })
    }

    /// Wipes cached keys that are too old to be answered.
    pub fn evict_expired(&self) {
        let now = self.0.ticks.elapsed();
        self.cache().evict_expired(now);
    }

    /// Keys in the cache.
    #[must_use]
    pub fn cached_keys(&self) -> usize {
        self.cache().len()
    }

    /// The Ed25519 key of a path.
    ///
    /// # Errors
    /// [`VaultServiceError::VaultLocked`], else [`VaultServiceError::InvalidPath`].
    pub fn derive_ed25519(&self, path: &str) -> Result<DerivedKey, VaultServiceError> {
        self.derive(KeyType::Ed25519, || path.parse::<DerivationPath>()?.hardened())
    }

    /// The AES-256 key of a path.
    ///
    /// # Errors
    /// [`VaultServiceError::VaultLocked`], else [`VaultServiceError::InvalidPath`].
    pub fn derive_encryption_key(&self, path: &str) -> Result<DerivedKey, VaultServiceError> {
        self.derive(KeyType::Aes256Gcm, || path.parse::<DerivationPath>()?.hardened())
    }

    /// The AES-256 key of a key version.
    ///
    /// # Errors
    /// [`VaultServiceError::VaultLocked`], else [`VaultServiceError::InvalidPath`].
    pub fn derive_encryption_key_for_version(&self, version: u32) -> Result<DerivedKey, VaultServiceError> {
        self.derive(KeyType::Aes256Gcm, || encryption_path_for_version(version))
    }

    /// The secp256k1 key of a path.
    ///
    /// # Errors
    /// [`VaultServiceError::UnsupportedKeyType`] in builds without the feature `secp256k1`, whatever the state;
    /// else [`VaultServiceError::VaultLocked`], [`VaultServiceError::InvalidPath`] or
    /// [`VaultServiceError::Derivation`].
    pub fn derive_ethereum_key(&self, path: &str) -> Result<DerivedKey, VaultServiceError> {
        if cfg!(not(feature = "secp256k1")) {
            return Err(VaultServiceError::UnsupportedKeyType);
        }
        self.derive(KeyType::Secp256k1, || path.parse())
    }

    /// Encrypts a text with a key version.
    ///
    /// # Errors
    /// [`VaultServiceError::VaultLocked`], [`VaultServiceError::InvalidPath`] for a version that does not exist,
    /// [`VaultServiceError::Encryption`].
    pub fn encrypt(
        &self,
        text: &str,
        key_version: u32,
        binding: Binding<'_>,
    ) -> Result<EncryptedData, VaultServiceError> {
        let key = self.encryption_key(key_version)?;
        self.count_encryption(key_version)?;
        key.encrypt(text, binding)
    }

    /// Decrypts with the key version that the data names.
    ///
    /// # Errors
    /// [`VaultServiceError::VaultLocked`], [`VaultServiceError::InvalidPath`] for a version that does not exist,
    /// [`VaultServiceError::Encryption`].
    pub fn decrypt(
        &self,
        encrypted: &EncryptedData,
        binding: Binding<'_>,
    ) -> Result<Zeroizing<String>, VaultServiceError> {
        Ok(self.encryption_key(encrypted.key_version)?.decrypt(encrypted, binding)?)
    }

    /// Encrypts the same text anew, with the same or a later key version. Stores nothing; the old data stays valid.
    ///
    /// # Errors
    /// As for decryption and encryption; [`EncryptionError::Downgrade`] for an earlier version.
    pub fn rotate(
        &self,
        encrypted: &EncryptedData,
        to_version: u32,
        binding: Binding<'_>,
    ) -> Result<EncryptedData, VaultServiceError> {
        let text = self.decrypt(encrypted, binding)?;
        if to_version < encrypted.key_version {
            let actual = encrypted.key_version;
            return Err(EncryptionError::Downgrade { actual, asked: to_version }.into());
        }
        self.encrypt(&text, to_version, binding)
    }

    /// How often this vault encrypted with a key version; [`EncryptionError::NonceBudget`] ends it at 2^32.
    #[must_use]
    pub fn encryptions(&self, key_version: u32) -> u64 {
        self.counts().get(&key_version).copied().unwrap_or_default()
    }

    fn encryption_key(&self, version: u32) -> Result<EncryptionKey, VaultServiceError> {
        let key = self.derive_encryption_key_for_version(version)?;
        Ok(EncryptionKey::new(key.into_private(), version))
    }

    fn count_encryption(&self, version: u32) -> Result<(), VaultServiceError> {
        let mut counts = self.counts();
        let count = counts.entry(version).or_default();
        if *count >= ENCRYPTIONS_MAX {
            return Err(EncryptionError::NonceBudget(version).into());
        }
        *count += 1;
        Ok(())
    }

    /// The one way to a key: locked first, then the path, then the cache, then the derivation.
    fn derive(
        &self,
        kind: KeyType,
        path: impl FnOnce() -> Result<DerivationPath, InvalidPath>,
    ) -> Result<DerivedKey, VaultServiceError> {
        if self.is_idle() {
            self.lock();
        }
        // Held to the end: a key is never cached after the lock wiped the cache.
        let root = self.root();
        let seed = root.as_ref().ok_or(VaultServiceError::VaultLocked)?.seed();
        let key = (kind, path()?);
        let now = self.touch();
        let cached = self.cache().get(&key, now);
        if let Some(cached) = cached {
            return Ok(cached);
        }
        let derived = derive(&seed, kind, &key.1)?;
        self.cache().insert(key, &derived, now);
        Ok(derived)
    }

    fn refuse_unlocked(&self) -> Result<(), VaultServiceError> {
        if self.is_unlocked() { Err(VaultServiceError::AlreadyUnlocked) } else { Ok(()) }
    }

    fn is_idle(&self) -> bool {
        let used = Duration::from_micros(self.0.used.load(Ordering::SeqCst));
        let idle = self.0.ticks.elapsed().saturating_sub(used);
        self.0.config.idle_lock.is_some_and(|max| idle > max)
    }

    /// Notes the use, and returns the time.
    fn touch(&self) -> Duration {
        let now = self.0.ticks.elapsed();
        self.0.used.store(u64::try_from(now.as_micros()).unwrap_or(u64::MAX), Ordering::SeqCst);
        now
    }

    fn root(&self) -> RwLockReadGuard<'_, Option<Root>> {
        self.0.root.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn root_mut(&self) -> RwLockWriteGuard<'_, Option<Root>> {
        self.0.root.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.0.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn counts(&self) -> MutexGuard<'_, BTreeMap<u32, u64>> {
        self.0.encryptions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Root {
    fn seed(&self) -> Zeroizing<[u8; SEED_BYTES]> {
        let mut seed = Zeroizing::new([0; SEED_BYTES]);
        for (to, from) in seed.iter_mut().zip(self.0.bytes()) {
            *to = *from;
        }
        seed
    }
}

fn derive(
    seed: &[u8; SEED_BYTES],
    kind: KeyType,
    path: &DerivationPath,
) -> Result<DerivedKey, VaultServiceError> {
    match kind {
        KeyType::Ed25519 => {
            let private = slip10::node(seed, path).key();
            let public = PublicHalf::new(&slip10::public_key(&private));
            Ok(DerivedKey::new(kind, private, public))
        }
        KeyType::Aes256Gcm => {
            let private = slip10::node(seed, path).key();
            Ok(DerivedKey::new(kind, private, PublicHalf::new(&[])))
        }
        #[cfg(feature = "secp256k1")]
        KeyType::Secp256k1 => {
            let (node, public) = crate::bip32::node(seed, path)?;
            Ok(DerivedKey::new(kind, node.key(), PublicHalf::new(&public)))
        }
        #[cfg(not(feature = "secp256k1"))]
        KeyType::Secp256k1 => Err(VaultServiceError::UnsupportedKeyType),
    }
}

impl Default for VaultServiceHandle {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for VaultServiceHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.is_unlocked() { "unlocked" } else { "locked" };
        write!(f, "VaultServiceHandle({state})")
    }
}

const SEED_BYTES: usize = 64;
/// Random nonces of 96 bits: NIST SP 800-38D §8.3.
const ENCRYPTIONS_MAX: u64 = 1 << 32;

#[cfg(test)]
mod tests;
