//! `services/schema`: the specification of one operation (call.md section 15).
//!
//! Unknown, Internal and denied names answer the same, so that nothing can be found out by asking.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::gate::is_visible;
use crate::{CallError, CallScope, OperationSpec, Registration, SpecError, typed_handler};

#[derive(Debug, Deserialize, JsonSchema)]
struct Input {
    /// The operation's name; a leading slash is tolerated.
    name: String,
}

pub(super) fn registration() -> Result<Registration, SpecError> {
    let spec = OperationSpec::query::<Input, Value>("services/schema")?
        .describe("Describes one operation: schemas, errors and access control.");
    let handler = typed_handler(|input: Input, scope: CallScope| async move { describe(&input, &scope) });
    Ok(Registration::local(spec, handler))
}

fn describe(input: &Input, scope: &CallScope) -> Result<Value, CallError> {
    let name = input.name.strip_prefix('/').unwrap_or(&input.name);
    let not_found = || CallError::operation_not_found(&crate::outcome::shown(name));
    let spec = scope.curated().get(name).map(|found| found.spec());
    let visible = spec.filter(|spec| is_visible(scope.caller(), spec));
    visible.map(OperationSpec::to_json).ok_or_else(not_found)
}
