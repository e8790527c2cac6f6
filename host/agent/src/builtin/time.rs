//! `time/now` and `time/ticks`: the host's wall-clock time, once or again and again. Open to everybody.

mod ticks;

use ::time::OffsetDateTime;
use ::time::format_description::well_known::Rfc3339;
use alknet_call::{CallError, CallScope, OperationSpec, Registration, SpecError, typed_handler};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The scopes these operations demand: none.
pub const SCOPES: &[&str] = &[];

/// The registrations of the time operations.
///
/// # Errors
/// [`SpecError`] when the specification is not valid, which is a defect of this crate.
pub fn registrations() -> Result<Vec<Registration>, SpecError> {
    Ok(vec![registration()?, ticks::registration()?])
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {}

#[derive(Debug, Serialize, JsonSchema)]
struct Output {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    unix_ms: u64,
    /// The same instant in UTC, such as `2026-03-01T12:30:00.250Z`.
    rfc3339: String,
}

pub(crate) fn registration() -> Result<Registration, SpecError> {
    let spec = OperationSpec::query::<Input, Output>("time/now")?
        .describe("Tells the host's wall-clock time, in UTC. Takes an empty object.");
    Ok(Registration::local(spec, typed_handler(|_: Input, scope: CallScope| async move { now(&scope) })))
}

fn now(scope: &CallScope) -> Result<Output, CallError> {
    let unix_ms = scope.clock().unix_micros() / 1000;
    let out_of_range = || CallError::internal("the host's clock shows no valid time");
    let instant = OffsetDateTime::from_unix_timestamp_nanos(i128::from(unix_ms) * 1_000_000);
    let rfc3339 = instant.map_err(|_| out_of_range())?.format(&Rfc3339).map_err(|_| out_of_range())?;
    Ok(Output { unix_ms, rfc3339 })
}

#[cfg(test)]
mod tests;
