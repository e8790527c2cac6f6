//! Derivation paths: `m/74'/0'/0'/0'`. Strict: one way to write an index, no index beyond 31 bits, a bounded depth.

use std::fmt;
use std::str::FromStr;

/// The version that new data is encrypted with.
pub const CURRENT_KEY_VERSION: u32 = 2;

/// The paths that have a meaning. Coin type 74' is not allocated in SLIP-0044 and is reserved here. A change of a
/// path changes keys, so that none of them ever changes.
pub mod paths {
    /// Ed25519: the primary identity of a node; its raw TLS key.
    pub const IDENTITY: &str = "m/74'/0'/0'/0'";
    /// Ed25519: identities of workers and devices are below, see [`device_path`](super::device_path).
    pub const DEVICE_PREFIX: &str = "m/74'/0'/0'";
    /// Ed25519: SSH host key.
    pub const SSH_HOST: &str = "m/74'/0'/1'/0'";
    /// AES-256: external credentials, key version 2.
    pub const ENCRYPTION: &str = "m/74'/2'/0'/0'";
    /// secp256k1: Ethereum signing.
    pub const ETHEREUM: &str = "m/44'/60'/0'/0/0";
    /// Ed25519: signs the checkpoints of a host's audit log.
    pub const AUDIT_SIGNING: &str = "m/74'/3'/0'/0'";
    /// 32 bytes: keys the digests in a host's audit log.
    pub const AUDIT_DIGESTS: &str = "m/74'/3'/1'/0'";
}

/// A path that breaks the grammar `^m(/(0|[1-9][0-9]{0,9})['h]?)*$`, or one of its bounds. Repeats nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPath {
    /// It is no path.
    #[error("a derivation path is `m` and then `/` with an index, such as m/74'/0'")]
    Grammar,
    /// An index does not fit 31 bits.
    #[error("an index of a derivation path is at most 2147483647")]
    Index,
    /// More than 255 indices.
    #[error("a derivation path has at most 255 indices")]
    Depth,
    /// Ed25519 and AES keys have hardened indices only (SLIP-0010).
    #[error("an index of this path is not hardened (`'`), which keys of this kind demand")]
    Unhardened,
    /// There is no key for this version: 0 and 1 are another product's, and versions end at 2^31 + 1.
    #[error("there is no key version {0}")]
    KeyVersion(u32),
}

/// A path, parsed: indices with bit 31 set where hardened. Two spellings of one path (`'` and `h`) are equal.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct DerivationPath(Vec<u32>);

impl DerivationPath {
    /// The indices from the root, hardened ones with bit 31 set.
    pub(crate) fn indices(&self) -> &[u32] {
        &self.0
    }

    /// Refuses a path with an index that is not hardened.
    pub(crate) fn hardened(self) -> Result<Self, InvalidPath> {
        let hardened = self.0.iter().all(|index| index & HARDENED != 0);
        if hardened { Ok(self) } else { Err(InvalidPath::Unhardened) }
    }
}

impl FromStr for DerivationPath {
    type Err = InvalidPath;

    fn from_str(text: &str) -> Result<Self, InvalidPath> {
        let mut parts = text.split('/');
        if parts.next() != Some("m") {
            return Err(InvalidPath::Grammar);
        }
        let mut indices = Vec::new();
        for part in parts {
            if indices.len() == DEPTH_MAX {
                return Err(InvalidPath::Depth);
            }
            indices.push(index(part)?);
        }
        Ok(Self(indices))
    }
}

fn index(part: &str) -> Result<u32, InvalidPath> {
    let digits = part.strip_suffix(['\'', 'h']);
    let hardened = digits.is_some();
    let digits = digits.unwrap_or(part);
    let canonical = digits == "0" || !digits.starts_with('0');
    let sized = (1..=DIGITS_MAX).contains(&digits.len());
    if !canonical || !sized || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(InvalidPath::Grammar);
    }
    let index: u32 = digits.parse().map_err(|_| InvalidPath::Index)?;
    if index >= HARDENED {
        return Err(InvalidPath::Index);
    }
    Ok(if hardened { index | HARDENED } else { index })
}

impl fmt::Display for DerivationPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("m")?;
        for index in &self.0 {
            let mark = if index & HARDENED == 0 { "" } else { "'" };
            write!(f, "/{}{mark}", index & !HARDENED)?;
        }
        Ok(())
    }
}

