//! `services/list`: the External operations the caller may run (call.md section 15).

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::nothing;
use crate::gate::is_visible;
use crate::{CallScope, OperationSpec, Registration, SpecError, typed_handler};

#[derive(Debug, Serialize, JsonSchema)]
struct Output {
    operations: Vec<Entry>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Entry {
    /// The name to call it by.
    name: String,
    /// The part of the name before the first slash.
    namespace: String,
    /// `query`, `mutation`, `sub` or `pub`.
    op_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
}

pub(super) fn registration() -> Result<Registration, SpecError> {
    let spec = OperationSpec::query::<Value, Output>("services/list")?
        .input(nothing()?)
        .describe("Lists the operations you may call.");
    Ok(Registration::local(spec, typed_handler(|_: Value, scope: CallScope| async move { Ok(list(&scope)) })))
}

fn list(scope: &CallScope) -> Output {
    let specs = scope.curated().iter().map(|registration| registration.spec());
    Output { operations: specs.filter(|spec| is_visible(scope.caller(), spec)).map(entry).collect() }
}

pub(super) fn entry(spec: &OperationSpec) -> Entry {
    Entry {
        name: spec.name().to_string(),
        namespace: spec.name().namespace().to_owned(),
        op_type: spec.kind().as_str().to_owned(),
        description: spec.description().map(str::to_owned),
    }
}
