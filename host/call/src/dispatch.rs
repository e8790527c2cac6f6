//! The path of every call: resolve, check, record, run, record, reply.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};

use alknet_core::{Clock, Identity};
use futures_util::FutureExt as _;
use futures_util::stream::{BoxStream, StreamExt as _};
use serde_json::Value;

use crate::audit::{AuditSink, Decision, Recorded};
use crate::call::{Origin, Root, Tree};
use crate::conform;
use crate::detached::Detached;
use crate::door::{Answer, Door, Gone, Items};
use crate::gate::{self, Admitted, Checked, Refusal, Resolved, Terms};
use crate::layers::Layers;
use crate::outcome::{Attempt, OutcomeRecord};
use crate::scope::CallScope;
use crate::screen::{Exit, Screen};
use crate::{
    AbortPolicy, Answers, CallError, Caller, Feed, IdentityRates, Limits, Peers, Registration, Registry,
    Reply,
};

/// Runs calls against the curated layer, the peers' and a call's own. Cheap to clone.
#[derive(Clone)]
pub struct Dispatcher(Arc<Inner>);

struct Inner {
    curated: Arc<Registry>,
    peers: Peers,
    audit: Arc<dyn AuditSink>,
    limits: Limits,
    clock: Arc<dyn Clock>,
    detached: Detached,
    screen: OnceLock<Arc<dyn Screen>>,
    rates: OnceLock<IdentityRates>,
}

/// A call that somebody asks for.
pub(crate) struct Asked<'a> {
    pub(crate) caller: Caller,
    pub(crate) tree: Tree,
    pub(crate) name: &'a str,
    pub(crate) input: Value,
}

/// How a call ended, and with it what was recorded of it.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) result: Result<Answer, CallError>,
    /// What the log must have flushed through before anybody learns of it; zero for nothing.
    pub(crate) through: u64,
}

impl Ended {
    fn unrecorded() -> Self {
        Self { result: Err(unrecorded()), through: 0 }
    }
}

impl Dispatcher {
    /// A dispatcher over a curated layer.
    pub fn new(curated: Registry, audit: Arc<dyn AuditSink>, limits: Limits, clock: Arc<dyn Clock>) -> Self {
        let curated = Arc::new(curated);
        let peers = Peers::new(Arc::clone(&curated), Arc::clone(&audit), limits.peer_operations_max);
        let detached = Detached::new(limits.detached_calls_max);
        Self(Arc::new(Inner {
            curated,
            peers,
            audit,
            limits,
            clock,
            detached,
            screen: OnceLock::new(),
            rates: OnceLock::new(),
        }))
    }

    /// Shows every result to a screen. A host has one: the first that is set.
    #[must_use]
    pub fn with_screen(self, screen: Arc<dyn Screen>) -> Self {
        self.0.screen.get_or_init(|| screen);
        self
    }

    /// Holds identities to a rate at which their root calls may begin. The first that is set counts.
    #[must_use]
    pub fn with_rates(self, rates: IdentityRates) -> Self {
        self.0.rates.get_or_init(|| rates);
        self
    }

    /// The curated layer.
    #[must_use]
    pub fn curated(&self) -> &Arc<Registry> {
        &self.0.curated
    }

    /// The operations of attached peers.
    #[must_use]
    pub fn peers(&self) -> &Peers {
        &self.0.peers
    }

