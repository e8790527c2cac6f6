//! What a vault answers instead of a key or a text. No variant holds a secret, or a part of one.

use crate::mnemonic::MnemonicError;
use crate::path::InvalidPath;

/// Why the vault did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum VaultServiceError {
    /// There is no seed in memory. Wins over every complaint about the arguments.
    #[error("the vault is locked")]
    VaultLocked,
    /// There is a seed in memory already; it is kept.
    #[error("the vault is unlocked already")]
    AlreadyUnlocked,
    /// The mnemonic is not valid.
    #[error(transparent)]
    Mnemonic(#[from] MnemonicError),
    /// The path leads to no key: one in 2^127 on secp256k1, none on Ed25519.
    #[error("this path leads to no key; use the next index")]
    Derivation,
    /// The encryption or decryption failed.
    #[error(transparent)]
    Encryption(#[from] EncryptionError),
    /// The path, or the key version that names one, is not valid.
    #[error(transparent)]
    InvalidPath(#[from] InvalidPath),
    /// This build has no such keys (cargo feature `secp256k1`).
    #[error("this build has no secp256k1 keys")]
    UnsupportedKeyType,
    /// The operating system gave no randomness; there is no fallback.
    #[error("the operating system gave no randomness")]
    Randomness,
    /// The seed's memory could not be locked, and the configuration demands it.
    #[error("the seed's memory cannot be locked (RLIMIT_MEMLOCK may be too low)")]
    Memory,
}

/// Why a text was not encrypted or decrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncryptionError {
    /// The text is longer than [`PLAINTEXT_BYTES_MAX`](crate::PLAINTEXT_BYTES_MAX), or the cipher failed.
    #[error("the text cannot be encrypted: it is too long")]
    Encryption,
    /// The key, the context or the content does not fit; which of them is not told.
    #[error(
        "the data cannot be decrypted: it is another vault's, was meant for another purpose, or was changed"
    )]
    Decryption,
    /// A member is no base64, or has the wrong length.
    #[error("the data is malformed: `{0}` is not what it should be")]
    Decoding(&'static str),
    /// Rotation leads to newer keys only.
    #[error("the data is encrypted with key version {actual}, which is newer than {asked}")]
    Downgrade {
        /// The version of the data.
        actual: u32,
        /// The version asked for.
        asked: u32,
    },
    /// Random nonces are used up: 2^32 encryptions under one key version by this process.
    #[error("key version {0} has encrypted as often as is safe; rotate to the next")]
    NonceBudget(u32),
}
