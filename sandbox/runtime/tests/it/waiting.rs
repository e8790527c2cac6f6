//! Calls that wait for long give their instance to others, and go on as if nothing had been.

use std::sync::Arc;
use std::time::Duration;

use alknet_sandbox::{
    CallFailure, HostCallError, HostCalls, Items, Language, Limit, Limits, Sandbox, Source, SourceFile, Tool,
};
use futures_util::future::{BoxFuture, FutureExt as _, join_all};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use crate::support::{limits, names, small_sandbox};

/// Holds every call of `later/it` until it is opened; answers with the input.
struct Gate {
    open: Semaphore,
    arrived: mpsc::UnboundedSender<()>,
}

impl Gate {
    fn new() -> (Arc<Self>, mpsc::UnboundedReceiver<()>) {
        let (arrived, arrivals) = mpsc::unbounded_channel();
        (Arc::new(Self { open: Semaphore::new(0), arrived }), arrivals)
    }
}

impl HostCalls for Gate {
    fn call(&self, name: String, input: String) -> BoxFuture<'_, Result<String, HostCallError>> {
        async move {
            if name == "later/it" {
                self.arrived.send(()).unwrap();
                self.open.acquire().await.unwrap().forget();
            }
            Ok(input)
        }
        .boxed()
    }
    fn now_millis(&self) -> u64 {
        1_000
    }
    fn seed(&self) -> u64 {
        3
    }
}

/// A task that ends with the test.
struct Task<T>(JoinSet<T>);

impl<T: Send + 'static> Task<T> {
    fn begin(work: impl Future<Output = T> + Send + 'static) -> Self {
        let mut set = JoinSet::new();
        set.spawn(work);
        Self(set)
    }

    async fn end(mut self) -> T {
        self.0.join_next().await.unwrap().unwrap()
    }

    async fn abort(mut self) {
        self.0.shutdown().await;
    }
}

fn impatient() -> Limits {
    Limits { suspend_after: Duration::ZERO, ..limits() }
}

async fn register(sandbox: &Sandbox, text: &str) -> Tool {
    let files = [SourceFile { path: "tool.js", text }];
    let source = Source { language: Language::JavaScript, files: &files };
    sandbox.register(source, &names(), &limits()).await.unwrap()
}

