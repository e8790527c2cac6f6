//! BIP-32 on secp256k1.

use std::fmt;

use k256::elliptic_curve::PrimeField as _;
use k256::elliptic_curve::sec1::ToSec1Point as _;
use k256::{NonZeroScalar, PublicKey, Scalar};
use zeroize::Zeroizing;

use crate::error::VaultServiceError;
use crate::mnemonic::Seed;
use crate::node::Node;
use crate::path::{DerivationPath, HARDENED};

/// A secp256k1 key on a path, with the chain code that leads to its children. Wiped on drop.
pub struct Secp256k1ExtendedPrivKey {
    node: Node,
    public: [u8; 33],
    path: DerivationPath,
}

/// Derives the secp256k1 key of a path below a seed.
///
/// # Errors
/// [`VaultServiceError::InvalidPath`], or [`VaultServiceError::Derivation`] where BIP-32 knows no key.
pub fn derive_secp256k1_path_from_seed(
    seed: &Seed,
    path: &str,
) -> Result<Secp256k1ExtendedPrivKey, VaultServiceError> {
    let path = path.parse()?;
    let (node, public) = node(seed.as_bytes(), &path)?;
    Ok(Secp256k1ExtendedPrivKey { node, public, path })
}

/// The node of a path and its compressed public key.
pub(crate) fn node(seed: &[u8], path: &DerivationPath) -> Result<(Node, [u8; 33]), VaultServiceError> {
    let node = Node::derive(b"Bitcoin seed", seed, path, |node, index| {
        let parent = scalar(&node)?;
        let public = (index & HARDENED == 0).then(|| compressed(&parent)).transpose()?;
        let child = node.child(public.as_ref(), index);
        // IL is not reduced: one that is no scalar is skipped over by BIP-32. The sum may be zero, IL need not be.
        let left = Option::<Scalar>::from(Scalar::from_repr((**child.key()).into()));
        let sum = left.ok_or(VaultServiceError::Derivation)? + *parent;
        let scalar = Option::<NonZeroScalar>::from(NonZeroScalar::new(sum));
        let scalar = scalar.ok_or(VaultServiceError::Derivation)?;
        Ok::<_, VaultServiceError>(child.with_key(&Zeroizing::new(<[u8; 32]>::from(scalar.to_repr()))))
    })?;
    let public = compressed(&scalar(&node)?)?;
    Ok((node, public))
}

fn scalar(node: &Node) -> Result<NonZeroScalar, VaultServiceError> {
    let scalar = NonZeroScalar::from_repr((**node.key()).into());
    Option::from(scalar).ok_or(VaultServiceError::Derivation)
}

fn compressed(scalar: &NonZeroScalar) -> Result<[u8; 33], VaultServiceError> {
    let point = PublicKey::from_secret_scalar(scalar).to_sec1_point(true);
    point.as_bytes().try_into().map_err(|_| VaultServiceError::Derivation)
}

impl Secp256k1ExtendedPrivKey {
    /// The private key; the caller must not log or return it.
    #[must_use]
    pub fn private_key(&self) -> Box<Zeroizing<[u8; 32]>> {
        self.node.key()
    }

    /// The chain code.
    #[must_use]
    pub fn chain_code(&self) -> Box<Zeroizing<[u8; 32]>> {
        self.node.chain_code()
    }

    /// The compressed public key.
    #[must_use]
    pub fn public_key(&self) -> [u8; 33] {
        self.public
    }
}

impl fmt::Debug for Secp256k1ExtendedPrivKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secp256k1ExtendedPrivKey({}, [REDACTED])", self.path)
    }
}
