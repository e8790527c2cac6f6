//! `session/open`: grants the part of a profile that the agent asks for.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use alknet_call::{
    Answers, CallError, CallScope, OpName, OperationSpec, Reach, Registration, SpecError, typed_handler,
};
use alknet_core::IdentityId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Sessions;
use super::error::{no_session, raises_limit};
use super::profile::{Profile, SessionLimits};
use super::store::{Determinism, Opening, Session, owner};
use crate::declared;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// A note for people, at most 200 characters.
    #[schemars(length(max = 200))]
    label: Option<String>,
    /// The profile to take the grant from; `default` when absent.
    profile: Option<String>,
    /// The operations you want to call; everything the profile allows when absent. You get the part of these that
    /// the profile allows.
    #[schemars(length(max = 1000))]
    env: Option<Vec<String>>,
    /// How long the session lasts, in seconds; cut to what the profile allows.
    #[schemars(range(min = 1))]
    ttl_seconds: Option<u64>,
    /// Makes the calls of the session's tools do the same again for the same inputs and the same answers of what they
    /// call: random numbers come from a seed, the clock stands still, timers fire without waiting, in order.
    deterministic: Option<DeterministicInput>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DeterministicInput {
    /// What randomness is derived from; drawn and told in the answer when absent.
    #[schemars(length(max = 200))]
    seed: Option<String>,
    /// What `Date.now()` shows, in milliseconds since the Unix epoch; the time of opening when absent.
    #[schemars(range(max = 8_640_000_000_000_000_u64))]
    now_ms: Option<u64>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Output {
    /// The session's id; pass it to the other session operations.
    session: String,
    /// Unix seconds at which the session ends.
    expires_at: u64,
    /// The operations that your operations may call.
    env: Vec<EnvEntry>,
    /// What those calls run on.
    authority: AuthorityView,
    /// What one call may use, and how much the session may hold.
    limits: LimitsView,
    /// TypeScript declarations of `env` and of what else a tool finds.
    declarations: String,
    /// Seed and clock of a deterministic session: with them, another session does the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    deterministic: Option<DeterministicView>,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
struct DeterministicView {
    seed: String,
    now_ms: u64,
}

#[derive(Debug, Serialize, JsonSchema)]
struct EnvEntry {
    name: String,
    /// `query` or `mutation`; what answers in another way cannot be called from a tool.
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
}

/// An authority as agents see it.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct AuthorityView {
    label: String,
    scopes: Vec<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct LimitsView {
    languages: Vec<&'static str>,
    operations: usize,
    calls_in_flight: usize,
    cpu_ms: u64,
    wall_ms: u64,
    memory_bytes: usize,
    source_bytes: usize,
    component_bytes: usize,
    input_bytes: usize,
    output_bytes: usize,
    log_bytes: usize,
    host_calls: u32,
    host_calls_in_flight: u32,
}

pub(super) fn registration(sessions: &Sessions) -> Result<Registration, SpecError> {
    let spec = OperationSpec::mutation::<Input, Output>("session/open")?
        .describe("Opens a session: what its operations may call, on which authority, under which limits.");
    let spec = raises_limit(Sessions::guarded(spec)?)?;
    let composition = sessions.composition()?;
    let sessions = sessions.clone();
    let handler = typed_handler(move |input: Input, scope: CallScope| {
        let sessions = sessions.clone();
        async move { open(&sessions, input, &scope).await }
    });
    Ok(Registration::composing(spec, handler, composition))
}

async fn open(sessions: &Sessions, input: Input, scope: &CallScope) -> Result<Output, CallError> {
    sessions.sweep();
    let owner = owner(scope).ok_or_else(no_session)?;
    let name = input.profile.as_deref().unwrap_or("default");
    let profile =
        sessions.profile(name, scope).ok_or_else(|| CallError::not_found("there is no such profile"))?;
    sessions.0.store.has_room(&owner)?;
    let id = fresh_id()?;
    let wanted = wanted(&profile, input.env);
    let label = authority_label(&id)?;
    let composition = scope.composition().attenuate(label, &profile.grants, &wanted).into_composition();
    let ttl = input.ttl_seconds.map_or(profile.limits.ttl_default, Duration::from_secs);
    let ttl = ttl.min(profile.limits.ttl_max);
    let now = scope.clock().unix_micros();
    let view = input.deterministic.map(|asked| deterministic(asked, now)).transpose()?;
    let determinism = view.as_ref().map(|view| Determinism {
        seed: Sha256::digest(view.seed.as_bytes()).into(),
        now_millis: view.now_ms,
    });
    let sandbox = sessions.0.sandbox.for_another_party();
    let opening =
        Opening { owner, label: input.label, profile, composition, id, now, ttl, sandbox, determinism };
    let session = sessions.0.store.open(opening);
    if let Err(unrecorded) = sessions.0.journal.opened(&session, scope).await {
        sessions.0.store.remove(&session.id);
        return Err(unrecorded);
    }
    Ok(Output { deterministic: view, ..describe(&session, scope) })
}

fn deterministic(asked: DeterministicInput, now: u64) -> Result<DeterministicView, CallError> {
    let seed = match asked.seed {
        Some(seed) => seed,
        None => fresh_id()?.to_string(),
    };
    Ok(DeterministicView { seed, now_ms: asked.now_ms.unwrap_or(now / 1000) })
}

/// 128 bits from the operating system, as 32 hexadecimal digits.
fn fresh_id() -> Result<Arc<str>, CallError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| CallError::internal("no randomness for a session id"))?;
    Ok(hex::encode(bytes).into())
}

