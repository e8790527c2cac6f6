//! Locked and unlocked, errors in their order, the cache, and many threads.

use std::sync::Arc;
use std::time::Duration;

use alknet_vault::{
    Binding, CacheConfig, EncryptedData, EncryptionError, KeyType, ManualTicks, VaultConfig,
    VaultServiceError, VaultServiceHandle,
};

use crate::vectors::{V1, unlocked};

const CONTEXT: Binding<'_> = Binding::Context("credential:test");
const IDENTITY: &str = "m/74'/0'/0'/0'";

fn is_locked<T>(result: Result<T, VaultServiceError>) -> bool {
    matches!(result, Err(VaultServiceError::VaultLocked))
}

#[test]
fn a_lock_is_for_all_clones_and_wins_over_every_other_error() {
    let vault = unlocked();
    let clone = vault.clone();
    let blob = clone.encrypt("text", 2, CONTEXT).unwrap();
    vault.lock();
    vault.lock();
    for vault in [&vault, &clone] {
        assert!(!vault.is_unlocked() && vault.protection().is_none());
        assert!(is_locked(vault.derive_ed25519(IDENTITY)) && is_locked(vault.derive_ed25519("nonsense")));
        assert!(is_locked(vault.derive_encryption_key("m/0")));
        assert!(is_locked(vault.derive_encryption_key_for_version(0)));
        assert!(is_locked(vault.encrypt("text", 0, CONTEXT)) && is_locked(vault.decrypt(&blob, CONTEXT)));
        assert!(is_locked(vault.rotate(&blob, 3, CONTEXT)));
    }
    clone.unlock(V1, None).unwrap();
    assert_eq!(*vault.decrypt(&blob, CONTEXT).unwrap(), "text");
}

#[test]
fn unlocking_twice_changes_nothing() {
    let vault = unlocked();
    let before = vault.derive_ed25519(IDENTITY).unwrap();
    let again = [
        vault.unlock(V1, Some("other")),
        vault.unlock("not even a phrase", None),
        vault.unlock_new(24, None).map(drop),
        vault.unlock_new(5, None).map(drop),
    ];
    for again in again {
        assert!(matches!(again, Err(VaultServiceError::AlreadyUnlocked)));
    }
    assert_eq!(vault.derive_ed25519(IDENTITY).unwrap().private_key(), before.private_key());
    let locked = VaultServiceHandle::new();
    assert!(matches!(locked.unlock("abandon", None), Err(VaultServiceError::Mnemonic(_))));
    assert!(!locked.is_unlocked());
    // A passphrase is another set of keys.
    locked.unlock(V1, Some("other")).unwrap();
    assert_ne!(locked.derive_ed25519(IDENTITY).unwrap().public_key(), before.public_key());
}

#[test]
fn fresh_words_open_the_same_vault_again() {
    let vault = VaultServiceHandle::new();
    let phrase = vault.unlock_new(15, Some("p")).unwrap();
    let public = vault.derive_ed25519(IDENTITY).unwrap();
    vault.lock();
    vault.unlock(&phrase, Some("p")).unwrap();
    assert_eq!(vault.derive_ed25519(IDENTITY).unwrap().public_key(), public.public_key());
}

#[test]
fn versions_live_side_by_side_and_rotate_forward() {
    let vault = unlocked();
    let old = vault.encrypt("text", 2, CONTEXT).unwrap();
    let new = vault.rotate(&old, 3, CONTEXT).unwrap();
    assert_eq!(new.key_version, 3);
    assert!(new.iv != old.iv && new.salt != old.salt);
    for blob in [&old, &new] {
        assert_eq!(*vault.decrypt(blob, CONTEXT).unwrap(), "text");
    }
    let relabelled = EncryptedData { key_version: 3, ..old.clone() };
    let fails = |blob: &EncryptedData| match vault.decrypt(blob, CONTEXT) {
        Err(VaultServiceError::Encryption(error)) => error,
        other => panic!("{other:?}"),
    };
    assert_eq!(fails(&relabelled), EncryptionError::Decryption);
    let back = vault.rotate(&new, 2, CONTEXT);
    let downgrade = EncryptionError::Downgrade { actual: 3, asked: 2 };
    assert!(matches!(back, Err(VaultServiceError::Encryption(error)) if error == downgrade));
    for version in [0, 1, 0x8000_0002, 0xffff_ffff] {
        let blob = EncryptedData { key_version: version, ..old.clone() };
        for refused in [
            vault.decrypt(&blob, CONTEXT).map(drop),
            vault.encrypt("text", version, CONTEXT).map(drop),
            vault.derive_encryption_key_for_version(version).map(drop),
        ] {
            assert!(matches!(refused, Err(VaultServiceError::InvalidPath(_))), "{version}: {refused:?}");
        }
    }
    let foreign = VaultServiceHandle::new();
    foreign.unlock_new(12, None).unwrap();
    let unknown = foreign.decrypt(&old, CONTEXT);
    assert!(matches!(unknown, Err(VaultServiceError::Encryption(EncryptionError::Decryption))));
}

