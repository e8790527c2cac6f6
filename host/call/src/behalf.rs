//! On whose behalf a peer says that it calls (`forwarded_for`, call.md section 8).

use std::collections::BTreeMap;

/// A peer's unverified claim about who is behind its call. It is a note: access control never reads it, composed
/// calls do not inherit it, and it is no [`alknet_core::Identity`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnBehalfOf {
    /// The claimed identity's id.
    pub id: String,
    /// The scopes it is said to hold.
    pub scopes: Vec<String>,
    /// The resource actions it is said to hold.
    pub resources: BTreeMap<String, Vec<String>>,
}
