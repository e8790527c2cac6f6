//! From what the guest says went wrong to what the host reports.

use serde::Deserialize;

use crate::guest::{Fault, Guest, Status};
use crate::lower::SourceMap;
use crate::{CallFailure, Diagnostic, HostCallError, Limit, Position, RegisterError, stack};

/// The error an entry left as its output.
#[derive(Debug, Deserialize)]
struct GuestError {
    kind: Kind,
    #[serde(default)]
    name: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    stack: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    retryable: bool,
    details: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    /// An `OperationError`.
    Operation,
    /// A `CallError`.
    Call,
    /// Anything else that was thrown.
    Throw,
    Memory,
    Stack,
    /// A result that is not JSON.
    Output,
    /// No usable default export.
    Export,
    Syntax,
    Input,
}

/// Result of a call from where its last entry stopped.
pub(crate) fn call_outcome(guest: &Guest, status: Status, map: &SourceMap) -> Result<String, CallFailure> {
    match status {
        Status::Done => {
            let max = guest.state().limits().output_bytes_max;
            guest.output(max)?.ok_or(CallFailure::Limit(Limit::Output(max)))
        }
        Status::Failed => Err(call_failure(guest, map)),
        Status::Stalled => Err(CallFailure::Stalled),
        Status::Stream | Status::End => {
            Err(CallFailure::BadOutput { reason: "the tool is a generator: it has items, no output".into() })
        }
        Status::Pending => Err(CallFailure::Internal("the guest waits for nothing".into())),
    }
}

fn call_failure(guest: &Guest, map: &SourceMap) -> CallFailure {
    let error = match guest_error(guest) {
        Ok(error) => error,
        Err(fault) => return fault.into(),
    };
    match error.kind {
        Kind::Operation => {
            CallFailure::Raised { code: error.code, message: error.message, details: error.details }
        }
        Kind::Call => {
            let at = stack::frames(&error.stack, map).into_iter().next().map(|frame| frame.position);
            let snippet = at.as_ref().and_then(|at| map.snippet(at)).map(String::into_boxed_str);
            let GuestError { code, message, retryable, details, .. } = error;
            CallFailure::HostCall { error: HostCallError { code, message, retryable, details }, at, snippet }
        }
        Kind::Memory => CallFailure::Limit(guest.state().memory_limit()),
        Kind::Stack => CallFailure::Limit(guest.state().stack_limit()),
        Kind::Output => CallFailure::BadOutput { reason: error.message },
        Kind::Input => CallFailure::BadInput,
        Kind::Throw | Kind::Export | Kind::Syntax => {
            let stack = stack::frames(&error.stack, map);
            let at = stack.first().map(|frame| frame.position.clone());
            let snippet = at.as_ref().and_then(|at| map.snippet(at)).map(String::into_boxed_str);
            CallFailure::Threw { name: error.name, message: error.message, stack, at, snippet }
        }
    }
}

/// Why loading a module did not end with a tool.
pub(crate) fn load_failure(guest: &Guest, status: Status, map: &SourceMap) -> RegisterError {
    if status != Status::Failed {
        return rejected(TOP_LEVEL_AWAIT.into(), None, map);
    }
    let error = match guest_error(guest) {
        Ok(error) => error,
        Err(fault) => return fault.into(),
    };
    let at = stack::frames(&error.stack, map).into_iter().next().map(|frame| frame.position);
    match error.kind {
        Kind::Memory => RegisterError::Limit(guest.state().memory_limit()),
        Kind::Stack => RegisterError::Limit(guest.state().stack_limit()),
        Kind::Export => rejected(error.message, None, map),
        Kind::Syntax => rejected(format!("{}: {}", error.name, error.message), at, map),
        Kind::Operation | Kind::Call | Kind::Throw | Kind::Output | Kind::Input => {
            let message = format!("the module's top level threw {}: {}", error.name, error.message);
            rejected(message, at, map)
        }
    }
}

fn guest_error(guest: &Guest) -> Result<GuestError, Fault> {
    let max = guest.state().limits().output_bytes_max;
    let text = guest.output(max.saturating_add(ERROR_BYTES_MAX))?.ok_or(Fault::Limit(Limit::Output(max)))?;
    serde_json::from_str(&text).map_err(|_| Fault::Defect("the guest's error is malformed".into()))
}

fn rejected(message: String, at: Option<Position>, map: &SourceMap) -> RegisterError {
    let at = at.unwrap_or_else(|| Position { file: map.entry().into(), line: 1, column: 1 });
    let snippet = map.snippet(&at);
    let Position { file, line, column } = at;
    RegisterError::Rejected(vec![Diagnostic { file: (*file).to_owned(), message, line, column, snippet }])
}

impl From<Fault> for CallFailure {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Limit(limit) => Self::Limit(limit),
            Fault::Defect(reason) => Self::Internal(reason),
        }
    }
}

impl From<Fault> for RegisterError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Limit(limit) => Self::Limit(limit),
            Fault::Defect(reason) => Self::Internal(reason),
        }
    }
}

const TOP_LEVEL_AWAIT: &str = "top-level await never finishes: calls through env are only possible inside the \
    default function, which gets env as its second argument";

/// Room for an error's own fields, beyond what a tool may put into `details`.
const ERROR_BYTES_MAX: usize = 256 * 1024;
