//! How a command fails: whose fault it was, what to do about it, and the exit code that says so.

use std::fmt;
use std::process::ExitCode;

use alknet_call::CallError;
use serde_json::{Value, json};

/// Whose fault a failure is. Each kind has one exit code, for good: scripts depend on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CommandErrorKind {
    /// The host answered with an error, or a step of the demo did not do what it says.
    Operation,
    /// The command line, or a file named on it, cannot be used.
    Usage,
    /// The configuration, a key file or the data folder cannot be used.
    Configuration,
    /// No host could be reached.
    Connection,
    /// A log or a proof does not verify.
    Verification,
    /// The machine failed, or this program did.
    Internal,
    /// The user interrupted the command.
    Interrupted,
    /// Nobody reads the output any more: not an error, and not worth a message.
    BrokenPipe,
}

/// A failed command. Printed once, by `main`.
#[derive(Debug)]
pub(crate) struct CommandError {
    kind: CommandErrorKind,
    message: String,
    hints: Vec<String>,
    call: Option<Box<CallError>>,
    rendered: Option<String>,
}

/// What every command returns.
pub(crate) type CommandResult<T = ()> = Result<T, CommandError>;

impl CommandErrorKind {
    /// Every kind a user can meet, in the order of the exit codes.
    pub(crate) const ALL: [Self; 7] = [
        Self::Operation,
        Self::Usage,
        Self::Configuration,
        Self::Connection,
        Self::Verification,
        Self::Internal,
        Self::Interrupted,
    ];

    /// The exit code of the process.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::BrokenPipe => 0,
            Self::Operation => 1,
            Self::Usage => 2,
            Self::Configuration => 3,
            Self::Connection => 4,
            Self::Verification => 5,
            Self::Internal => 70,
            Self::Interrupted => 130,
        }
    }

    /// The exit code, as a program returns it.
    pub(crate) fn exit_code(self) -> ExitCode {
        ExitCode::from(self.code())
    }

    /// What the exit code means, as `--help` tells it.
    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Self::BrokenPipe => "success",
            Self::Operation => "the operation answered with an error, or a step of the demo failed",
            Self::Usage => "the command line or an input given on it is not valid",
            Self::Configuration => "the configuration, a key or the data folder cannot be used",
            Self::Connection => "no host could be reached",
            Self::Verification => "verification failed: the log is not what the host signed",
            Self::Internal => "this machine or this program failed",
            Self::Interrupted => "interrupted",
        }
    }

    /// The code in the error object that `--json` prints.
    fn name(self) -> &'static str {
        match self {
            Self::BrokenPipe => "BROKEN_PIPE",
            Self::Operation => "OPERATION_FAILED",
            Self::Usage => "USAGE",
            Self::Configuration => "CONFIGURATION",
            Self::Connection => "CANNOT_CONNECT",
            Self::Verification => "VERIFICATION_FAILED",
            Self::Internal => "INTERNAL",
            Self::Interrupted => "INTERRUPTED",
        }
    }
}

impl CommandError {
    /// An error of a kind, with what was wrong and where.
    pub(crate) fn new(kind: CommandErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hints: Vec::new(), call: None, rendered: None }
    }

    /// The command line, or a file named on it, is at fault.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(CommandErrorKind::Usage, message)
    }

    /// The configuration or the data folder is at fault.
    pub(crate) fn configuration(message: impl Into<String>) -> Self {
        Self::new(CommandErrorKind::Configuration, message)
    }

    /// No host could be reached.
    pub(crate) fn connection(message: impl Into<String>) -> Self {
        Self::new(CommandErrorKind::Connection, message)
    }

    /// Something does not verify.
    pub(crate) fn verification(message: impl Into<String>) -> Self {
        Self::new(CommandErrorKind::Verification, message)
    }

    /// A step of the demo did not do what it says.
    pub(crate) fn operation(message: impl Into<String>) -> Self {
        Self::new(CommandErrorKind::Operation, message)
    }

    /// The machine or this program is at fault.
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(CommandErrorKind::Internal, message)
    }

    /// Adds what to do about it; shown in the order they were added.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Replaces the generic human form, such as by diagnostics that point into a source.
    #[must_use]
    pub(crate) fn rendered(mut self, text: String) -> Self {
        self.rendered = Some(text);
        self
    }

    /// The kind.
    pub(crate) fn kind(&self) -> CommandErrorKind {
        self.kind
    }

    /// The exit code of the process.
    pub(crate) fn exit_code(&self) -> ExitCode {
        self.kind.exit_code()
    }

    /// The error object that `--json` prints.
    pub(crate) fn to_json(&self) -> Value {
        match &self.call {
            Some(error) => call_error_to_json(error),
            None => {
                let hints = (!self.hints.is_empty()).then(|| json!({ "hints": self.hints }));
                json!({
                    "code": self.kind.name(),
                    "message": self.message,
                    "retryable": self.kind == CommandErrorKind::Connection,
                    "details": hints,
                })
            }
        }
    }

    /// The form for people: what was wrong, the details, what to do.
    pub(crate) fn to_text(&self) -> String {
        let mut text = match &self.rendered {
            Some(rendered) => rendered.clone(),
            None => format!("error: {}{}", self.message, self.details_text()),
        };
        for hint in &self.hints {
            text.push_str("\n  hint: ");
            text.push_str(&hint.replace('\n', "\n        "));
        }
        text
    }

    fn details_text(&self) -> String {
        let details = self.call.as_ref().and_then(|error| error.details());
        details.map(|details| format!("\n  {}", describe(details).replace('\n', "\n  "))).unwrap_or_default()
    }
}

