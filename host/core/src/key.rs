//! The host's Ed25519 key: TLS raw key, iroh node id and fingerprint are all derived from this one.

use std::fmt;

use ed25519_dalek::{Signer as _, SigningKey, Verifier as _};
use zeroize::Zeroizing;

/// An Ed25519 private key; zeroized on drop, never printed.
#[derive(Clone)]
pub struct Ed25519SecretKey(SigningKey);

/// An Ed25519 public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey([u8; 32]);

impl Ed25519SecretKey {
    /// A fresh key from the operating system's random generator.
    ///
    /// # Errors
    /// The generator's error when it fails; there is no fallback.
    pub fn generate() -> Result<Self, std::io::Error> {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *seed).map_err(std::io::Error::from)?;
        Ok(Self::from_bytes(&seed))
    }

    /// The key with this RFC 8032 seed.
    #[must_use]
    pub fn from_bytes(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The seed, for storage in a sealed file.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    /// Signs a message (RFC 8032, 64 bytes).
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

impl fmt::Debug for Ed25519SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ed25519SecretKey([REDACTED])")
    }
}

impl PublicKey {
    /// A key from its 32 bytes; [`PublicKey::verify`] fails if they are no curve point.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The raw key.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether `signature` is this key's over `message`.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        let Ok(key) = ed25519_dalek::VerifyingKey::from_bytes(&self.0) else {
            return false;
        };
        key.verify(message, &ed25519_dalek::Signature::from_bytes(signature)).is_ok()
    }
}
