//! Looks for live secrets in everything that an operation answers, and takes them out.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use alknet_audit::AuditLog;
use alknet_audit::event::{Event, SecretScrubbed};
use alknet_call::{AuditUnavailable, CallError, CallFacts, CallId, Screen, Screened};
use alknet_core::{LiveSecrets, Scrubber};
use serde_json::Value;

/// The guard of a host: one for all operations, with the secrets that are in use. Cheap to clone.
///
/// What it finds is replaced, counted, and recorded in the audit log; when it cannot be recorded, the caller gets an
/// error instead of the result.
#[derive(Clone, Default)]
pub struct SecretGuard {
    live: LiveSecrets,
    log: Option<AuditLog>,
}

impl SecretGuard {
    /// A guard for these secrets, which records what it finds in this log.
    #[must_use]
    pub fn new(live: LiveSecrets, log: AuditLog) -> Self {
        Self { live, log: Some(log) }
    }

    /// A guard that does not record what it finds.
    #[must_use]
    pub fn without_log(live: LiveSecrets) -> Self {
        Self { live, log: None }
    }

    /// The secrets it knows.
    #[must_use]
    pub fn live(&self) -> &LiveSecrets {
        &self.live
    }

    /// Records that a call's result had secrets in it.
    ///
    /// # Errors
    /// [`AuditUnavailable`] when it could not be written.
    pub(crate) async fn record(
        &self,
        call: CallId,
        operation: &str,
        found: Found,
    ) -> Result<(), AuditUnavailable> {
        match (self.note(call, operation, &found), &self.log) {
            (Some(event), Some(log)) => log.append_async(&event).await,
            (None, _) | (_, None) => Ok(()),
        }
    }

    /// Counts and logs; answers what to record.
    fn note(&self, call: CallId, operation: &str, found: &Found) -> Option<Event> {
        if found.0.is_empty() {
            return None;
        }
        self.live.count(&found.0);
        let names: Vec<&str> = found.0.iter().map(|name| &**name).collect();
        tracing::warn!(%call, operation, credentials = names.join(", "), "a secret was taken out of a result");
        let credentials = names.into_iter().map(str::to_owned).collect();
        let event = SecretScrubbed { call: call.to_string(), operation: operation.to_owned(), credentials };
        Some(Event::SecretScrubbed(event))
    }
}

impl Screen for SecretGuard {
    fn screen(&self, call: &CallFacts<'_>, result: Result<Value, CallError>) -> Screened {
        let scrubber = self.live.scrubber();
        let mut found = Found::default();
        let result = match result {
            Ok(value) => Ok(found.value(&scrubber, value)),
            Err(error) => Err(found.error(&scrubber, error)),
        };
        match (self.note(call.id, call.operation, &found), &self.log) {
            (Some(event), Some(log)) => Screened { result, recorded: log.append_in_call(&event) },
            (None, _) | (_, None) => Screened::clean(result),
        }
    }
}

/// The names of the secrets that were found in something.
#[derive(Debug, Default)]
pub(crate) struct Found(BTreeSet<Arc<str>>);

impl Found {
    /// A text without secrets.
    pub(crate) fn text(&mut self, scrubber: &Scrubber, text: String) -> String {
        match scrubber.text(&text) {
            Some(scrubbed) => {
                self.0.extend(scrubbed.found);
                scrubbed.content
            }
            None => text,
        }
    }

    /// Bytes without secrets.
    pub(crate) fn bytes(&mut self, scrubber: &Scrubber, bytes: Vec<u8>) -> Vec<u8> {
        match scrubber.bytes(&bytes) {
            Some(scrubbed) => {
                self.0.extend(scrubbed.found);
                scrubbed.content
            }
            None => bytes,
        }
    }

    /// A value without secrets in its texts and names.
    pub(crate) fn value(&mut self, scrubber: &Scrubber, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(scrubber, text)),
            Value::Array(items) => items.into_iter().map(|item| self.value(scrubber, item)).collect(),
            Value::Object(members) => {
                let members = members.into_iter();
                let scrubbed = members.map(|(name, member)| {
                    let name = self.text(scrubber, name);
                    (name, self.value(scrubber, member))
                });
                Value::Object(scrubbed.collect())
            }
            Value::Number(number) if scrubber.text(&number.to_string()).is_some() => {
                Value::String(self.text(scrubber, number.to_string()))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => value,
        }
    }

    fn error(&mut self, scrubber: &Scrubber, error: CallError) -> CallError {
        let message = self.text(scrubber, error.message().to_owned());
        let scrubbed = CallError::new(error.code().clone(), message).retryable(error.is_retryable());
        match error.details() {
            Some(details) => scrubbed.with_details(self.value(scrubber, details.clone())),
            None => scrubbed,
        }
    }
}

impl fmt::Debug for SecretGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretGuard").field("live", &self.live).finish_non_exhaustive()
    }
}
