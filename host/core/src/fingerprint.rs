//! Fingerprints of peer keys, in the two forms the protocol knows.

use std::fmt;
use std::str::FromStr;

use crate::PublicKey;

/// The fingerprint of a peer's key: `ed25519:` and the raw key, or `SHA256:` and the hash of a certificate,
/// each as 64 lower-case hexadecimal digits. Comparison is exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fingerprint {
    /// A raw Ed25519 public key (RFC 7250, or an iroh node id).
    Ed25519([u8; 32]),
    /// SHA-256 over the DER of an X.509 leaf certificate or of another kind of public key.
    Sha256([u8; 32]),
}

/// A fingerprint that is neither form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a fingerprint is `ed25519:` or `SHA256:` followed by 64 hexadecimal digits")]
pub struct InvalidFingerprint;

impl From<&PublicKey> for Fingerprint {
    fn from(key: &PublicKey) -> Self {
        Self::Ed25519(*key.as_bytes())
    }
}

impl FromStr for Fingerprint {
    type Err = InvalidFingerprint;

    /// Parses either form; hexadecimal digits of any case are accepted and normalised.
    fn from_str(text: &str) -> Result<Self, InvalidFingerprint> {
        let parse = |digits: &str| {
            let mut bytes = [0; 32];
            hex::decode_to_slice(digits, &mut bytes).map_err(|_| InvalidFingerprint)?;
            Ok(bytes)
        };
        if let Some(digits) = text.strip_prefix("ed25519:") {
            return parse(digits).map(Self::Ed25519);
        }
        let digits = text.strip_prefix("SHA256:").ok_or(InvalidFingerprint)?;
        parse(digits).map(Self::Sha256)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ed25519(bytes) => write!(f, "ed25519:{}", hex::encode(bytes)),
            Self::Sha256(bytes) => write!(f, "SHA256:{}", hex::encode(bytes)),
        }
    }
}
