//! The memory of a host at work: it cannot be had as a core dump, and where root reads it all the same, what belongs
//! to a tool does not hold the credential that is being used for it.

use std::fs::File;
use std::io::ErrorKind;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;

use serde_json::{Value, json};

use super::{CANARY, Search, UNLOCK, leaky::Leaky, with_canary};
use crate::support::{Serving, soon};

/// A tool that has asked for something and waits for the answer, in the middle of its call. What it made of its input
/// is nowhere but in its own memory.
const WAITS: &str = "export default async (input, env) => {
    const mark = Array.from(input, (c) => String.fromCharCode(c.charCodeAt(0) + 1)).join('');
    const kept = [mark, (await env.http.fetch({ target: 'leaky', method: 'GET', path: '/echo' })).body.text];
    kept.push((await env.http.fetch({ target: 'leaky', method: 'GET', path: '/held' })).body.text);
    return kept.length;
}";
/// What the tool is given, and what it makes of it.
const INPUT: &str = "sgd,cne,hr,sgdqd,9,sgd,cne";
const MARK: &str = "the-dof-is-there-:-the-dof";

#[tokio::test]
async fn a_tools_memory_does_not_hold_the_credential_in_use() {
    let leaky = Leaky::start().await;
    let project = with_canary(&leaky).await;
    let host = project.serve_with(&UNLOCK).await;
    let agent = host.client(Some(project.operator_key())).await;
    let session = agent.open_session().await;
    let script = json!({ "session": session, "language": "javascript", "source": WAITS, "input": INPUT });
    let running = agent.call("session/run", script);
    let look = async {
        leaky.arrived().await;
        assert_eq!(leaky.seen(CANARY), 2);
        // At this moment the request is under way, with the credential.
        let memory = match Memory::of(&host) {
            Ok(memory) => memory,
            // Nobody but root gets this far.
            Err(error) => return assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}"),
        };
        let search = Search::new();
        let (mut of_tool, mut of_host) = (0, 0);
        for region in memory.regions() {
            let bytes = memory.read(&region);
            // The lossy text holds ASCII as it was.
            if String::from_utf8_lossy(&bytes).contains(MARK) {
                search.not_in("the tool's memory", &bytes);
                of_tool += 1;
            } else if search.find(&bytes).is_some() {
                of_host += 1;
            }
        }
        assert!(of_tool > 0, "the tool's memory was not found");
        assert!(of_host > 0, "the search finds what is there: the host has it");
    };
    let (answer, ()) = tokio::join!(running, async {
        look.await;
        leaky.release();
    });
    assert_eq!(answer.unwrap()["output"], 3);
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", host.listening["pid"])).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().filter(|word| *word == "0").count(), 2, "{core}");
    soon("the host stops", host.stop()).await;
}

#[tokio::test]
async fn a_host_that_crashes_leaves_no_core() {
    use std::os::unix::process::ExitStatusExt as _;

    let leaky = Leaky::start().await;
    let project = with_canary(&leaky).await;
    let host = project.serve_from_shell_with("ulimit -c unlimited; exec \"$@\"", &UNLOCK).await;
    let agent = host.client(Some(project.operator_key())).await;
    agent.call("http/fetch", json!({ "target": "leaky", "method": "GET", "path": "/echo" })).await.unwrap();
    host.signal("ABRT");
    let ended = host.ended().await;
    assert_eq!((ended.status.signal(), ended.status.core_dumped()), (Some(6), false));
}

/// The memory of a process, as root reads it.
struct Memory {
    maps: String,
    content: File,
}

impl Memory {
    fn of(host: &Serving) -> std::io::Result<Self> {
        let pid = &host.listening["pid"];
        assert!(matches!(pid, Value::Number(_)));
        let content = File::open(format!("/proc/{pid}/mem"))?;
        Ok(Self { maps: std::fs::read_to_string(format!("/proc/{pid}/maps"))?, content })
    }

    /// What can be written, in one piece where it is: an instance's memory begins with its image and goes on behind it.
    fn regions(&self) -> Vec<Range<u64>> {
        let mut regions: Vec<Range<u64>> = Vec::new();
        for line in self.maps.lines() {
            let mut words = line.split_whitespace();
            let (range, rights) = (words.next().unwrap(), words.next().unwrap());
            let (start, end) = range.split_once('-').unwrap();
            let [start, end] = [start, end].map(|digits| u64::from_str_radix(digits, 16).unwrap());
            match regions.last_mut() {
                _ if !rights.starts_with("rw") => {}
                Some(last) if last.end == start => last.end = end,
                _ => regions.push(start..end),
            }
        }
        regions
    }

    /// Empty where the region is gone meanwhile.
    fn read(&self, region: &Range<u64>) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(region.end - region.start).unwrap()];
        match self.content.read_exact_at(&mut bytes, region.start) {
            Ok(()) => bytes,
            Err(_) => Vec::new(),
        }
    }
}