/// Details for people: the places of an input that fails its schema, else the JSON, on one line where it fits.
fn describe(details: &Value) -> String {
    if let Some(violations) = details.get("violations").and_then(Value::as_array) {
        let member = |violation: &Value, name: &str| {
            violation.get(name).and_then(Value::as_str).map(str::to_owned).unwrap_or_default()
        };
        let lines = violations.iter().map(|violation| {
            let place = member(violation, "pointer");
            let place = if place.is_empty() { "the input itself".to_owned() } else { place };
            format!("at {place}: not as `{}` in the schema demands", member(violation, "keyword"))
        });
        return lines.collect::<Vec<_>>().join("\n");
    }
    let compact = details.to_string();
    if compact.len() <= ONE_LINE_BYTES_MAX {
        return format!("details: {compact}");
    }
    format!("details: {}", serde_json::to_string_pretty(details).unwrap_or(compact))
}

const ONE_LINE_BYTES_MAX: usize = 100;

/// The error object of the call protocol; `details` is null when there are none.
pub(crate) fn call_error_to_json(error: &CallError) -> Value {
    json!({
        "code": error.code().as_str(),
        "message": error.message(),
        "retryable": error.is_retryable(),
        "details": error.details(),
    })
}

/// An error with its causes, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

impl From<CallError> for CommandError {
    fn from(error: CallError) -> Self {
        // The request never left this side: the host, not the operation, is what is missing.
        let kind = match error.code().as_str() {
            "CONNECTION_CLOSED" => CommandErrorKind::Connection,
            _ => CommandErrorKind::Operation,
        };
        let mut failure = Self::new(kind, format!("{}: {}", error.code(), error.message()));
        failure.call = Some(Box::new(error));
        failure
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for CommandError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_fixed() {
        let codes: Vec<u8> = CommandErrorKind::ALL.iter().map(|kind| kind.code()).collect();
        assert_eq!(codes, [1, 2, 3, 4, 5, 70, 130]);
        assert_eq!(CommandErrorKind::BrokenPipe.code(), 0);
    }

    #[test]
    fn an_answer_of_the_host_is_shown_as_it_came() {
        let answer = CallError::not_found("operation not found: a/b").with_details(json!({"near": ["a/c"]}));
        let error = CommandError::from(answer).hint("look again");
        assert_eq!(error.kind(), CommandErrorKind::Operation);
        assert_eq!(
            error.to_json(),
            json!({"code": "NOT_FOUND", "message": "operation not found: a/b", "retryable": false,
                   "details": {"near": ["a/c"]}})
        );
        let text = error.to_text();
        let expected =
            "error: NOT_FOUND: operation not found: a/b\n  details: {\"near\":[\"a/c\"]}\n  hint: look again";
        assert_eq!(text, expected);
    }

    #[test]
    fn details_are_readable() {
        let violations = json!({"violations": [{"pointer": "/dir", "keyword": "type"}, {"pointer": "", "keyword": "required"}]});
        let expected = "at /dir: not as `type` in the schema demands\nat the input itself: not as `required` in the schema demands";
        assert_eq!(describe(&violations), expected);
        assert!(describe(&json!({"text": "x".repeat(200)})).starts_with("details: {\n"));
    }

    #[test]
    fn a_request_that_never_left_counts_as_no_connection() {
        let error = CommandError::from(CallError::new("CONNECTION_CLOSED", "the request was not sent"));
        assert_eq!(error.kind().code(), 4);
    }

    #[test]
    fn own_errors_have_the_same_members() {
        let error = CommandError::connection("no host").hint("start one");
        assert_eq!(
            error.to_json(),
            json!({"code": "CANNOT_CONNECT", "message": "no host", "retryable": true,
                   "details": {"hints": ["start one"]}})
        );
        assert_eq!(CommandError::usage("bad").to_json()["details"], Value::Null);
    }

    #[test]
    fn causes_are_not_repeated() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot read: denied")]
        struct Outer(#[source] Inner);
        #[derive(Debug, thiserror::Error)]
        #[error("denied")]
        struct Inner;
        assert_eq!(chain(&Outer(Inner)), "cannot read: denied");
    }
}
