//! The same world as the host has it: registrations, attached peers, sessions, and handlers that make the calls of a
//! tree and tell what came of each.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use alknet_call::{
    AccessControl, Admitted, Answers, Attachment, Authority, CallError, CallScope, Composition, Dispatcher,
    Handler, ImportedFrom, Limits, NoAudit, OperationKind, OperationSpec, PeerRef, Reach, Registration,
    Registry, Reply, Schema, SessionContext, SessionLayer,
};
use alknet_core::{Grants, Identity, IdentityId, Scope, SystemClock};
use futures_util::stream;
use serde_json::{Value, json};

use super::oracle::{Held, Operation, Powers, Root, Route, Session, Step, Text, World};
use crate::support::name;

type Sessions = Arc<OnceLock<Vec<SessionContext>>>;

/// A host made after a world.
pub(crate) struct Host {
    dispatcher: Dispatcher,
    attached: Vec<(Text, Attachment)>,
    forms: Forms,
    sessions: Sessions,
}

/// Specifications to make others of: compiling schemas takes the most time.
#[derive(Clone)]
pub(crate) struct Forms {
    once: OperationSpec,
    stream: OperationSpec,
    strict: Schema,
}

impl Forms {
    pub(crate) fn new() -> Self {
        let of = |kind| OperationSpec::new(name("a/form"), kind);
        let strict = json!({ "properties": { "bad": false } });
        Self {
            once: of(OperationKind::Mutation),
            stream: of(OperationKind::Subscription),
            strict: Schema::compile(strict, 1 << 10).unwrap(),
        }
    }

    fn spec(&self, text: Text, operation: &Operation) -> OperationSpec {
        let form = if operation.stream { &self.stream } else { &self.once };
        let demand = &operation.demand;
        let scopes = |scopes: &[Text]| scopes.iter().map(|scope| Scope::parse(scope).unwrap()).collect();
        let spec = form.clone().named(name(text)).access(AccessControl {
            required_scopes: scopes(&demand.all),
            required_scopes_any: scopes(&demand.any),
            resource_type: demand.kind.map(str::to_owned),
            resource_action: demand.action.map(str::to_owned),
        });
        let spec = if operation.strict { spec.input(self.strict.clone()) } else { spec };
        if operation.external { spec } else { spec.internal() }
    }
}

impl Host {
    pub(crate) fn new(world: &World, forms: &Forms) -> Self {
        let sessions = Sessions::default();
        let curated = world.curated.iter().map(|(text, operation)| {
            let spec = forms.spec(text, operation);
            let handler = Follows::of(operation, "curated", &sessions);
            match &operation.powers {
                _ if operation.imported => Registration::imported(ImportedFrom::OpenApi, spec, handler),
                Some(powers) => Registration::composing(spec, handler, composition(powers)),
                None => Registration::local(spec, handler),
            }
        });
        let registry = Registry::builder().register_all(curated).unwrap().build();
        let dispatcher =
            Dispatcher::new(registry, Arc::new(NoAudit), Limits::default(), Arc::new(SystemClock));
        let contexts = world
            .sessions
            .iter()
            .enumerate()
            .map(|(number, session)| context(&dispatcher, number, session, (forms, &sessions)));
        let contexts = contexts.collect();
        assert!(sessions.set(contexts).is_ok());
        let mut host = Self { dispatcher, attached: Vec::new(), forms: forms.clone(), sessions };
        for (peer, offered) in &world.peers {
            host.attach(peer, offered);
        }
        host
    }

    /// A new link of a peer, that takes the place of an older one, offers these.
    pub(crate) fn attach(&mut self, peer: Text, offered: &BTreeMap<Text, Operation>) {
        let attachment = self.dispatcher.peers().attach(IdentityId::parse(peer).unwrap());
        let place = format!("peer {peer}");
        let registrations = offered.iter().map(|(text, operation)| {
            let spec = self.forms.spec(text, operation);
            Registration::imported(ImportedFrom::Call, spec, Follows::of(operation, &place, &self.sessions))
        });
        attachment.replace_all(registrations.collect()).unwrap();
        // Dropping the older link's hold comes last, as when a peer dials again before its old link is lost.
        let older = self.attached.iter().position(|(known, _)| *known == peer);
        self.attached.push((peer, attachment));
        if let Some(older) = older {
            drop(self.attached.remove(older));
        }
    }

    pub(crate) fn detach(&mut self, peer: Text) {
        self.attached.retain(|(known, _)| *known != peer);
    }

    pub(crate) async fn answer(&self, root: &Root, step: &Step) -> Value {
        let identity =
            root.as_ref().map(|(id, held)| Identity::new(IdentityId::parse(id).unwrap(), grants(held)));
        shown(self.dispatcher.call(identity, step.name, step.to_json()).await)
    }
}

