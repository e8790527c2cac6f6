//! Derived keys, as they are handed out.

use std::fmt;

use serde::ser::SerializeStruct as _;
use serde::{Deserialize, Serialize, Serializer};
use zeroize::Zeroizing;

/// What a derived key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum KeyType {
    /// Signing: 32-byte private key (an RFC 8032 seed), 32-byte public key.
    Ed25519,
    /// Encryption: 32-byte key, no public half.
    Aes256Gcm,
    /// Signing: 32-byte private key, 33-byte compressed public key.
    Secp256k1,
}

/// A key derived from the seed. Moves and is wiped on drop; prints and serializes without its private half, which
/// is a safety net: it has no business in any message. There is no way to read one back.
///
/// ```compile_fail
/// fn clone<T: Clone>() {}
/// clone::<alknet_vault::DerivedKey>();
/// ```
/// ```compile_fail
/// fn read<T: for<'de> serde::Deserialize<'de>>() {}
/// read::<alknet_vault::DerivedKey>();
/// ```
pub struct DerivedKey {
    key_type: KeyType,
    private: Box<Zeroizing<[u8; 32]>>,
    public: PublicHalf,
}

/// The public half of a key; none of an AES key.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PublicHalf {
    bytes: [u8; PUBLIC_BYTES_MAX],
    len: usize,
}

impl PublicHalf {
    pub(crate) fn new(public: &[u8]) -> Self {
        let mut bytes = [0; PUBLIC_BYTES_MAX];
        for (to, from) in bytes.iter_mut().zip(public) {
            *to = *from;
        }
        Self { bytes, len: public.len().min(PUBLIC_BYTES_MAX) }
    }
}

impl DerivedKey {
    pub(crate) fn new(key_type: KeyType, private: Box<Zeroizing<[u8; 32]>>, public: PublicHalf) -> Self {
        Self { key_type, private, public }
    }

    /// What it is for.
    #[must_use]
    pub fn key_type(&self) -> KeyType {
        self.key_type
    }

    /// The private half; the caller must not log, store or return it.
    #[must_use]
    pub fn private_key(&self) -> &[u8; 32] {
        &self.private
    }

    /// The public half; empty for an AES key.
    #[must_use]
    pub fn public_key(&self) -> &[u8] {
        self.public.bytes.get(..self.public.len).unwrap_or_default()
    }

    pub(crate) fn public_half(&self) -> PublicHalf {
        self.public
    }

    pub(crate) fn into_private(self) -> Box<Zeroizing<[u8; 32]>> {
        self.private
    }
}

impl Serialize for DerivedKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = serializer.serialize_struct("DerivedKey", 3)?;
        members.serialize_field("key_type", &self.key_type)?;
        members.serialize_field("private_key", REDACTED)?;
        members.serialize_field("public_key", self.public_key())?;
        members.end()
    }
}

impl fmt::Debug for DerivedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DerivedKey")
            .field("key_type", &self.key_type)
            .field("private_key", &REDACTED)
            .field("public_key", &self.public_key())
            .finish()
    }
}

const PUBLIC_BYTES_MAX: usize = 33;
const REDACTED: &str = "[REDACTED]";
