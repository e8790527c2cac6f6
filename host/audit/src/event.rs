//! What is recorded besides calls. Names and digests only: never an input, an output or a secret.
//!
//! Integers are recorded up to 2^53 - 1 and larger ones as that (RFC 8785 §3.2.2.3).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::merkle::Hash;

/// Something that happened on the host, outside the decisions and outcomes of calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind")]
pub enum Event {
    /// A session began, with this grant.
    #[serde(rename = "session.opened")]
    SessionOpened(SessionOpened),
    /// A session ended.
    #[serde(rename = "session.closed")]
    SessionClosed(SessionClosed),
    /// A session got an operation, or a new version of one.
    #[serde(rename = "operation.registered")]
    OperationRegistered(Box<OperationRegistered>),
    /// A session lost an operation.
    #[serde(rename = "operation.removed")]
    OperationRemoved(OperationRemoved),
    /// The host began to serve.
    #[serde(rename = "host.started")]
    HostStarted(HostStarted),
    /// The log was closed in order. Written by the log itself.
    #[serde(rename = "host.stopped")]
    HostStopped(HostStopped),
    /// The log was found not closed in order. Written by the log itself.
    #[serde(rename = "host.recovered")]
    HostRecovered(HostRecovered),
    /// Old records were removed from the log; their hashes stay. Written by the log itself.
    #[serde(rename = "audit.pruned")]
    AuditPruned(AuditPruned),
    /// A configuration was read.
    #[serde(rename = "config.loaded")]
    ConfigLoaded(ConfigLoaded),
    /// Who is known to the host changed.
    #[serde(rename = "identity.changed")]
    IdentityChanged(IdentityChanged),
    /// A key of the host changed.
    #[serde(rename = "key.changed")]
    KeyChanged(KeyChanged),
    /// A credential that operations use changed.
    #[serde(rename = "credential.changed")]
    CredentialChanged(CredentialChanged),
    /// A secret was taken out of what an operation answered.
    #[serde(rename = "secret.scrubbed")]
    SecretScrubbed(SecretScrubbed),
    /// A credential for another system was read.
    #[serde(rename = "credential.loaded")]
    CredentialLoaded(CredentialLoaded),
    /// A peer offers operations that the host's own may call.
    #[serde(rename = "peer.attached")]
    PeerAttached(PeerAttached),
    /// A peer's connection is over, and what it offered is gone.
    #[serde(rename = "peer.detached")]
    PeerDetached(PeerDetached),
}

impl Event {
    /// The kind of [`Event::OperationRegistered`].
    pub(crate) const REGISTERED: &str = "operation.registered";
    /// Every kind, as records name it.
    pub(crate) const KINDS: [&str; 16] = [
        "session.opened",
        "session.closed",
        Self::REGISTERED,
        "operation.removed",
        "host.started",
        "host.stopped",
        "host.recovered",
        "audit.pruned",
        "config.loaded",
        "identity.changed",
        "key.changed",
        "credential.changed",
        "secret.scrubbed",
        "credential.loaded",
        "peer.attached",
        "peer.detached",
    ];
}

/// The grant a session was opened with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionOpened {
    /// The session's id.
    pub session: String,
    /// The identity that owns it; absent for the host itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<String>,
    /// The owner's name for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The configured profile that bounds the grant.
    pub profile: String,
    /// The operations that code of this session may call.
    pub env: Vec<String>,
    /// What code of this session may do.
    pub authority: Authority,
    /// The limits of the session, by name with the unit last.
    pub limits: BTreeMap<String, u64>,
    /// When it ends by itself, in microseconds since the Unix epoch.
    pub expires: u64,
    /// The call that opened it, as 32 hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<String>,
}

/// What composed calls are decided on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Authority {
    /// Its name in the records of calls.
    pub label: String,
    /// The scopes it holds.
    pub scopes: Vec<String>,
}

/// The end of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionClosed {
    /// The session's id.
    pub session: String,
    /// Why it ended.
    pub reason: CloseReason,
    /// The identity that closed it; absent when nobody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<String>,
    /// The call that closed it, as 32 hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<String>,
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CloseReason {
    /// Its owner closed it.
    Closed,
    /// Its time was up.
    Expired,
    /// The host stopped.
    HostStopped,
}

