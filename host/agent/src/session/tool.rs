//! A tool in the sandbox as the handler of an operation: its `env` is the call's scope.

use std::sync::{Arc, Mutex, PoisonError};

use alknet_call::{Admitted, Answers, CallError, CallScope, ErrorCode, Handler, OperationSpec, Reply};
use alknet_sandbox::{
    CallFailure, CallReport, Frame, HostCallError, HostCalls, Limit, Limits, LogLevel, LogLine, Position,
    Seed, Shape, Tool,
};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, StreamExt as _};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::error::sandbox_limit;
use super::items::{self, SlotItems};
use super::store::{Determinism, Session};

/// Runs a tool, one fresh instance per call.
pub(super) struct ToolHandler {
    tool: Tool,
    limits: Limits,
    determinism: Option<Determinism>,
    trace: Option<Arc<Trace>>,
}

/// What one run wrote and called, for `session/run`.
#[derive(Debug, Default)]
pub(super) struct Trace(Mutex<Traced>);

#[derive(Debug, Default, Clone)]
pub(super) struct Traced {
    pub(super) logs: Vec<LoggedLine>,
    pub(super) log_truncated: bool,
    pub(super) calls: Vec<TracedCall>,
}

/// One line a script wrote.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub(super) struct LoggedLine {
    /// `debug`, `info`, `warn` or `error`.
    pub(super) level: &'static str,
    /// The arguments, joined with spaces.
    pub(super) text: String,
}

/// One operation a script called.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub(super) struct TracedCall {
    /// The name as the script asked for it.
    pub(super) operation: String,
    /// `OK`, or the code of the error.
    pub(super) outcome: String,
    /// How long it took, in microseconds.
    pub(super) micros: u64,
}

/// Calls a run's trace keeps; later ones are in the audit log only.
const TRACED_CALLS_MAX: usize = 1000;
/// Bytes of a thrown error's text that its caller gets.
const MESSAGE_BYTES_MAX: usize = 2000;
/// Bytes of the log that go with an error.
const ERROR_LOG_BYTES_MAX: usize = 4000;

impl ToolHandler {
    pub(super) fn new(tool: Tool, session: &Session, trace: Option<Arc<Trace>>) -> Self {
        let limits = session.profile.limits.call.clone();
        Self { tool, limits, determinism: session.determinism, trace }
    }

    /// The limits of a call, which also ends at its deadline.
    fn limits(&self, scope: &CallScope) -> Limits {
        let mut limits = self.limits.clone();
        if let Some(deadline) = scope.deadline() {
            limits.wall = limits.wall.min(deadline.saturating_duration_since(Instant::now()));
        }
        limits
    }

    fn env<'a>(&'a self, scope: &'a CallScope) -> Env<'a> {
        Env { scope, determinism: self.determinism, trace: self.trace.as_deref() }
    }

    async fn stream(&self, input: Value, scope: CallScope, mut items: SlotItems) -> Result<(), CallError> {
        let (input, limits) = (input.to_string(), self.limits(&scope));
        let report = self.tool.subscribe(&input, &self.env(&scope), &limits, &mut items).await;
        let CallReport { result, logs, .. } = report;
        result.map(drop).map_err(|failure| call_error(failure, &scope, &logs))
    }

    async fn run(&self, input: Value, scope: CallScope) -> Result<Value, CallError> {
        let (input, limits) = (input.to_string(), self.limits(&scope));
        let env = self.env(&scope);
        let report = self.tool.call(&input, &env, &limits).await;
        let CallReport { result, logs, log_truncated, .. } = report;
        let result = match result {
            Ok(output) => {
                // JSON to the engine, but not to others: nested too deeply, or half of a surrogate pair.
                let unread = |error| cut(format!("the output is not JSON for others to read: {error}"));
                serde_json::from_str(&output).map_err(|error| CallError::internal(unread(error)))
            }
            Err(failure) => Err(call_error(failure, &scope, &logs)),
        };
        if let Some(trace) = &self.trace {
            trace.log(logs, log_truncated);
        }
        result
    }
}

impl Handler for ToolHandler {
    fn answers(&self) -> Answers {
        match self.tool.shape() {
            Shape::Function => Answers::Once,
            Shape::Generator => Answers::Stream,
        }
    }

    fn start<'a>(&'a self, call: Admitted) -> Reply<'a> {
        let (input, scope) = call.into_parts();
        match self.tool.shape() {
            Shape::Function => Reply::Once(self.run(input, scope).boxed()),
            Shape::Generator => {
                Reply::Stream(items::stream(move |items| self.stream(input, scope, items)).boxed())
            }
        }
    }
}

/// The way out of the sandbox: every call a guest asks for is a composed call of its operation.
struct Env<'a> {
    scope: &'a CallScope,
    determinism: Option<Determinism>,
    trace: Option<&'a Trace>,
}

