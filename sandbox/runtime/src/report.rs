//! What a call or a registration came to.

use std::fmt;
use std::time::Duration;

use crate::{Diagnostic, HostCallError, Limit, Position};

/// Everything there is to say about one finished call.
#[derive(Debug, Clone)]
pub struct CallReport {
    /// The output as JSON text, or why there is none.
    pub result: Result<String, CallFailure>,
    /// What the tool wrote with `console`, in order.
    pub logs: Vec<LogLine>,
    /// Whether lines were dropped or cut at the log limit.
    pub log_truncated: bool,
    /// Time spent executing the tool.
    pub cpu: Duration,
    /// Host calls the tool asked for, including those never started.
    pub host_calls: u32,
    /// Linear memory of the instance at the end, in bytes.
    pub memory_bytes: usize,
}

impl CallReport {
    /// Of a call that did not begin.
    pub(crate) fn unstarted(result: Result<String, CallFailure>) -> Self {
        Self {
            result,
            logs: Vec::new(),
            log_truncated: false,
            cpu: Duration::ZERO,
            host_calls: 0,
            memory_bytes: 0,
        }
    }
}

/// One `console` call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Which `console` function.
    pub level: LogLevel,
    /// Arguments, joined with spaces.
    pub text: String,
}

/// Which `console` function wrote a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogLevel {
    /// `console.debug`.
    Debug,
    /// `console.log` and `console.info`.
    Info,
    /// `console.warn`.
    Warn,
    /// `console.error`.
    Error,
}

/// One entry of a JavaScript stack, innermost first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Name of the function, unless it is anonymous.
    pub function: Option<String>,
    /// Where in the author's source.
    pub position: Position,
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at {} ({})", self.function.as_deref().unwrap_or("<anonymous>"), self.position)
    }
}

/// Why a call has no output. `Display` is written for the tool's author.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallFailure {
    /// The tool threw an `OperationError`: a declared outcome, not a defect.
    Raised {
        /// First argument of `OperationError`.
        code: String,
        /// Its message.
        message: String,
        /// Its details, as JSON text.
        details: Option<String>,
    },
    /// A host call failed and the tool did not catch it.
    HostCall {
        /// What the host, or the tool, said.
        error: HostCallError,
        /// Where the call was made.
        at: Option<Position>,
        /// The line that is.
        snippet: Option<Box<str>>,
    },
    /// The tool threw anything else.
    Threw {
        /// The error's name, such as `TypeError`; `Thrown` when it is not an error object.
        name: String,
        /// The error's message.
        message: String,
        /// Calls that led there, innermost first.
        stack: Vec<Frame>,
        /// Where it was thrown.
        at: Option<Position>,
        /// The line that is.
        snippet: Option<Box<str>>,
    },
    /// A limit was reached.
    Limit(Limit),
    /// The tool waits for a promise that nothing will ever settle.
    Stalled,
    /// The tool returned something that is not JSON.
    BadOutput {
        /// What is wrong with it.
        reason: String,
    },
    /// The input is not JSON, so the tool was not started.
    BadInput,
    /// No instance became free within the wall limit; the tool was not started.
    Unavailable,
    /// A defect of the sandbox, never of the tool.
    Internal(String),
}

impl fmt::Display for CallFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Raised { code, message, .. } => write!(f, "the tool raised {code}: {message}"),
            Self::HostCall { error, at, .. } => {
                write!(f, "uncaught CallError {}: {}", error.code, error.message)?;
                write_at(f, at.as_ref())
            }
            Self::Threw { name, message, at, .. } => {
                write!(f, "uncaught {name}: {message}")?;
                write_at(f, at.as_ref())
            }
            Self::Limit(limit) => write!(f, "limit reached ({}): {limit}", limit.name()),
            Self::Stalled => f.write_str(STALLED),
            Self::BadOutput { reason } => write!(f, "the output is not JSON: {reason}"),
            Self::BadInput => f.write_str("the input is not valid JSON"),
            Self::Unavailable => f.write_str("no sandbox instance became free in time"),
            Self::Internal(reason) => write!(f, "sandbox defect: {reason}"),
        }
    }
}

impl std::error::Error for CallFailure {}

/// Why a source did not become a tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RegisterError {
    /// The source is at fault; at least one diagnostic.
    Rejected(Vec<Diagnostic>),
    /// Compiling or evaluating the module reached a limit.
    Limit(Limit),
    /// No instance became free within the wall limit.
    Unavailable,
    /// A defect of the sandbox, never of the source.
    Internal(String),
}

impl fmt::Display for RegisterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected(diagnostics) => {
                f.write_str("the source was rejected")?;
                diagnostics.iter().try_for_each(|diagnostic| write!(f, "\n{diagnostic}"))
            }
            Self::Limit(limit) => write!(f, "limit reached ({}): {limit}", limit.name()),
            Self::Unavailable => f.write_str("no sandbox instance became free in time"),
            Self::Internal(reason) => write!(f, "sandbox defect: {reason}"),
        }
    }
}

impl std::error::Error for RegisterError {}

fn write_at(f: &mut fmt::Formatter<'_>, at: Option<&Position>) -> fmt::Result {
    match at {
        Some(position) => write!(f, " (at {position})"),
        None => Ok(()),
    }
}

const STALLED: &str = "the tool waits for a promise that can never settle: \
    no call through env is running that could settle it";
