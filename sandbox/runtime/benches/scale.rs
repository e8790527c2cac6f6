//! Components, two threads, and tools and calls by the ten thousand, against their bars.
//!
//! Memory is the process's resident memory (`VmRSS`), above what it was before; each part runs in a sandbox of its own.

#![expect(clippy::print_stdout, reason = "printing is what a benchmark does")]

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use alknet_sandbox::{
    Binary, HostCallError, HostCalls, Language, Limits, Sandbox, SandboxConfig, Source, SourceFile, Tool,
};
use futures_util::future::{BoxFuture, FutureExt as _};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

/// Answers a call when it is let through.
struct Gate(Semaphore);

impl HostCalls for Gate {
    fn call(&self, _: String, input: String) -> BoxFuture<'_, Result<String, HostCallError>> {
        async move {
            if let Ok(permit) = self.0.acquire().await {
                permit.forget();
            }
            Ok(input)
        }
        .boxed()
    }

    fn now_millis(&self) -> u64 {
        1_700_000_000_000
    }

    fn seed(&self) -> u64 {
        42
    }
}

fn main() -> Fallible<()> {
    let one = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let component = one.block_on(component_call())?;
    let single = threads(1)?;
    let double = threads(2)?;
    println!("trivial calls a second: one thread {single:.0}, two threads {double:.0}");
    let tools = one.block_on(idle_tools())?;
    let put_aside = one.block_on(waiting_calls(256, Duration::ZERO))?;
    let kept = one.block_on(waiting_calls(10_500, Duration::from_secs(3600)))?;
    bar("sandbox_component_call_p50_us", component, 10.0);
    bar_at_least("sandbox_two_threads_over_one", double / single, 1.6);
    bar("sandbox_10000_idle_tools_mb", tools, 1600.0);
    bar("sandbox_10000_waiting_calls_put_aside_mb", put_aside, 1000.0);
    bar("sandbox_10000_waiting_calls_live_mb", kept, 3000.0);
    Ok(())
}

/// p50 of a call of a component that answers with its input, in microseconds.
async fn component_call() -> Fallible<f64> {
    let sandbox = Sandbox::new(SandboxConfig::default())?;
    let limits = Limits::default();
    let begun = Instant::now();
    let tool = sandbox.register_component("echo", Binary::Text(ECHO), &limits).await?;
    println!("a small component from text, compiled: {:.2} ms", begun.elapsed().as_secs_f64() * 1e3);
    let host = Gate(Semaphore::new(0));
    let mut times = Vec::new();
    for _ in 0..5_000 {
        let begun = Instant::now();
        tool.call("[1,2,3]", &host, &limits).await.result?;
        times.push(begun.elapsed().as_secs_f64() * 1e6);
    }
    times.sort_by(f64::total_cmp);
    let at = |part: usize| times.get(times.len() * part / 100).copied().unwrap_or(f64::NAN);
    println!("component call, fresh instance: p50 {:.1} us, p99 {:.1} us", at(50), at(99));
    Ok(at(50))
}

/// Calls of a trivial tool in one second, from so many threads.
fn threads(workers: usize) -> Fallible<f64> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build()?;
    runtime.block_on(async {
        let sandbox = Sandbox::new(SandboxConfig::default())?;
        let tool = register(&sandbox, "export default (i) => ({ sum: i.a + i.b })").await?;
        let begun = Instant::now();
        let mut running = JoinSet::new();
        for _ in 0..workers {
            let tool = tool.clone();
            running.spawn(async move {
                let (host, limits, mut calls) = (Gate(Semaphore::new(0)), Limits::default(), 0_u32);
                while begun.elapsed() < Duration::from_secs(3) {
                    if tool.call(r#"{"a":1,"b":2}"#, &host, &limits).await.result.is_ok() {
                        calls += 1;
                    }
                    tokio::task::yield_now().await;
                }
                calls
            });
        }
        let calls: u32 = running.join_all().await.into_iter().sum();
        Ok(f64::from(calls) / begun.elapsed().as_secs_f64())
    })
}

