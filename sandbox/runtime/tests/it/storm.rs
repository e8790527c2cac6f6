//! Thousands of calls, each dropped at a random point: nothing of them is left, and all places are free.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use alknet_sandbox::{
    Binary, HostCallError, HostCalls, Language, Limits, Sandbox, SandboxConfig, Source, SourceFile, Tool,
};
use futures_util::future::{BoxFuture, FutureExt as _, join_all};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::dice::Dice;
use crate::support::limits;

const SEED: u64 = 0x5701_2026;
const CALLS: usize = 10_000;
/// Calls at once: more than there are places, so that some are dropped while they wait for one.
const WORKERS: usize = 12;
const SCRIPTS: u32 = 4;
const COMPONENTS: u32 = 3;
/// A call that is not over after so many polls is dropped.
const POLLS_MAX: usize = 9;

macro_rules! hostile {
    ($name:literal) => {
        include_str!(concat!("../../../../tests/adversarial/", $name))
    };
}

/// They compute, wait for host calls, flood the host with them, and flood themselves with promises.
const SCRIPT_TEXTS: &[&str] = &[
    hostile!("cpu/loop.js"),
    hostile!("cpu/microtasks.js"),
    hostile!("promises/flood.js"),
    hostile!("promises/race.js"),
    hostile!("hostcalls/flood.js"),
    hostile!("hostcalls/flood_in_order.js"),
    hostile!("hostcalls/waits_for_ever.js"),
    hostile!("hostcalls/abandoned.js"),
    "export default () => new Promise((done) => { setTimeout(done, 1000); setTimeout(() => {}, 0); })",
];

/// They compute, also where their instance begins, wait for a host call, make many, and write logs.
const COMPONENT_TEXTS: &[&str] = &[
    hostile!("components/loop.wat"),
    hostile!("components/loop_in_start.wat"),
    hostile!("components/calls_without_end.wat"),
    hostile!("components/calls_in_start.wat"),
    hostile!("components/call_that_waits.wat"),
    hostile!("components/log_flood.wat"),
];

/// Counts the futures of host calls that are alive.
#[derive(Default)]
struct Watching {
    alive: AtomicUsize,
    started: AtomicUsize,
}

struct Life<'a>(&'a AtomicUsize);

impl Drop for Life<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl HostCalls for Watching {
    fn call(&self, name: String, _: String) -> BoxFuture<'_, Result<String, HostCallError>> {
        self.alive.fetch_add(1, Ordering::SeqCst);
        let nth = self.started.fetch_add(1, Ordering::SeqCst);
        let life = Life(&self.alive);
        async move {
            let _life = life;
            if name == "http/fetch" {
                std::future::pending::<()>().await;
            }
            for _ in 0..nth % 3 {
                tokio::task::yield_now().await;
            }
            Ok("1".into())
        }
        .boxed()
    }

    fn now_millis(&self) -> u64 {
        0
    }

    fn seed(&self) -> u64 {
        0
    }
}

/// Answers each call when as many are waiting as there are places.
struct Meeting {
    barrier: Barrier,
}

impl HostCalls for Meeting {
    fn call(&self, _: String, input: String) -> BoxFuture<'_, Result<String, HostCallError>> {
        async move {
            self.barrier.wait().await;
            Ok(input)
        }
        .boxed()
    }

    fn now_millis(&self) -> u64 {
        0
    }

    fn seed(&self) -> u64 {
        0
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_dropped_at_any_point_leave_nothing_behind() {
    let config =
        SandboxConfig { instances_max: SCRIPTS, components_max: COMPONENTS, ..SandboxConfig::default() };
    let sandbox = Sandbox::new(config).unwrap();
    let tools: Arc<[Tool]> = tools(&sandbox).await.into();
    let watching = Arc::new(Watching::default());
    let mut workers = JoinSet::new();
    for worker in 0..WORKERS {
        let (tools, watching) = (Arc::clone(&tools), Arc::clone(&watching));
        let seed = SEED + u64::try_from(worker).unwrap();
        workers.spawn(async move { storm(&tools, &watching, Dice::new(seed)).await });
    }
    let finished: usize = workers.join_all().await.into_iter().sum();
    let started = watching.started.load(Ordering::SeqCst);
    assert!(finished < CALLS / 2, "seed {SEED}: most calls came to their end: {finished}");
    assert!(started > CALLS / 10, "seed {SEED}: too few calls reached the host: {started}");
    assert_eq!(watching.alive.load(Ordering::SeqCst), 0, "seed {SEED}: host calls outlive their calls");
    all_places_are_free(&sandbox, &tools).await;
}

/// A worker's share of the calls; how many of them came to an end.
async fn storm(tools: &[Tool], watching: &Watching, mut dice: Dice) -> usize {
    let mut finished = 0;
    for _ in 0..CALLS.div_ceil(WORKERS) {
        let tool = dice.one_of(tools);
        // Half of those that wait are put aside at once, so that some are dropped there.
        let suspend_after = Duration::from_millis(dice.roll() % 2 * 1000);
        let limits = Limits { suspend_after, host_calls_max: 200, ..limits() };
        let call = tool.call("1", watching, &limits);
        finished += usize::from(poll_at_most(dice.below(POLLS_MAX), call).await);
    }
    finished
}

/// Polls so often, whether anything happened or not, then drops; whether it was over by then.
async fn poll_at_most(polls: usize, future: impl Future) -> bool {
    let mut future = pin!(future);
    for _ in 0..polls {
        if futures_util::poll!(future.as_mut()).is_ready() {
            return true;
        }
        tokio::task::yield_now().await;
    }
    false
}

async fn tools(sandbox: &Sandbox) -> Vec<Tool> {
    let mut tools = Vec::new();
    let env = ["time/now", "http/fetch"].map(str::to_owned);
    for text in SCRIPT_TEXTS {
        let files = [SourceFile { path: "tool.js", text }];
        let source = Source { language: Language::JavaScript, files: &files };
        tools.push(sandbox.register(source, &env, &limits()).await.unwrap());
    }
    for text in COMPONENT_TEXTS {
        tools.push(sandbox.register_component("a-tool", Binary::Text(text), &limits()).await.unwrap());
    }
    tools
}

/// As many calls as there are places, none of which ends before all have begun.
async fn all_places_are_free(sandbox: &Sandbox, tools: &[Tool]) {
    let limits = Limits { suspend_after: Duration::MAX, ..limits() };
    let files = [SourceFile { path: "tool.js", text: "export default (n, env) => env.time.now(n)" }];
    let source = Source { language: Language::JavaScript, files: &files };
    let script = sandbox.register(source, &["time/now".to_owned()], &limits).await.unwrap();
    let component = &tools[SCRIPT_TEXTS.len() + 4];
    for (tool, places) in [(&script, SCRIPTS), (component, COMPONENTS)] {
        let places = usize::try_from(places).unwrap();
        let meeting = Meeting { barrier: Barrier::new(places) };
        let calls = (0..places).map(|_| tool.call("{}", &meeting, &limits));
        for report in join_all(calls).await {
            assert!(report.result.is_ok(), "{:?}", report.result);
        }
    }
}
