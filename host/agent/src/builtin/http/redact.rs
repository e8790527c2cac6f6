//! Takes a credential out of what a target sends back.

use alknet_core::Secret;
use serde_json::Value;

/// Replaces exact occurrences of one secret. Another form of it (encoded, split) passes: a target that is trusted
/// with a credential can always leak it, this is for those that merely echo.
#[derive(Debug)]
pub(super) struct Redactor<'a>(Option<&'a Secret>);

const MARK: &str = "[REDACTED]";

impl<'a> Redactor<'a> {
    pub(super) fn new(secret: Option<&'a Secret>) -> Self {
        Self(secret)
    }

    fn secret(&self) -> Option<&str> {
        self.0.map(Secret::expose_secret).filter(|secret| !secret.is_empty())
    }

    pub(super) fn text(&self, text: &str) -> String {
        match self.secret() {
            Some(secret) => text.replace(secret, MARK),
            None => text.to_owned(),
        }
    }

    pub(super) fn bytes(&self, bytes: Vec<u8>) -> Vec<u8> {
        let Some(secret) = self.secret().map(str::as_bytes) else {
            return bytes;
        };
        let mut kept = Vec::with_capacity(bytes.len());
        let mut rest = bytes.as_slice();
        while let Some((byte, after)) = rest.split_first() {
            if let Some(after) = rest.strip_prefix(secret) {
                kept.extend_from_slice(MARK.as_bytes());
                rest = after;
            } else {
                kept.push(*byte);
                rest = after;
            }
        }
        kept
    }

    /// Also finds what JSON escapes hid from [`Redactor::bytes`].
    pub(super) fn json(&self, value: Value) -> Value {
        if self.secret().is_none() {
            return value;
        }
        match value {
            Value::String(text) => Value::String(self.text(&text)),
            Value::Array(items) => items.into_iter().map(|item| self.json(item)).collect(),
            Value::Object(members) => {
                members.into_iter().map(|(name, member)| (self.text(&name), self.json(member))).collect()
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => value,
        }
    }
}
