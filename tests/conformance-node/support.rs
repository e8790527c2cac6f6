//! Short ways to say what an operation is.

use std::time::Duration;

use alknet_call::{
    Authority, CallError, CallScope, Composition, Handler, OpName, OperationKind, OperationSpec, Reach,
    Schema, handler_fn,
};
use alknet_core::{Grants, IdentityId, InvalidName, Scope};
use serde_json::{Value, json};

use crate::FixtureError;

/// Largest schema of a fixture, in bytes of JSON.
const SCHEMA_BYTES_MAX: usize = 4096;

/// The contract of an open, External query.
pub(crate) fn query(name: &str) -> Result<OperationSpec, FixtureError> {
    Ok(OperationSpec::new(OpName::parse(name)?, OperationKind::Query))
}

/// The contract of another kind.
pub(crate) fn of_kind(name: &str, kind: OperationKind) -> Result<OperationSpec, FixtureError> {
    Ok(OperationSpec::new(OpName::parse(name)?, kind))
}

pub(crate) fn schema(source: Value) -> Result<Schema, FixtureError> {
    Ok(Schema::compile(source, SCHEMA_BYTES_MAX)?)
}

pub(crate) fn scopes(names: &[&str]) -> Result<Vec<Scope>, InvalidName> {
    names.iter().map(|name| Scope::parse(name)).collect()
}

pub(crate) fn grants(names: &[&str]) -> Result<Grants, InvalidName> {
    Ok(Grants::from_scopes(scopes(names)?))
}

/// What an operation composes with: an authority of its own name, and these operations.
pub(crate) fn composition(name: &str, held: &[&str], env: &[&str]) -> Result<Composition, FixtureError> {
    Ok(Composition::new(authority(name, held)?, reach(env)?))
}

pub(crate) fn authority(name: &str, held: &[&str]) -> Result<Authority, FixtureError> {
    Ok(Authority::new(IdentityId::parse(name)?, grants(held)?))
}

pub(crate) fn reach(env: &[&str]) -> Result<Reach, FixtureError> {
    let names: Vec<OpName> = env.iter().map(|name| OpName::parse(name)).collect::<Result<_, _>>()?;
    Ok(Reach::of(names))
}

/// Answers its input.
pub(crate) fn echo() -> impl Handler {
    handler_fn(|input, _| async move { Ok(input) })
}

/// Answers the same to everything.
pub(crate) fn constant(answer: &'static str) -> impl Handler {
    handler_fn(move |_, _| async move { Ok(json!(answer)) })
}

/// Composes one operation with `{}` and answers its output.
pub(crate) fn composes(name: &'static str) -> impl Handler {
    handler_fn(move |_, scope: CallScope| async move { scope.invoke(name, json!({})).await })
}

/// A member of an input that names something.
pub(crate) fn text<'a>(input: &'a Value, member: &str) -> Result<&'a str, CallError> {
    let missing = || CallError::invalid_input(format!("`{member}` is a string"));
    input.get(member).and_then(Value::as_str).ok_or_else(missing)
}

pub(crate) async fn pause(ms: u64) {
    if ms > 0 {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
}
