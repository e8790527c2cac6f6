//! The corpus of hostile tools below `tests/adversarial`, against a real host: each comes to what its header says,
//! and none of them leaves a trace.

mod file;

use std::fs;

use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{Peer, Project, Serving, files_below, repository};
use file::{Came, Hostile};

/// The name every tool of the corpus is registered under.
const NAME: &str = "hostile";
/// Fewer files than this, and somebody has lost some.
const FILES_MIN: usize = 200;
/// Most bytes of an answer: the limit of outputs below, and what an error may hold beside that.
const ANSWER_BYTES_MAX: usize = (64 << 10) + (256 << 10);
/// Most bytes of an error's message.
const MESSAGE_BYTES_MAX: usize = 2100;
/// What the host may keep after the corpus: its places for instances, 16 for scripts and 16 for components, each keep up
/// to 2 MiB of touched memory and 3 MiB of touched stack, and the allocator gives back late what large sources and
/// answers took. Run again and again, the corpus comes to rest at about 150 MiB more; there are hundreds of tools, most
/// of which take 16 MiB if they can, so that one MiB left by each of them is more than this.
const GROWTH_KIB_MAX: u64 = 192 << 10;
/// Threads that may have begun since: those that wait for files, and those of the compiler, begin when there is work for
/// them and are kept, a few for the whole host. What leaks one for a tool leaks hundreds.
const THREADS_MORE_MAX: u64 = 8;

