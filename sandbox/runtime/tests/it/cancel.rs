//! Dropping a call at any point stops it and frees everything it held.

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use alknet_sandbox::{CallFailure, HostCallError, HostCalls, Language, Limits, Source, SourceFile};
use futures_util::future::{BoxFuture, FutureExt as _};

use crate::support::{Host, limits, names, small_sandbox};

const TEXT: &str = "export default async (n, env) => { \
    for (let i = 0; i < 5; i++) { \
        await Promise.all([env.later.it(i), env.later.it(i), env.echo.it(i)]); \
        let x = 0; for (let k = 0; k < 200000; k++) x += k; } \
    return 'done' }";

/// Counts futures that are alive.
#[derive(Default)]
struct Living {
    alive: AtomicUsize,
    started: AtomicUsize,
}

struct Life<'a>(&'a AtomicUsize);

impl Drop for Life<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl HostCalls for Living {
    fn call(&self, name: String, input: String) -> BoxFuture<'_, Result<String, HostCallError>> {
        self.alive.fetch_add(1, Ordering::SeqCst);
        self.started.fetch_add(1, Ordering::SeqCst);
        let life = Life(&self.alive);
        async move {
            let _life = life;
            match name.as_str() {
                "echo/it" => {}
                "never/it" => std::future::pending().await,
                _ => {
                    for _ in 0..2 {
                        tokio::task::yield_now().await;
                    }
                }
            }
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
async fn a_dropped_call_leaves_nothing_behind() {
    // One instance: if a dropped call kept it, the next call would never start.
    let sandbox = small_sandbox(1);
    let files = [SourceFile { path: "tool", text: TEXT }];
    let source = Source { language: Language::JavaScript, files: &files };
    let tool = sandbox.register(source, &names(), &limits()).await.unwrap();
    let mut finished = false;
    for polls in 0..400 {
        let host = Living::default();
        let within = limits();
        {
            let mut call = pin!(tool.call("0", &host, &within));
            for _ in 0..polls {
                if futures_util::poll!(call.as_mut()).is_ready() {
                    finished = true;
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
        assert_eq!(host.alive.load(Ordering::SeqCst), 0, "after {polls} polls");
        if finished {
            assert_eq!(host.started.load(Ordering::SeqCst), 15);
            break;
        }
    }
    assert!(finished);
    let report = tool.call("0", &Living::default(), &limits()).await;
    assert_eq!(report.result.as_deref(), Ok("\"done\""));
}

#[tokio::test]
async fn calls_in_flight_are_dropped_when_the_tool_fails_or_runs_out_of_time() {
    let sandbox = small_sandbox(1);
    let rows = [
        ("env.never.it(); env.never.it(); await null; throw new Error('x')", Duration::from_secs(20)),
        ("env.never.it(); await env.never.it()", Duration::from_millis(50)),
        (
            "await Promise.all([env.never.it(), env.later.it().then(() => { throw 1 })])",
            Duration::from_secs(20),
        ),
    ];
    for (body, wall) in rows {
        let text = format!("export default async (input, env) => {{ {body} }}");
        let files = [SourceFile { path: "tool", text: &text }];
        let source = Source { language: Language::JavaScript, files: &files };
        let tool = sandbox.register(source, &names(), &limits()).await.unwrap();
        let host = Living::default();
        let report = tool.call("0", &host, &Limits { wall, ..limits() }).await;
        assert!(report.result.is_err(), "{body}");
        assert_eq!(report.host_calls, 2, "{body}");
        assert_eq!(host.alive.load(Ordering::SeqCst), 0, "{body}");
    }
}

#[tokio::test]
async fn waiting_for_an_instance_is_bounded_by_the_wall_limit() {
    let sandbox = small_sandbox(1);
    let files = [SourceFile { path: "tool", text: "export default (i, env) => i ? env.never.it() : 1" }];
    let source = Source { language: Language::JavaScript, files: &files };
    let tool = sandbox.register(source, &names(), &limits()).await.unwrap();
    let (host, within) = (Host::default(), limits());
    let short = Limits { wall: Duration::from_millis(30), ..limits() };
    {
        let mut holding = pin!(tool.call("1", &host, &within));
        assert!((&mut holding).now_or_never().is_none());
        assert_eq!(tool.call("0", &host, &short).await.result, Err(CallFailure::Unavailable));
        let error = sandbox.register(source, &names(), &short).await.unwrap_err();
        assert_eq!(error, alknet_sandbox::RegisterError::Unavailable);
    }
    assert_eq!(tool.call("0", &host, &within).await.result.as_deref(), Ok("1"));
}
