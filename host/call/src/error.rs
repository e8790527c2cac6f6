//! The one error a call can end with (ADR-023).

use std::borrow::Cow;
use std::fmt;

use serde_json::Value;

/// Why a call failed, as its caller sees it. Switch on the code; the message is for people.
///
/// No error of the host repeats an input: inputs may hold secrets.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct CallError {
    code: ErrorCode,
    message: Cow<'static, str>,
    retryable: bool,
    details: Option<Box<Value>>,
}

/// A protocol code, or a code the operation declares.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ErrorCode(Cow<'static, str>);

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        impl ErrorCode {
            $($(#[$doc])* pub const $name: Self = Self(Cow::Borrowed(stringify!($name)));)*

            pub(crate) const PROTOCOL: &[Self] = &[$(Self::$name),*];
        }
    };
}

codes! {
    /// No such operation, or none the caller may know of.
    NOT_FOUND,
    /// The operation exists and the caller may not run it.
    FORBIDDEN,
    /// The input fails the operation's schema.
    INVALID_INPUT,
    /// The host or the handler failed.
    INTERNAL,
    /// The deadline passed.
    TIMEOUT,
    /// The operation is of another kind than the way it was called.
    INVALID_OPERATION_TYPE,
    /// The name is taken.
    ALREADY_EXISTS,
    /// The request never left this side.
    CONNECTION_CLOSED,
    /// The announced operation carries binary channels, which this host does not serve.
    MARKED_SPEC_UNSUPPORTED,
}

impl ErrorCode {
    /// A code as it stands in a frame or a specification.
    #[must_use]
    pub fn new(code: String) -> Self {
        Self(Cow::Owned(code))
    }

    /// The code as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the protocol itself defines this code.
    #[must_use]
    pub fn is_protocol(&self) -> bool {
        Self::PROTOCOL.contains(self)
    }
}

impl From<&'static str> for ErrorCode {
    fn from(code: &'static str) -> Self {
        Self(Cow::Borrowed(code))
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl CallError {
    /// An error with a code, not retryable unless the code is TIMEOUT or CONNECTION_CLOSED.
    pub fn new(code: impl Into<ErrorCode>, message: impl Into<Cow<'static, str>>) -> Self {
        let code = code.into();
        let retryable = code == ErrorCode::TIMEOUT || code == ErrorCode::CONNECTION_CLOSED;
        Self { code, message: message.into(), retryable, details: None }
    }

    /// NOT_FOUND for an operation, in the protocol's wording.
    #[must_use]
    pub fn operation_not_found(name: &str) -> Self {
        Self::new(ErrorCode::NOT_FOUND, format!("operation not found: {name}"))
    }

    /// NOT_FOUND for something else.
    pub fn not_found(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCode::NOT_FOUND, message)
    }

    /// FORBIDDEN.
    pub fn forbidden(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCode::FORBIDDEN, message)
    }

    /// INVALID_INPUT.
    pub fn invalid_input(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCode::INVALID_INPUT, message)
    }

    /// INTERNAL. The message must not carry a cause that could name paths, inputs or secrets.
    pub fn internal(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCode::INTERNAL, message)
    }

    /// TIMEOUT, retryable.
    #[must_use]
    pub fn timeout() -> Self {
        Self::new(ErrorCode::TIMEOUT, "the deadline passed")
    }

    /// Marks the error as worth another try.
    #[must_use]
    pub fn retryable(mut self, retryable: bool) -> Self {
        self.retryable = retryable;
        self
    }

    /// Adds machine-readable details.
    #[must_use]
    pub fn with_details(mut self, details: Value) -> Self {
        self.details = Some(Box::new(details));
        self
    }

    /// The code.
    #[must_use]
    pub fn code(&self) -> &ErrorCode {
        &self.code
    }

    /// The text for people.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Whether another try may succeed.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.retryable
    }

    /// The details, where there are any.
    #[must_use]
    pub fn details(&self) -> Option<&Value> {
        self.details.as_deref()
    }
}