#[tokio::test]
async fn more_calls_wait_than_there_are_instances() {
    let sandbox = small_sandbox(1);
    let tool = register(
        &sandbox,
        "let calls = 0; \
         export default async (n, env) => { \
            const before = { n, map: new Map([[n, 'kept']]), draw: Math.random() }; \
            console.log('begins', n); calls++; \
            const a = await env.later.it(n); \
            const b = await env.later.it(a + 1); \
            console.log('ends', n); \
            return [before.map.get(n), b, calls, before.draw !== Math.random()] }",
    )
    .await;
    let (gate, mut arrivals) = Gate::new();
    let within = impatient();
    let calls = (0..40).map(|n| {
        let (tool, gate, within) = (tool.clone(), Arc::clone(&gate), within.clone());
        async move { tool.call(&n.to_string(), &*gate, &within).await }
    });
    let calls = Task::begin(join_all(calls));
    // All of them wait at the same time.
    for _ in 0..40 {
        arrivals.recv().await.unwrap();
    }
    gate.open.add_permits(1_000);
    for (n, report) in calls.end().await.into_iter().enumerate() {
        assert_eq!(report.result.unwrap(), format!(r#"["kept",{},1,true]"#, n + 1));
        let texts: Vec<&str> = report.logs.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(texts, [format!("begins {n}"), format!("ends {n}")]);
        assert_eq!(report.host_calls, 2);
    }
}

#[tokio::test]
async fn a_call_that_is_put_aside_still_ends_at_its_limits_or_when_dropped() {
    let sandbox = small_sandbox(1);
    let text = "export default async (n, env) => { console.log('waits'); await env.later.it(n); \
        let s = ''; for (;;) s = 'x' + s.length }";
    let tool = register(&sandbox, text).await;
    let (gate, mut arrivals) = Gate::new();
    let short = Limits { wall: Duration::from_millis(50), ..impatient() };
    let report = tool.call("1", &*gate, &short).await;
    assert_eq!(report.result, Err(CallFailure::Limit(Limit::Wall(short.wall))));
    assert_eq!(report.logs.len(), 1, "its log is not lost");
    arrivals.recv().await.unwrap();

    let (waits, g, within) = (tool.clone(), Arc::clone(&gate), impatient());
    let dropped = Task::begin(async move { waits.call("1", &*g, &within).await });
    arrivals.recv().await.unwrap();
    dropped.abort().await;

    gate.open.add_permits(1);
    let quick = Limits { cpu: Duration::from_millis(20), ..impatient() };
    let report = tool.call("1", &*gate, &quick).await;
    assert_eq!(report.result, Err(CallFailure::Limit(Limit::Cpu(quick.cpu))));
}

/// Takes items one by one, and is asked for each.
struct Taken(mpsc::Sender<String>);

impl Items for Taken {
    fn send(&mut self, item: String) -> BoxFuture<'_, ()> {
        async move { self.0.send(item).await.unwrap() }.boxed()
    }
}

#[tokio::test]
async fn a_subscription_computes_as_fast_as_its_items_are_taken() {
    let sandbox = small_sandbox(1);
    let text = "export default async function* (n, env) { \
        for (let i = 0; i < n; i++) { await env.name.it(i); yield i } }";
    let tool = register(&sandbox, text).await;
    let (gate, _arrivals) = Gate::new();
    let (sender, mut items) = mpsc::channel(1);
    let (streams, g, within) = (tool.clone(), Arc::clone(&gate), impatient());
    let running = Task::begin(async move {
        let mut taken = Taken(sender);
        streams.subscribe("5", &*g, &within, &mut taken).await
    });
    assert_eq!(items.recv().await.unwrap(), "0");
    // Its taker is slow: another call has the one instance meanwhile.
    let other = register(&sandbox, "export default (n) => n").await;
    assert_eq!(other.call("7", &*gate, &limits()).await.result.as_deref(), Ok("7"));
    let mut rest = Vec::new();
    while let Some(item) = items.recv().await {
        rest.push(item);
    }
    assert_eq!(rest, ["1", "2", "3", "4"]);
    let report = running.end().await;
    assert_eq!(report.result.as_deref(), Ok("null"));
    assert_eq!(report.host_calls, 5);

    let mut nobody = Taken(mpsc::channel(1).0);
    let report = other.subscribe("1", &*gate, &limits(), &mut nobody).await;
    assert!(matches!(report.result, Err(CallFailure::BadOutput { .. })), "{report:?}");
    let report = tool.call("1", &*gate, &limits()).await;
    assert!(matches!(report.result, Err(CallFailure::BadOutput { .. })), "{report:?}");
}

#[tokio::test]
async fn who_asks_when_too_many_wait_is_turned_away_at_once() {
    let config = alknet_sandbox::SandboxConfig { instances_max: 1, waiting_max: 2, ..Default::default() };
    let sandbox = Sandbox::new(config).unwrap();
    let tool = register(&sandbox, "export default (n, env) => env.later.it(n)").await;
    let (gate, mut arrivals) = Gate::new();
    let patient = Limits { suspend_after: Duration::from_secs(3600), ..limits() };
    let call = |n: u32| {
        let (tool, gate, within) = (tool.clone(), Arc::clone(&gate), patient.clone());
        Task::begin(async move { tool.call(&n.to_string(), &*gate, &within).await.result })
    };
    let first = call(0);
    arrivals.recv().await.unwrap();
    let waiting = [call(1), call(2)];
    let turned_away = loop {
        // The two wait once they have been polled.
        match tool.call("3", &*gate, &patient).now_or_never() {
            Some(report) => break report,
            None => tokio::task::yield_now().await,
        }
    };
    assert_eq!(turned_away.result, Err(CallFailure::Unavailable));
    gate.open.add_permits(10);
    assert_eq!(first.end().await.as_deref(), Ok("0"));
    for (n, call) in (1..).zip(waiting) {
        assert_eq!(call.end().await, Ok(format!("{n}")));
    }
}
