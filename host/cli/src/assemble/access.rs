//! `access/check` and `access/explain`: why something is, or was, allowed or refused.

use std::sync::{Arc, Mutex, PoisonError};

use alknet_audit::{AuditLog, Entry, Trace};
use alknet_call::{
    CallError, CallScope, Explanation, InvalidOpName, OperationSpec, Registration, SpecError, reason_of,
    typed_handler,
};
use alknet_core::{AuthPolicy, Clock, Identity, IdentityId, Scope};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::status::ADMIN_SCOPE;

/// What the answers are made of.
#[derive(Clone)]
pub(super) struct Access {
    pub(super) policy: Arc<Mutex<AuthPolicy>>,
    pub(super) log: AuditLog,
    pub(super) clock: Arc<dyn Clock>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CheckInput {
    /// The id of a peer or an API key; `anonymous` is a caller without an identity.
    #[schemars(length(min = 1, max = 128))]
    identity: String,
    /// The operation, such as `fs/read`.
    #[schemars(length(min = 1, max = 256))]
    operation: String,
    /// An input to hold against the operation's schema as well.
    #[serde(default)]
    input: Option<Value>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct CheckOutput {
    /// Whether every rule lets the call pass.
    allowed: bool,
    /// The rules in the order in which they are asked, up to the first that refuses.
    rules: Vec<Rule>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Rule {
    /// The rule: `identity`, `reach`, `access` or `input`.
    rule: &'static str,
    /// Whether it lets the call pass.
    passed: bool,
    /// Why.
    reason: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ExplainInput {
    /// The call: 32 hexadecimal digits, from an audit record.
    #[schemars(length(min = 32, max = 32))]
    call: String,
}

#[derive(Debug, Serialize, JsonSchema)]
struct ExplainOutput {
    /// The operation.
    operation: String,
    /// Who made the root call; absent for an anonymous caller.
    #[serde(skip_serializing_if = "Option::is_none")]
    caller: Option<String>,
    /// The authority a composed call was decided on; absent for a root call.
    #[serde(skip_serializing_if = "Option::is_none")]
    authority: Option<String>,
    /// `admitted` or `refused`.
    decision: &'static str,
    /// The class of the refusal, as it is recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<String>,
    /// What that means.
    reason: String,
    /// How the call ended: `ok` or a code.
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<String>,
    /// What the gate would say now, where it is a root call.
    #[serde(skip_serializing_if = "Option::is_none")]
    now: Option<CheckOutput>,
}

pub(super) fn registrations(access: &Access) -> Result<Vec<Registration>, SpecError> {
    let scope = Scope::parse(ADMIN_SCOPE).map_err(|_| InvalidOpName)?;
    let check = OperationSpec::query::<CheckInput, CheckOutput>("access/check")?
        .describe("Tells whether an identity may run an operation, rule by rule, without running it.")
        .requires(scope.clone());
    let explain = OperationSpec::query::<ExplainInput, ExplainOutput>("access/explain")?
        .describe("Tells why a recorded call was allowed or refused, and what would be decided now.")
        .requires(scope);
    let (one, other) = (access.clone(), access.clone());
    Ok(vec![
        Registration::local(
            check,
            typed_handler(move |input: CheckInput, scope: CallScope| {
                let answer = one.check(&input.identity, &input.operation, input.input, &scope);
                async move { Ok::<_, CallError>(answer) }
            }),
        ),
        Registration::local(
            explain,
            typed_handler(move |input: ExplainInput, scope: CallScope| {
                let access = other.clone();
                async move { access.explain(input.call, &scope).await }
            }),
        ),
    ])
}

/// Somebody of whom it is asked.
enum Known {
    /// Somebody who would be let in.
    Somebody(Option<Identity>),
    /// Nobody, and why.
    Nobody(String),
}

impl Access {
    fn check(&self, identity: &str, operation: &str, input: Option<Value>, scope: &CallScope) -> CheckOutput {
        let rule = |passed, reason| Rule { rule: "identity", passed, reason };
        match self.find(identity) {
            Known::Somebody(found) => {
                let reason = match &found {
                    Some(_) => format!("`{identity}` is known and enabled"),
                    None => "the caller has no identity".to_owned(),
                };
                let explanation = scope.explain(found, operation, input);
                CheckOutput::of(rule(true, reason), explanation)
            }
            Known::Nobody(reason) => CheckOutput { allowed: false, rules: vec![rule(false, reason)] },
        }
    }

    fn find(&self, id: &str) -> Known {
        if id == ANONYMOUS {
            return Known::Somebody(None);
        }
        let policy = self.policy.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(peer) = policy.peers.iter().find(|peer| peer.peer_id.as_str() == id) {
            if !peer.enabled {
                return Known::Nobody(format!("the peer `{id}` is disabled"));
            }
            return Known::Somebody(Some(Identity::new(peer.peer_id.clone(), peer.grants.clone())));
        }
        let keys = policy.api_keys.iter().filter(|key| key.prefix == id || key.hash.to_string() == id);
        match keys.collect::<Vec<_>>().as_slice() {
            [] => Known::Nobody(format!("nobody is known as `{id}`")),
            [key] if key.expires_at.is_some_and(|end| self.clock.unix_seconds() >= end) => {
                Known::Nobody(format!("the API key `{id}` has expired"))
            }
            [key] => match IdentityId::parse(&key.prefix) {
                Ok(id) => Known::Somebody(Some(Identity::new(id, key.grants.clone()))),
                Err(error) => Known::Nobody(error.to_string()),
            },
            _ => Known::Nobody(format!("several API keys begin with `{id}`; name one by its hash")),
        }
    }

    async fn explain(&self, call: String, scope: &CallScope) -> Result<ExplainOutput, CallError> {
        let (log, wanted) = (self.log.clone(), call.to_ascii_lowercase());
        let asked = wanted.clone();
        let traced = tokio::task::spawn_blocking(move || log.reader().trace(&asked)).await;
        let trace = traced.ok().and_then(Result::ok);
        let trace = trace.ok_or_else(|| CallError::internal("the audit log could not be read"))?;
        let entries = trace.as_ref().and_then(|trace| find(trace, &wanted));
        let entries = entries.ok_or_else(|| CallError::not_found("no such call"))?;
        let decided = entries
            .iter()
            .find(|entry| matches!(member(entry, "kind"), Some("call.admitted" | "call.refused")));
        let decided = decided.ok_or_else(|| CallError::not_found("no decision is recorded of this call"))?;
        let text = |name| member(decided, name).map(str::to_owned);
        let refused = member(decided, "kind") == Some("call.refused");
        let class = text("reason");
        let reason = match &class {
            Some(class) => reason_of(class).to_owned(),
            None if refused => "the reason is not recorded".to_owned(),
            None => "every rule let the call pass".to_owned(),
        };
        let (operation, caller) = (text("operation").unwrap_or_default(), text("caller"));
        let is_root = text("parent").is_none();
        let now =
            is_root.then(|| self.check(caller.as_deref().unwrap_or(ANONYMOUS), &operation, None, scope));
        let finished = entries.iter().find(|entry| member(entry, "kind") == Some("call.finished"));
        Ok(ExplainOutput {
            operation,
            caller,
            authority: text("authority"),
            decision: if refused { "refused" } else { "admitted" },
            class,
            reason,
            outcome: finished
                .and_then(|entry| member(entry, "code"))
                .map(str::to_owned)
                .or_else(|| text("code")),
            now,
        })
    }
}

impl CheckOutput {
    fn of(identity: Rule, explanation: Explanation) -> Self {
        let allowed = explanation.is_allowed();
        let rules = explanation.rules.into_iter();
        let rules = rules.map(|rule| Rule { rule: rule.rule, passed: rule.passed, reason: rule.reason });
        Self { allowed, rules: std::iter::once(identity).chain(rules).collect() }
    }
}

/// The records of one call of a tree.
fn find<'a>(trace: &'a Trace, call: &str) -> Option<&'a [Entry]> {
    if trace.call == call {
        return Some(&trace.entries);
    }
    trace.calls.iter().find_map(|below| find(below, call))
}

fn member<'a>(entry: &'a Entry, name: &str) -> Option<&'a str> {
    entry.record.get(name).and_then(Value::as_str)
}

/// A caller without an identity.
const ANONYMOUS: &str = "anonymous";
