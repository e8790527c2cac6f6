//! Random worlds, and random call trees that have a chance in them.

use std::collections::BTreeMap;

use super::dice::Dice;
use super::oracle::{Demand, Held, Operation, Powers, Root, Route, Session, Step, Text, World};

const SCOPES: [Text; 4] = ["read", "write", "admin", "tool"];
const KINDS: [Text; 2] = ["repo", "note"];
const ACTIONS: [Text; 2] = ["get", "put"];
pub(crate) const PEERS: [Text; 3] = ["w1", "w2", "w3"];
/// The host's own, one of them among the names of sessions.
const CURATED: [Text; 16] = [
    "c/0",
    "c/1",
    "c/2",
    "c/3",
    "c/4",
    "c/5",
    "c/6",
    "c/7",
    "c/8",
    "c/9",
    "d/0",
    "d/1",
    "d/2",
    "d/3",
    "d/4",
    "session/own",
];
const OFFERED: [Text; 5] = ["p/0", "p/1", "p/2", "q/0", "q/1"];
const OF_SESSIONS: [Text; 4] = ["session/0", "session/1", "session/2", "session/3"];
const NOWHERE: [Text; 2] = ["x/none", "session/none"];

/// A world of at most 40 operations: 16 of the host, 5 of each of up to three peers, 4 of each of up to two sessions.
pub(crate) fn world(dice: &mut Dice) -> World {
    let mut world = World::default();
    for name in CURATED {
        if dice.chance(80) {
            world.curated.insert(name, curated(dice));
        }
    }
    for peer in PEERS {
        if dice.chance(70) {
            world.peers.push((peer, offered(dice)));
        }
    }
    let room = 40 - world.operations().min(40);
    for session in 0..dice.below(3) {
        let most = room.saturating_sub(session * OF_SESSIONS.len()).min(OF_SESSIONS.len());
        world.sessions.push(of_session(dice, session, most));
    }
    world
}

impl World {
    pub(crate) fn operations(&self) -> usize {
        let peers: usize = self.peers.iter().map(|(_, offered)| offered.len()).sum();
        let sessions: usize = self.sessions.iter().map(|session| session.operations.len()).sum();
        self.curated.len() + peers + sessions
    }
}

fn curated(dice: &mut Dice) -> Operation {
    let imported = dice.chance(12);
    let powers = (!imported && dice.chance(75)).then(|| powers(dice));
    Operation { external: dice.chance(70), imported, powers, ..leaf(dice) }
}

pub(crate) fn offered(dice: &mut Dice) -> BTreeMap<Text, Operation> {
    let names: Vec<Text> = dice.some(60, &OFFERED);
    names.into_iter().map(|name| (name, Operation { imported: true, ..leaf(dice) })).collect()
}

fn of_session(dice: &mut Dice, number: usize, most: usize) -> Session {
    let claim = dice.chance(90).then(|| Powers { label: format!("session-{number}"), ..powers(dice) });
    let names = OF_SESSIONS.into_iter().take(most).filter(|_| dice.chance(75)).collect::<Vec<_>>();
    let opener = powers(dice);
    let operation = |name| {
        let wanted = powers(dice);
        let narrowed = Some(opener.narrowed(&wanted));
        let granted = Some(Box::new((opener.clone(), wanted)));
        (name, Operation { powers: narrowed, granted, ..leaf(dice) })
    };
    Session { claim, operations: names.into_iter().map(operation).collect() }
}

fn leaf(dice: &mut Dice) -> Operation {
    Operation {
        external: dice.chance(50),
        imported: false,
        demand: demand(dice),
        strict: dice.chance(20),
        stream: dice.chance(3),
        powers: None,
        granted: None,
    }
}

fn demand(dice: &mut Dice) -> Demand {
    if dice.chance(55) {
        return Demand::default();
    }
    let any = if dice.chance(25) { dice.some(50, &SCOPES) } else { Vec::new() };
    let kind = dice.chance(20).then(|| *dice.pick(&KINDS));
    let action = dice.chance(20).then(|| *dice.pick(&ACTIONS));
    Demand { all: dice.some(25, &SCOPES), any, kind, action }
}

