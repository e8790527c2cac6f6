//! Derived keys that are kept for a while, by kind and path: an Ed25519 key is never answered for an AES key.

use std::collections::HashMap;
use std::time::Duration;

use zeroize::{Zeroize as _, Zeroizing};

use crate::keys::{DerivedKey, KeyType, PublicHalf};
use crate::memory::{Protection, SecretPage};
use crate::path::DerivationPath;

/// How many keys are kept, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheConfig {
    /// How long after its derivation a key may be answered; using it does not extend that.
    pub ttl: Duration,
    /// Keys kept at once, 1 to 128; the least recently used one goes.
    pub max_entries: usize,
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self { ttl: Duration::from_secs(3600), max_entries: 64 }
    }
}

pub(crate) type CacheKey = (KeyType, DerivationPath);

/// The cache. Private halves are in one protected page.
#[derive(Debug)]
pub(crate) struct Cache {
    config: CacheConfig,
    page: SecretPage,
    entries: HashMap<CacheKey, Entry>,
    /// Counts uses, to tell which was the last.
    uses: u64,
}

#[derive(Debug)]
struct Entry {
    slot: usize,
    public: PublicHalf,
    inserted: Duration,
    used: u64,
}

impl Cache {
    pub(crate) fn new(config: CacheConfig) -> Self {
        let config = CacheConfig { max_entries: config.max_entries.clamp(1, SLOTS), ..config };
        Self { config, page: SecretPage::new(), entries: HashMap::new(), uses: 0 }
    }

    pub(crate) fn get(&mut self, key: &CacheKey, now: Duration) -> Option<DerivedKey> {
        self.uses += 1;
        let entry = self.entries.get_mut(key)?;
        if is_old(entry, now, self.config.ttl) {
            self.remove(key);
            return None;
        }
        entry.used = self.uses;
        let (slot, public) = (entry.slot, entry.public);
        let mut private = Box::new(Zeroizing::new([0; KEY_BYTES]));
        private.copy_from_slice(self.slot(slot));
        Some(DerivedKey::new(key.0, private, public))
    }

    pub(crate) fn insert(&mut self, key: CacheKey, derived: &DerivedKey, now: Duration) {
        self.remove(&key);
        if self.entries.len() >= self.config.max_entries {
            let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.used).map(|(key, _)| key.clone());
            oldest.iter().for_each(|oldest| self.remove(oldest));
        }
        let free = (0..SLOTS).find(|slot| self.entries.values().all(|entry| entry.slot != *slot));
        let Some(slot) = free else { return };
        self.slot(slot).copy_from_slice(derived.private_key());
        self.uses += 1;
        let entry = Entry { slot, public: derived.public_half(), inserted: now, used: self.uses };
        self.entries.insert(key, entry);
    }

    /// Drops what is too old to be answered.
    pub(crate) fn evict_expired(&mut self, now: Duration) {
        let ttl = self.config.ttl;
        let old = self.entries.iter().filter(|(_, entry)| is_old(entry, now, ttl));
        let old: Vec<CacheKey> = old.map(|(key, _)| key.clone()).collect();
        old.iter().for_each(|key| self.remove(key));
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.page.bytes_mut().zeroize();
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn protection(&self) -> Protection {
        self.page.protection()
    }

    fn remove(&mut self, key: &CacheKey) {
        if let Some(entry) = self.entries.remove(key) {
            self.slot(entry.slot).zeroize();
        }
    }

    fn slot(&mut self, slot: usize) -> &mut [u8] {
        let start = slot * KEY_BYTES;
        self.page.bytes_mut().get_mut(start..start + KEY_BYTES).unwrap_or_default()
    }
}

fn is_old(entry: &Entry, now: Duration, ttl: Duration) -> bool {
    now.saturating_sub(entry.inserted) > ttl
}

const KEY_BYTES: usize = 32;
/// Keys in one page.
const SLOTS: usize = 128;
