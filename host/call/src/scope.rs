//! The one way handlers and guests call out: it re-enters the dispatcher as a composed call.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use alknet_core::{Capabilities, Clock, Identity};
use futures_util::Stream;
use futures_util::future::{BoxFuture, Either};
use serde_json::Value;
use tokio::time::Instant;

use crate::call::Tree;
use crate::caller::Composer;
use crate::dispatch::{Asked, Dispatcher};
use crate::door::Door;
use crate::peers::PeerSet;
use crate::{
    AbortPolicy, CallError, CallId, Caller, Composition, Limits, Link, OnBehalfOf, OpName, OperationSpec,
    PeerRef, Reach, Registration, Registry, SessionLayer,
};

/// A running call, seen from inside its handler. Cheap to clone; read-only.
#[derive(Clone)]
pub struct CallScope(Arc<Inner>);

struct Inner {
    id: CallId,
    depth: u32,
    caller: Caller,
    registration: Arc<Registration>,
    capabilities: Arc<Capabilities>,
    metadata: Mutex<BTreeMap<String, Value>>,
    tree: Tree,
    dispatcher: Dispatcher,
}

/// A session as the operations that open one see it: its id, its operations, and what it composes with.
#[derive(Debug, Clone)]
pub struct SessionContext {
    /// The session's id, shown in audit records.
    pub id: Arc<str>,
    /// Its operations at this moment.
    pub layer: Arc<SessionLayer>,
    /// What it composes with; narrowed to the composition of whoever enters it.
    pub composition: Composition,
}

impl CallScope {
    pub(crate) fn new(
        dispatcher: Dispatcher,
        id: CallId,
        caller: Caller,
        registration: Arc<Registration>,
        tree: Tree,
    ) -> Self {
        let capabilities = inherited(&caller, &registration);
        Self(Arc::new(Inner {
            id,
            depth: caller.depth(),
            caller,
            registration,
            capabilities,
            metadata: Mutex::default(),
            tree,
            dispatcher,
        }))
    }

    /// Asks the gate about a root call of somebody, without making it.
    #[must_use]
    pub fn explain(
        &self,
        identity: Option<Identity>,
        name: &str,
        input: Option<Value>,
    ) -> crate::Explanation {
        self.0.dispatcher.explain(identity, name, input)
    }

    /// This call's id.
    #[must_use]
    pub fn id(&self) -> CallId {
        self.0.id
    }

    /// The id of the call that composed this one.
    #[must_use]
    pub fn parent(&self) -> Option<CallId> {
        self.0.caller.parent()
    }

    /// The id of the root of this call's tree.
    #[must_use]
    pub fn root(&self) -> CallId {
        self.0.tree.root.id
    }

    /// Who made this call.
    #[must_use]
    pub fn caller(&self) -> &Caller {
        &self.0.caller
    }

    /// Whether another operation composed this call.
    #[must_use]
    pub fn is_internal(&self) -> bool {
        matches!(self.0.caller, Caller::Operation(_))
    }

    /// The identity behind the root call. For narrowing to a user's own data; access control never reads it.
    #[must_use]
    pub fn root_identity(&self) -> Option<&Identity> {
        self.0.tree.root.identity()
    }

    /// On whose behalf the caller of a root call says that it calls; composed calls do not inherit it. Nothing about
    /// it is proven.
    #[must_use]
    pub fn on_behalf_of(&self) -> Option<&OnBehalfOf> {
        match self.0.caller {
            Caller::Peer(_) => self.0.tree.root.origin.on_behalf_of.as_ref(),
            Caller::Operation(_) => None,
        }
    }

    /// Notes of this call. A composed call begins with none: what it is to know belongs into its input.
    #[must_use]
    pub fn metadata(&self) -> BTreeMap<String, Value> {
        self.0.metadata.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Adds a note to this call.
    pub fn note(&self, key: &str, value: Value) {
        self.0.metadata.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned(), value);
    }

    /// The session the tree runs in.
    #[must_use]
    pub fn session(&self) -> Option<&Arc<str>> {
        self.0.tree.session.as_ref()
    }