/// The label under which a session's calls are recorded; the id's first digits, so that it is not the id.
fn authority_label(id: &str) -> Result<IdentityId, CallError> {
    let digits = id.get(..8).unwrap_or(id);
    IdentityId::parse(&format!("session:{digits}")).map_err(|_| CallError::internal("bad session label"))
}

/// What the agent asks for, within the profile. Names that are no names ask for nothing.
fn wanted(profile: &Profile, env: Option<Vec<String>>) -> Reach {
    let allowed = |name: &OpName| profile.env.contains(name) || profile.peer_env.contains(name);
    let names: BTreeSet<OpName> = match env {
        Some(names) => names.iter().filter_map(|name| OpName::parse(name).ok()).filter(allowed).collect(),
        None => profile.grantable().cloned().collect(),
    };
    Reach::of(names).with_session_operations()
}

fn describe(session: &Session, scope: &CallScope) -> Output {
    let names = session.composition.reach().names();
    let found: Vec<&OperationSpec> = names
        .filter_map(|name| scope.described(name.as_str()))
        .filter(|spec| Answers::of(spec.kind()) == Answers::Once)
        .collect();
    let env = found.iter().map(|spec| EnvEntry {
        name: spec.name().to_string(),
        kind: spec.kind().as_str().to_owned(),
        description: spec.description().map(str::to_owned),
    });
    Output {
        session: session.id.to_string(),
        expires_at: session.expires_at / 1_000_000,
        env: env.collect(),
        authority: authority_view(session),
        limits: limits_view(&session.profile.limits, &session.profile),
        declarations: declared::of_specs(&found),
        deterministic: None,
    }
}

fn authority_view(session: &Session) -> AuthorityView {
    let authority = session.composition.authority();
    AuthorityView {
        label: authority.map(|authority| authority.label().to_string()).unwrap_or_default(),
        scopes: authority.map_or_else(Vec::new, |authority| {
            authority.grants().scopes().map(ToString::to_string).collect()
        }),
    }
}

fn limits_view(limits: &SessionLimits, profile: &Profile) -> LimitsView {
    let call = &limits.call;
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    LimitsView {
        languages: profile.languages.iter().map(|language| language.name()).collect(),
        operations: limits.operations_max,
        calls_in_flight: limits.calls_in_flight_max,
        cpu_ms: millis(call.cpu),
        wall_ms: millis(call.wall),
        memory_bytes: call.memory_bytes_max,
        source_bytes: call.source_bytes_max,
        component_bytes: call.component_bytes_max,
        input_bytes: call.input_bytes_max,
        output_bytes: call.output_bytes_max,
        log_bytes: call.log_bytes_max,
        host_calls: call.host_calls_max,
        host_calls_in_flight: call.host_calls_in_flight_max,
    }
}
