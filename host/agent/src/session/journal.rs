//! What the audit log learns of sessions. Every change is recorded before it is in force.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use alknet_audit::event::{
    Authority, CloseReason, ExampleResult, Examples, OperationRegistered, OperationRemoved, SessionClosed,
    SessionOpened,
};
use alknet_audit::{AuditLog, Event, Hash};
use alknet_call::{CallError, CallScope, Composition, OpName, Registration};
use alknet_sandbox::Limits;
use serde_json::Value;

use super::profile::SessionLimits;
use super::store::{Ended, Session};

pub(super) struct Journal(AuditLog);

/// A registration that is about to be in force.
pub(super) struct Registered<'a> {
    pub(super) session: &'a Session,
    pub(super) registration: &'a Registration,
    pub(super) version: u32,
    pub(super) replaced: Option<u32>,
    pub(super) language: &'a str,
    /// Digest of the script engine, where it runs the tool.
    pub(super) guest: Option<&'a str>,
    pub(super) compiler: &'static str,
    pub(super) examples: Vec<Tried>,
    pub(super) source: &'a [u8],
    pub(super) scope: &'a CallScope,
}

/// An example that did what it said.
pub(super) struct Tried {
    pub(super) input: Value,
    /// The output, or the code of the error.
    pub(super) outcome: Result<Value, String>,
}

impl Journal {
    pub(super) fn new(log: AuditLog) -> Self {
        Self(log)
    }

    pub(super) async fn opened(&self, session: &Session, scope: &CallScope) -> Result<(), CallError> {
        self.append(&Event::SessionOpened(SessionOpened {
            session: session.id.to_string(),
            caller: Some(session.owner.to_string()),
            label: session.label.clone(),
            profile: session.profile.name.clone(),
            env: env(&session.composition),
            authority: authority(&session.composition),
            limits: session_limits(&session.profile.limits),
            expires: session.expires_at,
            call: Some(scope.id().to_string()),
        }))
        .await
    }

    pub(super) async fn closed(&self, session: &Session, scope: &CallScope) -> Result<(), CallError> {
        let closed = SessionClosed {
            session: session.id.to_string(),
            reason: CloseReason::Closed,
            caller: Some(session.owner.to_string()),
            call: Some(scope.id().to_string()),
        };
        self.append(&Event::SessionClosed(closed)).await
    }

    /// Notes an end that cannot be refused: time has passed, or the host stops.
    pub(super) fn ended(&self, session: &Session, why: Ended) {
        let reason = match why {
            Ended::Expired => CloseReason::Expired,
            Ended::HostStopped => CloseReason::HostStopped,
        };
        let closed = SessionClosed { session: session.id.to_string(), reason, caller: None, call: None };
        if self.0.append(&Event::SessionClosed(closed)).is_err() {
            tracing::error!("the end of a session could not be recorded");
        }
    }

    /// Keeps the source and records the registration.
    pub(super) async fn registered(&self, registered: Registered<'_>) -> Result<(), CallError> {
        let Registered { session, registration, scope, .. } = registered;
        let source = self.store_source(registered.source).await?;
        let spec = serde_json_canonicalizer::to_vec(&registration.spec().to_json())
            .map_err(|_| CallError::internal("the specification is not canonical JSON"))?;
        let event = OperationRegistered {
            session: session.id.to_string(),
            operation: registration.spec().name().to_string(),
            version: registered.version.into(),
            operation_kind: registration.spec().kind().as_str().to_owned(),
            language: registered.language.to_owned(),
            source,
            spec: Hash::of(&spec),
            env: env(registration.composition()),
            authority: authority(registration.composition()),
            limits: call_limits(&session.profile.limits.call),
            guest: registered.guest.and_then(|guest| guest.parse().ok()),
            compiler: Some(registered.compiler.to_owned()),
            examples: self.examples(&registered.examples),
            replaces: registered.replaced.map(u64::from),
            caller: Some(session.owner.to_string()),
            call: Some(scope.id().to_string()),
        };
        self.append(&Event::OperationRegistered(Box::new(event))).await
    }

    fn examples(&self, tried: &[Tried]) -> Examples {
        let result = |example: &Tried| ExampleResult {
            input: self.0.digest(&example.input),
            output: example.outcome.as_ref().ok().map(|output| self.0.digest(output)),
            error: example.outcome.as_ref().err().cloned(),
        };
        let count = count(tried.len());
        Examples { count, passed: count, results: tried.iter().map(result).collect() }
    }

    pub(super) async fn removed(
        &self,
        session: &Session,
        name: &OpName,
        scope: &CallScope,
    ) -> Result<(), CallError> {
        let removed = OperationRemoved {
            session: session.id.to_string(),
            operation: name.to_string(),
            version: session.version(name).into(),
            caller: Some(session.owner.to_string()),
            call: Some(scope.id().to_string()),
        };
        self.append(&Event::OperationRemoved(removed)).await
    }

    /// Keeps a source beside the log, under its digest.
    pub(super) async fn store_source(&self, source: &[u8]) -> Result<Hash, CallError> {
        let (log, source) = (self.0.clone(), Arc::<[u8]>::from(source));
        let stored = tokio::task::spawn_blocking(move || log.store_source(&source)).await;
        stored.ok().and_then(Result::ok).ok_or_else(unrecorded)
    }

    async fn append(&self, event: &Event) -> Result<(), CallError> {
        self.0.append_async(event).await.map_err(|_| unrecorded())
    }
}

fn unrecorded() -> CallError {
    CallError::internal("the audit log cannot record this; nothing was changed").retryable(true)
}

fn env(composition: &Composition) -> Vec<String> {
    composition.reach().names().map(ToString::to_string).collect()
}

fn authority(composition: &Composition) -> Authority {
    composition.authority().map_or_else(Authority::default, |authority| Authority {
        label: authority.label().to_string(),
        scopes: authority.grants().scopes().map(ToString::to_string).collect(),
    })
}

fn session_limits(limits: &SessionLimits) -> BTreeMap<String, u64> {
    let mut all = call_limits(&limits.call);
    all.insert("operations".to_owned(), count(limits.operations_max));
    all.insert("calls_in_flight".to_owned(), count(limits.calls_in_flight_max));
    all.insert("idle_ms".to_owned(), millis(limits.idle_max));
    all
}

fn call_limits(limits: &Limits) -> BTreeMap<String, u64> {
    let named = [
        ("cpu_ms", millis(limits.cpu)),
        ("wall_ms", millis(limits.wall)),
        ("memory_bytes", count(limits.memory_bytes_max)),
        ("stack_bytes", count(limits.stack_bytes_max)),
        ("input_bytes", count(limits.input_bytes_max)),
        ("output_bytes", count(limits.output_bytes_max)),
        ("log_bytes", count(limits.log_bytes_max)),
        ("source_bytes", count(limits.source_bytes_max)),
        ("host_calls", limits.host_calls_max.into()),
        ("host_calls_in_flight", limits.host_calls_in_flight_max.into()),
    ];
    named.into_iter().map(|(name, max)| (name.to_owned(), max)).collect()
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}