/// One version of a session operation: what it is made of, under which grant, checked how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OperationRegistered {
    /// The session it belongs to.
    pub session: String,
    /// Its name.
    pub operation: String,
    /// Its version, counted from 1 within the session.
    pub version: u64,
    /// Its kind: query, mutation, subscription or publication.
    pub operation_kind: String,
    /// The language of the source.
    pub language: String,
    /// SHA-256 of the source, which is kept beside the log.
    pub source: Hash,
    /// SHA-256 of the specification's canonical JSON.
    pub spec: Hash,
    /// The operations it may call.
    pub env: Vec<String>,
    /// What the calls it makes are decided on.
    pub authority: Authority,
    /// The limits of one call of it, by name with the unit last.
    pub limits: BTreeMap<String, u64>,
    /// SHA-256 of the sandbox guest that runs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guest: Option<Hash>,
    /// The compiler that lowered the source, with its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compiler: Option<String>,
    /// The examples it was checked with.
    pub examples: Examples,
    /// The version it replaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<u64>,
    /// The identity that registered it; absent for the host itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<String>,
    /// The call that registered it, as 32 hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<String>,
}

/// Examples run at registration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Examples {
    /// How many were given.
    pub count: u64,
    /// How many did what they said.
    pub passed: u64,
    /// What each was given and did, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub results: Vec<ExampleResult>,
}

/// What an example was given and did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExampleResult {
    /// Keyed digest of its input, as in records of calls.
    pub input: Hash,
    /// Keyed digest of its output; absent when it ended with an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Hash>,
    /// The code of the error it ended with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// An operation taken out of its session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OperationRemoved {
    /// The session it belonged to.
    pub session: String,
    /// Its name.
    pub operation: String,
    /// The version that was removed.
    pub version: u64,
    /// The identity that removed it; absent for the host itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<String>,
    /// The call that removed it, as 32 hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<String>,
}

/// The start of a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HostStarted {
    /// The host's version.
    pub version: String,
    /// SHA-256 of the configuration in force.
    pub config: Hash,
    /// The fingerprint of the host's key.
    pub key: String,
    /// The fingerprint of the log's key.
    pub log_key: String,
}

/// An orderly end of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HostStopped {
    /// Records in the log before this one.
    pub records: u64,
}

/// What was found after a disorderly end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HostRecovered {
    /// Records in the log before this one.
    pub records: u64,
    /// Records covered by the checkpoint that was found.
    pub checkpoint: u64,
    /// Bytes dropped because they were no whole record.
    pub dropped_bytes: u64,
}

/// A removal of old records. What they were can no longer be read here, but still be proved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuditPruned {
    /// The time before which all removed records are, in microseconds since the Unix epoch.
    pub before: u64,
    /// The index of the first record that is kept.
    pub first_kept: u64,
    /// Records removed.
    pub records: u64,
    /// Sources removed.
    pub sources: u64,
    /// The identity that asked for it; absent for the host itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<String>,
    /// The call that asked for it, as 32 hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<String>,
}

/// A configuration that was read, at start or on a reload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfigLoaded {
    /// SHA-256 of the configuration.
    pub config: Hash,
    /// Whether it is in force.
    pub outcome: ConfigOutcome,
}

/// What became of a configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConfigOutcome {
    /// It is in force.
    Accepted,
    /// It was wrong; the one before stays in force.
    Refused,
}

/// A change of who is known to the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IdentityChanged {
    /// The identity's id.
    pub identity: String,
    /// What happened to it.
    pub change: Change,
}

/// A change of one of the host's keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyChanged {
    /// The public key's fingerprint.
    pub fingerprint: String,
    /// What the key is for.
    pub purpose: String,
    /// What happened to it.
    pub change: Change,
}

/// A change of a credential that operations use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CredentialChanged {
    /// Its name; never its value.
    pub credential: String,
    /// What happened to it.
    pub change: Change,
}

/// Secrets found in the result of a call, and taken out of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretScrubbed {
    /// The call, as 32 hexadecimal digits.
    pub call: String,
    /// The operation that answered with them.
    pub operation: String,
    /// The names of the credentials; never their values.
    pub credentials: Vec<String>,
}

/// A credential that operations of the host may use from now on: its name, never its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CredentialLoaded {
    /// The name it has in the configuration.
    pub credential: String,
    /// The operations that use it.
    pub used_by: String,
}

/// Operations that a peer announced, or that were imported from it. Many are in several records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PeerAttached {
    /// The peer's id.
    pub peer: String,
    /// The names of the operations.
    pub operations: Vec<String>,
    /// Whether it offers no others any more, but for those in the records behind this one.
    pub replaces: bool,
}

/// The end of what a peer offered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PeerDetached {
    /// The peer's id.
    pub peer: String,
}

/// What happened to a known thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It is new.
    Added,
    /// It is another now.
    Changed,
    /// It is gone.
    Removed,
}
