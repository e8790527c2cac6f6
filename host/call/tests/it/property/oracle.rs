//! What must come of a call tree, told from the rules of the specification alone: it knows nothing of the gate, the
//! layers or the dispatcher, and computes with plain sets.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

pub(crate) type Text = &'static str;

/// Scopes, and actions on resource types.
#[derive(Debug, Clone, Default)]
pub(crate) struct Held {
    pub(crate) scopes: BTreeSet<Text>,
    pub(crate) resources: BTreeSet<(Text, Text)>,
}

/// What an operation demands of whoever calls it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Demand {
    pub(crate) all: Vec<Text>,
    pub(crate) any: Vec<Text>,
    pub(crate) kind: Option<Text>,
    pub(crate) action: Option<Text>,
}

/// What an operation composes with.
#[derive(Debug, Clone)]
pub(crate) struct Powers {
    pub(crate) label: String,
    pub(crate) held: Held,
    /// Usable on any route.
    pub(crate) names: BTreeSet<Text>,
    /// Usable on the route to that peer alone.
    pub(crate) pins: BTreeSet<(Text, Text)>,
    /// May enter sessions, and run whatever is in them.
    pub(crate) sessions: bool,
}

#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own that the rules speak of")]
pub(crate) struct Operation {
    pub(crate) external: bool,
    /// An import: Internal whatever it says, and composes nothing.
    pub(crate) imported: bool,
    pub(crate) demand: Demand,
    /// Refuses inputs with the member `bad`.
    pub(crate) strict: bool,
    /// A subscription, which nothing here can call.
    pub(crate) stream: bool,
    pub(crate) powers: Option<Powers>,
    /// Of a session's operation: who made it, and what it asked for. Its powers are what is left of that.
    pub(crate) granted: Option<Box<(Powers, Powers)>>,
}

#[derive(Debug, Clone)]
pub(crate) struct Session {
    /// What the session says that it holds; absent for one that holds nothing.
    pub(crate) claim: Option<Powers>,
    pub(crate) operations: BTreeMap<Text, Operation>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct World {
    pub(crate) curated: BTreeMap<Text, Operation>,
    /// In the order in which they attached.
    pub(crate) peers: Vec<(Text, BTreeMap<Text, Operation>)>,
    pub(crate) sessions: Vec<Session>,
}

/// By which way a step looks for its operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    Any,
    Peer(Text),
    /// Enters this session.
    Session(usize),
}

/// One call of a tree.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) name: Text,
    pub(crate) route: Route,
    pub(crate) bad: bool,
    pub(crate) below: Vec<Self>,
}

pub(crate) type Root = Option<(Text, Held)>;

impl Demand {
    fn is_met(&self, held: Option<&Held>) -> bool {
        let restricted =
            !self.all.is_empty() || !self.any.is_empty() || self.kind.is_some() || self.action.is_some();
        let Some(held) = held.filter(|_| restricted) else { return !restricted };
        let all = self.all.iter().all(|scope| held.scopes.contains(scope));
        let any = self.any.is_empty() || self.any.iter().any(|scope| held.scopes.contains(scope));
        let resource = (self.kind.is_none() && self.action.is_none())
            || held.resources.iter().any(|(kind, action)| {
                self.kind.is_none_or(|wanted| wanted == *kind)
                    && self.action.is_none_or(|wanted| wanted == *action)
            });
        all && any && resource
    }
}

impl Held {
    pub(crate) fn both(&self, other: &Self) -> Self {
        Self {
            scopes: self.scopes.intersection(&other.scopes).copied().collect(),
            resources: self.resources.intersection(&other.resources).copied().collect(),
        }
    }
}

