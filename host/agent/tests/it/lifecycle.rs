//! Opening, expiry, versions, limits, and what is recorded.

use std::time::Duration;

use alknet_audit::{Filter, Page};
use serde_json::{Value, json};

use crate::support::*;

const ONE: &str = "export default async () => 1";

#[tokio::test]
async fn a_session_ends_in_time() {
    let host = host();
    let short = host.open(json!({ "ttl_seconds": 60 })).await;
    host.register(&short, "tool", ONE).await.unwrap();
    host.clock.advance(Duration::from_secs(59));
    assert_eq!(host.outcome(&short, "tool", Value::Null).await, "OK 1");
    host.clock.advance(Duration::from_secs(1));
    assert_eq!(host.outcome(&short, "tool", Value::Null).await, "NOT_FOUND");
    // Used, it lives to its end; unused, it ends earlier.
    let idle = host.open(json!({ "ttl_seconds": 86_400 })).await;
    host.clock.advance(Duration::from_secs(29 * 60));
    host.register(&idle, "tool", ONE).await.unwrap();
    host.clock.advance(Duration::from_secs(29 * 60));
    assert_eq!(host.outcome(&idle, "tool", Value::Null).await, "OK 1");
    host.clock.advance(Duration::from_secs(30 * 60));
    assert_eq!(host.outcome(&idle, "tool", Value::Null).await, "NOT_FOUND");
    host.sessions.sweep();
    assert_eq!(host.sessions.open_count(), 0);
}

#[tokio::test]
async fn a_lifetime_is_cut_to_the_profiles() {
    let host = host();
    let opened = host.call(agent(), "session/open", json!({ "ttl_seconds": u64::MAX })).await.unwrap();
    assert_eq!(opened["expires_at"], json!(1_800_000_000_u64 + 24 * 60 * 60));
}

#[tokio::test]
async fn sessions_and_operations_are_bounded() {
    let host = host();
    let session = host.open(json!({})).await;
    for name in ["a", "b", "c"] {
        host.register(&session, name, ONE).await.unwrap();
    }
    let error = host.register(&session, "d", ONE).await.unwrap_err();
    assert_eq!(error.details().unwrap(), &json!({ "limit": "operations", "max": 3 }));
    host.open(json!({})).await;
    host.open(json!({})).await;
    let error = host.call(agent(), "session/open", json!({})).await.unwrap_err();
    assert_eq!(error.details().unwrap(), &json!({ "limit": "sessions_per_identity", "max": 3 }));
    host.call(agent(), "session/close", json!({ "session": session })).await.unwrap();
    host.open(json!({})).await;
}

#[tokio::test]
async fn names_are_taken_once_unless_replaced() {
    let host = host();
    let session = host.open(json!({})).await;
    assert_eq!(host.register(&session, "tool", ONE).await.unwrap()["version"], json!(1));
    let again = host.register(&session, "tool", ONE).await.unwrap_err();
    assert_eq!(again.code().as_str(), "ALREADY_EXISTS");
    let two =
        with(registration(&session, "tool", "export default async () => 2"), json!({ "replace": true }));
    assert_eq!(host.call(agent(), "session/register", two).await.unwrap()["version"], json!(2));
    assert_eq!(host.outcome(&session, "tool", Value::Null).await, "OK 2");
    host.call(agent(), "session/remove", json!({ "session": session, "operation": "session/tool" }))
        .await
        .unwrap();
    assert_eq!(host.outcome(&session, "tool", Value::Null).await, "NOT_FOUND");
    assert_eq!(
        host.register(&session, "tool", ONE).await.unwrap()["version"],
        json!(3),
        "versions only grow"
    );
    for name in ["open", "invoke", "_run", "a/b", "", "a b", "../x"] {
        let error = host.register(&session, name, ONE).await.unwrap_err();
        assert!(["ALREADY_EXISTS", "INVALID_INPUT"].contains(&error.code().as_str()), "{name}: {error}");
    }
}