#[test]
fn the_header_of_every_file_parses() {
    let wrong: Vec<String> = corpus().into_iter().filter_map(Result::err).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn hostile_tools_come_to_what_their_headers_say() {
    let files: Vec<Hostile> = corpus().into_iter().map(Result::unwrap).collect();
    assert!(files.len() >= FILES_MIN, "{} files", files.len());
    // Connections to it are taken by the system; nobody ever answers.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let project = project(silent.local_addr().unwrap().port()).await;
    let host = project.serve().await;
    let peer = host.client(Some(project.operator_key())).await;
    let bystander = Bystander::of(&peer).await;
    let session = peer.open_session().await;
    for file in files.iter().filter(|file| WARM_UP.contains(&file.name.as_str())) {
        run(&peer, &session, file).await;
    }
    bystander.is_well("the warm-up").await;
    let before = Vitals::of(&host);

    let mut wrong = Vec::new();
    for file in &files {
        let came = run(&peer, &session, file).await;
        wrong.extend(file.wrong(&came));
        wrong.extend(leak(&came, &project).map(|leak| format!("{}: {leak}", file.name)));
        bystander.is_well(&file.name).await;
    }
    assert!(wrong.is_empty(), "{} of {} files:\n{}", wrong.len(), files.len(), wrong.join("\n"));

    let after = Vitals::of(&host);
    let grown = after.resident_kib.saturating_sub(before.resident_kib);
    assert!(grown <= GROWTH_KIB_MAX, "the host grew by {grown} KiB: {before:?} {after:?}");
    assert!(after.threads <= before.threads + THREADS_MORE_MAX, "{before:?} {after:?}");
    peer.call("session/close", json!({ "session": session })).await.unwrap();
    let log = host.stop().await.log;
    for word in ["panicked", "sandbox defect"] {
        assert!(!log.contains(word), "{word}: {log}");
    }
    project.run(["audit", "verify"]).await.succeeds();
}

/// Files that bring everything into use once: both kinds of tools, a limit, and calls of the host.
const WARM_UP: &[&str] = &[
    "components/call_beyond_env.wat",
    "components/memory_grows.wat",
    "hostcalls/flood.js",
    "memory/buffers.js",
];

fn corpus() -> Vec<Result<Hostile, String>> {
    let corpus = repository().join("tests/adversarial");
    let files = files_below(&corpus);
    let tools = files.iter().filter(|file| !file.ends_with("README.md"));
    tools
        .map(|file| Hostile::read(&corpus, file).map_err(|error| format!("{}: {error}", file.display())))
        .collect()
}

/// A project with small limits, so that attacks meet them soon.
async fn project(silent_port: u16) -> Project {
    let project = Project::new().await;
    project.edit(|text| {
        let changes = [
            ("\"time/now\",\n]", "\"time/now\", \"http/fetch\",\n]"),
            ("\"kv:write\"]", "\"kv:write\", \"http:fetch\"]"),
            // So that what ends in time does so by the limits of one call.
            ("#call_timeout = \"30s\"", "call_timeout = \"10m\""),
            ("#cpu = \"5s\"", "cpu = \"150ms\""),
            ("#wall = \"30s\"", "wall = \"2s\""),
            ("#memory_max = \"64MiB\"", "memory_max = \"16MiB\""),
            ("#output_max = \"1MiB\"", "output_max = \"64KiB\""),
            ("#log_max = \"64KiB\"", "log_max = \"4KiB\""),
            ("#host_calls_max = 10000", "host_calls_max = 200"),
            ("#host_calls_in_flight_max = 32", "host_calls_in_flight_max = 8"),
            ("#host_call_max = \"1MiB\"", "host_call_max = \"32KiB\""),
            ("#host_buffer_max = \"8MiB\"", "host_buffer_max = \"64KiB\""),
            ("#instances_max = 256", "instances_max = 16"),
            ("#components_max = 64", "components_max = 16"),
        ];
        changes.iter().fold(text.to_owned(), |text, (from, to)| {
            assert!(text.contains(from), "the template says otherwise: {from}");
            text.replace(from, to)
        })
    });
    project.add(&format!(
        "[[http.target]]\nname = \"silent\"\nbase_url = \"http://127.0.0.1:{silent_port}\"\n\
         methods = [\"GET\"]\nallow_private = true\n"
    ));
    project.write("files/medium.txt", &"m".repeat(30 << 10));
    project.write("files/large.txt", &"l".repeat(60 << 10));
    project
}

/// Registers a tool and calls it.
async fn run(peer: &Peer, session: &str, file: &Hostile) -> Came {
    let registration = json!({
        "session": session, "name": NAME, "description": file.name, "input_schema": {}, "output_schema": {},
        "env": file.env, "language": file.language, "source": file.source, "replace": true,
    });
    if let Err(error) = peer.call("session/register", registration).await {
        return Came::Refused(error);
    }
    let invocation = json!({ "session": session, "operation": NAME, "input": file.input });
    Came::Registered(peer.call("session/invoke", invocation).await)
}

/// What an answer holds that it must not; `None` if there is nothing.
fn leak(came: &Came, project: &Project) -> Option<String> {
    let text = match came {
        Came::Registered(Ok(output)) => output.to_string(),
        Came::Registered(Err(error)) | Came::Refused(error) => {
            if error.message().len() > MESSAGE_BYTES_MAX {
                return Some(format!("a message of {} bytes", error.message().len()));
            }
            let details = error.details().map(Value::to_string).unwrap_or_default();
            format!("{}{details}", error.message())
        }
    };
    if text.len() > ANSWER_BYTES_MAX {
        return Some(format!("an answer of {} bytes", text.len()));
    }
    let place = project.file("").display().to_string();
    let words = ["panicked", "the sandbox failed", "root:x:0", &place];
    words.iter().find(|word| text.contains(**word)).map(|word| format!("it tells {word:?}"))
}

/// Another session with a tool of its own, whose calls always answer the same.
struct Bystander<'a> {
    peer: &'a Peer,
    session: String,
}

impl<'a> Bystander<'a> {
    async fn of(peer: &'a Peer) -> Self {
        let session = peer.open_session().await;
        let source = "export default async (input, env) => { \
            const { unix_ms } = await env.time.now(); \
            return [input.n + 1, unix_ms > 0, globalThis.left, ({}).left ?? [].left, Object.keys(env).sort().join()] }";
        peer.register(&session, "bystander", source).await.unwrap();
        Self { peer, session }
    }

    async fn is_well(&self, after: &str) {
        let call = json!({ "session": self.session, "operation": "bystander", "input": { "n": 1 } });
        let answer = self.peer.call("session/invoke", call).await;
        let answer = answer.unwrap_or_else(|error| panic!("after {after}: {error:?}"));
        assert_eq!(answer, json!([2, true, null, null, "fs,http,invoke,kv,time"]), "after {after}");
    }
}

/// What the system says of a host.
#[derive(Debug)]
struct Vitals {
    resident_kib: u64,
    threads: u64,
}

impl Vitals {
    fn of(host: &Serving) -> Self {
        let status = fs::read_to_string(format!("/proc/{}/status", host.listening["pid"])).unwrap();
        let number = |key: &str| -> u64 {
            let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap();
            line.trim_start_matches(':').split_whitespace().next().unwrap().parse().unwrap()
        };
        Self { resident_kib: number("VmRSS"), threads: number("Threads") }
    }
}
