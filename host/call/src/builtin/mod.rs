//! The discovery operations every host has.

mod list;
mod list_peers;
mod register;
mod schema;

use serde_json::json;

use crate::{RegistrationError, RegistryBuilder, Schema, SpecError};

/// Why the discovery operations could not be added.
#[derive(Debug, thiserror::Error)]
pub enum DiscoveryError {
    /// A name is taken.
    #[error(transparent)]
    Registration(#[from] RegistrationError),
    /// A specification is not valid: a defect of this crate.
    #[error(transparent)]
    Spec(#[from] SpecError),
}

/// The input of operations that take none: an object of which nothing is read, or nothing at all.
fn nothing() -> Result<Schema, SpecError> {
    let source = json!({ "type": ["object", "null"] });
    Schema::compile(source, 256).map_err(|error| SpecError::Schema { which: "input".to_owned(), error })
}

/// Adds `services/list` and `services/schema`.
///
/// # Errors
/// [`DiscoveryError`] when a name is taken.
pub fn with_discovery(registry: RegistryBuilder) -> Result<RegistryBuilder, DiscoveryError> {
    Ok(registry.register(list::registration()?)?.register(schema::registration()?)?)
}

/// Adds `services/list-peers` and `op/register`: peers with the scope `op:register` may announce operations, which the
/// host's own can compose.
///
/// # Errors
/// [`DiscoveryError`] when a name is taken.
pub fn with_peer_operations(registry: RegistryBuilder) -> Result<RegistryBuilder, DiscoveryError> {
    Ok(registry.register(list_peers::registration()?)?.register(register::registration()?)?)
}
