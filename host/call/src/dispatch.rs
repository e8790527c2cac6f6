//! The path of every call: resolve, check, record, run, record, reply.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use alknet_core::{Clock, Identity};
use futures_util::FutureExt as _;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::audit::{AuditSink, CallFacts, Decision, Outcome, Recorded};
use crate::call::{Root, Tree};
use crate::gate::{self, Admitted, Checked, Refusal, Resolved};
use crate::layers::Layers;
use crate::name::NAME_BYTES_MAX;
use crate::scope::CallScope;
use crate::{CallError, CallId, Caller, ErrorCode, Limits, Provenance, Registration, Registry, Reply};

/// Runs calls against the curated layer and a call's own layers. Cheap to clone.
#[derive(Clone)]
pub struct Dispatcher(Arc<Inner>);

struct Inner {
    curated: Arc<Registry>,
    audit: Arc<dyn AuditSink>,
    limits: Limits,
    clock: Arc<dyn Clock>,
}

impl Dispatcher {
    /// A dispatcher over a curated layer.
    pub fn new(curated: Registry, audit: Arc<dyn AuditSink>, limits: Limits, clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Inner { curated: Arc::new(curated), audit, limits, clock }))
    }

    /// The curated layer.
    #[must_use]
    pub fn curated(&self) -> &Arc<Registry> {
        &self.0.curated
    }

    /// The bounds.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.clock
    }

    /// Runs a root call of a peer. Dropping the future cancels the call and everything below it.
    ///
    /// # Errors
    /// As the protocol defines them; the deadline is enforced here, for the whole tree.
    pub async fn call(
        &self,
        identity: Option<Identity>,
        name: &str,
        input: Value,
    ) -> Result<Value, CallError> {
        let deadline = Instant::now() + self.0.limits.call_timeout;
        let root = Arc::new(Root::new(identity.clone(), Some(deadline)));
        let layers = Layers { curated: Arc::clone(&self.0.curated), session: None };
        let tree = Tree { root, layers, session: None };
        self.dispatch(Caller::Peer(identity), tree, name, input).await
    }

    pub(crate) async fn dispatch(
        &self,
        caller: Caller,
        tree: Tree,
        name: &str,
        input: Value,
    ) -> Result<Value, CallError> {
        let id = if caller.parent().is_none() { tree.root.id } else { CallId::next() };
        let attempt = Attempt { id, caller, tree, name: shown(name) };
        let admission = self.admit(&attempt, name, input);
        let (resolved, checked) = match admission {
            Ok(admitted) => admitted,
            Err((resolved, refusal)) => return Err(self.refuse(&attempt, resolved.as_ref(), refusal).await),
        };
        let mut record =
            OutcomeRecord { dispatcher: self, attempt, resolved, begun: Instant::now(), open: true };
        if record.admitted(checked.input()).wait().await.is_err() {
            record.open = false;
            return Err(unrecorded());
        }
        self.run(record, checked).await
    }

    fn admit(
        &self,
        attempt: &Attempt<'_>,
        name: &str,
        input: Value,
    ) -> Result<(Resolved, Checked), (Option<Resolved>, Refusal)> {
        let resolved =
            gate::resolve(&attempt.caller, &attempt.tree, name).map_err(|refusal| (None, refusal))?;
        match gate::check(&attempt.caller, &attempt.tree, &resolved, input, &self.0.limits) {
            Ok(checked) => Ok((resolved, checked)),
            Err(refusal) => Err((Some(resolved), refusal)),
        }
    }

    async fn refuse(
        &self,
        attempt: &Attempt<'_>,
        resolved: Option<&Resolved>,
        refusal: Refusal,
    ) -> CallError {
        let reason = refusal.class();
        let error = refusal.into_error(&attempt.name);
        let decision = Decision::Refused { reason, code: error.code() };
        match self.0.audit.decided(&attempt.facts(resolved), &decision).wait().await {
            Ok(()) => error,
            Err(_) => unrecorded(),
        }
    }

    async fn run(&self, mut record: OutcomeRecord<'_, '_>, checked: Checked) -> Result<Value, CallError> {
        let attempt = &record.attempt;
        let registration = Arc::clone(&record.resolved.registration);
        let deadline = attempt.caller.parent().is_none().then_some(attempt.tree.root.deadline).flatten();
        let (caller, tree) = (attempt.caller.clone(), attempt.tree.clone());
        let scope = CallScope::new(self.clone(), attempt.id, caller, Arc::clone(&registration), tree);
        let running = AssertUnwindSafe(answer(&registration, Admitted::enter(checked, scope))).catch_unwind();
        // The root's deadline cuts the whole tree: everything below it runs inside this future.
        let ended = match deadline {
            Some(deadline) => tokio::time::timeout_at(deadline, running).await,
            None => Ok(running.await),
        };
        let result = match ended {
            Ok(Ok(result)) => result,
            Ok(Err(_panic)) => {
                tracing::error!(operation = %registration.spec().name(), "handler panicked");
                Err(CallError::internal("handler failed"))
            }
            Err(_elapsed) => Err(CallError::timeout()),
        };
        let result = conform(&registration, result);
        match record.close(&result).wait().await {
            Ok(()) => result,
            Err(_) => Err(unrecorded()),
        }
    }
}