impl HostCalls for Env<'_> {
    fn call(&self, name: String, input: String) -> BoxFuture<'_, Result<String, HostCallError>> {
        async move {
            let begun = Instant::now();
            let result = match serde_json::from_str(&input) {
                Ok(input) => self.scope.invoke(&name, input).await,
                Err(_) => Err(CallError::invalid_input("the input is not JSON")),
            };
            if let Some(trace) = self.trace {
                trace.call(name, &result, begun);
            }
            match result {
                Ok(output) => Ok(output.to_string()),
                Err(error) => Err(HostCallError {
                    code: error.code().to_string(),
                    message: error.message().to_owned(),
                    retryable: error.is_retryable(),
                    details: error.details().map(Value::to_string),
                }),
            }
        }
        .boxed()
    }

    fn now_millis(&self) -> u64 {
        self.determinism.map_or_else(|| self.scope.clock().unix_micros() / 1000, |fixed| fixed.now_millis)
    }

    fn determinism(&self) -> Option<Seed> {
        self.determinism.map(|fixed| fixed.seed)
    }

    fn seed(&self) -> u64 {
        if let Some(Determinism { seed: [a, b, c, d, e, f, g, h, ..], .. }) = self.determinism {
            return u64::from_le_bytes([a, b, c, d, e, f, g, h]);
        }
        // `Math.random` promises nothing about unpredictability; the call's id is the fallback.
        getrandom::u64().unwrap_or_else(|_| self.scope.clock().unix_micros())
    }
}

impl Trace {
    fn call(&self, operation: String, result: &Result<Value, CallError>, begun: Instant) {
        let mut traced = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if traced.calls.len() < TRACED_CALLS_MAX {
            let outcome = result.as_ref().map_or_else(|error| error.code().to_string(), |_| "OK".to_owned());
            let micros = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
            traced.calls.push(TracedCall { operation, outcome, micros });
        }
    }

    fn log(&self, logs: Vec<LogLine>, truncated: bool) {
        let mut traced = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        traced.logs.extend(logs.into_iter().map(LoggedLine::from));
        traced.log_truncated |= truncated;
    }

    pub(super) fn take(&self) -> Traced {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl From<LogLine> for LoggedLine {
    fn from(line: LogLine) -> Self {
        let level = match line.level {
            LogLevel::Debug => "debug",
            LogLevel::Info => "info",
            LogLevel::Warn => "warn",
            LogLevel::Error => "error",
        };
        Self { level, text: line.text }
    }
}

/// What the caller of a tool is told. The texts are the tool author's own, bounded in length.
fn call_error(failure: CallFailure, scope: &CallScope, logs: &[LogLine]) -> CallError {
    let log = tail(logs);
    match failure {
        CallFailure::Raised { code, message, details } => {
            let details = details.and_then(|details| serde_json::from_str(&details).ok());
            raised(code, message, details, scope.spec())
        }
        CallFailure::HostCall { error, at, snippet } => uncaught(error, place(at, snippet), log),
        CallFailure::Threw { name, message, stack, at, snippet } => {
            let stack: Vec<String> = stack.iter().map(Frame::to_string).collect();
            let at = place(at, snippet);
            let details = json!({ "error": name, "at": at, "stack": stack, "logs": log });
            CallError::internal(cut(format!("uncaught {name}: {message}"))).with_details(details)
        }
        CallFailure::Limit(Limit::Wall(_)) => CallError::timeout(),
        CallFailure::Limit(limit) => sandbox_limit(&limit),
        CallFailure::Stalled | CallFailure::BadOutput { .. } | CallFailure::BadInput => {
            CallError::internal(cut(failure.to_string())).with_details(json!({ "logs": log }))
        }
        CallFailure::Unavailable => CallError::internal(failure.to_string()).retryable(true),
        CallFailure::Internal(reason) => {
            tracing::error!(call = %scope.id(), %reason, "sandbox defect");
            CallError::internal("the sandbox failed")
        }
    }
}

/// An error the tool raised. One that it did not declare is a defect, of which its author gets everything.
fn raised(code: String, message: String, details: Option<Value>, spec: &OperationSpec) -> CallError {
    let code = ErrorCode::new(code);
    if !code.is_protocol() && spec.declared(code.as_str()).is_none() {
        let message = cut(format!("undeclared error {code}: {message}"));
        let details = json!({ "code": code.as_str(), "details": details });
        return CallError::internal(message).with_details(details);
    }
    let error = CallError::new(code, cut(message));
    match details {
        Some(details) => error.with_details(details),
        None => error,
    }
}

/// An error of a composed call that the tool did not catch: the protocol's codes keep their meaning, codes of
/// other operations are not this one's to raise.
fn uncaught(error: HostCallError, at: Option<Value>, log: Vec<String>) -> CallError {
    let code = ErrorCode::new(error.code);
    let details = json!({ "code": code.as_str(), "at": at, "logs": log });
    let message = cut(format!("uncaught CallError {code}: {}", error.message));
    let uncaught = if code.is_protocol() {
        CallError::new(code, message).retryable(error.retryable)
    } else {
        CallError::internal(message)
    };
    uncaught.with_details(details)
}

/// Where in the author's source something went wrong.
fn place(at: Option<Position>, snippet: Option<Box<str>>) -> Option<Value> {
    let Position { file, line, column } = at?;
    Some(json!({ "file": file, "line": line, "column": column, "snippet": snippet }))
}

fn tail(logs: &[LogLine]) -> Vec<String> {
    let mut room = ERROR_LOG_BYTES_MAX;
    let fits = |line: &&LogLine| {
        let fits = line.text.len() <= room;
        room = room.saturating_sub(line.text.len());
        fits
    };
    let mut lines: Vec<String> = logs.iter().rev().take_while(fits).map(|line| line.text.clone()).collect();
    lines.reverse();
    lines
}

fn cut(mut text: String) -> String {
    if text.len() > MESSAGE_BYTES_MAX {
        let mut end = MESSAGE_BYTES_MAX;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push_str("...");
    }
    text
}
