//! A host with sessions, a few operations to grant, and a clock that stands still.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use alknet_agent::{Language, Profile, SessionLimits, Sessions, SessionsConfig, audit_ops, builtin};
use alknet_audit::{AuditLog, Options};
use alknet_call::{
    AccessControl, CallError, Dispatcher, Limits, OpName, OperationKind, OperationSpec, Registration,
    Registry, handler_fn,
};
use alknet_core::{Ed25519SecretKey, Grants, Identity, IdentityId, ManualClock, Scope};
use alknet_sandbox::{Sandbox, SandboxConfig};
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) struct Host {
    pub(crate) dispatcher: Dispatcher,
    pub(crate) sessions: Sessions,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) log: AuditLog,
    _dir: TempDir,
}

/// Compiling the engine takes a moment: all tests share one.
fn sandbox() -> Sandbox {
    static SANDBOX: OnceLock<Sandbox> = OnceLock::new();
    SANDBOX.get_or_init(|| Sandbox::new(SandboxConfig::default()).unwrap()).clone()
}

pub(crate) fn name(text: &str) -> OpName {
    OpName::parse(text).unwrap()
}

pub(crate) fn identity(id: &str, scopes: &[&str]) -> Identity {
    let scopes = scopes.iter().map(|scope| Scope::parse(scope).unwrap());
    Identity::new(IdentityId::parse(id).unwrap(), Grants::from_scopes(scopes))
}

pub(crate) fn agent() -> Option<Identity> {
    Some(identity("agent", &["session"]))
}

pub(crate) fn limits() -> SessionLimits {
    let call = alknet_sandbox::Limits { cpu: Duration::from_millis(300), ..Default::default() };
    SessionLimits { operations_max: 3, examples_max: 2, call, ..SessionLimits::default() }
}

fn echo(op: &str, scope: Option<&str>) -> Registration {
    let spec = OperationSpec::new(name(op), OperationKind::Query);
    let access = scope.map(|scope| AccessControl::scope(Scope::parse(scope).unwrap()));
    let spec = spec.access(access.unwrap_or_default());
    Registration::local(spec, handler_fn(|input, _| async move { Ok(input) }))
}

fn failing() -> Registration {
    let spec = OperationSpec::new(name("t/fail"), OperationKind::Query).raises("BROKEN", "always").unwrap();
    let fail = handler_fn(|_, _| async {
        Err(CallError::new("BROKEN", "it is broken").with_details(json!({"n": 1})))
    });
    Registration::local(spec, fail)
}

pub(crate) fn host() -> Host {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(1_800_000_000_000_000));
    let options = Options::new(Ed25519SecretKey::from_bytes(&[7; 32]), Arc::<ManualClock>::clone(&clock));
    let log = AuditLog::open(&dir.path().join("audit"), options).unwrap();
    let profile = |name_: &str, env: &[&str], scopes: &[&str]| Profile {
        name: name_.to_owned(),
        requires: None,
        env: env.iter().map(|n| name(n)).collect(),
        peer_env: std::collections::BTreeSet::new(),
        grants: Grants::from_scopes(scopes.iter().map(|scope| Scope::parse(scope).unwrap())),
        languages: Language::ALL.to_vec(),
        limits: limits(),
    };
    let admin = Scope::parse("admin").unwrap();
    let profiles = vec![
        profile("default", &["t/echo", "t/tool", "t/fail", "time/now"], &["tool"]),
        profile("weak", &["t/echo", "t/tool"], &[]),
        Profile { requires: Some(admin), ..profile("operator", &["t/admin"], &["admin"]) },
    ];
    let config = SessionsConfig {
        profiles,
        per_identity_max: 3,
        total_max: 100,
        sandbox: sandbox(),
        log: log.clone(),
        clock: Arc::<ManualClock>::clone(&clock),
    };
    let sessions = Sessions::new(config).unwrap();
    let registry = Registry::builder()
        .register_all([
            echo("t/echo", None),
            echo("t/tool", Some("tool")),
            echo("t/admin", Some("admin")),
            failing(),
        ])
        .and_then(|registry| registry.register_all(builtin::time::registrations().unwrap()))
        .and_then(|registry| registry.register_all(sessions.registrations().unwrap()))
        .and_then(|registry| registry.register_all(audit_ops::registrations(&log).unwrap()))
        .unwrap();
    let registry = alknet_call::with_discovery(registry).unwrap().build();
    sessions.check(&registry).unwrap();
    let sink = Arc::new(log.clone());
    let dispatcher = Dispatcher::new(registry, sink, Limits::default(), Arc::<ManualClock>::clone(&clock));
    Host { dispatcher, sessions, clock, log, _dir: dir }
}

impl Host {
    pub(crate) async fn call(
        &self,
        who: Option<Identity>,
        op: &str,
        input: Value,
    ) -> Result<Value, CallError> {
        self.dispatcher.call(who, op, input).await
    }

    /// Opens a session for the agent; the input may narrow it.
    pub(crate) async fn open(&self, input: Value) -> String {
        let opened = self.call(agent(), "session/open", input).await.unwrap();
        opened["session"].as_str().unwrap().to_owned()
    }

    /// Registers a JavaScript source under a name with open schemas.
    pub(crate) async fn register(&self, session: &str, tool: &str, source: &str) -> Result<Value, CallError> {
        self.call(agent(), "session/register", registration(session, tool, source)).await
    }

    pub(crate) async fn invoke(&self, session: &str, tool: &str, input: Value) -> Result<Value, CallError> {
        let input = json!({ "session": session, "operation": tool, "input": input });
        self.call(agent(), "session/invoke", input).await
    }

    /// The code an invocation ends with, or `OK` and the output.
    pub(crate) async fn outcome(&self, session: &str, tool: &str, input: Value) -> String {
        match self.invoke(session, tool, input).await {
            Ok(output) => format!("OK {output}"),
            Err(error) => error.code().to_string(),
        }
    }
}

pub(crate) fn registration(session: &str, tool: &str, source: &str) -> Value {
    json!({
        "session": session, "name": tool, "description": "a tool", "input_schema": {}, "output_schema": {},
        "language": "javascript", "source": source,
    })
}

/// `value` with members added or replaced.
pub(crate) fn with(mut value: Value, members: Value) -> Value {
    for (key, member) in members.as_object().unwrap() {
        value[key] = member.clone();
    }
    value
}
