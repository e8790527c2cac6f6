//! Errors of the session operations, in the words agents act on.

use alknet_call::{CallError, OpName, OperationSpec, SpecError};
use alknet_sandbox::{Diagnostic, Limit, RegisterError};
use serde_json::{Value, json};

pub(super) const SOURCE_REJECTED: &str = "SOURCE_REJECTED";
pub(super) const SCHEMA_REJECTED: &str = "SCHEMA_REJECTED";
pub(super) const ENV_DENIED: &str = "ENV_DENIED";
pub(super) const EXAMPLE_FAILED: &str = "EXAMPLE_FAILED";
pub(crate) const LIMIT_EXCEEDED: &str = "LIMIT_EXCEEDED";

/// Declares LIMIT_EXCEEDED.
pub(super) fn raises_limit(spec: OperationSpec) -> Result<OperationSpec, SpecError> {
    spec.raises(LIMIT_EXCEEDED, "A limit of the session was reached: {limit, max}.")
}

/// Declares what goes wrong while a source becomes an operation.
pub(super) fn raises_source(spec: OperationSpec) -> Result<OperationSpec, SpecError> {
    raises_limit(spec)?
        .raises(
            SOURCE_REJECTED,
            "The source does not compile or load: {diagnostics: [{message, file?, line?, column?, snippet?}]}.",
        )?
        .raises(ENV_DENIED, "Operations outside of what the session may call: {operations: [name]}.")
}

/// The session does not exist, has ended, or is somebody else's: the same to everybody but its owner.
pub(super) fn no_session() -> CallError {
    CallError::not_found("session not found")
}

pub(super) fn limit_exceeded(limit: &str, max: u64, message: String) -> CallError {
    CallError::new(LIMIT_EXCEEDED, message).with_details(json!({ "limit": limit, "max": max }))
}

pub(super) fn sandbox_limit(limit: &Limit) -> CallError {
    limit_exceeded(limit.name(), limit.max(), format!("limit {} reached: {limit}", limit.name()))
}

pub(super) fn env_denied<'a>(names: impl Iterator<Item = &'a OpName>) -> CallError {
    let names: Vec<&str> = names.map(OpName::as_str).collect();
    let message = format!("the session may not call {}", names.join(", "));
    CallError::new(ENV_DENIED, message).with_details(json!({ "operations": names }))
}

pub(super) fn rejected(error: RegisterError) -> CallError {
    match error {
        RegisterError::Rejected(diagnostics) => diagnosed(&diagnostics),
        RegisterError::Limit(limit) => sandbox_limit(&limit),
        RegisterError::Unavailable => {
            CallError::internal("the sandbox is busy; try again later").retryable(true)
        }
        RegisterError::Internal(reason) => {
            tracing::error!(%reason, "sandbox defect while loading a source");
            CallError::internal("the sandbox failed")
        }
    }
}

/// The source as a whole is not what it has to be.
pub(super) fn source_rejected(message: &str) -> CallError {
    CallError::new(SOURCE_REJECTED, message.to_owned())
        .with_details(json!({ "diagnostics": [{ "message": message }] }))
}

fn diagnosed(diagnostics: &[Diagnostic]) -> CallError {
    let first = diagnostics.first();
    let message = first.map_or_else(|| "the source was rejected".to_owned(), Diagnostic::to_string);
    let list: Vec<Value> = diagnostics.iter().map(diagnostic_json).collect();
    CallError::new(SOURCE_REJECTED, message).with_details(json!({ "diagnostics": list }))
}

fn diagnostic_json(diagnostic: &Diagnostic) -> Value {
    let mut json = json!({
        "message": diagnostic.message,
        "file": diagnostic.file,
        "line": diagnostic.line,
        "column": diagnostic.column,
    });
    if let (Some(snippet), Some(members)) = (&diagnostic.snippet, json.as_object_mut()) {
        members.insert("snippet".to_owned(), json!(snippet));
    }
    json
}
