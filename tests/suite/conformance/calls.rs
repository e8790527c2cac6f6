//! Calls that are answered once: operations, authority, errors, deadlines, and what a call knows of itself.

use std::time::Duration;

use alknet_call::{CallOptions, Limits, OnBehalfOf};
use serde_json::{Value, json};

use super::ways::{Host, WAYS, came_to, key_of, token};
use crate::support::{Wire, requested, soon, until};

/// Operation, input, token, what it comes to.
fn table() -> Vec<(&'static str, Value, &'static str, &'static str)> {
    let why = json!({ "code": "DOMAIN_X", "details": { "why": "it was asked for" } });
    let op = |op: &str| json!({ "op": op, "input": { "a": 1 } });
    vec![
        ("t/echo", json!({ "a": [1, null, "é"] }), "", r#"OK {"a":[1,null,"é"]}"#),
        ("t/echo", Value::Null, "", "OK null"),
        ("/t/echo", json!(1), "", "NOT_FOUND"),
        ("t/absent", json!(1), "good", "NOT_FOUND"),
        ("t/typed", json!({ "a": "x" }), "", r#"OK {"a":"x"}"#),
        ("t/typed", json!({ "a": 1 }), "", "INVALID_INPUT"),
        ("t/typed", json!([]), "", "INVALID_INPUT"),
        ("t/hidden", json!(1), "good", "NOT_FOUND"),
        ("t/leaf", json!(1), "good", "NOT_FOUND"),
        ("t/selfadmin", json!(1), "good", "NOT_FOUND"),
        ("t/admin", json!(1), "", "FORBIDDEN"),
        ("t/admin", json!(1), "low", "FORBIDDEN"),
        ("t/admin", json!(1), "nobody", "FORBIDDEN"),
        ("t/admin", json!(1), "good", "OK 1"),
        // What composes runs on its own authority: neither the caller's nor what it composes counts.
        ("p/strong", json!({}), "", r#"OK "leaf""#),
        ("p/weak", json!({ "op": "t/leaf" }), "good", "FORBIDDEN"),
        ("p/weak", json!({ "op": "t/selfadmin" }), "good", "FORBIDDEN"),
        ("p/weak", json!({ "op": "t/echo" }), "good", "NOT_FOUND"),
        ("p/dyn", op("t/echo"), "", r#"OK {"a":1}"#),
        ("p/dyn", op("t/admin"), "good", "NOT_FOUND"),
        ("p/dyn", op("t/absent"), "good", "NOT_FOUND"),
        ("p/dyn", op("/t/echo"), "", "NOT_FOUND"),
        ("p/dyn", json!({}), "", "INVALID_INPUT"),
        ("p/none", json!({}), "good", "NOT_FOUND"),
        ("t/leafcomp", json!({}), "good", r#"OK "NOT_FOUND""#),
        ("t/cap", json!({}), "", r#"OK {"has":true}"#),
        ("t/sleep", json!({ "ms": 1 }), "", r#"OK {"slept":1}"#),
        ("t/err", why, "", "DOMAIN_X"),
        ("t/err", json!({ "code": "DOMAIN_X", "details": { "why": 1 } }), "", "INTERNAL"),
        ("t/err", json!({ "code": "DOMAIN_Y" }), "", "INTERNAL"),
        ("t/err", json!({ "code": "NOT_FOUND" }), "", "NOT_FOUND"),
        ("t/err", json!({}), "", "INVALID_INPUT"),
        ("t/panic", json!({}), "", "INTERNAL"),
        ("t/acl/1", json!(1), "good", "FORBIDDEN"),
        ("t/acl/2", json!(1), "good", "FORBIDDEN"),
        ("t/acl/3", json!(1), "good", "FORBIDDEN"),
        ("t/acl/4", json!(1), "", "FORBIDDEN"),
        ("p/tree", json!({ "depth": 2, "fan": 3, "ms": 0 }), "", r#"OK {"depth":2}"#),
        ("p/tree", json!({ "depth": 17, "fan": 1, "ms": 0 }), "", "INTERNAL"),
        ("t/sub", json!({ "n": 3 }), "", r#"OK {"i":0}"#),
        ("t/big", json!({ "bytes": 3 }), "", r#"OK "xxx""#),
    ]
}

#[tokio::test]
async fn the_operations_of_the_fixture_answer_on_every_way() {
    for way in WAYS {
        let host = Host::new(way).await;
        let client = host.client().await;
        for (operation, input, with, expected) in table() {
            let options = if with.is_empty() { CallOptions::default() } else { token(with) };
            let result = soon(operation, client.call_with(operation, &input, &options)).await;
            assert_eq!(came_to(result), expected, "{way:?} {operation} {input} {with}");
        }
    }
}

#[tokio::test]
async fn errors_say_what_they_may_and_nothing_else() {
    for way in WAYS {
        let host = Host::new(way).await;
        let client = host.client().await;
        let fails = async |operation: &str, input: Value| client.call(operation, &input).await.unwrap_err();
        let declared = fails("t/err", json!({ "code": "DOMAIN_X", "details": { "why": "so" } })).await;
        assert_eq!((declared.is_retryable(), declared.details()), (false, Some(&json!({ "why": "so" }))));
        let undeclared = fails("t/err", json!({ "code": "DOMAIN_Y", "details": "CANARY-INPUT" })).await;
        assert_eq!(undeclared.details(), Some(&json!({ "code": "DOMAIN_Y" })));
        let panicked = fails("t/panic", json!({})).await;
        assert_eq!((panicked.message(), panicked.details()), ("handler failed", None));
        let invalid = fails("t/typed", json!({ "a": 1, "b": "CANARY-INPUT" })).await;
        assert_eq!(invalid.message(), "input failed input_schema validation");
        let shown = format!("{invalid:?} {undeclared:?}");
        assert!(shown.contains("/a") && !shown.contains("CANARY"), "{shown}");
        assert_eq!(fails("t/admin", json!({})).await.message(), "authentication required");
        assert_eq!(fails("t/absent", json!({})).await.message(), "operation not found: t/absent");
        let hidden = fails("t/hidden", json!({})).await;
        assert_eq!(hidden.message(), "operation not found: t/hidden", "as if it were absent");
    }
}

#[tokio::test]
async fn a_call_knows_who_asks_and_passes_nothing_on() {
    for way in WAYS {
        let host = Host::new(way).await;
        let client = host.client().await;
        let claim =
            OnBehalfOf { id: "carol".to_owned(), scopes: vec!["admin".to_owned()], resources: [].into() };
        let claims = CallOptions { on_behalf_of: Some(claim), ..CallOptions::default() };
        let known = soon("t/ctx", client.call_with("t/ctx", &json!({}), &claims)).await.unwrap();
        assert_eq!(known["internal"], false);
        assert_eq!((&known["identity"], &known["forwarded"]), (&Value::Null, &json!("carol")));
        assert_eq!((&known["parent"], &known["metadata"]), (&Value::Null, &json!({})));
        assert!(known["deadline_ms"].as_u64().is_some_and(|ms| ms <= 30_000), "{known}");
        let claimed = soon("t/admin", client.call_with("t/admin", &json!({}), &claims)).await.unwrap_err();
        assert_eq!(claimed.message(), "authentication required", "a claim is no identity");

        let both = CallOptions { auth_token: token("good").auth_token, ..claims };
        let known = soon("t/ctx", client.call_with("t/ctx", &json!({}), &both)).await.unwrap();
        assert_eq!((&known["identity"], &known["forwarded"]), (&json!("alice"), &json!("carol")));
        let composed = soon("p/ctx", client.call_with("p/ctx", &json!({}), &both)).await.unwrap();
        assert_eq!((&composed["internal"], &composed["identity"]), (&json!(true), &json!("p/ctx")));
        assert_eq!((&composed["forwarded"], &composed["metadata"]), (&Value::Null, &json!({})));
        assert!(composed["parent"].is_string() && composed["deadline_ms"].is_u64(), "{composed}");

        let peer = host.worker("W1", Vec::new()).await;
        let known = soon("t/ctx", peer.call("t/ctx", &json!({}))).await.unwrap();
        assert_eq!(known["identity"], "W1", "the key is the identity");
        let known = soon("t/ctx", peer.call_with("t/ctx", &json!({}), &token("low"))).await.unwrap();
        assert_eq!(known["identity"], "bob", "a token replaces it, for one call");
    }
}

#[tokio::test]
async fn a_deadline_cuts_the_whole_tree() {
    for way in WAYS {
        let limits = Limits { call_timeout: Duration::from_millis(300), ..Limits::default() };
        let host = Host::with(way, limits, Vec::new()).await;
        let client = host.client().await;
        let tree = json!({ "depth": 3, "fan": 2, "ms": 100 });
        for policy in ["abort-dependents", "continue-running"] {
            host.dispatcher.call(None, "t/counters", json!({ "reset": true })).await.unwrap();
            let mut input = tree.clone();
            input["policy"] = json!(policy);
            input["ms"] = json!(250);
            let error = soon("the deadline", client.call("p/tree", &input)).await.unwrap_err();
            assert_eq!((error.code().as_str(), error.is_retryable()), ("TIMEOUT", true), "{way:?} {policy}");
            until("nothing of the tree runs", async || {
                let counted = host.dispatcher.call(None, "t/counters", json!({})).await.unwrap();
                let of = |name: &str| counted[name].as_u64().unwrap();
                of("started") >= 1 && of("started") == of("finished") + of("cancelled")
            })
            .await;
        }
        let error =
            soon("the deadline", client.call("t/sleep", &json!({ "ms": 600_000 }))).await.unwrap_err();
        assert_eq!(error.code().as_str(), "TIMEOUT");
        let counted = host.dispatcher.call(None, "t/counters", json!({})).await.unwrap();
        assert_eq!(counted["sleep_cancelled"], 1);
    }
}

#[tokio::test]
async fn a_batch_is_answered_call_by_call() {
    for way in WAYS {
        let host = Host::new(way).await;
        let connection = host.connect(Some(key_of("W1"))).await;
        let mut wire = Wire::open(&connection).await;
        let slow = requested("slow", "t/sleep", &json!({ "ms": 600 }), &json!({}));
        let fast = (0..50).map(|n: u32| requested(&n.to_string(), "t/echo", &json!(n), &json!({})));
        wire.frames(std::iter::once(slow).chain(fast)).await;
        let mut answered = Vec::new();
        for _ in 0..51 {
            let answer = wire.next().await.unwrap();
            let id = answer["id"].as_str().unwrap().to_owned();
            if id != "slow" {
                assert_eq!(answer["payload"]["output"].to_string(), id);
            }
            answered.push(id);
        }
        assert_eq!(answered.last().unwrap(), "slow", "{way:?}: a slow call holds up no other on its stream");
        answered.sort_unstable();
        answered.dedup();
        assert_eq!(answered.len(), 51);
    }
}
