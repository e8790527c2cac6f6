//! A call on its way through the dispatcher, and the one outcome that it leaves in the audit log.

use std::borrow::Cow;

use alknet_core::Identity;
use serde_json::Value;
use tokio::time::Instant;

use crate::audit::{Answered, CallFacts, Decision, Due, Outcome, Recorded};
use crate::call::Tree;
use crate::door::Answer;
use crate::gate::Resolved;
use crate::name::NAME_BYTES_MAX;
use crate::{CallError, CallId, Caller, Dispatcher, ErrorCode};

/// A call that was asked for.
pub(crate) struct Attempt<'a> {
    pub(crate) id: CallId,
    pub(crate) caller: Caller,
    pub(crate) tree: Tree,
    /// The name as errors and records show it.
    pub(crate) name: Cow<'a, str>,
}

impl<'a> Attempt<'a> {
    pub(crate) fn new(caller: Caller, tree: Tree, name: &'a str) -> Self {
        let id = if caller.parent().is_none() { tree.root.id } else { CallId::next() };
        Self { id, caller, tree, name: shown(name) }
    }

    pub(crate) fn facts<'b>(&'b self, resolved: Option<&'b Resolved>) -> CallFacts<'b> {
        CallFacts {
            id: self.id,
            parent: self.caller.parent(),
            root: self.tree.root.id,
            operation: &self.name,
            caller: self.tree.root.identity().map(Identity::id),
            authority: self.caller.label(),
            session: self.tree.session.as_ref(),
            layer: resolved.map(|found| found.layer),
            peer: resolved.and_then(|found| found.registration.peer()),
            provenance: resolved.map(|found| found.registration.provenance()),
            source_digest: resolved.and_then(|found| found.registration.digest()),
            due: if self.caller.parent().is_none() { self.tree.root.origin.due } else { Due::Now },
        }
    }
}

/// Makes sure that an admitted call leaves exactly one outcome, also when its future is dropped.
pub(crate) struct OutcomeRecord<'a, 'n> {
    dispatcher: &'a Dispatcher,
    pub(crate) attempt: Attempt<'n>,
    pub(crate) resolved: Resolved,
    begun: Instant,
    open: bool,
}

impl<'a, 'n> OutcomeRecord<'a, 'n> {
    pub(crate) fn new(dispatcher: &'a Dispatcher, attempt: Attempt<'n>, resolved: Resolved) -> Self {
        Self { dispatcher, attempt, resolved, begun: Instant::now(), open: true }
    }

    /// When the call was admitted.
    pub(crate) fn begun(&self) -> Instant {
        self.begun
    }

    pub(crate) fn admitted(&self, input: &Value) -> Recorded {
        let facts = self.attempt.facts(Some(&self.resolved));
        self.dispatcher.audit().decided(&facts, &Decision::Admitted { input })
    }

    /// The call never ran: it leaves no outcome.
    pub(crate) fn forget(&mut self) {
        self.open = false;
    }

    pub(crate) fn close(&mut self, result: &Result<Answer, CallError>) -> Recorded {
        self.open = false;
        let result = match result {
            Ok(Answer::Value(value)) => Ok(Answered::Value(value)),
            Ok(Answer::Items(count)) => Ok(Answered::Items(*count)),
            Err(error) => Err(error.code()),
        };
        self.write(self.attempt.facts(Some(&self.resolved)), result)
    }

    fn write(&self, facts: CallFacts<'_>, result: Result<Answered<'_>, &ErrorCode>) -> Recorded {
        let outcome = Outcome { result, duration: self.begun.elapsed() };
        self.dispatcher.audit().finished(&facts, &outcome)
    }
}

impl Drop for OutcomeRecord<'_, '_> {
    fn drop(&mut self) {
        if self.attempt.caller.parent().is_none() {
            self.attempt.tree.root.end();
        }
        if self.open {
            // No answer follows that it could be written with.
            let facts = CallFacts { due: Due::Now, ..self.attempt.facts(Some(&self.resolved)) };
            let recorded = self.write(facts, Err(&ErrorCode::from(Outcome::CANCELLED)));
            if matches!(recorded, Recorded::Failed(_)) {
                tracing::error!(call = %self.attempt.id, "a cancelled call's outcome could not be recorded");
            }
        }
    }
}

/// A name as errors and records show it: at most the length of a legal one, without control characters.
pub(crate) fn shown(name: &str) -> Cow<'_, str> {
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
