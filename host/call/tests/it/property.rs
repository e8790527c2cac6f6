//! Random registries and random call trees, held against an independent account of the rules: nothing is reached that
//! the composer's authority or reach forbids, nothing that is allowed is refused, and the codes are the right ones.

mod build;
mod dice;
mod generate;
mod oracle;

use std::collections::BTreeMap;

use serde_json::Value;

use build::{Forms, Host};
pub(crate) use dice::Dice;
use generate::PEERS;
use oracle::{Root, Step, World};

const WORLDS: u64 = 320;
/// Between these, a peer comes, goes, or offers something else.
const PHASES: usize = 4;
const TREES_IN_PHASE: usize = 80;

#[test]
fn no_tree_reaches_what_it_may_not_and_none_is_refused_what_it_may() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let (forms, mut seen, mut trees) = (Forms::new(), BTreeMap::new(), 0);
    for seed in 0..WORLDS {
        let mut dice = Dice::new(seed);
        let mut world = generate::world(&mut dice);
        assert!(world.operations() <= 40);
        let mut host = Host::new(&world, &forms);
        for phase in 0..PHASES {
            if phase > 0 {
                change_a_peer(&mut dice, &mut world, &mut host);
            }
            for _ in 0..TREES_IN_PHASE {
                let (root, tree) = (generate::root(&mut dice), generate::tree(&mut dice, &world));
                let expected = world.expected(&root, &tree);
                let answer = runtime.block_on(host.answer(&root, &tree));
                if answer != expected {
                    let (tree, [expected, answer]) = runtime.block_on(smallest(&world, &host, &root, tree));
                    panic!(
                        "seed {seed}, phase {phase}: {tree:#?}\nby {root:?}\nis to answer {expected:#}\nand answered {answer:#}\nin {world:#?}"
                    );
                }
                count(&expected, 0, &mut seen);
                trees += 1;
            }
        }
    }
    assert!(trees >= 100_000, "{trees}");
    // Random trees prove nothing about what they never come to.
    for (what, least) in [
        ("curated", 50_000),
        ("peer", 10_000),
        ("session", 4_000),
        ("NOT_FOUND", 50_000),
        ("FORBIDDEN", 20_000),
        ("INVALID_INPUT", 500),
        ("INVALID_OPERATION_TYPE", 500),
        ("level 3", 4_000),
        ("level 5", 100),
    ] {
        let times = seen.get(what).copied().unwrap_or_default();
        assert!(times >= least, "{what}: {times} times in {seen:?}");
    }
}

fn change_a_peer(dice: &mut Dice, world: &mut World, host: &mut Host) {
    let peer = *dice.pick(&PEERS);
    if dice.chance(40) {
        world.peers.retain(|(known, _)| *known != peer);
        return host.detach(peer);
    }
    let offered = generate::offered(dice);
    host.attach(peer, &offered);
    // A peer that is there keeps its place in the order.
    match world.peers.iter_mut().find(|(known, _)| *known == peer) {
        Some((_, known)) => *known = offered,
        None => world.peers.push((peer, offered)),
    }
}

/// Leaves out calls as long as the answer is wrong without them.
async fn smallest(world: &World, host: &Host, root: &Root, mut tree: Step) -> (Step, [Value; 2]) {
    loop {
        let mut smaller = None;
        for candidate in without_one(&tree) {
            if host.answer(root, &candidate).await != world.expected(root, &candidate) {
                smaller = Some(candidate);
                break;
            }
        }
        let Some(candidate) = smaller else { break };
        tree = candidate;
    }
    let answers = [world.expected(root, &tree), host.answer(root, &tree).await];
    (tree, answers)
}

fn without_one(step: &Step) -> Vec<Step> {
    let mut all = Vec::new();
    for at in 0..step.below.len() {
        let mut without = step.clone();
        without.below.remove(at);
        all.push(without);
        for below in without_one(&step.below[at]) {
            let mut with = step.clone();
            with.below[at] = below;
            all.push(with);
        }
    }
    all
}

fn count(answer: &Value, level: usize, seen: &mut BTreeMap<String, usize>) {
    let mut add = |what: &str| *seen.entry(what.to_owned()).or_default() += 1;
    let Some(ran) = answer["ran"].as_str() else {
        return add(answer.as_str().unwrap());
    };
    add(ran.split([':', ' ']).next().unwrap());
    add(&format!("level {level}"));
    for below in answer["below"].as_array().unwrap() {
        count(below, level + 1, seen);
    }
}