fn held(dice: &mut Dice) -> Held {
    let pairs = KINDS.iter().flat_map(|kind| ACTIONS.iter().map(move |action| (*kind, *action)));
    Held { scopes: dice.some(60, &SCOPES), resources: dice.some(50, &pairs.collect::<Vec<_>>()) }
}

fn powers(dice: &mut Dice) -> Powers {
    let everything: Vec<Text> = [&CURATED[..], &OFFERED, &OF_SESSIONS, &NOWHERE].concat();
    let all: Vec<(Text, Text)> = PEERS
        .iter()
        .flat_map(|peer| OFFERED.iter().chain(&CURATED[..2]).map(move |name| (*peer, *name)))
        .collect();
    Powers {
        label: format!("authority-{}", dice.below(1000)),
        held: held(dice),
        names: dice.some(35, &everything),
        pins: dice.some(20, &all),
        sessions: dice.chance(50),
    }
}

pub(crate) fn root(dice: &mut Dice) -> Root {
    dice.chance(85).then(|| (*dice.pick(&["alice", "bob"]), held(dice)))
}

/// A tree that begins at the host's own operations, most of the time at one that can be called.
pub(crate) fn tree(dice: &mut Dice, world: &World) -> Step {
    let mut name = anything(dice);
    for _ in 0..6 {
        let callable = |operation: &Operation| operation.external && operation.powers.is_some();
        if world.curated.get(name).is_some_and(callable) || dice.chance(8) {
            break;
        }
        name = *dice.pick(&CURATED);
    }
    let below = steps(dice, world, world.curated.get(name), (None, 1));
    Step { name, route: Route::Any, bad: dice.chance(5), below }
}

fn steps(
    dice: &mut Dice,
    world: &World,
    composer: Option<&Operation>,
    (session, depth): (Option<usize>, usize),
) -> Vec<Step> {
    let powers = composer.and_then(|operation| operation.powers.as_ref());
    // What cannot compose tries now and then.
    let most =
        if powers.is_some() { [0, 3, 3, 3, 2, 2, 1][depth.min(6)] } else { usize::from(dice.chance(15)) };
    let mut steps = Vec::new();
    while depth < 8 && steps.len() < most && dice.chance(85) {
        let route = match dice.below(10) {
            0..6 => Route::Any,
            6 | 7 => Route::Peer(dice.pick::<Text>(&PEERS)),
            _ => Route::Session(dice.below(2)),
        };
        let name = name(dice, powers, route);
        let target = match route {
            Route::Any => world.find(session, name).map(|(found, _)| found),
            Route::Peer(_) => None,
            Route::Session(entered) => {
                world.sessions.get(entered).and_then(|inside| inside.operations.get(name))
            }
        };
        let inside = if let Route::Session(entered) = route { Some(entered) } else { session };
        let inside = inside.filter(|inside| *inside < world.sessions.len());
        let below = self::steps(dice, world, target, (inside, depth + 1));
        steps.push(Step { name, route, bad: dice.chance(5), below });
    }
    steps
}

/// Mostly one that the composer may name.
fn name(dice: &mut Dice, powers: Option<&Powers>, route: Route) -> Text {
    let Some(powers) = powers.filter(|_| dice.chance(88)) else { return anything(dice) };
    let names: Vec<Text> = match route {
        Route::Any => powers.names.iter().copied().collect(),
        Route::Peer(peer) => {
            let pinned = powers.pins.iter().filter(|(to, _)| *to == peer || dice.chance(20));
            pinned.map(|(_, name)| *name).collect()
        }
        Route::Session(_) => OF_SESSIONS.to_vec(),
    };
    if names.is_empty() { anything(dice) } else { dice.pick::<Text>(&names) }
}

fn anything(dice: &mut Dice) -> Text {
    let pools: [&[Text]; 5] = [&CURATED, &CURATED, &OFFERED, &OF_SESSIONS, &NOWHERE];
    let pool = *dice.pick(&pools);
    dice.pick::<Text>(pool)
}
