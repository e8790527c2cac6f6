//! The `audit/*` operations: what was recorded, asked for over the call protocol.
//!
//! Whoever holds the scope [`AUDIT_SCOPE`] sees every record; everybody else sees their own calls and sessions,
//! and cannot tell the rest from what does not exist.

mod checkpoint;
mod export;
mod prove;
mod provenance;
mod prune;
mod query;
mod stats;
mod trace;

use std::fmt;
use std::sync::Arc;

use alknet_audit::{AuditLog, AuditReader, Entry, Filter, QueryError};
use alknet_call::{AccessControl, CallError, CallScope, OperationSpec, Registration, SpecError};
use alknet_core::{Identity, Scope};
use serde_json::Value;
use tokio::sync::Semaphore;

use crate::session::SESSION_SCOPE;

/// The scope that shows every record.
pub const AUDIT_SCOPE: &str = "audit:read";

/// The scope that lets old records be removed.
pub const PRUNE_SCOPE: &str = "audit:prune";

/// Questions answered at once; the rest wait.
const QUESTIONS_MAX: usize = 4;

/// The `audit/*` operations over a log.
///
/// # Errors
/// [`SpecError`] for a defect of this crate.
pub fn registrations(log: &AuditLog) -> Result<Vec<Registration>, SpecError> {
    let questions = Questions(Arc::new(Inner { log: log.clone(), running: Semaphore::new(QUESTIONS_MAX) }));
    Ok(vec![
        query::registration(&questions)?,
        trace::registration(&questions)?,
        provenance::registration(&questions)?,
        stats::registration(&questions)?,
        checkpoint::registration(&questions)?,
        prove::registration(&questions)?,
        export::registration(&questions)?,
        prune::registration(&questions)?,
    ])
}

/// Asks the log off the runtime's threads, a few questions at a time.
#[derive(Clone)]
struct Questions(Arc<Inner>);

struct Inner {
    log: AuditLog,
    running: Semaphore,
}

/// Whose records a caller may see.
enum Sight {
    All,
    Own(Identity),
}

impl Questions {
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&AuditReader) -> Result<T, QueryError> + Send + 'static,
    ) -> Result<T, CallError> {
        self.ask_log(|log| question(log.reader())).await
    }

    async fn ask_log<T: Send + 'static>(
        &self,
        question: impl FnOnce(&AuditLog) -> Result<T, QueryError> + Send + 'static,
    ) -> Result<T, CallError> {
        let inner = Arc::clone(&self.0);
        let _turn = inner.running.acquire().await.map_err(|_| CallError::internal("the host is stopping"))?;
        let log = inner.log.clone();
        let answer = tokio::task::spawn_blocking(move || question(&log)).await;
        match answer {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(QueryError::TooLarge { max })) => Err(CallError::invalid_input(format!(
                "the tree has more than {max} records; use audit/query"
            ))),
            Ok(Err(QueryError::Unpublished)) => {
                Err(CallError::internal("no checkpoint can be signed at the moment").retryable(true))
            }
            Ok(Err(error)) => {
                tracing::error!(%error, "the audit log could not be read");
                Err(CallError::internal("the audit log could not be read"))
            }
            Err(_) => Err(CallError::internal("the audit log could not be read")),
        }
    }
}

impl Sight {
    /// What the caller may see. The root's identity narrows an operation that composes on behalf of somebody.
    fn of(scope: &CallScope) -> Result<Self, CallError> {
        if scope.caller().grants().is_some_and(|held| held.has_scope(AUDIT_SCOPE)) {
            return Ok(Self::All);
        }
        let own = scope.root_identity().cloned();
        own.map(Self::Own).ok_or_else(|| CallError::forbidden("authentication required"))
    }

    /// The filter, kept to what the caller may see.
    fn narrow(&self, mut filter: Filter) -> Result<Filter, CallError> {
        if let Self::Own(identity) = self {
            let own = identity.id().as_str();
            if filter.caller.as_deref().is_some_and(|caller| caller != own) {
                return Err(CallError::forbidden("other callers' records take the scope audit:read"));
            }
            filter.caller = Some(own.to_owned());
        }
        Ok(filter)
    }

    /// Whether the caller may see everything.
    fn is_all(&self) -> bool {
        matches!(self, Self::All)
    }

    /// Whether the caller may see what this identity caused.
    fn covers(&self, caller: Option<&str>) -> bool {
        match self {
            Self::All => true,
            Self::Own(identity) => caller == Some(identity.id().as_str()),
        }
    }
}

/// A specification for identities with a session, or with sight of everything.
fn guarded(spec: OperationSpec) -> Result<OperationSpec, SpecError> {
    let scopes: Result<Vec<Scope>, _> = [AUDIT_SCOPE, SESSION_SCOPE].into_iter().map(Scope::parse).collect();
    let required_scopes_any = scopes.map_err(|_| alknet_call::InvalidOpName)?;
    Ok(spec.access(AccessControl { required_scopes_any, ..AccessControl::default() }))
}

/// The identity a record names.
fn caller(entry: &Entry) -> Option<&str> {
    entry.record.get("caller").and_then(Value::as_str)
}

impl fmt::Debug for Questions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Questions")
    }
}
