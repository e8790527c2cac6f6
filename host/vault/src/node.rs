//! What SLIP-0010 and BIP-32 share: HMAC-SHA512 from the seed to the master node, and from each node to its child.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha512;
use zeroize::Zeroizing;

use crate::path::DerivationPath;

/// HMAC-SHA512 output: the key, then the chain code. Wiped on drop.
pub(crate) struct Node(Box<Zeroizing<[u8; 64]>>);

impl Node {
    /// The node of a path: the master, which a curve's name makes of the seed, and from it one step for every index.
    pub(crate) fn derive<E>(
        curve: &[u8],
        seed: &[u8],
        path: &DerivationPath,
        mut step: impl FnMut(Self, u32) -> Result<Self, E>,
    ) -> Result<Self, E> {
        path.indices().iter().try_fold(Self::hmac(curve, &[seed]), |node, index| step(node, *index))
    }

    /// What the child of an index is made of: from the public half where it is given, else from the key.
    pub(crate) fn child(&self, public: Option<&[u8; 33]>, index: u32) -> Self {
        let ((key, chain), index) = (self.0.split_at(32), index.to_be_bytes());
        match public {
            Some(public) => Self::hmac(chain, &[public, &index]),
            None => Self::hmac(chain, &[&[0], key, &index]),
        }
    }

    /// The key.
    pub(crate) fn key(&self) -> Box<Zeroizing<[u8; 32]>> {
        boxed(self.0.split_at(32).0)
    }

    /// The chain code.
    pub(crate) fn chain_code(&self) -> Box<Zeroizing<[u8; 32]>> {
        boxed(self.0.split_at(32).1)
    }

    /// The same chain code with another key.
    #[cfg(feature = "secp256k1")]
    pub(crate) fn with_key(mut self, key: &[u8; 32]) -> Self {
        self.0.split_at_mut(32).0.copy_from_slice(key);
        self
    }

    /// HMAC-SHA512 with a key of at most 64 bytes.
    fn hmac(key: &[u8], parts: &[&[u8]]) -> Self {
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
        Self(node)
    }
}

fn boxed(half: &[u8]) -> Box<Zeroizing<[u8; 32]>> {
    let mut boxed = Box::new(Zeroizing::new([0; 32]));
    boxed.copy_from_slice(half);
    boxed
}
