//! `op/register`: a peer announces an operation that it serves on the connection it announces it on (call.md section
//! 15). It ends with the connection, is Internal, and shadows nothing.

use alknet_core::{InvalidName, Scope};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::wire::{ImportError, spec_from_json};
use crate::{
    CallError, CallScope, Caller, ErrorCode, OfferError, OperationSpec, Registration, RegistrationError,
    SpecError, typed_handler,
};

/// What a caller must hold to announce operations.
const SCOPE: &str = "op:register";

#[derive(Debug, Deserialize, JsonSchema)]
struct Input {
    /// The operation, as `services/schema` describes one: `name`, `op_type`, schemas, errors, access control.
    spec: Value,
    /// Whether an operation of this name that you announced before is replaced.
    #[serde(default)]
    replace: bool,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Output {
    /// The operation's name.
    name: String,
    /// Always true.
    registered: bool,
}

pub(super) fn registration() -> Result<Registration, SpecError> {
    let spec = OperationSpec::mutation::<Input, Output>("op/register")?
        .describe("Announces an operation that you serve on this connection to the host's own operations.")
        .requires(Scope::parse(SCOPE).map_err(|InvalidName { .. }| SpecError::ErrorCodeGrammar)?);
    let handler = typed_handler(|input: Input, scope: CallScope| async move { register(input, &scope) });
    Ok(Registration::local(spec, handler))
}

fn register(input: Input, scope: &CallScope) -> Result<Output, CallError> {
    let Caller::Peer(Some(identity)) = scope.caller() else {
        return Err(CallError::forbidden("authentication required"));
    };
    let link =
        scope.link().ok_or_else(|| CallError::invalid_input("there is no connection to serve it on"))?;
    let spec = spec_from_json(input.spec, scope.limits().peer_spec_bytes_max).map_err(bad_spec)?;
    let name = spec.name().to_string();
    link.offer(identity.id(), spec, input.replace).map_err(refused)?;
    tracing::info!(peer = %identity.id(), operation = %name, "a peer announced an operation");
    Ok(Output { name, registered: true })
}

fn bad_spec(error: ImportError) -> CallError {
    match error {
        ImportError::Marked => CallError::new(ErrorCode::MARKED_SPEC_UNSUPPORTED, error.to_string()),
        error => CallError::invalid_input(error.to_string()),
    }
}

fn refused(error: OfferError) -> CallError {
    let text = error.to_string();
    match error {
        OfferError::Registration(RegistrationError::Exists(_))
        | OfferError::SamePeerCollision(_)
        | OfferError::Replaced => CallError::new(ErrorCode::ALREADY_EXISTS, text),
        OfferError::Registration(RegistrationError::Namespace(_) | RegistrationError::Kind { .. })
        | OfferError::TooMany(_) => CallError::invalid_input(text),
        OfferError::Unrecorded(_) => CallError::internal(text).retryable(true),
    }
}
