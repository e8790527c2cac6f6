//! Small texts under AES-256-GCM: the storage format, and what binds a text to its purpose.

use std::fmt;

use aes_gcm::aead::{Aead as _, Payload};
use aes_gcm::{Aes256Gcm, KeyInit as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::error::{EncryptionError, VaultServiceError};

/// The longest text that is encrypted, in bytes: these are API keys and tokens.
pub const PLAINTEXT_BYTES_MAX: usize = 64 << 10;

/// An encrypted text. The format is frozen: no member goes or changes its meaning, a new one is optional. Safe to
/// log and store. Members that are not known are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EncryptedData {
    /// Which key it is encrypted with.
    pub key_version: u32,
    /// Base64 of 32 random bytes. Not used by the key derivation; covered by the tag where `aad_v` is 1.
    pub salt: String,
    /// Base64 of the nonce, 12 bytes.
    pub iv: String,
    /// Base64 of the ciphertext and the 16-byte tag.
    pub data: String,
    /// What the tag covers beside the text: 0 nothing, 1 version, salt and context.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub aad_v: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(version: &u32) -> bool {
    *version == 0
}

/// What a text is bound to. Who decrypts says what it expects; the data cannot choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binding<'a> {
    /// The tag covers the purpose, such as `credential:openai`, with the version and the salt (`aad_v` 1).
    Context(&'a str),
    /// The tag covers the text alone (`aad_v` 0), as older data has it.
    Unbound,
}

/// A key of one version. Wiped on drop.
///
/// ```compile_fail
/// fn clone<T: Clone>() {}
/// clone::<alknet_vault::EncryptionKey>();
/// ```
pub struct EncryptionKey {
    key: Box<Zeroizing<[u8; 32]>>,
    version: u32,
}

impl EncryptionKey {
    pub(crate) fn new(key: Box<Zeroizing<[u8; 32]>>, version: u32) -> Self {
        Self { key, version }
    }

    /// A key from the first 32 of these bytes.
    ///
    /// # Errors
    /// [`EncryptionError::Decoding`] when there are fewer.
    pub fn from_derived_bytes(bytes: &[u8], version: u32) -> Result<Self, EncryptionError> {
        let bytes = bytes.get(..32).ok_or(EncryptionError::Decoding("key"))?;
        let mut key = Box::new(Zeroizing::new([0; 32]));
        key.copy_from_slice(bytes);
        Ok(Self { key, version })
    }

    /// The version.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Encrypts with a fresh nonce and salt.
    ///
    /// # Errors
    /// [`EncryptionError::Encryption`] for a text that is too long; [`VaultServiceError::Randomness`].
    pub fn encrypt(&self, text: &str, binding: Binding<'_>) -> Result<EncryptedData, VaultServiceError> {
        let (mut salt, mut iv) = ([0; SALT_BYTES], [0; NONCE_BYTES]);
        for random in [&mut salt[..], &mut iv[..]] {
            getrandom::fill(random).map_err(|_| VaultServiceError::Randomness)?;
        }
        Ok(self.seal(text, binding, &salt, iv)?)
    }

    fn seal(
        &self,
        text: &str,
        binding: Binding<'_>,
        salt: &[u8],
        iv: [u8; NONCE_BYTES],
    ) -> Result<EncryptedData, EncryptionError> {
        if text.len() > PLAINTEXT_BYTES_MAX {
            return Err(EncryptionError::Encryption);
        }
        let aad = aad(binding, self.version, salt)?;
        let payload = Payload { msg: text.as_bytes(), aad: &aad };
        let data = self.cipher().encrypt(&iv.into(), payload).map_err(|_| EncryptionError::Encryption)?;
        Ok(EncryptedData {
            key_version: self.version,
            salt: STANDARD.encode(salt),
            iv: STANDARD.encode(iv),
            data: STANDARD.encode(data),
            aad_v: binding.version(),
        })
    }

    /// Decrypts what was encrypted with this key and this binding.
    ///
    /// # Errors
    /// [`EncryptionError::Decryption`] for whatever does not fit, [`EncryptionError::Decoding`] for what is malformed.
    pub fn decrypt(
        &self,
        encrypted: &EncryptedData,
        binding: Binding<'_>,
    ) -> Result<Zeroizing<String>, EncryptionError> {
        if encrypted.data.len() > DATA_CHARS_MAX || encrypted.salt.len() > SALT_CHARS_MAX {
            return Err(EncryptionError::Decoding("data"));
        }
        let decode = |name, text: &str| STANDARD.decode(text).map_err(|_| EncryptionError::Decoding(name));
        let iv: [u8; NONCE_BYTES] =
            decode("iv", &encrypted.iv)?.try_into().map_err(|_| EncryptionError::Decoding("iv"))?;
        let (salt, data) = (decode("salt", &encrypted.salt)?, decode("data", &encrypted.data)?);
        if encrypted.aad_v != binding.version() || encrypted.key_version != self.version {
            return Err(EncryptionError::Decryption);
        }
        let payload = Payload { msg: &data, aad: &aad(binding, self.version, &salt)? };
        let text = self.cipher().decrypt(&iv.into(), payload);
        let text = Zeroizing::new(text.map_err(|_| EncryptionError::Decryption)?);
        let text = std::str::from_utf8(&text).map_err(|_| EncryptionError::Decryption)?;
        Ok(Zeroizing::new(text.to_owned()))
    }

    fn cipher(&self) -> Aes256Gcm {
        Aes256Gcm::new((&**self.key).into())
    }
}

impl fmt::Debug for EncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EncryptionKey {{ key_version: {}, key: [REDACTED] }}", self.version)
    }
}

impl Binding<'_> {
    fn version(self) -> u32 {
        match self {
            Self::Unbound => 0,
            Self::Context(_) => 1,
        }
    }
}

/// What the tag covers: label, 0, version, and salt and context with their lengths, so that none runs into another.
fn aad(binding: Binding<'_>, version: u32, salt: &[u8]) -> Result<Vec<u8>, EncryptionError> {
    let Binding::Context(context) = binding else {
        return Ok(Vec::new());
    };
    let salt_len = u16::try_from(salt.len()).map_err(|_| EncryptionError::Decoding("salt"))?;
    let context_len = u32::try_from(context.len()).map_err(|_| EncryptionError::Encryption)?;
    let parts: [&[u8]; 6] = [
        AAD_LABEL,
        &version.to_be_bytes(),
        &salt_len.to_be_bytes(),
        salt,
        &context_len.to_be_bytes(),
        context.as_bytes(),
    ];
    Ok(parts.concat())
}

const AAD_LABEL: &[u8] = b"alknet/encrypted-data/1\0";
const SALT_BYTES: usize = 32;
const NONCE_BYTES: usize = 12;
const SALT_CHARS_MAX: usize = 1024;
/// Base64 of the longest text with its tag.
const DATA_CHARS_MAX: usize = (PLAINTEXT_BYTES_MAX + 16).div_ceil(3) * 4;

#[cfg(test)]
mod tests;
