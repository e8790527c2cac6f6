//! What is stopped when a call is: its whole tree, here and with peers, by whatever it was stopped.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use alknet_call::{OpName, OperationKind, OperationSpec, Registration, handler_fn};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::peers::announce;
use super::ways::{Host, WAYS, Way, call};
use crate::support::{Wire, requested, until};

/// Long enough for what a test does while it lasts.
const MS: u64 = 2500;

fn tree(policy: &str) -> String {
    let input = json!({ "depth": 2, "fan": 2, "ms": MS, "policy": policy });
    requested("tree", "p/tree", &input, &json!({}))
}

/// Ends of a tree, and what its runs have come to then: started, finished, cancelled. The tree is a root that has
/// begun two runs, each of which would begin two more.
async fn stops(way: Way, policy: &str, how: &str, expected: &str) {
    let host = Host::new(way).await;
    let connection = host.connect(None).await;
    let mut wire = Wire::open(&connection).await;
    wire.frames([tree(policy)]).await;
    until("the root has composed", async || host.runs().await == "3 0 0").await;
    match how {
        "abort" => {
            wire.frames([r#"{"type":"call.aborted","id":"tree","payload":{}}"#.to_owned()]).await;
            wire.frames([requested("after", "t/echo", &json!(1), &json!({}))]).await;
            assert_eq!(wire.answer().await.unwrap(), ("after".to_owned(), "OK".to_owned()));
        }
        "a broken stream" => wire.write(&[0; 4]).await,
        _ => {
            connection.close(0, "gone");
            drop((wire, connection));
        }
    }
    let what = format!("{way:?}: {how}, {policy}: nothing runs");
    until(&what, async || host.runs().await == expected).await;
}

#[tokio::test]
async fn whatever_stops_a_call_stops_its_tree() {
    let mut cases = Vec::new();
    for way in WAYS {
        for how in ["abort", "a broken stream", "a lost connection"] {
            cases.push(stops(way, "abort-dependents", how, "3 0 3"));
        }
        // What had begun finishes; what it would have begun does not begin.
        cases.push(stops(way, "continue-running", "abort", "3 2 1"));
    }
    join_all(cases).await;
}

#[tokio::test]
async fn an_abort_reaches_the_operations_of_peers() {
    for way in WAYS {
        let host = Host::new(way).await;
        let cancelled = Arc::new(AtomicUsize::new(0));
        let peer = host.worker("W1", vec![sleeps(&cancelled)]).await;
        announce(&peer, "w/exec").await;

        let connection = host.connect(None).await;
        let mut wire = Wire::open(&connection).await;
        let input = json!({ "route": "any", "input": { "ms": 1 } });
        wire.frames([requested("quick", "p/peer", &input, &json!({}))]).await;
        assert_eq!(wire.next().await.unwrap()["payload"]["output"], json!({ "slept": 1 }), "{way:?}");
        let input = json!({ "route": "W1", "input": { "ms": 600_000 } });
        wire.frames([requested("long", "p/peer", &input, &json!({}))]).await;
        // Answered behind it on the same connections: it has reached the peer.
        wire.frames([requested(
            "quick",
            "p/peer",
            &json!({ "route": "any", "input": { "ms": 1 } }),
            &json!({}),
        )])
        .await;
        assert_eq!(wire.next().await.unwrap()["id"], "quick");
        wire.frames([r#"{"type":"call.aborted","id":"long","payload":{}}"#]).await;
        until("the peer's call is cancelled", async || cancelled.load(Ordering::SeqCst) == 1).await;
        assert_eq!(call(&peer, "t/echo", &Value::Null).await, "OK null", "the peer's connection lives on");
    }
}

/// `w/exec` of a peer: sleeps, and counts the sleeps that did not come to their end.
fn sleeps(cancelled: &Arc<AtomicUsize>) -> Registration {
    let cancelled = Arc::clone(cancelled);
    let spec = OperationSpec::new(OpName::parse("w/exec").unwrap(), OperationKind::Query);
    let handler = handler_fn(move |input: Value, _| {
        let sleep = Sleep { counter: Some(Arc::clone(&cancelled)) };
        async move {
            let ms = input["ms"].as_u64().unwrap();
            tokio::time::sleep(Duration::from_millis(ms)).await;
            sleep.finish();
            Ok(json!({ "slept": ms }))
        }
    });
    Registration::local(spec, handler)
}

struct Sleep {
    counter: Option<Arc<AtomicUsize>>,
}

impl Sleep {
    fn finish(mut self) {
        self.counter = None;
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(counter) = &self.counter {
            counter.fetch_add(1, Ordering::SeqCst);
        }
    }
}
