//! Names of operations.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The name of an operation: two or more segments of `[A-Za-z0-9._-]` joined by `/`, at most 256 bytes.
///
/// ```
/// use alknet_call::OpName;
/// assert_eq!(OpName::parse("fs/read")?.namespace(), "fs");
/// assert!(OpName::parse("/fs/read").is_err(), "the wire's leading slash is stripped by the wire layer");
/// # Ok::<(), alknet_call::InvalidOpName>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OpName(Arc<str>);

/// A text that is no operation name; it is not repeated in the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an operation name is two or more segments of A-Z a-z 0-9 . _ - joined by `/`, at most 256 bytes")]
pub struct InvalidOpName;

/// Longest operation name in bytes.
pub(crate) const NAME_BYTES_MAX: usize = 256;
const SESSION_PREFIX: &str = "session/";

impl OpName {
    /// Parses a name.
    ///
    /// # Errors
    /// [`InvalidOpName`] when the text breaks the grammar.
    pub fn parse(text: &str) -> Result<Self, InvalidOpName> {
        let segment_ok = |segment: &str| {
            let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
            !segment.is_empty() && segment.bytes().all(allowed)
        };
        let fits = text.len() <= NAME_BYTES_MAX && text.contains('/');
        if fits && text.split('/').all(segment_ok) { Ok(Self(Arc::from(text))) } else { Err(InvalidOpName) }
    }

    /// The name of a session's operation: `session/` and one segment.
    ///
    /// # Errors
    /// [`InvalidOpName`] when `short` is not one segment.
    pub fn in_session(short: &str) -> Result<Self, InvalidOpName> {
        if short.contains('/') {
            return Err(InvalidOpName);
        }
        Self::parse(&format!("{SESSION_PREFIX}{short}"))
    }

    /// The name as text, without a leading slash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text before the first `/`.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.0.split('/').next().unwrap_or_default()
    }

    /// Whether the name lies in the namespace of session operations.
    #[must_use]
    pub fn is_session(&self) -> bool {
        self.0.starts_with(SESSION_PREFIX)
    }
}

impl FromStr for OpName {
    type Err = InvalidOpName;
    fn from_str(text: &str) -> Result<Self, InvalidOpName> {
        Self::parse(text)
    }
}

impl Borrow<str> for OpName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OpName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for OpName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for OpName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for OpName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}
