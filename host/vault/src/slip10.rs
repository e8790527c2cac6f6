//! SLIP-0010 on Ed25519: hardened children only, and the private key is an RFC 8032 seed.

use std::fmt;

use ed25519_dalek::SigningKey;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha512;
use zeroize::Zeroizing;

use crate::mnemonic::Seed;
use crate::path::{DerivationPath, InvalidPath};

/// A key on a path, with the chain code that leads to its children. Wiped on drop.
pub struct ExtendedPrivKey {
    node: Node,
    path: DerivationPath,
}

/// HMAC-SHA512 output: the key, then the chain code.
pub(crate) type Node = Box<Zeroizing<[u8; 64]>>;

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
    let mut node = hmac_sha512(b"ed25519 seed", &[seed]);
    for index in path.indices() {
        let (key, chain) = node.split_at(32);
        node = hmac_sha512(chain, &[&[0], key, &index.to_be_bytes()]);
    }
    node
}

/// HMAC-SHA512 with a key of at most 64 bytes.
pub(crate) fn hmac_sha512(key: &[u8], parts: &[&[u8]]) -> Node {
    // A key shorter than the block is padded with zeros (RFC 2104 §2).
    let mut block = Zeroizing::new([0; 128]);
    for (to, from) in block.iter_mut().zip(key) {
        *to = *from;
    }
    let mut mac = Hmac::<Sha512>::new((&*block).into());
    for part in parts {
        mac.update(part);
    }
    let mut node = Box::new(Zeroizing::new([0; 64]));
    let tag = Zeroizing::new(<[u8; 64]>::from(mac.finalize().into_bytes()));
    node.copy_from_slice(&*tag);
    node
}

/// The first half of a node.
pub(crate) fn private_half(node: &Node) -> Box<Zeroizing<[u8; 32]>> {
    let mut private = Box::new(Zeroizing::new([0; 32]));
    private.copy_from_slice(node.split_at(32).0);
    private
}

/// The Ed25519 public key of an RFC 8032 seed.
pub(crate) fn public_key(private: &[u8; 32]) -> [u8; 32] {
    SigningKey::from_bytes(private).verifying_key().to_bytes()
}

impl ExtendedPrivKey {
    /// The private key, an RFC 8032 seed; the caller must not log or return it.
    #[must_use]
    pub fn private_key(&self) -> Box<Zeroizing<[u8; 32]>> {
        private_half(&self.node)
    }

    /// The chain code.
    #[must_use]
    pub fn chain_code(&self) -> Box<Zeroizing<[u8; 32]>> {
        let mut chain = Box::new(Zeroizing::new([0; 32]));
        chain.copy_from_slice(self.node.split_at(32).1);
        chain
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
