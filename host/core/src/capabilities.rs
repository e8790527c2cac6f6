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

use arc_swap::ArcSwap;
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

/// Capabilities that the assembly may replace while the host runs. A call sees those that were there when it began,
/// for as long as it runs. Cheap to clone; every clone is the same source.
#[derive(Clone, Default)]
pub struct CapabilitySource(Arc<ArcSwap<Capabilities>>);

impl CapabilitySource {
    /// What the next call gets.
    #[must_use]
    pub fn current(&self) -> Arc<Capabilities> {
        self.0.load_full()
    }

    /// Replaces what later calls get. For the assembly alone.
    pub fn replace(&self, capabilities: Capabilities) {
        self.0.store(Arc::new(capabilities));
    }
}

impl From<Capabilities> for CapabilitySource {
    fn from(capabilities: Capabilities) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(capabilities)))
    }
}

impl fmt::Debug for CapabilitySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CapabilitySource({:?})", self.current())
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

    /// Every secret with its service, API keys first.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Secret)> {
        self.api_keys.iter().chain(&self.http_tokens).map(|(service, secret)| (service.as_str(), secret))
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
