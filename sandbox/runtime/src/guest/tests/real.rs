//! The real guest, entry by entry: what each leaves, whatever its host does next.

use std::sync::{Arc, OnceLock};

use super::super::{Fault, Guest, GuestLimits, Loaded, Status};
use crate::base::Base;
use crate::fair::{Share, Turns};
use crate::lower::Module;
use crate::meter::{Lane, Meter};
use crate::{Limits, SandboxConfig};

/// One thing a host does, and what it must find then.
#[derive(Debug, Clone, Copy)]
enum Step {
    Next(Status, &'static str),
    /// Settles these: id, kind, text.
    Settle(&'static [(u32, u32, &'static str)], Status, &'static str),
}

use Status::{Done, End, Failed, Pending, Stalled, Stream};
use Step::{Next, Settle};

const OUTPUT: u32 = 0;
const ERROR: u32 = 1;
const TIMER: u32 = 2;

/// A tool, where its call stands at first, and what follows. Ids are given out from 0 and used again when free.
type Script = (&'static str, Status, &'static [Step]);

const ITEMS: &[Script] = &[
    (
        "export default async function* (input) { yield input; yield undefined; yield { a: 1 }; return 5 }",
        Stream,
        &[Next(Done, "7"), Next(Done, "null"), Next(Done, r#"{"a":1}"#), Next(End, "")],
    ),
    (
        "export default async function* (input, env) { yield await env.a.b(1); await env.a.b(2); yield 2 }",
        Stream,
        &[
            Next(Pending, ""),
            Settle(&[(0, OUTPUT, "5")], Done, "5"),
            Next(Pending, ""),
            Settle(&[(0, OUTPUT, "6")], Done, "2"),
            Next(End, ""),
        ],
    ),
    (
        // What was started without waiting may be settled while nothing is asked for, but holds up the end.
        "export default async function* (input, env) { env.a.b(1); env.a.b(2); yield 1; yield 2 }",
        Stream,
        &[
            Next(Done, "1"),
            Settle(&[(1, OUTPUT, "0")], Stream, ""),
            Next(Done, "2"),
            Next(Pending, ""),
            Settle(&[(0, OUTPUT, "0")], End, ""),
        ],
    ),
    (
        "export default async function* () { yield 1; throw new Error('second') }",
        Stream,
        &[Next(Done, "1"), Next(Failed, "second")],
    ),
    ("export default async function* () { yield 1n }", Stream, &[Next(Failed, "BigInt")]),
    ("export default async function* () { await new Promise(() => {}) }", Stream, &[Next(Stalled, "")]),
    (
        "export default async function* (input, env) { try { yield await env.a.b() } catch (e) { yield e.code } }",
        Stream,
        &[
            Next(Pending, ""),
            Settle(&[(0, ERROR, r#"{"code":"NO","message":"","retryable":false}"#)], Done, r#""NO""#),
            Next(End, ""),
        ],
    ),
    (
        // The tool cannot get between the host and the generator.
        "export default async function* () { yield 1 }
         Object.getPrototypeOf(async function* () {}.prototype).next = () => 5
         Object.getPrototypeOf(Object.getPrototypeOf(async function* () {}.prototype)).next = () => 6",
        Stream,
        &[Next(Done, "1"), Next(End, "")],
    ),
    (
        "export default function* () { yield Promise.resolve(1); yield* [2, 3]; return 4 }",
        Stream,
        &[Next(Done, "1"), Next(Done, "2"), Next(Done, "3"), Next(End, "")],
    ),
    (
        "function* inner() { yield 1; return 2 }
         export default function* () { yield yield* inner() }",
        Stream,
        &[Next(Done, "1"), Next(Done, "2"), Next(End, "")],
    ),
    ("export default function* () { yield Promise.reject(new Error('no')) }", Stream, &[Next(Failed, "no")]),
    ("export default () => (function* () { yield 1 })()", Stream, &[Next(Done, "1"), Next(End, "")]),
    ("export default async () => (function* () {})()", Failed, &[]),
];

const TIMERS: &[Script] = &[
    (
        // A timer keeps a promise waiting, but no call that is otherwise over.
        "export default () => new Promise((r) => setTimeout(r, 5, 'x'))",
        Pending,
        &[Settle(&[(0, TIMER, "")], Done, r#""x""#)],
    ),
    ("export default () => { setTimeout(() => 1, 5); return 2 }", Done, &[]),
    (
        "export default async () => { clearTimeout(setTimeout(() => 1)); await new Promise(() => {}) }",
        Stalled,
        &[],
    ),
    (
        "export default () => new Promise((r) => {
           let n = 0
           const t = setInterval(() => { if (++n === 2) { clearInterval(t); r(n) } }, 5)
         })",
        Pending,
        &[Settle(&[(0, TIMER, "")], Pending, ""), Settle(&[(0, TIMER, "")], Done, "2")],
    ),
    (
        // Cleared by another whose answer came with its own: it does not fire, and its id is not mixed up.
        "export default () => new Promise((r) => {
           const l = []
           setTimeout(() => { l.push('a'); clearTimeout(b); setTimeout(() => r(l), 1) }, 5)
           const b = setTimeout(() => l.push('b'), 5)
         })",
        Pending,
        &[
            Settle(&[(0, TIMER, ""), (1, TIMER, "")], Pending, ""),
            Settle(&[(0, TIMER, "")], Done, r#"["a"]"#),
        ],
    ),
    (
        // The same for a call that is aborted by a timer just before its own answer.
        "export default async (input, env) => {
           const c = new AbortController()
           setTimeout(() => c.abort('late'), 5)
           return env.a.b(1, { signal: c.signal }).catch((e) => e)
         }",
        Pending,
        &[Settle(&[(0, TIMER, ""), (1, OUTPUT, "5")], Done, r#""late""#)],
    ),
    (
        // Microtasks run between two timers.
        "export default () => new Promise((r) => {
           const l = []
           setTimeout(() => { l.push(1); queueMicrotask(() => l.push(2)) })
           setTimeout(() => { l.push(3); r(l) })
         })",
        Pending,
        &[Settle(&[(0, TIMER, ""), (1, TIMER, "")], Done, "[1,2,3]")],
    ),
    (
        "export default () => new Promise((r) => { setTimeout(() => { throw new Error('timed') }); setTimeout(r) })",
        Pending,
        &[Settle(&[(0, TIMER, ""), (1, TIMER, "")], Failed, "timed")],
    ),
];

/// Compiling the engine takes a while.
fn base() -> Arc<Base> {
    static BASE: OnceLock<Arc<Base>> = OnceLock::new();
    Arc::clone(BASE.get_or_init(|| {
        let config = SandboxConfig { instances_max: 4, ..SandboxConfig::default() };
        Arc::new(Base::new(&config).unwrap())
    }))
}

async fn loaded(tool: &str) -> (Guest, Loaded) {
    let limits = Limits::default();
    let (processors, share) = (Turns::new(1, 1), Share::fresh());
    let meter = Arc::new(Meter::new(limits.cpu, Lane { processors, share }));
    let permit = Turns::new(1, 1).take(share).await.unwrap();
    let mut guest =
        Guest::new(&base(), &GuestLimits { limits, stack_bytes: 1 << 17 }, &meter, permit).unwrap();
    let modules = [Module { path: "t.js".into(), js: tool.into() }];
    let loaded = guest.load(&modules, &["a/b"]).await.unwrap();
    (guest, loaded)
}

fn records(answers: &[(u32, u32, &str)]) -> Vec<u8> {
    let mut records = Vec::new();
    for (id, kind, text) in answers {
        for word in [*id, *kind, u32::try_from(text.len()).unwrap()] {
            records.extend(word.to_le_bytes());
        }
        records.extend(text.bytes().chain([0]));
    }
    records
}

#[tokio::test]
async fn every_script_goes_as_written() {
    for (tool, first, steps) in ITEMS.iter().chain(TIMERS) {
        let (mut guest, loaded) = loaded(tool).await;
        assert!(matches!(loaded, Loaded::Tool(_)), "{tool}: {:?}", guest.output(1000));
        assert_eq!(guest.call("7", 1).await.unwrap(), *first, "{tool}: {:?}", guest.output(1000));
        for step in *steps {
            let (status, expected, output) = match *step {
                Next(expected, output) => (guest.next().await.unwrap(), expected, output),
                Settle(answers, expected, output) => {
                    (guest.settle(&records(answers)).await.unwrap(), expected, output)
                }
            };
            let found = guest.output(1000).unwrap().unwrap();
            assert_eq!(status, expected, "{tool}: {step:?}: {found}");
            match status {
                Failed => assert!(found.contains(output), "{tool}: {found}"),
                _ => assert_eq!(found, output, "{tool}: {step:?}"),
            }
        }
    }
}

/// A host that answers what was not asked, or asks what cannot be answered, is told so.
#[tokio::test]
async fn a_host_that_breaks_the_protocol_is_refused() {
    let waiting =
        "export default (input, env) => Promise.all([env.a.b(1), new Promise((r) => setTimeout(r, 1))])";
    for answers in [
        &[(2, OUTPUT, "1")][..],
        &[(0, TIMER, "")],
        &[(1, OUTPUT, "1")],
        &[(0, 3, "1")],
        &[(0, OUTPUT, "1"), (0, OUTPUT, "1")],
        &[(u32::MAX, OUTPUT, "1")],
    ] {
        let (mut guest, _) = loaded(waiting).await;
        assert_eq!(guest.call("7", 1).await.unwrap(), Pending);
        let settled = guest.settle(&records(answers)).await;
        assert!(matches!(settled, Err(Fault::Defect(_))), "{answers:?}: {settled:?}");
    }
    for cut in [1, 5, 12] {
        let (mut guest, _) = loaded(waiting).await;
        assert_eq!(guest.call("7", 1).await.unwrap(), Pending);
        let mut whole = records(&[(0, OUTPUT, "1")]);
        whole.truncate(whole.len() - cut);
        assert!(matches!(guest.settle(&whole).await, Err(Fault::Defect(_))), "{cut}");
    }
    let (mut guest, _) = loaded("export default () => 1").await;
    assert!(matches!(guest.next().await, Err(Fault::Defect(_))), "there is no generator");
    let waiting = "export default async function* () { await new Promise((r) => setTimeout(r)) }";
    let (mut guest, _) = loaded(waiting).await;
    assert_eq!(guest.call("7", 1).await.unwrap(), Stream);
    assert_eq!(guest.next().await.unwrap(), Pending);
    assert!(matches!(guest.next().await, Err(Fault::Defect(_))), "an item is asked for already");
}
