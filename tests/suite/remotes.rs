//! A head and its worker: operations of another host, imported, called by a tool, lost and found again.

use alknet_core::{Ed25519SecretKey, Fingerprint};
use serde_json::json;

use crate::support::{Project, Serving};

/// What a tool answers that asks the worker for its time.
const ASK: &str = "export default async function (input, env) {
  try { return { ms: (await env.invoke('worker/time/now', {})).unix_ms > 0 }; }
  catch (error) { return { code: error.code }; }
}";

/// A head that knows the worker, and the worker's project.
async fn pair() -> (Project, Project) {
    let (head, worker) = (Project::new().await, Project::new().await);
    head.write("ask.js", ASK);
    (head, worker)
}

fn knows(head: &Project, worker: &Serving) {
    let (addr, fingerprint) = (worker.addr(), worker.fingerprint());
    head.add(&format!(
        "[[remote]]\nid = \"worker\"\naddress = \"{addr}\"\nfingerprint = \"{fingerprint}\"\n\
         operations = [\"time/*\", \"fs/read\"]\n"
    ));
    head.edit(|text| {
        let granted = text.replacen("env = [", "peer_env = [\"worker/time/now\"]\nenv = [", 1);
        assert_ne!(granted, text);
        granted
    });
}

async fn ask(head: &Project) -> serde_json::Value {
    let ran = head.run(["session", "run", "ask.js", "--json"]).await.succeeds().json();
    ran["output"].clone()
}

#[tokio::test]
async fn a_tool_calls_an_operation_of_another_host() {
    let (head, worker) = pair().await;
    let serving = worker.serve().await;
    knows(&head, &serving);
    // The worker listens on the same port again after a restart.
    let addr = serving.addr();
    worker.edit(|text| text.replace("127.0.0.1:0", &addr.to_string()));
    let host = head.serve().await;
    host.logs("operations imported", 1).await;
    head.run(["session", "open"]).await.succeeds();
    assert_eq!(ask(&head).await, json!({ "ms": true }));

    // Only what was asked for is there, only for those to whom it is open, and not from the wire.
    let peers = head.run(["call", "services/list-peers"]).await.succeeds().json();
    let names: Vec<&str> = peers["peers"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|peer| peer["peer_id"] == "worker")
        .flat_map(|peer| peer["operations"].as_array().unwrap())
        .map(|operation| operation["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["worker/time/now", "worker/time/ticks"]);
    let direct = head.run(["call", "worker/time/now", "--json"]).await.fails(1);
    assert_eq!(direct.error_code(), "NOT_FOUND");

    // Lost, and found again.
    serving.stop().await;
    host.logs("connection lost", 1).await;
    assert_eq!(ask(&head).await, json!({ "code": "NOT_FOUND" }));
    let again = worker.serve().await;
    host.logs("operations imported", 2).await;
    assert_eq!(ask(&head).await, json!({ "ms": true }));
    let trail = head.run(["audit", "show", "--json"]).await.succeeds();
    assert!(trail.stdout.contains("\"peer\":\"worker\""), "{}", trail.stdout);
    host.stop().await;
    again.stop().await;
    let shown = head.run(["audit", "tail", "--last", "1000", "--json"]).await.succeeds();
    let records = shown.stdout.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let of_worker = records.map(|mut entry| entry["record"].take()).filter(|record| {
        record["peer"] == "worker" && record["kind"].as_str().is_some_and(|kind| kind.starts_with("peer."))
    });
    let told: Vec<_> =
        of_worker.map(|record| (record["kind"].clone(), record["operations"].clone())).collect();
    let offered = json!(["worker/time/now", "worker/time/ticks"]);
    let (attached, detached) = ((json!("peer.attached"), offered), (json!("peer.detached"), json!(null)));
    assert_eq!(told, [attached.clone(), detached.clone(), attached, detached]);
}

#[tokio::test]
async fn a_host_with_another_key_is_not_imported() {
    let (head, worker) = pair().await;
    let serving = worker.serve().await;
    knows(&head, &serving);
    let another = Fingerprint::from(&Ed25519SecretKey::generate().unwrap().public()).to_string();
    head.edit(|text| text.replace(&serving.fingerprint().to_string(), &another));
    let host = head.serve().await;
    host.logs("wrong server key", 1).await;
    head.run(["session", "open"]).await.succeeds();
    assert_eq!(ask(&head).await, json!({ "code": "NOT_FOUND" }));
}
