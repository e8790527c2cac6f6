//! What the host shows of itself, and to whom.

use alknet_call::CallOptions;
use serde_json::{Value, json};

use super::ways::{Host, WAYS, call, called, came_to, token};
use crate::support::soon;

const OPEN: &[&str] = &[
    "p/ctx",
    "p/dyn",
    "p/none",
    "p/peer",
    "p/strong",
    "p/tree",
    "p/weak",
    "services/list",
    "services/list-peers",
    "services/schema",
    "t/big",
    "t/cap",
    "t/counters",
    "t/ctx",
    "t/echo",
    "t/err",
    "t/leafcomp",
    "t/panic",
    "t/pub",
    "t/sleep",
    "t/sub",
    "t/suberr",
    "t/typed",
];

#[tokio::test]
async fn callers_see_what_they_may_call() {
    for way in WAYS {
        let host = Host::new(way).await;
        let client = host.client().await;
        let names = |listed: &Value| -> Vec<String> {
            let operations = listed["operations"].as_array().unwrap();
            operations.iter().map(|operation| operation["name"].as_str().unwrap().to_owned()).collect()
        };
        for input in [json!({}), Value::Null, json!({ "unknown": 1 })] {
            let listed = soon("a list", client.call("services/list", &input)).await.unwrap();
            assert_eq!(names(&listed), OPEN, "{way:?} {input}");
        }
        assert_eq!(call(&client, "services/list", &json!([])).await, "INVALID_INPUT");
        let listed = soon("a list", client.call("services/list", &json!({}))).await.unwrap();
        let kinds: Vec<_> =
            listed["operations"].as_array().unwrap().iter().map(|row| &row["op_type"]).collect();
        for (name, kind) in [("t/echo", "query"), ("t/sub", "sub"), ("t/suberr", "sub"), ("t/pub", "pub")] {
            let at = OPEN.iter().position(|open| *open == name).unwrap();
            assert_eq!(kinds[at], kind, "{name}");
        }
        let listed =
            soon("a list", client.call_with("services/list", &json!({}), &token("good"))).await.unwrap();
        let mut alice: Vec<&str> = OPEN.to_vec();
        alice.push("t/admin");
        alice.sort_unstable();
        assert_eq!(names(&listed), alice);
        let peer = host.worker("W1", Vec::new()).await;
        let listed = soon("a list", peer.call("services/list", &json!({}))).await.unwrap();
        assert!(names(&listed).contains(&"op/register".to_owned()));
        let peers = soon("the peers", client.call("services/list-peers", &json!({}))).await.unwrap();
        assert_eq!(peers["peers"].as_array().unwrap().len(), 1, "W1 offers nothing: {peers}");
        assert_eq!(peers["peers"][0]["peer_id"], "local");
    }
}

#[tokio::test]
async fn what_may_not_be_called_is_not_described() {
    for way in WAYS {
        let host = Host::new(way).await;
        let client = host.client().await;
        for (name, with, expected) in [
            ("t/absent", "good", "NOT_FOUND"),
            ("t/hidden", "good", "NOT_FOUND"),
            ("t/leaf", "good", "NOT_FOUND"),
            ("t/admin", "low", "NOT_FOUND"),
            ("op/register", "good", "NOT_FOUND"),
            ("//t/echo", "good", "NOT_FOUND"),
        ] {
            let described = called(&client, "services/schema", json!({ "name": name }), &token(with)).await;
            let error = described.unwrap_err();
            assert_eq!(error.code().as_str(), expected, "{name}");
            assert_eq!(
                error.message(),
                format!("operation not found: {}", name.strip_prefix('/').unwrap_or(name))
            );
        }
        assert_eq!(call(&client, "services/schema", &json!({})).await, "INVALID_INPUT");
        assert_eq!(call(&client, "services/schema", &json!({ "name": 1 })).await, "INVALID_INPUT");
        let admin =
            called(&client, "services/schema", json!({ "name": "/t/admin" }), &token("good")).await.unwrap();
        let access = json!({
            "required_scopes": ["admin"], "required_scopes_any": null, "resource_type": null, "resource_action": null,
        });
        assert_eq!((&admin["name"], &admin["access_control"]), (&json!("t/admin"), &access));
        let typed = soon("t/typed", client.call("services/schema", &json!({ "name": "t/typed" }))).await;
        let schema =
            json!({ "type": "object", "required": ["a"], "properties": { "a": { "type": "string" } } });
        assert_eq!(typed.unwrap()["input_schema"], schema);
        let described =
            soon("t/err", client.call("services/schema", &json!({ "name": "t/err" }))).await.unwrap();
        assert_eq!(described["error_schemas"][0]["code"], "DOMAIN_X");
        assert_eq!(described["error_schemas"][0]["schema"]["required"], json!(["why"]));
        assert_eq!(described["visibility"], "external");
        let nobody = CallOptions::default();
        let publication =
            called(&client, "services/schema", json!({ "name": "t/pub" }), &nobody).await.unwrap();
        assert_eq!(
            (&publication["op_type"], &publication["publish_schema"]),
            (&json!("pub"), &json!({ "type": "integer" }))
        );
        let all = came_to(client.call("services/list", &json!({})).await);
        assert!(!all.contains("CANARY"), "{all}");
    }
}
