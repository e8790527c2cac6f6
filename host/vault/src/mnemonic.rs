//! BIP-39: words, entropy, and the seed they make. English only.

use std::borrow::Cow;
use std::fmt;

use bip39::Language;
use zeroize::{Zeroize as _, Zeroizing};

use crate::error::VaultServiceError;

/// Words that stand for a root secret. Wiped on drop, never printed, not clonable.
///
/// ```compile_fail
/// fn clone<T: Clone>() {}
/// clone::<alknet_vault::Mnemonic>();
/// ```
pub struct Mnemonic {
    entropy: Box<Zeroizing<[u8; ENTROPY_BYTES_MAX]>>,
    bytes: usize,
}

/// The bytes that all keys derive from; 64 of a mnemonic. Wiped on drop, never printed, not clonable.
///
/// ```compile_fail
/// fn clone<T: Clone>() {}
/// clone::<alknet_vault::Seed>();
/// ```
pub struct Seed {
    bytes: Box<Zeroizing<[u8; SEED_BYTES_MAX]>>,
    len: usize,
}

/// Why words are no mnemonic. Names a place, never a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MnemonicError {
    /// 12, 15, 18, 21 and 24 words exist.
    #[error("a mnemonic has 12, 15, 18, 21 or 24 words")]
    Generation,
    /// The phrase has another number of words.
    #[error("a mnemonic has 12, 15, 18, 21 or 24 words, not {0}")]
    WordCount(usize),
    /// A word is not in the English list; the first word is number 1.
    #[error("word {0} of the mnemonic is not in the English list (in lower case)")]
    UnknownWord(usize),
    /// The words are no mnemonic together: one of them is wrong, or two are swapped.
    #[error("the checksum of the mnemonic is wrong: a word is wrong or out of place")]
    Checksum,
}

impl Mnemonic {
    /// Fresh words from the operating system's random generator.
    ///
    /// # Errors
    /// [`MnemonicError::Generation`] for a number of words that does not exist, or
    /// [`VaultServiceError::Randomness`].
    pub fn generate(word_count: usize) -> Result<Self, VaultServiceError> {
        if !matches!(word_count, 12 | 15 | 18 | 21 | 24) {
            return Err(MnemonicError::Generation.into());
        }
        let mut mnemonic = Self::empty(word_count / 3 * 4);
        let filled = getrandom::fill(mnemonic.entropy_mut());
        filled.map_err(|_| VaultServiceError::Randomness)?;
        Ok(mnemonic)
    }

    /// Reads a phrase; runs of spaces count as one.
    ///
    /// # Errors
    /// [`MnemonicError`].
    pub fn from_phrase(phrase: &str) -> Result<Self, MnemonicError> {
        let parsed = bip39::Mnemonic::parse_in_normalized(Language::English, phrase);
        let parsed = parsed.map_err(|error| match error {
            bip39::Error::BadWordCount(count) => MnemonicError::WordCount(count),
            bip39::Error::UnknownWord(index) => MnemonicError::UnknownWord(index + 1),
            _ => MnemonicError::Checksum,
        })?;
        let (mut array, bytes) = parsed.to_entropy_array();
        let mut mnemonic = Self::empty(bytes);
        if let Some(entropy) = array.get(..bytes) {
            mnemonic.entropy_mut().copy_from_slice(entropy);
        }
        array.zeroize();
        Ok(mnemonic)
    }

    /// The mnemonic of this entropy: 16, 20, 24, 28 or 32 bytes.
    ///
    /// # Errors
    /// [`MnemonicError::Generation`] for another length.
    pub fn from_entropy(entropy: &[u8]) -> Result<Self, MnemonicError> {
        if !matches!(entropy.len(), 16 | 20 | 24 | 28 | 32) {
            return Err(MnemonicError::Generation);
        }
        let mut mnemonic = Self::empty(entropy.len());
        mnemonic.entropy_mut().copy_from_slice(entropy);
        Ok(mnemonic)
    }

    /// The words, separated by one space. To be shown once and written down.
    #[must_use]
    pub fn phrase(&self) -> Zeroizing<String> {
        let mut phrase = Zeroizing::new(String::with_capacity(PHRASE_BYTES_MAX));
        for word in self.words().into_iter().flat_map(|words| words.words().collect::<Vec<_>>()) {
            if !phrase.is_empty() {
                phrase.push(' ');
            }
            phrase.push_str(word);
        }
        phrase
    }

    /// The seed: PBKDF2-HMAC-SHA512, 2048 rounds. Another passphrase is another seed; none is the empty one.
    /// Passphrases are normalised (NFKD), so that it does not matter how a keyboard composes letters.
    #[must_use]
    pub fn to_seed(&self, passphrase: Option<&str>) -> Seed {
        let mut bytes = Box::new(Zeroizing::new([0; SEED_BYTES_MAX]));
        let normal = normalized(passphrase.unwrap_or_default());
        if let Some(words) = self.words() {
            let mut seed = words.to_seed_normalized(&normal);
            bytes.copy_from_slice(&seed);
            seed.zeroize();
        }
        Seed { bytes, len: SEED_BYTES_MAX }
    }

    /// What the words stand for.
    pub(crate) fn entropy(&self) -> &[u8] {
        self.entropy.get(..self.bytes).unwrap_or_default()
    }

    fn entropy_mut(&mut self) -> &mut [u8] {
        self.entropy.get_mut(..self.bytes).unwrap_or_default()
    }

    fn empty(bytes: usize) -> Self {
        Self { entropy: Box::new(Zeroizing::new([0; ENTROPY_BYTES_MAX])), bytes }
    }

    /// Always there: the length was checked when this was made.
    fn words(&self) -> Option<bip39::Mnemonic> {
        bip39::Mnemonic::from_entropy(self.entropy()).ok()
    }
}

/// NFKD (BIP-39), wiped on drop.
pub(crate) fn normalized(text: &str) -> Zeroizing<String> {
    let mut text = Cow::Borrowed(text);
    bip39::Mnemonic::normalize_utf8_cow(&mut text);
    Zeroizing::new(text.into_owned())
}

impl Seed {
    /// A seed from its bytes: 16 to 64 of them (BIP-32), else `None`.
    #[must_use]
    pub fn new(seed: &[u8]) -> Option<Self> {
        if !(16..=SEED_BYTES_MAX).contains(&seed.len()) {
            return None;
        }
        let mut bytes = Box::new(Zeroizing::new([0; SEED_BYTES_MAX]));
        bytes.get_mut(..seed.len())?.copy_from_slice(seed);
        Some(Self { bytes, len: seed.len() })
    }

    /// The bytes; the caller must not keep, log or return them.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl fmt::Debug for Mnemonic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mnemonic([REDACTED])")
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed([REDACTED])")
    }
}

const ENTROPY_BYTES_MAX: usize = 32;
const SEED_BYTES_MAX: usize = 64;
/// 24 words of at most 8 letters, and the spaces between them.
const PHRASE_BYTES_MAX: usize = 24 * 9;
