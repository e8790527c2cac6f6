//! One BIP-39 root secret in memory; keys derived from it, and small secrets encrypted under them.
//!
//! **Goals.** A secret is either *derived* (a function of the seed and a path, never stored) or *external* (a text,
//! stored by somebody else as [`EncryptedData`]). [`VaultServiceHandle`] holds the seed while it is unlocked and
//! answers both questions; [`SeedFile`] keeps the mnemonic at rest under a password. Derivation is strict SLIP-0010
//! (Ed25519, AES) and BIP-32 (secp256k1, cargo feature `secp256k1`).
//!
//! **Non-goals.** Not a service: no operation, no wire format, no task, no async. No store: who keeps
//! [`EncryptedData`] is not told the plaintext, and this crate is not told where it is kept. Blobs and identities of
//! `alkvault` 0.1, which derives differently, are not readable.
//!
//! ```
//! use alknet_vault::{Binding, CURRENT_KEY_VERSION, VaultServiceHandle};
//!
//! let vault = VaultServiceHandle::new();
//! let phrase = vault.unlock_new(24, None)?;
//! assert_eq!(phrase.split(' ').count(), 24);
//! let blob = vault.encrypt("sk-1234", CURRENT_KEY_VERSION, Binding::Context("credential:openai"))?;
//! assert_eq!(*vault.decrypt(&blob, Binding::Context("credential:openai"))?, "sk-1234");
//! vault.lock();
//! assert!(!vault.is_unlocked());
//! # Ok::<(), alknet_vault::VaultServiceError>(())
//! ```

#[cfg(feature = "secp256k1")]
mod bip32;
mod cache;
mod encrypted;
mod error;
mod handle;
mod keys;
mod memory;
mod mnemonic;
mod node;
mod path;
mod seed_file;
mod slip10;
mod ticks;

pub use cache::CacheConfig;
pub use encrypted::{Binding, EncryptedData, EncryptionKey, PLAINTEXT_BYTES_MAX};
pub use error::{EncryptionError, VaultServiceError};
pub use handle::{VaultConfig, VaultServiceHandle};
pub use keys::{DerivedKey, KeyType};
pub use memory::{Protection, forbid_dumps};
pub use mnemonic::{Mnemonic, MnemonicError, Seed};
pub use path::{
    CURRENT_KEY_VERSION, DerivationPath, InvalidPath, device_path, encryption_path_for_version, paths,
};
pub use seed_file::{Cost, PASSWORD_CHARS_MIN, SeedFile, SeedFileError};
pub use slip10::{ExtendedPrivKey, derive_path_from_seed};
pub use ticks::{ManualTicks, Ticks};

#[cfg(feature = "secp256k1")]
pub use bip32::{Secp256k1ExtendedPrivKey, derive_secp256k1_path_from_seed};
