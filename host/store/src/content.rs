//! What a store holds, as it is in memory.

use std::collections::BTreeMap;

use alknet_core::{AuthPolicy, EncryptedData};

/// Everything in a store.
#[derive(Debug, Default)]
pub(crate) struct Content {
    pub(crate) credentials: BTreeMap<String, Stored>,
    pub(crate) policy: AuthPolicy,
}

/// A credential with when it was stored.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) blob: EncryptedData,
    /// Unix seconds.
    pub(crate) changed_at: u64,
}