/// Resident memory of ten thousand different tools at rest, in megabytes.
async fn idle_tools() -> Fallible<f64> {
    let sandbox = Sandbox::new(SandboxConfig::default())?;
    let mut tools = vec![register(&sandbox, &idle_text(0)).await?];
    let before = resident()?;
    let begun = Instant::now();
    for n in 1..=MANY {
        tools.push(register(&sandbox, &idle_text(n)).await?);
    }
    let grown = resident()? - before;
    println!(
        "{MANY} tools of 30 lines at rest: {grown:.0} MB, {:.0} us to register each",
        begun.elapsed().as_secs_f64() * 1e6 / f64::from(MANY)
    );
    Ok(grown)
}

fn idle_text(n: u32) -> String {
    let words: String =
        (0..28).map(|k| format!("table.set('word{n}-{k}', {{ count: {k}, of: [{n}, {k}] }});\n")).collect();
    format!(
        "const table = new Map();\n{words}export default async (input, env) => table.get(input.word) ?? null;\n"
    )
}

/// Resident memory of ten thousand calls that wait for the host, in megabytes.
async fn waiting_calls(instances_max: u32, suspend_after: Duration) -> Fallible<f64> {
    let config = SandboxConfig { instances_max, ..SandboxConfig::default() };
    let sandbox = Sandbox::new(config)?;
    let tool = register(&sandbox, WAITING).await?;
    let limits = Limits { suspend_after, wall: Duration::from_secs(600), ..Limits::default() };
    let (host, limits) = (Arc::new(Gate(Semaphore::new(0))), Arc::new(limits));
    let (before, private) = (resident()?, status("RssAnon:")?);
    let begun = Instant::now();
    let mut running = JoinSet::new();
    for n in 0..MANY {
        let (tool, host, limits) = (tool.clone(), Arc::clone(&host), Arc::clone(&limits));
        running.spawn(async move { tool.call(&n.to_string(), &*host, &limits).await.result.is_ok() });
    }
    // Every task runs until it waits; two rounds let those run that waited for an instance.
    for _ in 0..200 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let grown = resident()? - before;
    let private = status("RssAnon:")? - private;
    host.0.add_permits(2 * usize::try_from(MANY)?);
    let done = running.join_all().await.into_iter().filter(|ok| *ok).count();
    println!(
        "{MANY} waiting calls, {instances_max} instances: {grown:.0} MB, of which {private:.0} MB are private to them; \
         {done} ended well, {:.1} s in all",
        begun.elapsed().as_secs_f64()
    );
    Ok(grown)
}

async fn register(sandbox: &Sandbox, text: &str) -> Fallible<Tool> {
    let files = [SourceFile { path: "tool.js", text }];
    let source = Source { language: Language::JavaScript, files: &files };
    Ok(sandbox.register(source, &["wait/it".into()], &Limits::default()).await?)
}

/// Resident memory of this process, in megabytes.
fn resident() -> Fallible<f64> {
    status("VmRSS:")
}

/// A line of this process's status, in megabytes.
fn status(name: &str) -> Fallible<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)).ok_or("no such line")?;
    let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kilobytes / 1024.0)
}

fn bar(name: &str, value: f64, limit: f64) {
    let verdict = if value <= limit { "ok" } else { "short" };
    println!("bar {name} {value:.1} {limit:.1} {verdict}");
}

fn bar_at_least(name: &str, value: f64, limit: f64) {
    let verdict = if value >= limit { "ok" } else { "short" };
    println!("bar {name} {value:.2} {limit:.2} {verdict}");
}

const MANY: u32 = 10_000;

const WAITING: &str = "export default async (n, env) => { \
    const held = { n, list: [1, 2, 3] }; const got = await env.wait.it(n); return got + held.list.length }";

const ECHO: &str = r#"(module
  (memory (export "memory") 1)
  (global $top (mut i32) (i32.const 4096))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local $p i32)
    (local.set $p (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
    (global.set $top (i32.add (local.get $p) (local.get 3)))
    (local.get $p))
  (func (export "invoke") (param i32 i32 i32 i32) (result i32)
    (i32.store (i32.const 16) (i32.const 0))
    (i32.store (i32.const 20) (local.get 2))
    (i32.store (i32.const 24) (local.get 3))
    (i32.const 16)))"#;