async fn answer(registration: &Registration, call: Admitted) -> Result<Value, CallError> {
    match registration.handler().start(call) {
        Reply::Once(answer) => answer.await,
    }
}

/// Holds a result to the operation's contract: a session operation's output fits its schema, an error's code is
/// the protocol's or declared, declared details fit theirs.
fn conform(registration: &Registration, result: Result<Value, CallError>) -> Result<Value, CallError> {
    let spec = registration.spec();
    match result {
        Ok(output) => {
            let checked = registration.provenance() == Provenance::Session;
            if checked && !spec.output_schema().accepts(&output) {
                let violations = spec.output_schema().violations(&output);
                let places: Vec<_> = violations.into_iter().map(|v| v.pointer).collect();
                return Err(CallError::internal("output failed output_schema validation")
                    .with_details(json!({ "pointers": places })));
            }
            Ok(output)
        }
        Err(error) if error.code().is_protocol() => Err(error),
        Err(error) => match spec.declared(error.code().as_str()) {
            Some(declared) if error.details().is_none_or(|details| declared.details.accepts(details)) => {
                Err(error)
            }
            Some(_) => Err(CallError::internal("the error's details do not fit their schema")
                .with_details(json!({ "code": error.code().as_str() }))),
            None if spec.does_forward_errors() => Err(error),
            None => Err(CallError::internal("the operation failed with an undeclared error")
                .with_details(json!({ "code": error.code().as_str() }))),
        },
    }
}

/// Fail closed: what cannot be recorded is not run, and not answered.
fn unrecorded() -> CallError {
    CallError::internal("the audit log cannot record this call").retryable(true)
}

/// A name as errors and records show it: at most the length of a legal one, without control characters.
pub(crate) fn shown(name: &str) -> std::borrow::Cow<'_, str> {
    if name.len() <= NAME_BYTES_MAX && !name.chars().any(char::is_control) {
        return name.into();
    }
    let mut end = NAME_BYTES_MAX.min(name.len());
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    let visible = name.get(..end).unwrap_or_default();
    visible.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect::<String>().into()
}

/// A call on its way through the dispatcher.
struct Attempt<'a> {
    id: CallId,
    caller: Caller,
    tree: Tree,
    name: std::borrow::Cow<'a, str>,
}

impl Attempt<'_> {
    fn facts<'b>(&'b self, resolved: Option<&'b Resolved>) -> CallFacts<'b> {
        CallFacts {
            id: self.id,
            parent: self.caller.parent(),
            root: self.tree.root.id,
            operation: &self.name,
            caller: self.tree.root.identity.as_ref().map(Identity::id),
            authority: self.caller.label(),
            session: self.tree.session.as_ref(),
            layer: resolved.map(|found| found.layer),
            provenance: resolved.map(|found| found.registration.provenance()),
            source_digest: resolved.and_then(|found| found.registration.digest()),
        }
    }
}

/// Makes sure that an admitted call leaves exactly one outcome, also when its future is dropped.
struct OutcomeRecord<'a, 'n> {
    dispatcher: &'a Dispatcher,
    attempt: Attempt<'n>,
    resolved: Resolved,
    begun: Instant,
    open: bool,
}

impl OutcomeRecord<'_, '_> {
    fn admitted(&self, input: &Value) -> Recorded {
        let facts = self.attempt.facts(Some(&self.resolved));
        self.dispatcher.0.audit.decided(&facts, &Decision::Admitted { input })
    }

    fn close(&mut self, result: &Result<Value, CallError>) -> Recorded {
        self.open = false;
        self.write(result.as_ref().map_err(CallError::code))
    }

    fn write(&self, result: Result<&Value, &ErrorCode>) -> Recorded {
        let outcome = Outcome { result, duration: self.begun.elapsed() };
        self.dispatcher.0.audit.finished(&self.attempt.facts(Some(&self.resolved)), &outcome)
    }
}

impl Drop for OutcomeRecord<'_, '_> {
    fn drop(&mut self) {
        if self.open {
            let recorded = self.write(Err(&ErrorCode::from(Outcome::CANCELLED)));
            if matches!(recorded, Recorded::Failed(_)) {
                tracing::error!(call = %self.attempt.id, "a cancelled call's outcome could not be recorded");
            }
        }
    }
}

impl std::fmt::Debug for Dispatcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dispatcher").field("limits", &self.0.limits).finish_non_exhaustive()
    }
}
