//! Outbound secrets, injected by the assembly into the one operation that needs them (ADR-014).
//!
//! Not serializable, by construction:
//!
//! ```compile_fail
//! fn wants_serialize<T: serde::Serialize>(_: T) {}
//! wants_serialize(alknet_core::Capabilities::new());
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

/// A secret text: zeroized on drop, prints as `[REDACTED]`.
#[derive(Clone)]
pub struct Secret(Arc<Zeroizing<String>>);

impl Secret {
    /// Takes ownership of the secret.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Arc::new(Zeroizing::new(text)))
    }

    /// The secret itself; the caller must not log, store or return it.
    #[must_use]
    pub fn expose_secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[REDACTED]")
    }
}

/// What an operation may use outbound: secrets by service. Immutable once built.
#[derive(Clone, Default)]
pub struct Capabilities {
    api_keys: BTreeMap<String, Secret>,
    http_tokens: BTreeMap<String, Secret>,
}

impl Capabilities {
    /// No capabilities.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an API key for a service.
    #[must_use]
    pub fn with_api_key(mut self, service: &str, key: Secret) -> Self {
        self.api_keys.insert(service.to_owned(), key);
        self
    }

    /// Adds an HTTP token for a service.
    #[must_use]
    pub fn with_http_token(mut self, service: &str, token: Secret) -> Self {
        self.http_tokens.insert(service.to_owned(), token);
        self
    }

    /// The secret for a service: its API key, else its HTTP token.
    #[must_use]
    pub fn get(&self, service: &str) -> Option<&Secret> {
        self.api_keys.get(service).or_else(|| self.http_tokens.get(service))
    }

    /// Own entries, with gaps filled from `parent`.
    #[must_use]
    pub fn or_from(&self, parent: &Self) -> Self {
        let merge = |own: &BTreeMap<String, Secret>, other: &BTreeMap<String, Secret>| {
            let mut merged = other.clone();
            merged.extend(own.iter().map(|(service, secret)| (service.clone(), secret.clone())));
            merged
        };
        Self {
            api_keys: merge(&self.api_keys, &parent.api_keys),
            http_tokens: merge(&self.http_tokens, &parent.http_tokens),
        }
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.api_keys.is_empty() && self.http_tokens.is_empty()
    }
}

impl fmt::Debug for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Capabilities({})", self.api_keys.len() + self.http_tokens.len())
    }
}
