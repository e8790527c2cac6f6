//! Events: what a frame means, and the frame that says it.

use std::collections::BTreeMap;

use alknet_core::AuthToken;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::envelope::{Envelope, Payload, Text};
use super::frame::{FrameFault, HEADER_BYTES};
use crate::{CallError, ErrorCode, Limits, OnBehalfOf};

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
    /// `call.responded` or `call.error`: an answer to a call of ours. An error may also end what the caller
    /// publishes.
    Answered {
        /// Our correlation id; or the caller's.
        id: String,
        /// The answer.
        result: Result<Value, CallError>,
    },
    /// `call.published`: one chunk of what the caller publishes.
    Published {
        /// The caller's correlation id.
        id: String,
        /// The chunk; absent is null.
        chunk: Value,
    },
    /// `call.completed`: no further answers to a call of ours, or no further chunks of the caller's.
    Completed {
        /// Our correlation id; or the caller's.
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
    /// On whose behalf the caller says that it calls. What makes no sense is ignored.
    pub(crate) on_behalf_of: Option<OnBehalfOf>,
}

/// An identity as the wire has it; all members are required.
#[derive(Serialize, Deserialize)]
struct IdentityJson {
    id: String,
    scopes: Vec<String>,
    resources: BTreeMap<String, Vec<String>>,
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
            "call.published" => Self::Published { id, chunk: payload.input.unwrap_or(Value::Null) },
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
    let on_behalf_of = payload.forwarded_for.and_then(on_behalf_of);
    Ok(Request { name, input: payload.input.unwrap_or(Value::Null), auth_token, on_behalf_of })
}

fn on_behalf_of(claim: Value) -> Option<OnBehalfOf> {
    let Value::Object(members) = claim else { return None };
    let IdentityJson { id, scopes, resources } = IdentityJson::deserialize(members).ok()?;
    Some(OnBehalfOf { id, scopes, resources })
}

fn error(payload: Payload) -> CallError {
    let code = payload.code.and_then(Text::into_string);
    let message = payload.message.and_then(Text::into_string);
    let (Some(code), Some(message), false) = (code, message, payload.ambiguous) else {
        return CallError::internal("the peer sent a malformed error");
    };
    let code = ErrorCode::new(code);
    // Only the side that makes a call can know that its request never left.
    let code = if code == ErrorCode::CONNECTION_CLOSED { ErrorCode::INTERNAL } else { code };
    let error = CallError::new(code, message);
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
    #[serde(skip_serializing_if = "Option::is_none")]
    forwarded_for: Option<IdentityJson>,
}

/// What a request of ours says.
pub(crate) struct Outbound<'a> {
    /// The name, without the leading slash.
    pub(crate) name: &'a str,
    pub(crate) input: &'a Value,
    pub(crate) auth_token: Option<&'a str>,
    pub(crate) on_behalf_of: Option<&'a OnBehalfOf>,
}

#[derive(Serialize)]
struct Published<'a> {
    input: &'a Value,
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
    pub(crate) fn request(id: &str, request: &Outbound<'_>) -> Result<Vec<u8>, CallError> {
        let forwarded_for = request.on_behalf_of.map(|claim| IdentityJson {
            id: claim.id.clone(),
            scopes: claim.scopes.clone(),
            resources: claim.resources.clone(),
        });
        let Outbound { name, input, auth_token, .. } = *request;
        let payload = Requested { operation_id: &format!("/{name}"), input, auth_token, forwarded_for };
        frame(&Out { r#type: "call.requested", id, payload })
            .ok_or_else(|| CallError::invalid_input("the request is larger than a frame may be"))
    }

    /// `call.published`.
    pub(crate) fn chunk(id: &str, input: &Value) -> Result<Vec<u8>, CallError> {
        frame(&Out { r#type: "call.published", id, payload: Published { input } })
            .ok_or_else(|| CallError::invalid_input("the chunk is larger than a frame may be"))
    }

    /// `call.completed`.
    pub(crate) fn completed(id: &str) -> Vec<u8> {
        frame(&Out { r#type: "call.completed", id, payload: Empty {} }).unwrap_or_default()
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
