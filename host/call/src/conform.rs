//! Holds what a handler answers to the operation's contract: a session operation's output fits its schema, an
//! error's code is the protocol's or declared, declared details fit theirs.

use serde_json::{Value, json};

use crate::{CallError, ErrorCode, Provenance, Registration};

/// The error if an output, or an item, may not be answered.
pub(crate) fn output(registration: &Registration, output: &Value) -> Result<(), CallError> {
    let schema = registration.spec().output_schema();
    if registration.provenance() != Provenance::Session || schema.accepts(output) {
        return Ok(());
    }
    let places: Vec<_> = schema.violations(output).into_iter().map(|violation| violation.pointer).collect();
    Err(CallError::internal("output failed output_schema validation")
        .with_details(json!({ "pointers": places })))
}

/// The error of a root call: a request that never left is one of this host's own, not its caller's.
pub(crate) fn root_error(error: CallError) -> CallError {
    if *error.code() == ErrorCode::CONNECTION_CLOSED {
        return CallError::internal(error.message().to_owned());
    }
    error
}

/// The error that the caller gets for one that the handler raised.
pub(crate) fn error(registration: &Registration, error: CallError) -> CallError {
    let spec = registration.spec();
    if error.code().is_protocol() {
        return error;
    }
    let code = json!({ "code": error.code().as_str() });
    match spec.declared(error.code().as_str()) {
        Some(declared) if error.details().is_none_or(|details| declared.details.accepts(details)) => error,
        Some(_) => CallError::internal("the error's details do not fit their schema").with_details(code),
        None if spec.does_forward_errors() => error,
        None => CallError::internal("the operation failed with an undeclared error").with_details(code),
    }
}
