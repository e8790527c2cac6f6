//! `kv/get`, `kv/put`, `kv/delete`, `kv/list` and `kv/import`: a durable key-value store with a namespace per identity.
//!
//! The namespace is the identity behind the root call: an operation that composes `kv/put` writes to its user's
//! namespace, and nothing an input says leads into another. Calls without an identity are refused.
//! Every key has a version, which a writer may demand to be unchanged; versions are never used twice in a
//! namespace, so that a key that was deleted and made again cannot be taken for the old one.

mod database;
mod delete;
mod get;
mod import;
mod limits;
mod list;
mod put;
mod store;

use alknet_call::{CallError, CallScope, Registration, SpecError};
use alknet_core::IdentityId;

pub use limits::KvLimits;
pub use store::{KvOpenError, KvStore};

/// The scopes these operations demand: `kv:read` for `kv/get` and `kv/list`, `kv:write` for the others.
pub const SCOPES: &[&str] = &[READ, WRITE];

const READ: &str = "kv:read";
const WRITE: &str = "kv:write";

/// The registrations of all key-value operations.
///
/// # Errors
/// [`SpecError`] when a specification is not valid, which is a defect of this crate.
pub fn registrations(store: KvStore) -> Result<Vec<Registration>, SpecError> {
    Ok(vec![
        get::registration(&store)?,
        put::registration(&store)?,
        delete::registration(&store)?,
        list::registration(&store)?,
        import::registration(&store)?,
    ])
}

/// The namespace a call works in.
fn namespace(scope: &CallScope) -> Result<IdentityId, CallError> {
    let identity = scope.root_identity().ok_or_else(|| CallError::forbidden("authentication required"))?;
    Ok(identity.id().clone())
}

/// A key that may be stored.
fn key(text: String, limits: &KvLimits) -> Result<String, CallError> {
    if text.is_empty() || text.len() > limits.key_bytes_max || text.chars().any(char::is_control) {
        let max = limits.key_bytes_max;
        return Err(CallError::invalid_input(format!(
            "a key is 1 to {max} bytes without control characters"
        )));
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
