//! Host calls run together, within bounds.

use std::sync::atomic::{AtomicUsize, Ordering};

use alknet_sandbox::{HostCallError, HostCalls, Limits};
use futures_util::future::{BoxFuture, FutureExt as _, join_all};
use tokio::sync::{Barrier, Semaphore};

use crate::support::{Host, limits, register};

const ALL: &str = "export default async (n, env) => (await Promise.all(Array.from({length: n}, (_, i) => env.x.y(i)))).length";

/// Answers only when as many calls as the barrier wants are waiting.
struct Together(Barrier);

impl HostCalls for Together {
    fn call(&self, _: String, input: String) -> BoxFuture<'_, Result<String, HostCallError>> {
        async move {
            self.0.wait().await;
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

#[tokio::test]
async fn promise_all_has_all_calls_in_flight() {
    let tool = register(&ALL.replace("env.x.y(", "env.invoke('x/y', ")).await;
    let report = tool.call("32", &Together(Barrier::new(32)), &limits()).await;
    assert_eq!(report.result.as_deref(), Ok("32"));
}

/// Counts how many calls are under way at once.
#[derive(Default)]
struct Counting {
    now: AtomicUsize,
    most: AtomicUsize,
    order: std::sync::Mutex<Vec<String>>,
}

impl HostCalls for Counting {
    fn call(&self, _: String, input: String) -> BoxFuture<'_, Result<String, HostCallError>> {
        async move {
            self.order.lock().unwrap().push(input.clone());
            let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(now, Ordering::SeqCst);
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
            self.now.fetch_sub(1, Ordering::SeqCst);
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

#[tokio::test]
async fn calls_beyond_the_maximum_wait_in_order() {
    let tool = register(&ALL.replace("env.x.y(", "env.invoke('x/y', ")).await;
    for (max, most) in [(4, 4), (1, 1), (0, 1), (1000, 100)] {
        let host = Counting::default();
        let within = Limits { host_calls_in_flight_max: max, ..limits() };
        let report = tool.call("100", &host, &within).await;
        assert_eq!((report.result.as_deref(), report.host_calls), (Ok("100"), 100));
        assert_eq!(host.most.load(Ordering::SeqCst), most, "{max}");
        let order: Vec<String> = (0..100).map(|n: u32| n.to_string()).collect();
        assert_eq!(*host.order.lock().unwrap(), order);
    }
}

#[tokio::test]
async fn many_calls_of_one_tool_run_side_by_side() {
    let tool = register("export default async (n, env) => (await env.later.it(n)) * 2").await;
    let calls = (0..100_u32).map(|n| {
        let tool = tool.clone();
        async move { tool.call(&n.to_string(), &Host::default(), &limits()).await.result }
    });
    for (n, result) in join_all(calls).await.into_iter().enumerate() {
        assert_eq!(result, Ok((n * 2).to_string()));
    }
}

/// Answers when the test says so.
struct Gate(Semaphore);

impl HostCalls for Gate {
    fn call(&self, _: String, input: String) -> BoxFuture<'_, Result<String, HostCallError>> {
        async move {
            self.0.acquire().await.unwrap().forget();
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

#[tokio::test]
async fn results_are_delivered_as_they_come() {
    let text = "export default async (n, env) => { let s = 0; \
        await Promise.all(Array.from({length: n}, async (_, i) => { const r = await env.invoke('x', i); s += r })); return s }";
    let tool = register(text).await;
    let host = Gate(Semaphore::new(0));
    let within = limits();
    let call = tool.call("20", &host, &within);
    let open = async {
        for _ in 0..20 {
            host.0.add_permits(1);
            tokio::task::yield_now().await;
        }
    };
    let (report, ()) = tokio::join!(call, open);
    assert_eq!(report.result.as_deref(), Ok("190"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_computing_tool_lets_others_run() {
    let hog =
        register("export default () => { let n = 0; for (let i = 0; i < 3e6; i++) n += i; return n }").await;
    let quick = register("export default () => 1").await;
    let (host, within) = (Host::default(), limits());
    let all = join_all((0..4).map(|_| hog.call("0", &host, &within)));
    let (slow, fast) = tokio::join!(all, quick.call("0", &host, &within));
    assert_eq!(fast.result.as_deref(), Ok("1"));
    assert!(slow.iter().all(|report| report.result.is_ok()));
}