    /// The instant at which the whole tree is cut; trees of subscriptions and publications have none.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.0.tree.root.deadline()
    }

    /// The operation that runs.
    #[must_use]
    pub fn operation(&self) -> &OpName {
        self.0.registration.spec().name()
    }

    /// The contract of the operation that runs.
    #[must_use]
    pub fn spec(&self) -> &OperationSpec {
        self.0.registration.spec()
    }

    /// What this operation composes with.
    #[must_use]
    pub fn composition(&self) -> &Composition {
        self.0.registration.composition()
    }

    /// The credentials injected into this operation.
    #[must_use]
    pub fn capabilities(&self) -> &Capabilities {
        &self.0.capabilities
    }

    /// The curated layer, for describing what is in it. Nothing can be run through it.
    #[must_use]
    pub fn curated(&self) -> &Arc<Registry> {
        &self.0.tree.layers.curated
    }

    /// The contract of an operation that composed calls would find under this name, for describing it. Nothing can
    /// be run through it.
    #[must_use]
    pub fn described(&self, name: &str) -> Option<&OperationSpec> {
        self.0.tree.layers.lookup(&PeerRef::Any, name).map(|(_, registration)| registration.spec())
    }

    /// The peers that the tree sees.
    pub(crate) fn peers(&self) -> &PeerSet {
        &self.0.tree.layers.peers
    }

    /// The link that the root call came in on.
    pub(crate) fn link(&self) -> Option<&Link> {
        self.0.tree.root.origin.link.as_ref()
    }

    /// The host's clock.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        self.0.dispatcher.clock()
    }

    /// The host's bounds.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        self.0.dispatcher.limits()
    }

    /// Composes another operation on this operation's authority. The name is data: every check runs here.
    ///
    /// # Errors
    /// NOT_FOUND when the name is outside this operation's reach, FORBIDDEN when its authority does not
    /// suffice, INVALID_INPUT, INVALID_OPERATION_TYPE for what does not answer once, TIMEOUT, or what the operation
    /// itself raises.
    pub async fn invoke(&self, name: &str, input: Value) -> Result<Value, CallError> {
        self.compose(self.composer(), name, input).await
    }

    /// As [`CallScope::invoke`], with another policy than this call's own for the case that this call is stopped.
    ///
    /// # Errors
    /// As [`CallScope::invoke`]; INTERNAL when too many calls that outlive their composer run on the host.
    pub async fn invoke_with_policy(
        &self,
        policy: AbortPolicy,
        name: &str,
        input: Value,
    ) -> Result<Value, CallError> {
        self.compose(Composer { policy, ..self.composer() }, name, input).await
    }

    /// As [`CallScope::invoke`], for an operation of one peer.
    ///
    /// # Errors
    /// As [`CallScope::invoke`]; NOT_FOUND when that peer is not attached or has no such operation, whoever else has.
    pub async fn invoke_peer(&self, peer: PeerRef, name: &str, input: Value) -> Result<Value, CallError> {
        self.compose(Composer { peer, ..self.composer() }, name, input).await
    }

    /// Takes the items of a subscription of this host or of a peer, on this operation's authority, as fast as the
    /// stream is polled. The stream ends after its first error; dropping it stops the subscription. The errors are
    /// those of [`CallScope::invoke`], as the only item.
    pub fn subscribe(
        &self,
        peer: PeerRef,
        name: &str,
        input: Value,
    ) -> impl Stream<Item = Result<Value, CallError>> + Send + 'static + use<> {
        self.items(Composer { peer, ..self.composer() }, self.0.tree.clone(), name, input)
    }

    /// Publishes chunks to an operation of this host or of a peer, on this operation's authority, as fast as they are
    /// taken; an error among the chunks ends the publication with it.
    ///
    /// # Errors
    /// As [`CallScope::invoke`].
    pub async fn publish(
        &self,
        peer: PeerRef,
        name: &str,
        input: Value,
        chunks: impl Stream<Item = Result<Value, CallError>> + Send,
    ) -> Result<Value, CallError> {
        let caller = Caller::Operation(Composer { peer, ..self.composer() });
        let asked = Asked { caller, tree: self.0.tree.clone(), name, input };
        let (sender, queue) = crate::feed::feed();
        let dispatcher = self.0.dispatcher.clone();
        let call: BoxFuture<'_, _> = Box::pin(dispatcher.dispatch(asked, Door::Feed(queue)));
        let feeding = std::pin::pin!(sender.forward(chunks, self.limits().feed_queue_max));
        let ended = match futures_util::future::select(call, feeding).await {
            Either::Left((ended, _)) => ended,
            Either::Right(((), call)) => call.await,
        };
        ended.result?.into_value()
    }

    /// Enters a session and composes one of its operations.
    ///
    /// # Errors
    /// As [`CallScope::invoke`]; NOT_FOUND unless this operation's own reach covers session operations.
    pub async fn invoke_in_session(
        &self,
        session: &SessionContext,
        name: &OpName,
        input: Value,
    ) -> Result<Value, CallError> {
        let (composer, tree) = self.enter(session, name);
        self.compose_in(composer, tree, name.as_str(), input).await
    }

    /// Enters a session and takes the items of one of its subscriptions, as fast as the stream is polled. The stream
    /// ends after its first error. Dropping it stops the subscription.
    pub fn subscribe_in_session(
        &self,
        session: &SessionContext,
        name: &OpName,
        input: Value,
    ) -> impl Stream<Item = Result<Value, CallError>> + Send + 'static + use<> {
        let (composer, tree) = self.enter(session, name);
        self.items(composer, tree, name.as_str(), input)
    }

    fn items(
        &self,
        composer: Composer,
        tree: Tree,
        name: &str,
        input: Value,
    ) -> impl Stream<Item = Result<Value, CallError>> + Send + 'static + use<> {
        let (dispatcher, name) = (self.0.dispatcher.clone(), name.to_owned());
        crate::items::stream(move |mut items| async move {
            let caller = Caller::Operation(composer);
            let asked = Asked { caller, tree, name: &name, input };
            dispatcher.dispatch(asked, Door::Items(&mut items)).await.result.map(drop)
        })
    }

    /// This operation as the composer of a call.
    fn composer(&self) -> Composer {
        let (scope, composition) = (self.clone(), self.composition().clone());
        Composer { scope, composition, peer: PeerRef::Any, policy: self.0.caller.policy() }
    }

    /// This operation as the composer of a session's operation, and the tree it is then in.
    fn enter(&self, session: &SessionContext, name: &OpName) -> (Composer, Tree) {
        let reach = Reach::of([name.clone()]);
        let exists = session.layer.get(name.as_str()).is_some();
        // With an empty composition the gate refuses, and records it.
        let composition = match session.composition.authority() {
            Some(own) if exists => {
                self.composition().attenuate(own.label().clone(), own.grants(), &reach).into_composition()
            }
            Some(_) | None => Composition::default(),
        };
        let mut tree = self.0.tree.clone();
        tree.layers.session = Some(Arc::clone(&session.layer));
        tree.session = Some(Arc::clone(&session.id));
        (Composer { composition, ..self.composer() }, tree)
    }

    async fn compose(&self, composer: Composer, name: &str, input: Value) -> Result<Value, CallError> {
        self.compose_in(composer, self.0.tree.clone(), name, input).await
    }

    async fn compose_in(
        &self,
        composer: Composer,
        tree: Tree,
        name: &str,
        input: Value,
    ) -> Result<Value, CallError> {
        let dispatcher = self.0.dispatcher.clone();
        let policy = composer.policy;
        let caller = Caller::Operation(composer);
        // Boxed because a composed call may compose again.
        match policy {
            AbortPolicy::AbortDependents => {
                let asked = Asked { caller, tree, name, input };
                let call: BoxFuture<'_, _> = Box::pin(dispatcher.dispatch(asked, Door::Once));
                call.await.result?.into_value()
            }
            AbortPolicy::ContinueRunning => {
                let (name, detached) = (name.to_owned(), self.0.dispatcher.clone());
                let call: BoxFuture<'static, _> = Box::pin(async move {
                    let asked = Asked { caller, tree, name: &name, input };
                    dispatcher.dispatch(asked, Door::Once).await.result?.into_value()
                });
                detached.detached().run(call).await
            }
        }
    }

    pub(crate) fn depth(&self) -> u32 {
        self.0.depth
    }

    pub(crate) fn is_session_operation(&self) -> bool {
        self.0.registration.provenance() == crate::Provenance::Session
    }
}

/// A call's own credentials; gaps are filled from the composer only between operations of the host itself.
fn inherited(caller: &Caller, registration: &Registration) -> Arc<Capabilities> {
    let own = registration.capabilities();
    match caller {
        Caller::Operation(composer)
            if registration.provenance() == crate::Provenance::Local
                && !composer.scope.is_session_operation()
                && !composer.scope.capabilities().is_empty() =>
        {
            Arc::new(own.or_from(composer.scope.capabilities()))
        }
        Caller::Operation(_) | Caller::Peer(_) => own,
    }
}

impl fmt::Debug for CallScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallScope")
            .field("id", &self.0.id)
            .field("operation", self.operation())
            .field("caller", &self.0.caller.label())
            .finish_non_exhaustive()
    }
}
