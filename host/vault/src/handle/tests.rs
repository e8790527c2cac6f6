use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;

const PHRASE: &str =
    "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";

#[test]
fn a_panic_under_a_lock_keeps_nobody_out() {
    let vault = VaultServiceHandle::new();
    vault.unlock(PHRASE, None).unwrap();
    let break_off = |hold: &dyn Fn()| assert!(catch_unwind(AssertUnwindSafe(hold)).is_err());
    break_off(&|| {
        let _root = vault.root_mut();
        panic!("with the seed");
    });
    break_off(&|| {
        let _cache = vault.cache();
        panic!("with the cache");
    });
    break_off(&|| {
        let _counts = vault.counts();
        panic!("with the counts");
    });
    assert!(vault.0.root.is_poisoned() && vault.0.cache.is_poisoned());
    vault.encrypt("text", 2, Binding::Unbound).unwrap();
    vault.lock();
    assert!(!vault.is_unlocked());
}

#[test]
fn random_nonces_have_a_budget() {
    let vault = VaultServiceHandle::new();
    vault.unlock(PHRASE, None).unwrap();
    vault.counts().insert(2, ENCRYPTIONS_MAX - 1);
    vault.encrypt("text", 2, Binding::Unbound).unwrap();
    let over = vault.encrypt("text", 2, Binding::Unbound);
    assert!(matches!(over, Err(VaultServiceError::Encryption(EncryptionError::NonceBudget(2)))));
    vault.encrypt("text", 3, Binding::Unbound).unwrap();
    assert_eq!((vault.encryptions(2), vault.encryptions(3), vault.encryptions(4)), (ENCRYPTIONS_MAX, 1, 0));
}

#[test]
fn a_lock_wipes_the_cached_keys() {
    let vault = VaultServiceHandle::new();
    vault.unlock(PHRASE, None).unwrap();
    vault.derive_ed25519("m/74'/0'/0'/0'").unwrap();
    assert_eq!(vault.cached_keys(), 1);
    vault.lock();
    assert_eq!(vault.cached_keys(), 0);
    let mut cache = Cache::new(CacheConfig::default());
    let key = derive(&[1; 64], KeyType::Ed25519, &DerivationPath::default()).unwrap();
    cache.insert((KeyType::Ed25519, DerivationPath::default()), &key, Duration::ZERO);
    cache.clear();
    assert!(format!("{cache:?}").contains("SecretPage([REDACTED])"));
    assert!(cache.get(&(KeyType::Ed25519, DerivationPath::default()), Duration::ZERO).is_none());
}