fn grants(held: &Held) -> Grants {
    let scopes = Grants::from_scopes(held.scopes.iter().map(|scope| Scope::parse(scope).unwrap()));
    held.resources.iter().fold(scopes, |grants, (kind, action)| grants.with_resource(kind, action))
}

fn reach(powers: &Powers) -> Reach {
    let names = Reach::of(powers.names.iter().map(|text| name(text)));
    let pinned = powers
        .pins
        .iter()
        .fold(names, |reach, (peer, text)| reach.with_pinned(IdentityId::parse(peer).unwrap(), name(text)));
    if powers.sessions { pinned.with_session_operations() } else { pinned }
}

fn composition(powers: &Powers) -> Composition {
    let authority = Authority::new(IdentityId::parse(&powers.label).unwrap(), grants(&powers.held));
    Composition::new(authority, reach(powers))
}

/// Makes the calls below its own, one after the other, and tells where it ran, on whose authority, in which session,
/// and what came of each call.
struct Follows {
    place: String,
    sessions: Sessions,
    answers: Answers,
}

impl Follows {
    fn of(operation: &Operation, place: &str, sessions: &Sessions) -> Self {
        let answers = if operation.stream { Answers::Stream } else { Answers::Once };
        Self { place: place.to_owned(), sessions: Arc::clone(sessions), answers }
    }

    async fn follow(&self, input: &Value, scope: &CallScope) -> Value {
        let mut below = Vec::new();
        for step in input["below"].as_array().into_iter().flatten() {
            below.push(shown(self.compose(step, scope).await));
        }
        let label = scope.caller().label().map(IdentityId::as_str);
        let session = scope.session().map(|id| id.parse::<usize>().unwrap());
        json!({ "ran": format!("{}:{}", self.place, scope.operation()), "for": label, "in": session, "below": below })
    }

    async fn compose(&self, step: &Value, scope: &CallScope) -> Result<Value, CallError> {
        let text = step["name"].as_str().unwrap();
        if let Some(peer) = step["peer"].as_str() {
            let peer = PeerRef::Specific(IdentityId::parse(peer).unwrap());
            return scope.invoke_peer(peer, text, step.clone()).await;
        }
        let Some(session) = step["session"].as_u64() else { return scope.invoke(text, step.clone()).await };
        let sessions = self.sessions.get().unwrap();
        match sessions.get(usize::try_from(session).unwrap()) {
            Some(context) => scope.invoke_in_session(context, &name(text), step.clone()).await,
            None => scope.invoke_in_session(&nowhere(), &name(text), step.clone()).await,
        }
    }
}

impl Handler for Follows {
    fn answers(&self) -> Answers {
        self.answers
    }

    fn start<'a>(&'a self, call: Admitted) -> Reply<'a> {
        match self.answers {
            Answers::Once => Reply::Once(Box::pin(async move {
                let (input, scope) = call.into_parts();
                Ok(self.follow(&input, &scope).await)
            })),
            Answers::Stream | Answers::Sink => Reply::Stream(Box::pin(stream::empty())),
        }
    }
}

/// A session without operations.
fn nowhere() -> SessionContext {
    SessionContext { id: "9".into(), layer: Arc::default(), composition: Composition::default() }
}

/// What came of a call: its answer, or the code of its error.
fn shown(result: Result<Value, CallError>) -> Value {
    result.unwrap_or_else(|error| json!(error.code().as_str()))
}

impl Step {
    fn to_json(&self) -> Value {
        let below: Vec<Value> = self.below.iter().map(Self::to_json).collect();
        let mut step = json!({ "name": self.name, "below": below });
        match self.route {
            Route::Any => {}
            Route::Peer(peer) => step["peer"] = json!(peer),
            Route::Session(session) => step["session"] = json!(session),
        }
        if self.bad {
            step["bad"] = json!(true);
        }
        step
    }
}

fn context(
    dispatcher: &Dispatcher,
    number: usize,
    session: &Session,
    (forms, sessions): (&Forms, &Sessions),
) -> SessionContext {
    let mut layer = SessionLayer::default();
    for (text, operation) in &session.operations {
        let spec = forms.spec(text, operation);
        let (opener, wanted) = operation.granted.as_deref().unwrap();
        let label = IdentityId::parse(&wanted.label).unwrap();
        let granted = composition(opener).attenuate(label, &grants(&wanted.held), &reach(wanted));
        let handler = Follows::of(operation, &format!("session {number}"), sessions);
        let registration = Registration::session(spec, handler, granted, "00".into()).unwrap();
        layer = layer.with(Arc::new(registration), dispatcher.curated()).unwrap();
    }
    let composition = session.claim.as_ref().map(composition).unwrap_or_default();
    SessionContext { id: number.to_string().into(), layer: Arc::new(layer), composition }
}
