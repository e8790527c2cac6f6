//! The vault of a host: made by `init --vault`, unlocked when the host starts, locked before it serves.
//!
//! This is the only place that sees the root secret. What the rest of the program gets are the keys of [`HostKeys`].

mod made;
mod password;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use alknet_audit::{DigestKey, log_key};
use alknet_core::{Ed25519SecretKey, EncryptedData as StoredBlob, Fingerprint, PublicKey};
use alknet_vault::{
    Binding, CURRENT_KEY_VERSION, Cost, DerivedKey, EncryptedData, EncryptionKey, Mnemonic, SeedFile,
    SeedFileError, VaultServiceError, VaultServiceHandle, encryption_path_for_version, paths,
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::failure::{CommandError, chain};
use crate::project::{KeyFileError, Layout, read_key, read_secret};

pub(crate) use made::{Adoption, NewVault};
pub(crate) use password::{PasswordSource, read_value};

/// The keys a host runs with.
pub(crate) struct HostKeys {
    /// Proves who the host is: its raw TLS key.
    pub(crate) identity: Ed25519SecretKey,
    /// Signs the audit log's checkpoints.
    pub(crate) audit: Ed25519SecretKey,
    /// Keys the audit log's digests.
    pub(crate) digests: DigestKey,
    /// Opens stored credentials; `None` without a vault.
    pub(crate) credentials: Option<Arc<CredentialKeys>>,
}

/// The keys of stored credentials, by version. A running host keeps them, so that it takes over a credential that is
/// replaced; they open nothing else.
#[derive(Debug)]
pub(crate) struct CredentialKeys(Vec<EncryptionKey>);

impl CredentialKeys {
    /// The keys of these versions, as far as they exist, and of the one after the latest.
    fn of_vault(vault: &VaultServiceHandle, versions: &BTreeSet<u32>) -> Result<Self, VaultError> {
        let mut versions: BTreeSet<u32> = versions
            .iter()
            .copied()
            .filter(|version| encryption_path_for_version(*version).is_ok())
            .collect();
        versions.insert(CURRENT_KEY_VERSION);
        versions.extend(versions.last().map(|latest| latest.saturating_add(1)));
        let mut keys = Vec::new();
        for version in versions {
            match vault.derive_encryption_key_for_version(version) {
                Ok(key) => keys.push(
                    EncryptionKey::from_derived_bytes(key.private_key(), version)
                        .map_err(VaultServiceError::from)?,
                ),
                // There is none after the last.
                Err(VaultServiceError::InvalidPath(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Self(keys))
    }

    /// The text of a stored credential.
    ///
    /// # Errors
    /// What is wrong with it, without any of it.
    pub(crate) fn open(&self, name: &str, blob: &StoredBlob) -> Result<Zeroizing<String>, String> {
        let version = blob.key_version;
        let key = self.0.iter().find(|key| key.version() == version);
        let key = key.ok_or_else(|| match encryption_path_for_version(version) {
            Ok(_) => format!("it is encrypted with key version {version}, which takes a restart"),
            Err(error) => error.to_string(),
        })?;
        key.decrypt(&of_store(blob), Binding::Context(&context(name))).map_err(|error| error.to_string())
    }
}

/// What a credential is bound to: stored under another name it does not open.
pub(crate) fn context(name: &str) -> String {
    format!("credential:{name}")
}

/// A blob of the store, as the vault has it.
pub(crate) fn of_store(blob: &StoredBlob) -> EncryptedData {
    let StoredBlob { key_version, salt, iv, data, aad_v } = blob.clone();
    EncryptedData { key_version, salt, iv, data, aad_v }
}

/// A blob of the vault, as the store has it.
pub(crate) fn to_store(blob: EncryptedData) -> StoredBlob {
    let EncryptedData { key_version, salt, iv, data, aad_v } = blob;
    StoredBlob { key_version, salt, iv, data, aad_v }
}

/// The public halves, kept beside the seed for commands that need no secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PublicKeys {
    /// Of the host's identity.
    pub(crate) identity: PublicKey,
    /// Of the audit log's signatures.
    pub(crate) audit: PublicKey,
}

/// Where a host's keys come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyStorage {
    /// A vault, sealed under a password.
    Vault,
    /// A file that only its owner can read.
    KeyFile,
}

/// Why a vault cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum VaultError {
    /// The seed file.
    #[error("{}: {source}", file.display())]
    SeedFile {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        source: SeedFileError,
    },
    /// The vault itself.
    #[error(transparent)]
    Vault(#[from] VaultServiceError),
    /// The file of public keys is missing or not readable.
    #[error("{} cannot be used: {reason}", file.display())]
    PublicKeys {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The seed is another host's.
    #[error("{} is not this host's: its keys are not those in {}", seed.display(), public.display())]
    Foreign {
        /// The seed file.
        seed: PathBuf,
        /// The file of public keys.
        public: PathBuf,
    },
    /// There is no key, or there are two.
    #[error("{0}")]
    Storage(String),
    /// The sealed key is none of this vault's.
    #[error("{} cannot be used: it does not open with this vault", file.display())]
    SealedKey {
        /// The file.
        file: PathBuf,
    },
    /// A file cannot be removed.
    #[error("cannot remove {}: {source}", file.display())]
    Remove {
        /// The file.
        file: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The key file.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// The password cannot be read.
    #[error(transparent)]
    Password(#[from] password::PasswordError),
}

impl KeyStorage {
    /// Which of the two a data folder has. A key file beside a vault that holds its key was about to be removed.
    ///
    /// # Errors
    /// [`VaultError::Storage`] when it has none, or both.
    pub(crate) fn of(layout: &Layout) -> Result<Self, VaultError> {
        let (seed, key) = (layout.seed_file(), layout.host_key());
        match (seed.symlink_metadata().is_ok(), key.symlink_metadata().is_ok()) {
            (true, false) => Ok(Self::Vault),
            (false, true) => Ok(Self::KeyFile),
            (false, false) => Err(VaultError::Storage(format!(
                "the host has no key: neither {} nor {} is there",
                key.display(),
                seed.display()
            ))),
            (true, true) if layout.sealed_key_file().symlink_metadata().is_ok() => Ok(Self::Vault),
            (true, true) => Err(two_keys(layout)),
        }
    }
}

impl HostKeys {
    /// The keys of a host without a vault: all from one.
    pub(crate) fn of_key(identity: Ed25519SecretKey) -> Self {
        let audit = log_key(&identity);
        Self { digests: DigestKey::derive(&audit), audit, identity, credentials: None }
    }

    /// The keys of a vault that is unlocked, where the host had none before it.
    fn of_vault(vault: &VaultServiceHandle) -> Result<Self, VaultError> {
        let signing = |path| vault.derive_ed25519(path).map(|key: DerivedKey| of_derived(&key));
        Ok(Self {
            identity: signing(paths::IDENTITY)?,
            audit: signing(paths::AUDIT_SIGNING)?,
            digests: DigestKey::new(*vault.derive_encryption_key(paths::AUDIT_DIGESTS)?.private_key()),
            credentials: None,
        })
    }

    /// The keys of a data folder whose vault is unlocked: derived, or those the host had in a file before.
    fn unlocked(layout: &Layout, vault: &VaultServiceHandle) -> Result<Self, VaultError> {
        let file = layout.sealed_key_file();
        if file.symlink_metadata().is_err() {
            return Self::of_vault(vault);
        }
        let sealed = made::unseal(vault, &read_secret(&file)?).ok_or(VaultError::SealedKey { file })?;
        Ok(Self::of_key(sealed))
    }

    /// The public halves.
    pub(crate) fn public(&self) -> PublicKeys {
        PublicKeys { identity: self.identity.public(), audit: self.audit.public() }
    }

    /// Reads the keys of a data folder; asks for the password where there is a vault, which is locked again when
    /// this returns. `versions` are those of the credentials that are stored.
    ///
    /// # Errors
    /// [`VaultError`].
    pub(crate) fn open(
        layout: &Layout,
        password: &PasswordSource,
        versions: &BTreeSet<u32>,
    ) -> Result<Self, VaultError> {
        match KeyStorage::of(layout)? {
            KeyStorage::KeyFile => Ok(Self::of_key(read_key(&layout.host_key())?)),
            KeyStorage::Vault => {
                let vault = unlock(layout, password)?;
                let keys = Self::unlocked(layout, &vault).and_then(|keys| {
                    let credentials = Some(Arc::new(CredentialKeys::of_vault(&vault, versions)?));
                    Ok(Self { credentials, ..keys })
                });
                vault.lock();
                let keys = keys?;
                keys.finish_sealing(layout)?;
                Ok(keys)
            }
        }
    }

    /// Removes the key file that the vault has taken the place of, where that was broken off.
    fn finish_sealing(&self, layout: &Layout) -> Result<(), VaultError> {
        let file = layout.host_key();
        if file.symlink_metadata().is_err() {
            return Ok(());
        }
        if read_key(&file)?.public() != self.identity.public() {
            return Err(two_keys(layout));
        }
        tracing::info!(file = %file.display(), "the vault holds this key: removed");
        fs::remove_file(&file).map_err(|source| VaultError::Remove { file, source })
    }
}

fn two_keys(layout: &Layout) -> VaultError {
    VaultError::Storage(format!(
        "the host has two keys, {} and {}: move the one away that it is not known by",
        layout.host_key().display(),
        layout.seed_file().display()
    ))
}

fn of_derived(key: &DerivedKey) -> Ed25519SecretKey {
    Ed25519SecretKey::from_bytes(key.private_key())
}

impl std::fmt::Debug for HostKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HostKeys({})", Fingerprint::from(&self.identity.public()))
    }
}

/// Unlocks the vault of a data folder.
///
/// # Errors
/// [`VaultError`]; nothing was written then.
pub(crate) fn unlock(layout: &Layout, password: &PasswordSource) -> Result<VaultServiceHandle, VaultError> {
    open(layout, password).map(|(vault, _)| vault)
}

/// Seals the vault of a data folder under another password. Its words and keys stay. The file is the old one or the
/// new one, whatever happens meanwhile.
///
/// # Errors
/// [`VaultError`]; the old password is in force then.
pub(crate) fn change_password(
    layout: &Layout,
    current: &PasswordSource,
    new: &PasswordSource,
) -> Result<(), VaultError> {
    let (vault, mnemonic) = open(layout, current)?;
    vault.lock();
    let file = layout.seed_file();
    let password = new.read_replacement("The new password: ")?;
    SeedFile::seal(&mnemonic, &password, Cost::default())
        .and_then(|sealed| sealed.replace(&file))
        .map_err(|source| VaultError::SeedFile { file, source })
}

fn open(layout: &Layout, password: &PasswordSource) -> Result<(VaultServiceHandle, Mnemonic), VaultError> {
    let file = layout.seed_file();
    let failed = |source| VaultError::SeedFile { file: file.clone(), source };
    // What can be said without the password is said before it is asked for.
    let sealed = SeedFile::read(&file).map_err(failed)?;
    let public = PublicKeys::read(layout)?;
    let mnemonic = sealed.open(&password.read("Password of the vault: ")?).map_err(failed)?;
    let vault = VaultServiceHandle::new();
    vault.unlock_mnemonic(&mnemonic, None)?;
    if vault.protection().is_some_and(|protection| !protection.locked) {
        tracing::warn!("the seed's memory is not kept out of swap: RLIMIT_MEMLOCK is too low");
    }
    if HostKeys::unlocked(layout, &vault)?.public() != public {
        return Err(VaultError::Foreign { seed: file, public: layout.public_keys_file() });
    }
    Ok((vault, mnemonic))
}

/// The file of public keys. Nothing secret.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PublicKeysFile {
    identity: String,
    audit: String,
}

impl From<PublicKeys> for PublicKeysFile {
    fn from(keys: PublicKeys) -> Self {
        let text = |key| Fingerprint::from(key).to_string();
        Self { identity: text(&keys.identity), audit: text(&keys.audit) }
    }
}

impl PublicKeys {
    /// The public keys of a data folder, without any password.
    ///
    /// # Errors
    /// [`VaultError`].
    pub(crate) fn of(layout: &Layout) -> Result<Self, VaultError> {
        match KeyStorage::of(layout)? {
            KeyStorage::KeyFile => Ok(HostKeys::of_key(read_key(&layout.host_key())?).public()),
            KeyStorage::Vault => Self::read(layout),
        }
    }

    fn read(layout: &Layout) -> Result<Self, VaultError> {
        let file = layout.public_keys_file();
        let failed = |reason: String| VaultError::PublicKeys { file: file.clone(), reason };
        let text = fs::read(&file).map_err(|error| failed(error.to_string()))?;
        let keys: PublicKeysFile =
            serde_json::from_slice(&text).map_err(|_| failed("it is not what `init` wrote".to_owned()))?;
        let parse = |text: &str| match text.parse() {
            Ok(Fingerprint::Ed25519(bytes)) => Ok(PublicKey::from_bytes(bytes)),
            Ok(Fingerprint::Sha256(_)) | Err(_) => Err(failed("it holds no public key".to_owned())),
        };
        Ok(Self { identity: parse(&keys.identity)?, audit: parse(&keys.audit)? })
    }
}

impl From<VaultError> for CommandError {
    fn from(error: VaultError) -> Self {
        let failure = Self::configuration(chain(&error));
        match error {
            VaultError::Storage(_) => {
                failure.hint("`alknet-agent init` sets up a new project, with `--vault` one with a vault")
            }
            VaultError::Password(error) => error.hint(failure),
            VaultError::SeedFile { source: SeedFileError::Malformed, .. } => failure.hint(
                "restore the file from a copy, or the vault from its words: `init --vault --restore FILE`",
            ),
            VaultError::SeedFile { .. }
            | VaultError::Vault(_)
            | VaultError::PublicKeys { .. }
            | VaultError::Foreign { .. }
            | VaultError::SealedKey { .. }
            | VaultError::Remove { .. }
            | VaultError::KeyFile(_) => failure,
        }
    }
}

#[cfg(test)]
mod tests;
