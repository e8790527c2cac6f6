//! Names that carry authority: parsed once, compared by exact string.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// A name that broke its grammar; the text never repeats the offending input.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} must be 1 to {bytes_max} printable ASCII characters without spaces")]
pub struct InvalidName {
    what: &'static str,
    bytes_max: usize,
}

fn check(what: &'static str, text: &str, bytes_max: usize) -> Result<(), InvalidName> {
    let printable = text.bytes().all(|b| b.is_ascii_graphic());
    if text.is_empty() || text.len() > bytes_max || !printable {
        return Err(InvalidName { what, bytes_max });
    }
    Ok(())
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $max:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Parses the name.
            ///
            /// # Errors
            /// [`InvalidName`] when the text is empty, too long, or not printable ASCII.
            pub fn parse(text: &str) -> Result<Self, InvalidName> {
                check($what, text, $max)?;
                Ok(Self(Arc::from(text)))
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;
            fn from_str(text: &str) -> Result<Self, InvalidName> {
                Self::parse(text)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }
    };
}

name! {
    /// One scope, compared by exact string: no wildcard, no hierarchy. At most 128 bytes.
    Scope, "a scope", 128
}

name! {
    /// The stable id of an identity (`peer_id`, an API key's prefix, an authority's label). At most 128 bytes.
    IdentityId, "an identity id", 128
}
