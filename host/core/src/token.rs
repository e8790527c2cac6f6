//! Bearer tokens: shown once, stored as a hash, compared in constant time.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize as _, Zeroizing};

/// A bearer token as it came from a peer; zeroized on drop, never printed.
#[derive(Clone)]
pub struct AuthToken(Vec<u8>);

impl AuthToken {
    /// The longest token that is looked at: 4 KiB. Longer ones resolve to nothing.
    pub const BYTES_MAX: usize = 4096;

    /// A token from raw bytes.
    #[must_use]
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// The raw bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The hash under which the token is stored; `None` for an empty or oversized token.
    #[must_use]
    pub fn hash(&self) -> Option<TokenHash> {
        let sized = !self.0.is_empty() && self.0.len() <= Self::BYTES_MAX;
        sized.then(|| TokenHash(Sha256::digest(&self.0).into()))
    }
}

impl Drop for AuthToken {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for AuthToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuthToken([REDACTED])")
    }
}

/// SHA-256 of a token, written `sha256:` and 64 hexadecimal digits. Equality is constant time.
#[derive(Debug, Clone, Copy, Eq)]
pub struct TokenHash([u8; 32]);

impl PartialEq for TokenHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl FromStr for TokenHash {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix("sha256:").ok_or("a token hash starts with `sha256:`")?;
        let mut bytes = [0; 32];
        hex::decode_to_slice(digits, &mut bytes).map_err(|_| "a token hash has 64 hexadecimal digits")?;
        Ok(Self(bytes))
    }
}

impl fmt::Display for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", hex::encode(self.0))
    }
}

/// A freshly made API key: the token to hand out once, and what the configuration stores.
#[derive(Debug)]
pub struct NewApiKey {
    /// The token, `alk_` and 44 hexadecimal digits: 16 public bits in the prefix, 160 secret bits behind it.
    pub token: Zeroizing<String>,
    /// The first eight characters, which are public and become the identity's id.
    pub prefix: String,
    /// The hash to store.
    pub hash: TokenHash,
}

impl NewApiKey {
    /// Makes a key from the operating system's random generator.
    ///
    /// # Errors
    /// The generator's error when it fails; there is no fallback.
    pub fn generate() -> Result<Self, std::io::Error> {
        let mut secret = Zeroizing::new([0_u8; 22]);
        getrandom::fill(&mut *secret).map_err(std::io::Error::from)?;
        let digits = Zeroizing::new(hex::encode(secret.as_slice()));
        let token = Zeroizing::new(format!("alk_{}", *digits));
        let hash = TokenHash(Sha256::digest(token.as_bytes()).into());
        Ok(Self { prefix: token.chars().take(8).collect(), token, hash })
    }
}
