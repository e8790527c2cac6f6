//! `host/status`: what the host is and how it is doing.

use std::sync::Arc;

use alknet_agent::Sessions;
use alknet_audit::AuditLog;
use alknet_call::{CallScope, InvalidOpName, OperationSpec, Registration, SpecError, typed_handler};
use alknet_core::{Fingerprint, Scope};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// The scope this operation demands.
pub(crate) const ADMIN_SCOPE: &str = "admin";

/// What the answer is made of.
pub(super) struct Facts {
    pub(super) started_at: u64,
    pub(super) started: Instant,
    pub(super) fingerprint: Fingerprint,
    pub(super) guest: String,
    pub(super) log: AuditLog,
    pub(super) sessions: Sessions,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {}

#[derive(Debug, Serialize, JsonSchema)]
struct Output {
    /// The version of the program.
    version: &'static str,
    /// Unix seconds at which the host started.
    started_at: u64,
    /// Seconds since then.
    uptime_seconds: u64,
    /// The fingerprint of the host's key.
    fingerprint: String,
    /// SHA-256 of the sandbox's guest module, in hexadecimal.
    guest_digest: String,
    /// Records in the audit log.
    audit_records: u64,
    /// Open sessions.
    sessions: usize,
}

pub(super) fn registration(facts: Facts) -> Result<Registration, SpecError> {
    let scope = Scope::parse(ADMIN_SCOPE).map_err(|_| InvalidOpName)?;
    let spec = OperationSpec::query::<Input, Output>("host/status")?
        .describe("Tells what this host is: version, uptime, key, size of its audit log, open sessions.")
        .requires(scope);
    let facts = Arc::new(facts);
    let handler = typed_handler(move |_: Input, _: CallScope| {
        let status = facts.status();
        async move { Ok(status) }
    });
    Ok(Registration::local(spec, handler))
}

impl Facts {
    fn status(&self) -> Output {
        Output {
            version: env!("CARGO_PKG_VERSION"),
            started_at: self.started_at,
            uptime_seconds: self.started.elapsed().as_secs(),
            fingerprint: self.fingerprint.to_string(),
            guest_digest: self.guest.clone(),
            audit_records: self.log.size(),
            sessions: self.sessions.open_count(),
        }
    }
}
