//! A host that is killed: what it acknowledged is there, and what is there can be trusted.

use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};

use crate::support::{Peer, Project};

const CALLS: usize = 1_000;
/// Acknowledgements after which the host is killed, in the middle of the rest.
const KILLED_AT: usize = 300;

/// Makes 1,000 calls at once and answers, after the first 300 acknowledgements, which were acknowledged by then:
/// every tenth is of a tool, the others write under a key of their own.
async fn first_acknowledged(peer: &Peer, session: &str, round: usize) -> Vec<usize> {
    let calls = (0..CALLS).map(async |number| {
        let (operation, input) = if number % 10 == 0 {
            let input = json!({ "session": session, "operation": "tool", "input": number });
            ("session/invoke", input)
        } else {
            ("kv/put", json!({ "key": format!("{round}/{number}"), "value": number }))
        };
        peer.call(operation, input).await.map(|_| number)
    });
    let answers = stream::iter(calls).buffer_unordered(CALLS);
    answers.take(KILLED_AT).map(|answer| answer.unwrap()).collect::<Vec<usize>>().await
}

/// How often an operation is on record as finished in order.
async fn finished(peer: &Peer, operation: &str) -> usize {
    let filter = json!({ "kind": "call.finished", "operation": operation, "outcome": "OK" });
    let (mut count, mut after) = (0, Value::Null);
    loop {
        let page = json!({ "filter": filter, "limit": 1000, "after": after });
        let found = peer.call("audit/query", page).await.unwrap();
        count += found["entries"].as_array().unwrap().len();
        match found["next"].clone() {
            Value::Null => return count,
            next => after = next,
        }
    }
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_when_the_host_is_killed() {
    let project = Project::new().await;
    let (mut puts, mut tools) = (0, 0);
    for round in 0..2 {
        let host = project.serve().await;
        let peer = host.client(Some(project.operator_key())).await;
        let session = peer.open_session().await;
        peer.register(&session, "tool", "export default (input) => input").await.unwrap();
        let acknowledged = first_acknowledged(&peer, &session, round).await;
        host.kill().await;

        // The dead host's folder: announced still, and in order as it lies there.
        assert!(project.data("host.json").exists());
        let gone = project.run(["call", "time/now", "--json"]).await.fails(4);
        assert!(gone.stderr.contains("did not end in order"), "{}", gone.stderr);
        let report = project.run(["audit", "verify", "--json"]).await.succeeds().json();
        let (tool_calls, put_calls): (Vec<usize>, Vec<usize>) =
            acknowledged.iter().partition(|number| *number % 10 == 0);
        puts += put_calls.len();
        tools += tool_calls.len();
        assert!(report["finished"].as_u64().unwrap() >= u64::try_from(puts + 2 * tools).unwrap(), "{report}");

        let host = project.serve().await;
        let peer = host.client(Some(project.operator_key())).await;
        for number in put_calls {
            let key = json!({ "key": format!("{round}/{number}") });
            let got = peer.call("kv/get", key).await.unwrap();
            assert_eq!(got["value"], number, "acknowledged and lost");
        }
        assert!(finished(&peer, "kv/put").await >= puts);
        assert!(finished(&peer, "session/invoke").await >= tools);
        assert!(finished(&peer, "session/tool").await >= tools);
        project.run(["audit", "verify"]).await.succeeds();
        host.stop().await;
        let report = project.run(["audit", "verify", "--json"]).await.succeeds().json();
        assert_eq!(report["covered"], report["records"], "the next orderly end signs what the crash left");
    }
}

#[tokio::test]
async fn a_host_killed_while_it_starts_or_stops_starts_again() {
    let project = Project::new().await;
    for signal in ["KILL", "TERM"] {
        let host = project.serve().await;
        project.run(["call", "kv/put", r#"{"key":"k","value":1}"#]).await.succeeds();
        host.signal(signal);
        // No time to end: whatever of it was done, the next host goes on from there.
        host.kill().await;
        project.run(["audit", "verify"]).await.succeeds();
    }
    let mut starting = project.begin(["serve", "--json"]);
    starting.logs("the host begins", |log| log.contains("starting")).await;
    starting.kill();
    starting.ended().await;
    let host = project.serve().await;
    assert_eq!(project.run(["call", "kv/get", r#"{"key":"k"}"#]).await.succeeds().json()["value"], 1);
    host.stop().await;
    project.run(["audit", "verify"]).await.succeeds();
}
