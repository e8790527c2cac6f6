//! What a call, a host call and a registration cost, on one thread, against their bars.
//!
//! Every figure is end to end through the public interface: a call includes waiting for a permit, a fresh instance,
//! restoring, reseeding, JSON in and out, and giving the instance back. Calls follow one another, so pool slots and
//! caches are warm.

#![expect(clippy::print_stdout, reason = "printing is what a benchmark does")]

use std::time::Duration;

use alknet_sandbox::{
    HostCallError, HostCalls, Language, Limits, Sandbox, SandboxConfig, Source, SourceFile, Tool,
};
use futures_util::future::BoxFuture;
use tokio::time::Instant;

type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

/// Answers every call at once with its input.
struct Echo;

impl HostCalls for Echo {
    fn call(&self, _: String, input: String) -> BoxFuture<'_, Result<String, HostCallError>> {
        Box::pin(std::future::ready(Ok(input)))
    }

    fn now_millis(&self) -> u64 {
        1_700_000_000_000
    }

    fn seed(&self) -> u64 {
        42
    }
}

/// Microseconds, sorted.
struct Times(Vec<f64>);

impl Times {
    fn at(&self, share: f64) -> f64 {
        let position = (self.0.len().saturating_sub(1)) * percent(share) / 100;
        self.0.get(position).copied().unwrap_or(f64::NAN)
    }

    fn row(&self, name: &str) {
        println!(
            "{name:<52} n={:<5} min {:>8.1}  p50 {:>8.1}  p99 {:>8.1} us",
            self.0.len(),
            self.at(0.0),
            self.at(0.5),
            self.at(0.99)
        );
    }
}

fn main() -> Fallible<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(run())
}

