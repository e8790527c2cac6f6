//! How what landed is told to the guest.

use serde::Serialize;

use super::{Landed, Outcome};
use crate::HostCallError;

/// Appends `{u32 id, u32 kind, u32 len, bytes, NUL}`.
pub(super) fn encode(records: &mut Vec<u8>, landed: Landed, bytes_max: usize) {
    let (kind, json) = match landed.outcome {
        Outcome::Call(Ok(json)) if json.len() <= bytes_max => (OK, json),
        Outcome::Call(Ok(_)) => (FAILED, error_json(too_large(bytes_max), bytes_max)),
        Outcome::Call(Err(error)) => (FAILED, error_json(error, bytes_max)),
        Outcome::Fired => (FIRED, String::new()),
    };
    // Longer than u32 can say is longer than any guest memory; the guest refuses the record then.
    let len = u32::try_from(json.len()).unwrap_or(u32::MAX);
    for word in [landed.id, kind, len] {
        records.extend_from_slice(&word.to_le_bytes());
    }
    records.extend_from_slice(json.as_bytes());
    records.push(0);
}

fn error_json(error: HostCallError, bytes_max: usize) -> String {
    #[derive(Serialize)]
    struct Fields<'a> {
        code: &'a str,
        message: &'a str,
        retryable: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        details: Option<serde_json::Value>,
    }
    let details = error.details.filter(|details| details.len() <= bytes_max);
    let details = details.and_then(|details| serde_json::from_str(&details).ok());
    let fields = Fields { code: &error.code, message: &error.message, retryable: error.retryable, details };
    serde_json::to_string(&fields).unwrap_or_else(|_| r#"{"code":"INTERNAL","message":""}"#.into())
}

/// What a tool gets instead of a result that is longer than it may be.
pub(crate) fn too_large(bytes_max: usize) -> HostCallError {
    HostCallError {
        code: "RESULT_TOO_LARGE".into(),
        message: format!("the result is longer than {bytes_max} bytes; ask for less at a time"),
        retryable: false,
        details: None,
    }
}

const OK: u32 = 0;
const FAILED: u32 = 1;
const FIRED: u32 = 2;
