//! What fuzzers feed with bytes. The targets below `tests/fuzz` include this file.
//!
//! Each function says whether the bytes were accepted, and fails where something does not hold that always must.

use std::sync::LazyLock;

use alknet_vault::{
    Binding, Cost, DerivationPath, EncryptedData, EncryptionKey, InvalidPath, Mnemonic, Seed, SeedFile,
    derive_path_from_seed,
};

/// Says what does not hold.
pub(crate) type Verdict = Result<bool, &'static str>;

/// A derivation path; accepted, where it is one. It is written in one way, and has a key where every index is hardened.
pub(crate) fn vault_path(bytes: &[u8]) -> Verdict {
    static SEED: LazyLock<Seed> = LazyLock::new(|| {
        let mnemonic = Mnemonic::from_phrase(PHRASE).unwrap();
        mnemonic.to_seed(None)
    });
    let Ok(text) = std::str::from_utf8(bytes) else { return Ok(false) };
    let derived = derive_path_from_seed(&SEED, text);
    let Ok(path) = text.parse::<DerivationPath>() else {
        return if derived.is_err() { Ok(false) } else { Err("there is a key where there is no path") };
    };
    let written = path.to_string();
    if written != text.replace('h', "'") || written.parse().as_ref() != Ok(&path) {
        return Err("a path is written in two ways");
    }
    let hardened = written.split('/').skip(1).all(|index| index.ends_with('\''));
    match derived {
        Ok(key) if hardened && *key.path() == path => Ok(true),
        Err(InvalidPath::Unhardened) if !hardened => Ok(true),
        Ok(_) | Err(_) => Err("what has a key is not what is hardened"),
    }
}

/// An encrypted text, as it is stored; accepted, where it opens. It opens for its purpose only, and nothing opens to a
/// text that nobody encrypted.
pub(crate) fn vault_blob(bytes: &[u8]) -> Verdict {
    let Ok(blob) = serde_json::from_slice::<EncryptedData>(bytes) else { return Ok(false) };
    let written = serde_json::to_vec(&blob).map_err(|_| "a blob cannot be written")?;
    if serde_json::from_slice::<EncryptedData>(&written).ok().as_ref() != Some(&blob) {
        return Err("a blob is written as another one");
    }
    let key = EncryptionKey::from_derived_bytes(&KEY, 2).map_err(|_| "there is no key")?;
    let other = EncryptionKey::from_derived_bytes(&KEY, 3).map_err(|_| "there is no key")?;
    let opened: Vec<_> = [Binding::Context(CONTEXT), Binding::Unbound]
        .into_iter()
        .filter_map(|binding| key.decrypt(&blob, binding).ok())
        .collect();
    for binding in [Binding::Context(CONTEXT), Binding::Context("")] {
        if other.decrypt(&blob, binding).is_ok() {
            return Err("a blob opens with another version");
        }
    }
    // Without a binding nothing holds the version but its key, which here is the same one.
    let unbound = other.decrypt(&blob, Binding::Unbound);
    if unbound.is_ok_and(|text| !TEXTS.contains(&text.as_str())) {
        return Err("a blob opens to what nobody encrypted");
    }
    if key.decrypt(&blob, Binding::Context("credential:nobody")).is_ok() {
        return Err("a blob opens for another purpose");
    }
    match &opened[..] {
        [] => Ok(false),
        [text] if TEXTS.contains(&text.as_str()) => Ok(true),
        [_] => Err("a blob opens to what nobody encrypted"),
        [..] => Err("a blob opens in two ways"),
    }
}

/// A seed file; accepted, where it may be opened: nothing of it is lost, and a guess costs neither too little nor too
/// much.
pub(crate) fn vault_seed(bytes: &[u8]) -> Verdict {
    let Ok(file) = SeedFile::parse(bytes) else { return Ok(false) };
    let Cost { memory_kib, passes, lanes } = file.cost();
    if memory_kib < Cost::MIN.memory_kib || passes < Cost::MIN.passes || lanes < Cost::MIN.lanes {
        return Err("a guess costs too little");
    }
    if memory_kib > 1 << 20 || passes > 64 || lanes > 64 {
        return Err("a guess costs too much");
    }
    if file.as_bytes() == bytes { Ok(true) } else { Err("a file is another one when it is read") }
}

/// The words of the corpora.
pub(crate) const PHRASE: &str = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon \
                                 abandon about";
/// The password of the corpus of seed files.
pub(crate) const PASSWORD: &str = "correct horse battery";
/// What the blobs of the corpus are encrypted with and for, and the texts in them.
pub(crate) const KEY: [u8; 32] = [7; 32];
pub(crate) const CONTEXT: &str = "credential:github";
pub(crate) const TEXTS: [&str; 2] = ["", "sk-0123456789"];
