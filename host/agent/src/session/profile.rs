//! What a session may be granted, as the host's configuration says.

use std::collections::BTreeSet;
use std::time::Duration;

use alknet_call::OpName;
use alknet_core::{Grants, Scope};

use super::source::Language;

/// What sessions of one kind may be granted. An agent gets the part of it that it asks for.
#[derive(Debug, Clone)]
pub struct Profile {
    /// The name agents ask for; `default` is taken when they ask for none.
    pub name: String,
    /// A scope the identity must hold to use the profile; for everybody else it does not exist.
    pub requires: Option<Scope>,
    /// Operations that the session's operations may call.
    pub env: BTreeSet<OpName>,
    /// Operations of peers that they may call too. They need not be there when the host starts.
    pub peer_env: BTreeSet<OpName>,
    /// What those calls run on. Independent of what the agent itself holds.
    pub grants: Grants,
    /// Languages the agent may write in.
    pub languages: Vec<Language>,
    /// Bounds on the session.
    pub limits: SessionLimits,
}

/// Bounds on one session.
#[derive(Debug, Clone)]
pub struct SessionLimits {
    /// Operations registered at once.
    pub operations_max: usize,
    /// Calls of the session that run at once.
    pub calls_in_flight_max: usize,
    /// Examples checked at one registration.
    pub examples_max: usize,
    /// Largest schema, in bytes of JSON.
    pub schema_bytes_max: usize,
    /// Lifetime when the agent asks for none.
    pub ttl_default: Duration,
    /// Longest lifetime.
    pub ttl_max: Duration,
    /// Longest time without a call.
    pub idle_max: Duration,
    /// Bounds on one call of an operation.
    pub call: alknet_sandbox::Limits,
}

impl Profile {
    /// Everything that the session's operations may call, of this host and of its peers.
    pub(super) fn grantable(&self) -> impl Iterator<Item = &OpName> {
        self.env.union(&self.peer_env)
    }
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self {
            operations_max: 64,
            calls_in_flight_max: 64,
            examples_max: 16,
            schema_bytes_max: 64 << 10,
            ttl_default: Duration::from_secs(60 * 60),
            ttl_max: Duration::from_secs(24 * 60 * 60),
            idle_max: Duration::from_secs(30 * 60),
            call: alknet_sandbox::Limits::default(),
        }
    }
}
