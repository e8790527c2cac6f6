//! Calls that take time, alone and in trees, and what became of them.

use std::sync::Arc;

use alknet_call::{AbortPolicy, CallError, CallScope, Registration, handler_fn, typed_handler};
use futures_util::future::join_all;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::{composition, pause, query};
use crate::{Counters, FixtureError};

/// Calls that one run of `p/tree` composes at most.
const FAN_MAX: u32 = 10_000;

pub(crate) fn registrations(counters: &Arc<Counters>) -> Result<Vec<Registration>, FixtureError> {
    let own = composition("p/tree", &[], &["p/tree"])?;
    let (trees, sleeps, counts) = (Arc::clone(counters), Arc::clone(counters), Arc::clone(counters));
    let tree = typed_handler(move |input: Tree, scope: CallScope| tree(input, scope, Arc::clone(&trees)));
    let sleep = typed_handler(move |input: Sleep, _| sleep(input, Arc::clone(&sleeps)));
    let count = handler_fn(move |input: Value, _| {
        if input.get("reset") == Some(&Value::Bool(true)) {
            counts.reset();
        }
        std::future::ready(Ok(counts.to_json()))
    });
    Ok(vec![
        Registration::composing(query("p/tree")?, tree, own),
        Registration::local(query("t/sleep")?, sleep),
        Registration::local(query("t/counters")?, count),
    ])
}

#[derive(Deserialize)]
struct Sleep {
    ms: u64,
}

async fn sleep(input: Sleep, counters: Arc<Counters>) -> Result<Value, CallError> {
    let run = counters.sleep();
    pause(input.ms).await;
    run.finish();
    Ok(json!({ "slept": input.ms }))
}

#[derive(Deserialize)]
struct Tree {
    depth: u32,
    fan: u32,
    ms: u64,
    #[serde(default)]
    policy: Option<Policy>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum Policy {
    AbortDependents,
    ContinueRunning,
}

impl Policy {
    fn as_str(self) -> &'static str {
        match self {
            Self::AbortDependents => "abort-dependents",
            Self::ContinueRunning => "continue-running",
        }
    }
}

/// Sleeps, then composes itself `fan` times at once, until `depth` is used up. A run whose own code came to its end has
/// finished, whatever became of what it composed; the first error among those is its answer.
async fn tree(input: Tree, scope: CallScope, counters: Arc<Counters>) -> Result<Value, CallError> {
    if input.fan > FAN_MAX {
        return Err(CallError::invalid_input(format!("`fan` is at most {FAN_MAX}")));
    }
    let run = counters.run();
    pause(input.ms).await;
    let composed = if input.depth > 0 {
        join_all((0..input.fan).map(|_| below(&input, &scope))).await
    } else {
        Vec::new()
    };
    run.finish();
    composed.into_iter().collect::<Result<Vec<Value>, CallError>>()?;
    Ok(json!({ "depth": input.depth }))
}

async fn below(input: &Tree, scope: &CallScope) -> Result<Value, CallError> {
    let mut next = json!({ "depth": input.depth - 1, "fan": input.fan, "ms": input.ms });
    let Some(policy) = input.policy else {
        return scope.invoke("p/tree", next).await;
    };
    if let Some(members) = next.as_object_mut() {
        members.insert("policy".to_owned(), json!(policy.as_str()));
    }
    let policy = match policy {
        Policy::AbortDependents => AbortPolicy::AbortDependents,
        Policy::ContinueRunning => AbortPolicy::ContinueRunning,
    };
    scope.invoke_with_policy(policy, "p/tree", next).await
}