    /// The bounds.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.clock
    }

    pub(crate) fn audit(&self) -> &Arc<dyn AuditSink> {
        &self.0.audit
    }

    /// Calls that outlive those that composed them.
    pub(crate) fn detached(&self) -> &Detached {
        &self.0.detached
    }

    /// Cancels the calls that outlived those that composed them and waits until they have ended. Calls of peers end
    /// with their links.
    pub async fn stop(&self) {
        self.0.detached.stop().await;
    }

    /// Runs a root call of a peer that takes one answer. Dropping the future cancels the call and everything below
    /// it.
    ///
    /// # Errors
    /// As the protocol defines them; the deadline is enforced here, for the whole tree.
    pub async fn call(
        &self,
        identity: Option<Identity>,
        name: &str,
        input: Value,
    ) -> Result<Value, CallError> {
        let origin = Origin { identity, ..Origin::default() };
        self.serve(origin, name, input, Door::Once).await.result?.into_value()
    }

    /// Runs a root call.
    pub(crate) async fn serve(&self, origin: Origin, name: &str, input: Value, door: Door<'_>) -> Ended {
        let caller = Caller::Peer(origin.identity.clone());
        let curated = Arc::clone(&self.0.curated);
        let layers = Layers { curated, peers: self.0.peers.snapshot(), session: None };
        let tree = Tree { root: Arc::new(Root::new(origin)), layers, session: None };
        self.dispatch(Asked { caller, tree, name, input }, door).await
    }

    pub(crate) async fn dispatch(&self, asked: Asked<'_>, door: Door<'_>) -> Ended {
        let Asked { caller, tree, name, input } = asked;
        let attempt = Attempt::new(caller, tree, name);
        let (resolved, checked) = match self.admit(&attempt, name, input, &door) {
            Ok(admitted) => admitted,
            Err((resolved, refusal)) => return self.refuse(&attempt, resolved.as_ref(), refusal).await,
        };
        let mut record = OutcomeRecord::new(self, attempt, resolved);
        let admitted = record.admitted(checked.input());
        let is_kept = matches!(admitted, Recorded::Gathered { .. });
        if admitted.before_running(&*self.0.audit).await.is_err() {
            // What is only gathered stays, and is written when that is possible again: with an outcome.
            if !is_kept {
                record.forget();
            }
            return Ended::unrecorded();
        }
        self.run(record, checked, door).await
    }

    fn admit(
        &self,
        attempt: &Attempt<'_>,
        name: &str,
        input: Value,
        door: &Door<'_>,
    ) -> Result<(Resolved, Checked), (Option<Resolved>, Refusal)> {
        let resolved =
            gate::resolve(&attempt.caller, &attempt.tree, name).map_err(|refusal| (None, refusal))?;
        let terms = Terms { limits: &self.0.limits, door, rates: self.0.rates.get() };
        match gate::check(&attempt.caller, &attempt.tree, &resolved, input, &terms) {
            Ok(checked) => Ok((resolved, checked)),
            Err(refusal) => Err((Some(resolved), refusal)),
        }
    }

    async fn refuse(&self, attempt: &Attempt<'_>, resolved: Option<&Resolved>, refusal: Refusal) -> Ended {
        let reason = refusal.class();
        let error = refusal.into_error(&attempt.name);
        let decision = Decision::Refused { reason, code: error.code() };
        match self.0.audit.decided(&attempt.facts(resolved), &decision).before_answering().await {
            Ok(through) => Ended { result: Err(error), through },
            Err(_) => Ended::unrecorded(),
        }
    }

    async fn run(&self, mut record: OutcomeRecord<'_, '_>, checked: Checked, door: Door<'_>) -> Ended {
        let attempt = &record.attempt;
        let registration = Arc::clone(&record.resolved.registration);
        let (caller, root) = (attempt.caller.clone(), &attempt.tree.root);
        let is_root = caller.parent().is_none();
        if is_root && Answers::of(registration.spec().kind()) == Answers::Once {
            root.expire_at(record.begun() + self.0.limits.call_timeout);
        }
        // The root's deadline cuts the whole tree: everything below it runs inside of this future, but for what
        // outlives its composer.
        let bounded = is_root || caller.policy() == AbortPolicy::ContinueRunning;
        let deadline = if bounded { root.deadline() } else { None };
        let scope =
            CallScope::new(self.clone(), attempt.id, caller, Arc::clone(&registration), attempt.tree.clone());
        let screen = self.0.screen.get().map(|screen| &**screen);
        let exit = Exit::new(screen, record.attempt.facts(Some(&record.resolved)));
        let running = drive(&registration, Admitted::enter(checked, scope), door, &exit);
        let running = AssertUnwindSafe(running).catch_unwind();
        let ended = match deadline {
            Some(deadline) => tokio::time::timeout_at(deadline, running).await,
            None => Ok(running.await),
        };
        let result = match ended {
            Ok(Ok(Ok(answer))) => Ok(answer),
            Ok(Ok(Err(error))) => {
                let error = conform::error(&registration, error);
                let error = if is_root { conform::root_error(error) } else { error };
                Err(exit.error(error).await)
            }
            Ok(Err(_panic)) => {
                tracing::error!(operation = %registration.spec().name(), "handler panicked");
                Err(CallError::internal("handler failed"))
            }
            Err(_elapsed) => Err(CallError::timeout()),
        };
        match record.close(&result).before_answering().await {
            Ok(through) => Ended { result, through },
            Err(_) => Ended::unrecorded(),
        }
    }
}

/// Runs a handler to its answer.
async fn drive(
    registration: &Arc<Registration>,
    call: Admitted,
    door: Door<'_>,
    exit: &Exit<'_>,
) -> Result<Answer, CallError> {
    let answer = match (registration.handler().start(call), door) {
        (Reply::Once(answer), _) => answer.await?,
        (Reply::Sink(sink), Door::Wire(_, Some(chunks)) | Door::Feed(chunks)) => {
            sink(Feed::new(chunks, Arc::clone(registration))).await?
        }
        (Reply::Stream(stream), Door::Items(items) | Door::Wire(items, _)) => {
            return Box::pin(pump(registration, stream, items, exit)).await;
        }
        // Kinds were held against handlers when they were registered, and against the door by the gate.
        (Reply::Stream(_) | Reply::Sink(_), _) => {
            tracing::error!(operation = %registration.spec().name(), "a handler answers in another way than it said");
            return Err(CallError::internal("handler failed"));
        }
    };
    conform::output(registration, &answer)?;
    Ok(Answer::Value(exit.value(answer).await?))
}

/// Hands the items over until the end, the first error, or until nobody takes them.
async fn pump(
    registration: &Registration,
    mut stream: BoxStream<'_, Result<Value, CallError>>,
    items: &mut dyn Items,
    exit: &Exit<'_>,
) -> Result<Answer, CallError> {
    let mut count = 0;
    while let Some(item) = stream.next().await {
        let item = item?;
        conform::output(registration, &item)?;
        let item = exit.value(item).await?;
        items.item(item).await.map_err(|Gone| CallError::internal("request cancelled"))?;
        count += 1;
        // A stream that is always ready for a taker that always is must let others run.
        tokio::task::consume_budget().await;
    }
    Ok(Answer::Items(count))
}

/// Fail closed: what cannot be recorded is not run, and not answered.
pub(crate) fn unrecorded() -> CallError {
    CallError::internal("the audit log cannot record this call").retryable(true)
}

impl std::fmt::Debug for Dispatcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dispatcher").field("limits", &self.0.limits).finish_non_exhaustive()
    }
}