/// The path of a worker's or device's identity; number 0 is [`paths::IDENTITY`].
///
/// # Errors
/// [`InvalidPath::Index`] above 2^31 - 1.
pub fn device_path(number: u32) -> Result<DerivationPath, InvalidPath> {
    let mut path: DerivationPath = paths::DEVICE_PREFIX.parse()?;
    if number >= HARDENED {
        return Err(InvalidPath::Index);
    }
    path.0.push(number | HARDENED);
    Ok(path)
}

/// The path of the AES key of a key version: `m/74'/2'/0'/{version - 2}'`.
///
/// # Errors
/// [`InvalidPath::KeyVersion`] below 2 and above 2^31 + 1.
pub fn encryption_path_for_version(version: u32) -> Result<DerivationPath, InvalidPath> {
    let index = version.checked_sub(CURRENT_KEY_VERSION).filter(|index| *index < HARDENED);
    let index = index.ok_or(InvalidPath::KeyVersion(version))?;
    let mut path: DerivationPath = paths::ENCRYPTION.parse()?;
    path.0.pop();
    path.0.push(index | HARDENED);
    Ok(path)
}

/// The bit of a hardened index.
pub(crate) const HARDENED: u32 = 1 << 31;
const DEPTH_MAX: usize = 255;
const DIGITS_MAX: usize = 10;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_grammar_is_strict() {
        for (text, canonical) in [
            ("m", "m"),
            ("m/0", "m/0"),
            ("m/74'/0h/2147483647'", "m/74'/0'/2147483647'"),
            ("m/44'/60'/0'/0/0", "m/44'/60'/0'/0/0"),
        ] {
            assert_eq!(text.parse::<DerivationPath>().unwrap().to_string(), canonical);
        }
        for text in [
            "",
            "M",
            "m/",
            "/0",
            "mfoo/0'",
            "m/0''",
            "m/0'h",
            "m/+5'",
            "m/-1",
            "m/00'",
            "m/01",
            "m//0",
            "m/0 ",
            " m/0",
            "m/0x1",
            "m/'",
            "m/h",
            "m/٣",
            "m/12345678901",
            "m/0\n",
            "n/0",
        ] {
            assert_eq!(text.parse::<DerivationPath>(), Err(InvalidPath::Grammar), "{text:?}");
        }
        for text in ["m/2147483648", "m/2147483648'", "m/4294967296", "m/9999999999h"] {
            assert_eq!(text.parse::<DerivationPath>(), Err(InvalidPath::Index), "{text:?}");
        }
        let deep = |depth| format!("m{}", "/1'".repeat(depth)).parse::<DerivationPath>();
        assert!(deep(255).is_ok());
        assert_eq!(deep(256), Err(InvalidPath::Depth));
    }

    #[test]
    fn helpers_name_the_paths_of_the_table() {
        assert_eq!(device_path(0).unwrap().to_string(), paths::IDENTITY);
        assert_eq!(device_path(7).unwrap().to_string(), "m/74'/0'/0'/7'");
        assert_eq!(device_path(1 << 31), Err(InvalidPath::Index));
        assert_eq!(encryption_path_for_version(2).unwrap().to_string(), paths::ENCRYPTION);
        assert_eq!(encryption_path_for_version(3).unwrap().to_string(), "m/74'/2'/0'/1'");
        assert_eq!(encryption_path_for_version(0x8000_0001).unwrap().to_string(), "m/74'/2'/0'/2147483647'");
        for version in [0, 1, 0x8000_0002, 0xffff_ffff] {
            assert_eq!(encryption_path_for_version(version), Err(InvalidPath::KeyVersion(version)));
        }
    }

    #[test]
    fn paths_with_a_meaning_are_disjoint() {
        use paths::{AUDIT_DIGESTS, AUDIT_SIGNING, ENCRYPTION, ETHEREUM, IDENTITY, SSH_HOST};
        let all = [IDENTITY, SSH_HOST, ENCRYPTION, ETHEREUM, AUDIT_SIGNING, AUDIT_DIGESTS];
        let distinct: std::collections::HashSet<DerivationPath> =
            all.iter().map(|path| path.parse().unwrap()).collect();
        assert_eq!(distinct.len(), all.len());
    }

    proptest! {
        #[test]
        fn any_text_parses_or_fails(text in "[m/0-9'h+ ]{0,40}|\\PC{0,40}") {
            if let Ok(path) = text.parse::<DerivationPath>() {
                prop_assert_eq!(path.to_string(), text.replace('h', "'"));
            }
        }

        #[test]
        fn what_is_written_is_read(indices in proptest::collection::vec(any::<u32>(), 0..40)) {
            let path = DerivationPath(indices);
            prop_assert_eq!(path.to_string().parse::<DerivationPath>(), Ok(path));
        }
    }
}
