//! Events: what a frame means, and the frame that says it.

use alknet_core::AuthToken;
use serde::Serialize;
use serde_json::Value;

use super::envelope::{Envelope, Payload, Text};
use super::frame::{FrameFault, HEADER_BYTES};
use crate::{CallError, ErrorCode, Limits};

/// One event of the call protocol, as the other side sent it.
#[derive(Debug)]
pub(crate) enum Event {
    /// `call.requested`.
    Requested {
        /// The caller's correlation id.
        id: String,
        /// What is asked, or why it cannot be understood.
        request: Result<Request, CallError>,
    },
    /// `call.responded` or `call.error`: an answer to a call of ours.
    Answered {
        /// Our correlation id.
        id: String,
        /// The answer.
        result: Result<Value, CallError>,
    },
    /// `call.completed`: no further answers.
    Completed {
        /// Our correlation id.
        id: String,
    },
    /// `call.aborted`: from the caller, stop; from the other side, it was stopped.
    Aborted {
        /// The correlation id.
        id: String,
    },
    /// An event this host does not know; ignored.
    Unknown,
}

/// What a caller asks for.
#[derive(Debug)]
pub(crate) struct Request {
    /// The operation's name, without the wire's leading slash; not yet parsed.
    pub(crate) name: String,
    /// The input; absent is null.
    pub(crate) input: Value,
    /// A bearer token that may replace the connection's identity for this call.
    pub(crate) auth_token: Option<AuthToken>,
}

impl Event {
    /// Parses a frame's body.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, FrameFault> {
        let text = std::str::from_utf8(body).map_err(|_| FrameFault::Envelope("not UTF-8"))?;
        let envelope: Envelope<'_> =
            serde_json::from_str(text).map_err(|_| FrameFault::Envelope("bad JSON or bad member"))?;
        let Envelope { kind, id, payload } = envelope;
        let id = id.into_owned();
        Ok(match &*kind {
            "call.requested" => Self::Requested { id, request: request(payload) },
            "call.responded" => Self::Answered { id, result: Ok(payload.output.unwrap_or(Value::Null)) },
            "call.error" => Self::Answered { id, result: Err(error(payload)) },
            "call.completed" => Self::Completed { id },
            "call.aborted" => Self::Aborted { id },
            _ => Self::Unknown,
        })
    }
}

fn request(payload: Payload) -> Result<Request, CallError> {
    if payload.ambiguous {
        return Err(CallError::invalid_input("a payload member is repeated"));
    }
    let auth_token = match payload.auth_token {
        None => None,
        Some(Text::String(token)) => Some(AuthToken::new(token)),
        Some(Text::Mistyped) => return Err(CallError::invalid_input("auth_token is a string")),
    };
    let mut name = payload.operation_id.and_then(Text::into_string).unwrap_or_default();
    if name.starts_with('/') {
        name.remove(0);
    }
    Ok(Request { name, input: payload.input.unwrap_or(Value::Null), auth_token })
}

fn error(payload: Payload) -> CallError {
    let code = payload.code.and_then(Text::into_string);
    let message = payload.message.and_then(Text::into_string);
    let (Some(code), Some(message), false) = (code, message, payload.ambiguous) else {
        return CallError::internal("the peer sent a malformed error");
    };
    let error = CallError::new(ErrorCode::new(code), message);
    let error = error.retryable(payload.retryable == Some(Value::Bool(true)));
    match payload.details {
        Some(details) => error.with_details(details),
        None => error,
    }
}

/// Writes events as whole frames, header included.
pub(crate) struct Encoder;

#[derive(Serialize)]
struct Out<'a, P> {
    r#type: &'static str,
    id: &'a str,
    payload: P,
}

#[derive(Serialize)]
struct Requested<'a> {
    #[serde(rename = "operationId")]
    operation_id: &'a str,
    input: &'a Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_token: Option<&'a str>,
}

#[derive(Serialize)]
struct Responded<'a> {
    output: &'a Value,
}

#[derive(Serialize)]
struct Failed<'a> {
    code: &'a str,
    message: &'a str,
    retryable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<&'a Value>,
}

#[derive(Serialize)]
struct Empty {}

impl Encoder {
    /// `call.requested`.
    pub(crate) fn request(
        id: &str,
        operation_id: &str,
        input: &Value,
        auth_token: Option<&str>,
    ) -> Result<Vec<u8>, CallError> {
        let payload = Requested { operation_id, input, auth_token };
        frame(&Out { r#type: "call.requested", id, payload })
            .ok_or_else(|| CallError::invalid_input("the request is larger than a frame may be"))
    }

    /// `call.responded` or `call.error`; an answer too large for a frame becomes an error that says so.
    pub(crate) fn answer(id: &str, result: &Result<Value, CallError>) -> Vec<u8> {
        let encoded = match result {
            Ok(output) => frame(&Out { r#type: "call.responded", id, payload: Responded { output } }),
            Err(error) => Self::error(id, error),
        };
        let too_large = || Self::error(id, &CallError::internal("response too large"));
        encoded.or_else(too_large).unwrap_or_default()
    }

    fn error(id: &str, error: &CallError) -> Option<Vec<u8>> {
        let payload = Failed {
            code: error.code().as_str(),
            message: error.message(),
            retryable: error.is_retryable(),
            details: error.details(),
        };
        frame(&Out { r#type: "call.error", id, payload })
    }

    /// `call.aborted`.
    pub(crate) fn abort(id: &str) -> Vec<u8> {
        frame(&Out { r#type: "call.aborted", id, payload: Empty {} }).unwrap_or_default()
    }
}

/// The frame of a body, unless it is larger than the protocol allows.
fn frame(body: &impl Serialize) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(512);
    bytes.extend_from_slice(&[0; HEADER_BYTES]);
    serde_json::to_writer(&mut bytes, body).ok()?;
    let length = bytes.len() - HEADER_BYTES;
    if length > Limits::FRAME_BYTES_LEGAL {
        return None;
    }
    let header = u32::try_from(length).ok()?.to_be_bytes();
    bytes.get_mut(..HEADER_BYTES)?.copy_from_slice(&header);
    Some(bytes)
}
