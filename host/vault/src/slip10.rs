//! SLIP-0010 on Ed25519: hardened children only, and the private key is an RFC 8032 seed.

use std::convert::Infallible;
use std::fmt;

use ed25519_dalek::SigningKey;
use zeroize::Zeroizing;

use crate::mnemonic::Seed;
use crate::node::Node;
use crate::path::{DerivationPath, InvalidPath};

/// A key on a path, with the chain code that leads to its children. Wiped on drop.
pub struct ExtendedPrivKey {
    node: Node,
    path: DerivationPath,
}

/// Derives the Ed25519 key of a path below a seed; `m` is the master key.
///
/// # Errors
/// [`InvalidPath`] when the text is no path, or one with an index that is not hardened.
pub fn derive_path_from_seed(seed: &Seed, path: &str) -> Result<ExtendedPrivKey, InvalidPath> {
    let path = path.parse::<DerivationPath>()?.hardened()?;
    Ok(ExtendedPrivKey { node: node(seed.as_bytes(), &path), path })
}

/// The node of a path whose indices are all hardened.
pub(crate) fn node(seed: &[u8], path: &DerivationPath) -> Node {
    let step = |node: Node, index| Ok::<_, Infallible>(node.child(None, index));
    Node::derive(b"ed25519 seed", seed, path, step).unwrap_or_else(|never| match never {})
}

/// The Ed25519 public key of an RFC 8032 seed.
pub(crate) fn public_key(private: &[u8; 32]) -> [u8; 32] {
    SigningKey::from_bytes(private).verifying_key().to_bytes()
}

impl ExtendedPrivKey {
    /// The private key, an RFC 8032 seed; the caller must not log or return it.
    #[must_use]
    pub fn private_key(&self) -> Box<Zeroizing<[u8; 32]>> {
        self.node.key()
    }

    /// The chain code.
    #[must_use]
    pub fn chain_code(&self) -> Box<Zeroizing<[u8; 32]>> {
        self.node.chain_code()
    }

    /// The public key.
    #[must_use]
    pub fn public_key(&self) -> [u8; 32] {
        public_key(&self.private_key())
    }

    /// Where the key is.
    #[must_use]
    pub fn path(&self) -> &DerivationPath {
        &self.path
    }
}

impl fmt::Debug for ExtendedPrivKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExtendedPrivKey({}, [REDACTED])", self.path)
    }
}
