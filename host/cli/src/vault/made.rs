//! A vault that is made: for a new host, or around the key of a host that kept it in a file until then.

use std::fs;
use std::io;
use std::path::Path;

use alknet_core::Ed25519SecretKey;
use alknet_vault::{
    Binding, CURRENT_KEY_VERSION, Cost, EncryptedData, Mnemonic, SeedFile, SeedFileError, VaultServiceError,
    VaultServiceHandle,
};
use zeroize::Zeroizing;

use super::password::PasswordSource;
use super::{HostKeys, PublicKeys, PublicKeysFile, VaultError};
use crate::failure::{CommandError, CommandResult};
use crate::project::{Layout, create_private_file, replace_private_file};

/// A vault that is about to be made.
pub(crate) struct NewVault {
    mnemonic: Mnemonic,
    pub(super) sealed: SeedFile,
    public: PublicKeys,
}

impl NewVault {
    /// Asks for the password, and seals fresh words under it, or those of a file.
    ///
    /// # Errors
    /// Words or a password that cannot be read, or will not do.
    pub(crate) fn ask(password_file: Option<&Path>, restore: Option<&Path>) -> CommandResult<Self> {
        let password = PasswordSource::of(password_file);
        if password == PasswordSource::Stdin && restore == Some(Path::new("-")) {
            return Err(CommandError::usage("standard input is both the password and the words")
                .hint("put one of them into a file"));
        }
        let words = restore.map(crate::input::read_token).transpose()?;
        let password = password.read_new("A password for the new vault: ").map_err(VaultError::from)?;
        Self::new(words.as_ref().map(|words| words.expose_secret()), &password)
    }

    /// Seals fresh or given words under a password.
    ///
    /// # Errors
    /// Words or a password that will not do.
    pub(crate) fn new(words: Option<&str>, password: &str) -> CommandResult<Self> {
        let mnemonic = match words {
            Some(words) => Mnemonic::from_phrase(words).map_err(VaultServiceError::from),
            None => Mnemonic::generate(WORDS),
        };
        let mnemonic = mnemonic.map_err(|error| CommandError::configuration(error.to_string()))?;
        let sealed = SeedFile::seal(&mnemonic, password, Cost::default())
            .map_err(|error| CommandError::configuration(error.to_string()))?;
        let public = with_unlocked(&mnemonic, |vault| Ok(HostKeys::of_vault(vault)?.public()))?;
        Ok(Self { mnemonic, sealed, public })
    }

    /// The words, to be shown once.
    pub(crate) fn phrase(&self) -> Zeroizing<String> {
        self.mnemonic.phrase()
    }

    /// The public halves of the keys that are derived from it.
    pub(crate) fn public(&self) -> PublicKeys {
        self.public
    }

    /// Writes the seed file; it must not exist.
    pub(crate) fn write_seed(&self, layout: &Layout) -> io::Result<()> {
        self.sealed.write_new(&layout.seed_file()).map_err(|error| match error {
            SeedFileError::Io { source, .. } => source,
            other => io::Error::other(other),
        })
    }

    /// Writes the file of public keys; it must not exist.
    pub(crate) fn write_public(&self, layout: &Layout) -> io::Result<()> {
        create_private_file(&layout.public_keys_file(), &public_file(self.public)?)
    }
}

/// The key of a host that is put into a new vault. The host stays who it is: its key, the key of its log and that of
/// the log's digests are the ones they were.
pub(crate) struct Adoption<'a> {
    layout: &'a Layout,
    vault: &'a NewVault,
    public: PublicKeys,
    sealed: EncryptedData,
}

impl<'a> Adoption<'a> {
    /// Seals the key.
    ///
    /// # Errors
    /// [`VaultError`].
    pub(crate) fn new(
        layout: &'a Layout,
        vault: &'a NewVault,
        key: &Ed25519SecretKey,
    ) -> Result<Self, VaultError> {
        let text = Zeroizing::new(hex::encode(*key.to_bytes()));
        let sealed = with_unlocked(&vault.mnemonic, |vault| {
            Ok(vault.encrypt(&text, CURRENT_KEY_VERSION, Binding::Context(CONTEXT))?)
        })?;
        Ok(Self { layout, vault, public: HostKeys::of_key(key.clone()).public(), sealed })
    }

    /// Writes what the vault needs and removes the key file. Broken off at any point, the host has its key: in the file
    /// until the seed is there, which it is at once and as a whole, and in the vault from then on.
    ///
    /// # Errors
    /// What the operating system said.
    pub(crate) fn commit(&self) -> io::Result<()> {
        self.commit_steps(STEPS.len())
    }

    pub(super) fn commit_steps(&self, steps: usize) -> io::Result<()> {
        STEPS.iter().take(steps).try_for_each(|step| step(self))
    }
}

/// In this order.
const STEPS: [fn(&Adoption<'_>) -> io::Result<()>; 4] = [
    |adoption| replace_private_file(&adoption.layout.public_keys_file(), &public_file(adoption.public)?),
    |adoption| {
        let sealed = serde_json::to_vec(&adoption.sealed).map_err(io::Error::other)?;
        replace_private_file(&adoption.layout.sealed_key_file(), &sealed)
    },
    |adoption| adoption.vault.write_seed(adoption.layout),
    |adoption| fs::remove_file(adoption.layout.host_key()),
];

/// The key that an [`Adoption`] sealed; `None` when this vault did not.
pub(super) fn unseal(vault: &VaultServiceHandle, text: &str) -> Option<Ed25519SecretKey> {
    let sealed: EncryptedData = serde_json::from_str(text).ok()?;
    let text = vault.decrypt(&sealed, Binding::Context(CONTEXT)).ok()?;
    let mut seed = Zeroizing::new([0; 32]);
    hex::decode_to_slice(text.as_str(), &mut *seed).ok()?;
    Some(Ed25519SecretKey::from_bytes(&seed))
}

fn with_unlocked<T>(
    mnemonic: &Mnemonic,
    work: impl FnOnce(&VaultServiceHandle) -> Result<T, VaultError>,
) -> Result<T, VaultError> {
    let vault = VaultServiceHandle::new();
    vault.unlock_mnemonic(mnemonic, None)?;
    let done = work(&vault);
    vault.lock();
    done
}

fn public_file(keys: PublicKeys) -> io::Result<Vec<u8>> {
    let text = serde_json::to_string_pretty(&PublicKeysFile::from(keys)).map_err(io::Error::other)?;
    Ok((text + "\n").into_bytes())
}

/// What the sealed key is bound to. No credential is bound to this.
const CONTEXT: &str = "host-key";
/// The strongest that BIP-39 has: 256 bits.
const WORDS: usize = 24;