async fn run() -> Fallible<()> {
    let cache = tempfile::tempdir()?;
    let config = SandboxConfig { cache_dir: Some(cache.path().join("cache")), ..SandboxConfig::default() };
    let started = Instant::now();
    drop(Sandbox::new(config.clone())?);
    println!("first start, engine compiled: {:.0} ms", millis(started.elapsed()));
    let started = Instant::now();
    let sandbox = Sandbox::new(config)?;
    println!("later start, engine from the cache: {:.1} ms", millis(started.elapsed()));

    let trivial = register(&sandbox, TRIVIAL).await?;
    let tool = register(&sandbox, TOOL).await?;
    println!(
        "at rest: trivial tool {} bytes, 30-line tool {} bytes",
        trivial.snapshot_bytes(),
        tool.snapshot_bytes()
    );

    let trivial_times = time_calls(&trivial, r#"{"a":1,"b":2}"#, 5000, 1).await?;
    trivial_times.row("trivial tool, fresh instance");
    let tool_times = time_calls(&tool, TOOL_INPUT, 5000, 1).await?;
    tool_times.row("30-line tool, fresh instance");
    let again = register(&sandbox, &TOOL.replace(RUN_ONCE, RUN_AGAIN)).await?;
    let again_times = time_calls(&again, TOOL_INPUT, 1000, 1).await?;
    println!(
        "  of which the tool's own work, warm: {:.1} us",
        (again_times.at(0.5) - tool_times.at(0.5)) / 20.0
    );
    let all = register(&sandbox, PROMISE_ALL).await?;
    let all_times = time_calls(&all, "100", 1000, 100).await?;
    all_times.row("host call, Promise.all of 100, each of them");
    let each = register(&sandbox, SEQUENTIAL).await?;
    let each_times = time_calls(&each, "100", 1000, 100).await?;
    each_times.row("host call, 100 one after the other, each of them");
    let computing = register(&sandbox, COMPUTING).await?;
    time_calls(&computing, r#"{"n":2000000,"f":24}"#, 7, 1).await?.row("computing for a long time");
    let first_times = time_first_results(&sandbox).await?;
    first_times.row("30-line TypeScript tool, register to first result");

    bar("sandbox_call_trivial_p50_us", trivial_times.at(0.5), 25.0);
    bar("sandbox_call_30_lines_p50_us", tool_times.at(0.5), 80.0);
    bar("sandbox_host_call_promise_all_p50_us", all_times.at(0.5), 4.0);
    bar("sandbox_host_call_sequential_p50_us", each_times.at(0.5), 4.0);
    bar("sandbox_register_to_first_result_p50_us", first_times.at(0.5), 1000.0);
    Ok(())
}

async fn register(sandbox: &Sandbox, text: &str) -> Fallible<Tool> {
    let files = [SourceFile { path: "tool.ts", text }];
    let source = Source { language: Language::TypeScript, files: &files };
    Ok(sandbox.register(source, &["echo/it".into()], &Limits::default()).await?)
}

/// Times `calls` calls, each divided by `parts`.
async fn time_calls(tool: &Tool, input: &str, calls: u32, parts: u32) -> Fallible<Times> {
    let limits = Limits::default();
    for _ in 0..calls / 10 {
        tool.call(input, &Echo, &limits).await.result?;
    }
    let mut times = Vec::new();
    for _ in 0..calls {
        let started = Instant::now();
        let report = tool.call(input, &Echo, &limits).await;
        times.push(micros(started.elapsed()) / f64::from(parts));
        report.result?;
    }
    Ok(sorted(times))
}

async fn time_first_results(sandbox: &Sandbox) -> Fallible<Times> {
    let limits = Limits::default();
    let mut times = Vec::new();
    for n in 0..500 {
        // Another text each time, as another agent would write it.
        let text = format!("{TOOL}\n// {n}\n");
        let started = Instant::now();
        let report = register(sandbox, &text).await?.call(TOOL_INPUT, &Echo, &limits).await;
        times.push(micros(started.elapsed()));
        report.result?;
    }
    Ok(sorted(times))
}

fn sorted(mut times: Vec<f64>) -> Times {
    times.sort_by(f64::total_cmp);
    Times(times)
}

fn bar(name: &str, value: f64, limit: f64) {
    let verdict = if value <= limit { "ok" } else { "short" };
    println!("bar {name} {value:.1} {limit:.1} {verdict}");
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn percent(share: f64) -> usize {
    match share {
        0.0 => 0,
        0.5 => 50,
        _ => 99,
    }
}

const TRIVIAL: &str = "export default (i: { a: number; b: number }) => ({ sum: i.a + i.b })";

const PROMISE_ALL: &str = "export default async (n: number, env: any) => \
    (await Promise.all(Array.from({ length: n }, (_, k) => env.echo.it({ k })))).length";

const SEQUENTIAL: &str = "export default async (n: number, env: any) => { \
    let s = 0; for (let k = 0; k < n; k++) s += (await env.echo.it({ k })).k; return s }";

const COMPUTING: &str = "export default function (i: any) { \
    let x = 0; for (let k = 0; k < i.n; k++) { x = (x * 31 + k) | 0; if ((x & 7) === 3) x ^= k; } \
    function fib(n: number): number { return n < 2 ? n : fib(n - 1) + fib(n - 2) } \
    const o: any = {}; for (let k = 0; k < i.n / 20; k++) { o['k' + (k & 255)] = (o['k' + (k & 255)] || 0) + 1; } \
    return [x, fib(i.f), Object.keys(o).length]; }";

/// Turns the tool into one that does its work twenty times more in the same call.
const RUN_ONCE: &str = "export default async function count(input: Input) {";
const RUN_AGAIN: &str = "export default async function again(input: Input) { \
    for (let k = 0; k < 20; k++) await count(input); return count(input) }\n\
    async function count(input: Input) {";

const TOOL_INPUT: &str = r#"{"text":"the quick fox and the lazy dog","top":5}"#;

const TOOL: &str = r#"interface Input { text: string; top: number }
interface Entry { word: string; count: number; share: number }

class Counter {
  private counts = new Map<string, number>();
  total = 0;

  add(word: string): void {
    this.counts.set(word, (this.counts.get(word) ?? 0) + 1);
    this.total++;
  }

  top(n: number): Entry[] {
    return [...this.counts.entries()]
      .map(([word, count]) => ({ word, count, share: Math.round((count / this.total) * 1000) / 1000 }))
      .sort((a, b) => b.count - a.count || (a.word < b.word ? -1 : 1))
      .slice(0, n);
  }
}

async function words(text: string): Promise<string[]> {
  return text.toLowerCase().split(/[^a-z]+/).filter((word) => word.length > 2);
}

export default async function count(input: Input) {
  const counter = new Counter();
  for (const word of await words(input.text)) counter.add(word);
  const longest = counter.top(100).reduce((a, b) => (b.word.length > a.word.length ? b : a));
  return { total: counter.total, longest: longest.word, top: counter.top(input.top) };
}
"#;
