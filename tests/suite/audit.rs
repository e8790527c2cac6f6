//! The record as people use it: what leaves the host is checked without it.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Project, until};

/// The arguments of a command, the last of them a file.
fn with<'a>(args: &[&'a str], file: &'a Path) -> Vec<&'a str> {
    args.iter().copied().chain([file.to_str().unwrap()]).collect()
}

async fn log_key(project: &Project) -> String {
    let shown = project.run(["key", "show", "--json"]).await.json();
    shown["audit"]["fingerprint"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn evidence_is_checked_far_from_the_host() {
    let project = Project::new().await;
    let host = project.serve().await;
    let peer = host.client(Some(project.operator_key())).await;
    let kept = project.file("kept");
    project.run(with(&["audit", "checkpoint", "--out"], &kept)).await.succeeds();
    let session = peer.open_session().await;
    for (version, source) in ["export default () => 1", "export default () => 2"].iter().enumerate() {
        if version == 0 {
            peer.register(&session, "tool", source).await.unwrap();
        } else {
            peer.call("session/remove", json!({ "session": session, "operation": "tool" })).await.unwrap();
            peer.register(&session, "tool", source).await.unwrap();
        }
        let invoke = json!({ "session": session, "operation": "tool", "input": null });
        peer.call("session/invoke", invoke).await.unwrap();
    }

    let (evidence, statements) = (project.file("evidence.json"), project.file("tool.intoto.jsonl"));
    let export = ["audit", "export", "--json", "--checkpoint", kept.to_str().unwrap(), "--out"];
    let written = project.run(with(&export, &evidence)).await.succeeds().json();
    assert!(written["records"].as_u64().unwrap() > 10 && written["sources"] == 2, "{written}");
    project.run(with(&export, &evidence)).await.fails(2);
    let export = ["audit", "export", "--operation", "session/tool", "--in-toto", "--out"];
    project.run(with(&export, &statements)).await.succeeds();
    let lines = fs::read_to_string(&statements).unwrap();
    assert_eq!(lines.lines().count(), 4, "two registrations, two calls");
    let proof = project.file("record.tlog-proof");
    project.run(with(&["audit", "prove", "2", "--out"], &proof)).await.succeeds();
    assert!(fs::read_to_string(&proof).unwrap().starts_with("c2sp.org/tlog-proof@v1\nindex 2\n"));
    project.run(["audit", "prove", "999999"]).await.fails(1);
    let grew = project.run(["audit", "prove", "--from", "2", "--json"]).await.succeeds().json();
    assert_eq!(grew["consistency"]["proof"]["from"], 2);
    // What was asked for by version tells what the later version changed.
    let asked = ["audit", "provenance", "session/tool", "--version", "1", "--session", &session, "--json"];
    let found = project.run(asked).await.succeeds().json();
    let diff = found["newer"]["diff"].as_str().unwrap();
    assert!(diff.contains("-export default () => 1") && diff.contains("+export default () => 2"), "{diff}");
    assert_eq!(found["called_from"], json!({ "session/invoke": 1 }));
    let key = log_key(&project).await;
    host.stop().await;

    // Somewhere else, with the file, the key, and the checkpoint that somebody kept.
    let elsewhere = Project::empty();
    let check =
        ["audit", "verify", "--json", "--key", &key, "--checkpoint", kept.to_str().unwrap(), "--bundle"];
    let report = elsewhere.run(with(&check, &evidence)).await.succeeds().json();
    assert_eq!((&report["consistent"], &report["records"]), (&json!(true), &written["records"]));
    assert_eq!(report["attestations"], written["attestations"]);
    let text = fs::read_to_string(&evidence).unwrap();
    let forged = elsewhere.write("forged.json", &text.replace("\\\"operator\\\"", "\\\"somebody\\\""));
    let refused = elsewhere.run(with(&check, &forged)).await.fails(5);
    assert!(refused.stderr.contains("record-not-included"), "{}", refused.stderr);
    let host_key = project.run(["key", "show", "--json"]).await.json()["host"]["fingerprint"].clone();
    let check = ["audit", "verify", "--key", host_key.as_str().unwrap(), "--bundle"];
    let refused = elsewhere.run(with(&check, &evidence)).await.fails(5);
    assert!(refused.stderr.contains("checkpoint-other-key"), "{}", refused.stderr);
}

#[tokio::test]
async fn agents_prove_and_export_their_own_records_only() {
    let project = Project::new().await;
    let alice = project.add_peer("alice", &["session"]);
    let host = project.serve().await;
    let operator = host.client(Some(project.operator_key())).await;
    let alice = host.client(Some(alice)).await;
    operator.open_session().await;
    alice.open_session().await;
    let entries = |found: &Value| -> Vec<(u64, String)> {
        let entries = found["entries"].as_array().unwrap().iter();
        let caller = |entry: &Value| entry["record"]["caller"].as_str().unwrap_or_default().to_owned();
        entries.map(|entry| (entry["index"].as_u64().unwrap(), caller(entry))).collect()
    };
    let all = entries(&operator.call("audit/query", json!({ "limit": 1000 })).await.unwrap());
    for (record, caller) in &all {
        let request = json!({ "inclusion": { "record": record } });
        let expected = if caller == "alice" { "OK" } else { "NOT_FOUND" };
        assert_eq!(alice.code("audit/prove", request.clone()).await, expected, "{record} of {caller:?}");
        assert_eq!(operator.code("audit/prove", request).await, "OK");
    }
    let page = alice.call("audit/export", json!({ "limit": 1000, "attest": true })).await.unwrap();
    for proven in page["evidence"]["records"].as_array().unwrap() {
        let record: Value = serde_json::from_str(proven["record"].as_str().unwrap()).unwrap();
        assert_eq!(record["caller"], "alice", "{record}");
    }
    let others = json!({ "filter": { "caller": "operator" } });
    for operation in ["audit/export", "audit/stats", "audit/query"] {
        assert_eq!(alice.code(operation, others.clone()).await, "FORBIDDEN", "{operation}");
        assert_eq!(operator.code(operation, others.clone()).await, "OK", "{operation}");
    }
    let own = alice.call("audit/stats", json!({})).await.unwrap();
    assert_eq!(own["callers"].as_array().unwrap().len(), 1, "{own}");
    assert_eq!(alice.code("audit/prune", json!({ "before": 0 })).await, "FORBIDDEN");
    assert_eq!(alice.code("audit/checkpoint", json!({})).await, "OK");
    host.stop().await;
}

#[tokio::test]
async fn a_log_is_followed_counted_pruned_and_indexed_again() {
    let project = Project::new().await;
    let host = project.serve().await;
    let peer = host.client(Some(project.operator_key())).await;
    // Wherever the calls are when it begins, it shows them all.
    let last = ["--last", "600", "--operation", "time/now", "--json"];
    let mut follow = project.begin(["audit", "tail", "--follow"].into_iter().chain(last));
    for _ in 0..300 {
        peer.call("time/now", json!({})).await.unwrap();
    }
    until("the tail shows every record", async || follow.stdout().lines().count() == 600).await;
    follow.kill();
    follow.ended().await;
    let line: Value = serde_json::from_str(follow.stdout().lines().last().unwrap()).unwrap();
    assert_eq!(line["record"]["kind"], "call.finished");

    let stats = project.run(["audit", "stats", "--operation", "time/now", "--json"]).await.succeeds().json();
    assert_eq!((&stats["records"], &stats["outcomes"]["OK"]), (&json!(600), &json!(300)));
    let by_kind = ["audit", "show", "--kind", "config.loaded", "--since", "1h", "--json"];
    assert_eq!(project.run(by_kind).await.succeeds().json()["entries"].as_array().unwrap().len(), 1);
    let running = project.run(["audit", "reindex"]).await.fails(3);
    assert!(running.stderr.contains("stop the host first"), "{}", running.stderr);
    let pruned = project.run(["audit", "prune", "--before", "1ms", "--json"]).await.succeeds().json();
    assert_eq!((&pruned["records"], &pruned["first_kept"]), (&json!(256), &json!(256)));
    let old = project.run(["audit", "show", "--kind", "config.loaded", "--json"]).await.succeeds().json();
    assert_eq!(old["entries"], json!([]), "what is pruned is not found any more");
    let said = ["audit", "show", "--kind", "audit.pruned", "--json"];
    assert_eq!(project.run(said).await.succeeds().json()["entries"][0]["record"]["caller"], "operator");
    host.stop().await;

    let report = project.run(["audit", "verify", "--json"]).await.succeeds().json();
    assert_eq!(report["pruned"], 256);
    fs::write(project.data("audit/index.sqlite"), "no index").unwrap();
    let wrong = project.run(["audit", "verify"]).await.fails(5);
    assert!(wrong.stderr.contains("audit reindex"), "{}", wrong.stderr);
    project.run(["audit", "reindex"]).await.succeeds();
    let report = project.run(["audit", "verify", "--json"]).await.succeeds().json();
    assert_eq!(report["indexed"].as_u64().unwrap() + 256, report["records"].as_u64().unwrap());
    project.serve().await.stop().await;
}