#[test]
fn one_path_has_a_key_of_each_kind() {
    let vault = unlocked();
    let signing = vault.derive_ed25519("m/74'/9'").unwrap();
    let encryption = vault.derive_encryption_key("m/74'/9h").unwrap();
    assert_eq!((signing.key_type(), signing.public_key().len()), (KeyType::Ed25519, 32));
    assert_eq!((encryption.key_type(), encryption.public_key().len()), (KeyType::Aes256Gcm, 0));
    if cfg!(feature = "secp256k1") {
        let ethereum = vault.derive_ethereum_key("m/74'/9'").unwrap();
        assert_eq!((ethereum.key_type(), ethereum.public_key().len()), (KeyType::Secp256k1, 33));
        assert_ne!(ethereum.private_key(), signing.private_key());
    }
    for unhardened in ["m/0", "m/74'/0"] {
        for refused in [vault.derive_ed25519(unhardened), vault.derive_encryption_key(unhardened)] {
            assert!(matches!(refused, Err(VaultServiceError::InvalidPath(_))));
        }
    }
}

fn timed(config: VaultConfig) -> (VaultServiceHandle, Arc<ManualTicks>) {
    let ticks = Arc::new(ManualTicks::default());
    let vault = VaultServiceHandle::with_ticks(config, ticks.clone());
    vault.unlock(V1, None).unwrap();
    (vault, ticks)
}

#[test]
fn the_cache_forgets() {
    let ttl = Duration::from_secs(10);
    let cache = CacheConfig { ttl, max_entries: 2 };
    let (vault, ticks) = timed(VaultConfig { cache, ..VaultConfig::default() });
    let path = |index: u32| format!("m/74'/{index}'");
    let first = vault.derive_ed25519(&path(1)).unwrap();
    vault.derive_ed25519(&path(2)).unwrap();
    vault.derive_ed25519(&path(1)).unwrap();
    // Path 2 was used least recently.
    vault.derive_ed25519(&path(3)).unwrap();
    assert_eq!(vault.cached_keys(), 2);
    assert_eq!(vault.derive_ed25519(&path(1)).unwrap().private_key(), first.private_key());
    // A hit does not make an entry younger.
    ticks.advance(ttl);
    vault.derive_ed25519(&path(1)).unwrap();
    vault.evict_expired();
    assert_eq!(vault.cached_keys(), 2);
    ticks.advance(Duration::from_micros(1));
    vault.evict_expired();
    assert_eq!(vault.cached_keys(), 0);
    for max_entries in [0, 1000] {
        let cache = CacheConfig { ttl, max_entries };
        let (vault, _) = timed(VaultConfig { cache, ..VaultConfig::default() });
        (0..200).for_each(|index| drop(vault.derive_ed25519(&path(index)).unwrap()));
        assert_eq!(vault.cached_keys(), max_entries.clamp(1, 128));
        assert_eq!(vault.derive_ed25519(&path(1)).unwrap().private_key(), first.private_key());
    }
}

#[test]
fn a_vault_that_nobody_uses_locks_itself() {
    let idle = Duration::from_secs(60);
    let (vault, ticks) = timed(VaultConfig { idle_lock: Some(idle), ..VaultConfig::default() });
    ticks.advance(idle);
    assert!(!vault.lock_if_idle());
    vault.derive_ed25519(IDENTITY).unwrap();
    ticks.advance(idle + Duration::from_micros(1));
    assert!(is_locked(vault.derive_ed25519(IDENTITY)));
    vault.unlock(V1, None).unwrap();
    ticks.advance(idle + Duration::from_micros(1));
    assert!(vault.lock_if_idle());
}

#[test]
fn nothing_prints_or_serializes_a_private_key() {
    let vault = unlocked();
    let key = vault.derive_ed25519(IDENTITY).unwrap();
    let json = serde_json::to_value(&key).unwrap();
    assert_eq!(json["private_key"], "[REDACTED]");
    assert_eq!(json["key_type"], "Ed25519");
    assert_eq!(json["public_key"].as_array().unwrap().len(), 32);
    let text = serde_json::to_string(&key).unwrap();
    assert!(text.starts_with("{\"key_type\":\"Ed25519\",\"private_key\":\"[REDACTED]\",\"public_key\":["));
    let mnemonic = alknet_vault::Mnemonic::from_phrase(V1).unwrap();
    let shown = format!("{key:?} {vault:?} {mnemonic:?} {:?}", mnemonic.to_seed(None));
    for secret in ["abandon", "603aa5c6", "96, 58, 165", "5eb00bbd"] {
        assert!(!shown.contains(secret) && !text.contains(secret), "{shown}");
    }
}

#[test]
fn threads_get_keys_or_find_the_vault_locked() {
    let vault = unlocked();
    let expected = vault.derive_ed25519(IDENTITY).unwrap();
    std::thread::scope(|threads| {
        for thread in 0..32_u32 {
            let (vault, expected) = (vault.clone(), expected.private_key());
            threads.spawn(move || {
                for round in 0..100_u32 {
                    let derived = vault.derive_ed25519(IDENTITY);
                    assert!(derived.as_ref().map_or_else(
                        |error| matches!(error, VaultServiceError::VaultLocked),
                        |key| key.private_key() == expected
                    ));
                    let other = vault.derive_encryption_key(&format!("m/74'/{thread}'/{round}'"));
                    assert!(other.is_ok() || is_locked(other));
                }
            });
        }
        for _ in 0..50 {
            vault.lock();
            match vault.unlock(V1, None) {
                Ok(()) | Err(VaultServiceError::AlreadyUnlocked) => {}
                Err(error) => panic!("{error}"),
            }
        }
    });
    assert_eq!(vault.derive_ed25519(IDENTITY).unwrap().private_key(), expected.private_key());
}