#[tokio::test]
async fn a_refused_replacement_leaves_the_old_version() {
    let host = host();
    let session = host.open(json!({})).await;
    host.register(&session, "tool", ONE).await.unwrap();
    let bad =
        with(registration(&session, "tool", "export default async () => {"), json!({ "replace": true }));
    assert_eq!(
        host.call(agent(), "session/register", bad).await.unwrap_err().code().as_str(),
        "SOURCE_REJECTED"
    );
    let failing = json!({ "replace": true, "examples": [{ "input": null, "output": 1 }] });
    let failing = with(registration(&session, "tool", "export default async () => 2"), failing);
    assert_eq!(
        host.call(agent(), "session/register", failing).await.unwrap_err().code().as_str(),
        "EXAMPLE_FAILED"
    );
    assert_eq!(host.outcome(&session, "tool", Value::Null).await, "OK 1");
}

#[tokio::test]
async fn provenance_tells_the_whole_story() {
    let host = host();
    let session = host.open(json!({ "label": "demo" })).await;
    let source = "export default async (input, env) => env.t.echo(input)";
    let registered = host.register(&session, "tool", source).await.unwrap();
    for n in 0..5 {
        host.invoke(&session, "tool", json!({ "n": n })).await.unwrap();
    }
    let asked = json!({ "operation": { "name": "session/tool", "session": session } });
    let told = host.call(agent(), "audit/provenance", asked.clone()).await.unwrap();
    assert_eq!(told["who"], json!("agent"));
    assert_eq!(told["source"]["text"], json!(source));
    assert_eq!(told["source"]["digest"], registered["digest"]);
    assert_eq!(told["opened"]["record"]["label"], json!("demo"));
    assert_eq!(told["registration"]["record"]["env"], json!(["t/echo", "t/fail", "t/tool", "time/now"]));
    assert_eq!((&told["served"]["outcomes"]["OK"], &told["made"]["t/echo"]), (&json!(5), &json!(5)));
    // A stranger learns nothing; an auditor everything.
    let stranger = Some(identity("mallory", &["session"]));
    assert_eq!(
        host.call(stranger, "audit/provenance", asked.clone()).await.unwrap_err().code().as_str(),
        "NOT_FOUND"
    );
    host.call(Some(identity("auditor", &["audit:read"])), "audit/provenance", asked).await.unwrap();
    // A call's trace goes from the wire through the tool to the leaf.
    let filter = Filter {
        kind: Some("call.finished".to_owned()),
        operation: Some("t/echo".to_owned()),
        ..Filter::default()
    };
    let leaf = host.log.reader().query(&filter, &Page::default()).unwrap().entries.remove(0);
    let trace = host.call(agent(), "audit/trace", json!({ "call": leaf.record["call"] })).await.unwrap();
    let path = [&trace, &trace["calls"][0], &trace["calls"][0]["calls"][0]];
    let operations = path.map(|call| call["entries"][0]["record"]["operation"].as_str().unwrap().to_owned());
    assert_eq!(operations, ["session/invoke", "session/tool", "t/echo"]);
    assert!(!trace.to_string().contains("\"n\":"), "records hold digests, not inputs");
}

#[tokio::test]
async fn everybody_sees_their_own_records_only() {
    let host = host();
    host.open(json!({})).await;
    let bob = || Some(identity("bob", &["session"]));
    host.call(bob(), "session/open", json!({})).await.unwrap();
    let seen = host.call(bob(), "audit/query", json!({ "limit": 1000 })).await.unwrap();
    let callers: Vec<&Value> =
        seen["entries"].as_array().unwrap().iter().map(|e| &e["record"]["caller"]).collect();
    assert!(!callers.is_empty() && callers.iter().all(|caller| **caller == json!("bob")), "{callers:?}");
    let others =
        host.call(bob(), "audit/query", json!({ "filter": { "caller": "agent" } })).await.unwrap_err();
    assert_eq!(others.code().as_str(), "FORBIDDEN");
    assert_eq!(host.call(None, "audit/query", json!({})).await.unwrap_err().code().as_str(), "FORBIDDEN");
}