impl Powers {
    /// What is left of `wanted` for one who is created by the holder of these powers: nothing that they do not cover.
    pub(crate) fn narrowed(&self, wanted: &Self) -> Self {
        let names = wanted.names.iter().filter(|name| self.covers(name));
        let pins = wanted.pins.iter().filter(|pin| self.names.contains(pin.1) || self.pins.contains(pin));
        Self {
            label: wanted.label.clone(),
            held: self.held.both(&wanted.held),
            names: names.copied().collect(),
            pins: pins.copied().collect(),
            sessions: self.sessions && wanted.sessions,
        }
    }

    fn covers(&self, name: &str) -> bool {
        self.names.contains(name) || (self.sessions && name.starts_with("session/"))
    }
}

/// The operation that a step reaches, where it is, and on whose authority it is called.
struct Reached<'a> {
    operation: &'a Operation,
    place: String,
    label: Option<&'a str>,
    held: Option<Held>,
    session: Option<usize>,
}

impl World {
    /// What the root call of a tree must answer.
    pub(crate) fn expected(&self, root: &Root, step: &Step) -> Value {
        let operation = self.curated.get(step.name).filter(|found| found.external && !found.imported);
        let Some(operation) = operation else { return json!("NOT_FOUND") };
        let label = root.as_ref().map(|(id, _)| *id);
        let held = root.as_ref().map(|(_, held)| held.clone());
        self.run(&Reached { operation, place: "curated".to_owned(), label, held, session: None }, step)
    }

    fn run(&self, reached: &Reached<'_>, step: &Step) -> Value {
        let Reached { operation, place, label, held, session } = reached;
        if !operation.demand.is_met(held.as_ref()) {
            return json!("FORBIDDEN");
        }
        if operation.strict && step.bad {
            return json!("INVALID_INPUT");
        }
        if operation.stream {
            return json!("INVALID_OPERATION_TYPE");
        }
        let below = step.below.iter().map(|below| match self.reach(operation, *session, below) {
            Some(reached) => self.run(&reached, below),
            None => json!("NOT_FOUND"),
        });
        let below: Vec<Value> = below.collect();
        json!({ "ran": format!("{place}:{}", step.name), "for": label, "in": session, "below": below })
    }

    fn reach<'a>(
        &'a self,
        composer: &'a Operation,
        session: Option<usize>,
        step: &Step,
    ) -> Option<Reached<'a>> {
        let powers = composer.powers.as_ref().filter(|_| !composer.imported)?;
        let (label, held) = (Some(powers.label.as_str()), Some(powers.held.clone()));
        let (found, place) = match step.route {
            Route::Any => self.find(session, step.name).filter(|_| powers.names.contains(step.name))?,
            Route::Peer(peer) => {
                let named = powers.names.contains(step.name) || powers.pins.contains(&(peer, step.name));
                let (_, offered) = self.peers.iter().find(|(id, _)| *id == peer).filter(|_| named)?;
                (offered.get(step.name)?, format!("peer {peer}"))
            }
            Route::Session(entered) => {
                let inside = self.sessions.get(entered)?;
                let operation = inside.operations.get(step.name).filter(|_| powers.covers(step.name))?;
                let claim = inside.claim.as_ref()?;
                // On what both hold, under the session's own name.
                return Some(Reached {
                    operation,
                    place: format!("session {entered}"),
                    label: Some(&claim.label),
                    held: Some(powers.held.both(&claim.held)),
                    session: Some(entered),
                });
            }
        };
        Some(Reached { operation: found, place, label, held, session })
    }

    /// Session, then peers in attach order, then curated; the first match is final.
    pub(crate) fn find(&self, session: Option<usize>, name: &str) -> Option<(&Operation, String)> {
        if let Some(entered) = session
            && let Some(found) = self.sessions[entered].operations.get(name)
        {
            return Some((found, format!("session {entered}")));
        }
        let offered = self.peers.iter().find_map(|(peer, offered)| Some((peer, offered.get(name)?)));
        if let Some((peer, found)) = offered {
            return Some((found, format!("peer {peer}")));
        }
        Some((self.curated.get(name)?, "curated".to_owned()))
    }
}
