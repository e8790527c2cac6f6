//! Peers whose operations the host composes: announcing, routing, coming and going, and what they are told.

use std::sync::Arc;

use alknet_call::{
    CallOptions, CallScope, Client, Composition, Limits, OpName, OperationKind, OperationSpec, PeerRef,
    Reach, Registration, handler_fn,
};
use alknet_core::{Ed25519SecretKey, IdentityId};
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::ways::{Host, WAYS, Way, call, came_to, key_of, token};
use crate::support::{Wire, requested, soon, until};

fn query(name: &str) -> OperationSpec {
    OperationSpec::new(OpName::parse(name).unwrap(), OperationKind::Query)
}

/// `w/exec` of a peer: says who it is and on whose behalf it was called.
fn exec(peer: &'static str) -> Vec<Registration> {
    let handler = handler_fn(move |input: Value, scope: CallScope| async move {
        let behalf = scope.on_behalf_of().map(|claim| claim.id.clone());
        Ok(json!([peer, behalf, input]))
    });
    vec![Registration::local(query("w/exec"), handler)]
}

/// Announces an operation to the host.
pub(super) async fn announce(peer: &Client, name: &str) {
    let spec = json!({ "spec": { "name": name, "op_type": "query" } });
    let answer = soon("op/register", peer.call("op/register", &spec)).await.unwrap();
    assert_eq!(answer, json!({ "name": name, "registered": true }));
}

async fn routed(client: &Client, route: &str) -> String {
    call(client, "p/peer", &json!({ "route": route })).await
}

#[tokio::test]
async fn operations_of_peers_are_found_by_route() {
    for way in WAYS {
        let host = Host::new(way).await;
        let client = host.client().await;
        assert_eq!(routed(&client, "any").await, "NOT_FOUND");
        let w1 = host.worker("W1", exec("W1")).await;
        announce(&w1, "w/exec").await;
        assert_eq!(routed(&client, "any").await, r#"OK ["W1",null,{}]"#);
        assert_eq!(routed(&client, "W2").await, "NOT_FOUND", "a route does not fall through");
        let w2 = host.worker("W2", exec("W2")).await;
        announce(&w2, "w/exec").await;
        for (route, expected) in [
            ("any", r#"OK ["W1",null,{}]"#),
            ("W1", r#"OK ["W1",null,{}]"#),
            ("W2", r#"OK ["W2",null,{}]"#),
            ("W3", "NOT_FOUND"),
            ("local", "NOT_FOUND"),
            ("", "INVALID_INPUT"),
        ] {
            assert_eq!(routed(&client, route).await, expected, "{way:?} {route}");
        }
        // From the wire it is nobody's, and nobody's to see but in the view of the peers.
        assert_eq!(call(&client, "w/exec", &json!({})).await, "NOT_FOUND");
        assert_eq!(call(&w2, "w/exec", &json!({})).await, "NOT_FOUND");
        assert_eq!(call(&client, "services/schema", &json!({ "name": "w/exec" })).await, "NOT_FOUND");
        let peers = client.call("services/list-peers", &json!({})).await.unwrap();
        let ids: Vec<_> = peers["peers"].as_array().unwrap().iter().map(|peer| &peer["peer_id"]).collect();
        assert_eq!(ids, ["local", "W1", "W2"]);
        let listed = json!([{ "name": "w/exec", "namespace": "w", "op_type": "query" }]);
        assert_eq!(peers["peers"][2]["operations"], listed);

        w1.close().await;
        until("W1 is gone", async || routed(&client, "W1").await == "NOT_FOUND").await;
        assert_eq!(routed(&client, "any").await, r#"OK ["W2",null,{}]"#);
        w2.close().await;
        until("W2 is gone", async || routed(&client, "any").await == "NOT_FOUND").await;
    }
}

#[tokio::test]
async fn a_pin_reaches_one_peer_alone() {
    let pinned =
        Reach::default().with_pinned(IdentityId::parse("W2").unwrap(), OpName::parse("w/exec").unwrap());
    for way in WAYS {
        let handler = handler_fn(|input: Value, scope: CallScope| async move {
            match input.as_str() {
                Some(peer) => {
                    let peer = PeerRef::Specific(IdentityId::parse(peer).unwrap());
                    scope.invoke_peer(peer, "w/exec", json!({})).await
                }
                None => scope.invoke("w/exec", json!({})).await,
            }
        });
        let authority =
            alknet_call::Authority::new(IdentityId::parse("p/pinned").unwrap(), Default::default());
        let composition = Composition::new(authority, pinned.clone());
        let more = vec![Registration::composing(query("p/pinned"), handler, composition)];
        let host = Host::with(way, Limits::default(), more).await;
        let (w1, w2) = (host.worker("W1", exec("W1")).await, host.worker("W2", exec("W2")).await);
        announce(&w1, "w/exec").await;
        announce(&w2, "w/exec").await;
        let client = host.client().await;
        for (route, expected) in
            [(json!("W2"), r#"OK ["W2",null,{}]"#), (json!("W1"), "NOT_FOUND"), (Value::Null, "NOT_FOUND")]
        {
            assert_eq!(call(&client, "p/pinned", &route).await, expected, "{way:?} {route}");
        }
    }
}

#[tokio::test]
async fn the_newer_connection_of_a_peer_keeps_its_place() {
    for way in WAYS {
        let host = Host::new(way).await;
        let client = host.client().await;
        let older = host.worker("W1", exec("older")).await;
        announce(&older, "w/exec").await;
        let newer = host.worker("W1", exec("newer")).await;
        assert_eq!(routed(&client, "W1").await, r#"OK ["older",null,{}]"#, "until the newer one offers some");
        announce(&newer, "w/exec").await;
        assert_eq!(routed(&client, "W1").await, r#"OK ["newer",null,{}]"#);
        let again = json!({ "spec": { "name": "w/more", "op_type": "query" } });
        assert_eq!(call(&older, "op/register", &again).await, "ALREADY_EXISTS", "its place is taken");
        older.close().await;
        // The end of the older one is seen before this answer, or after it: both leave the newer one in place.
        let third = host.client().await;
        assert_eq!(routed(&third, "W1").await, r#"OK ["newer",null,{}]"#);
        assert_eq!(routed(&client, "any").await, r#"OK ["newer",null,{}]"#);
        newer.close().await;
        until("the peer is gone", async || routed(&client, "W1").await == "NOT_FOUND").await;
    }
}

#[tokio::test]
async fn a_peer_is_told_who_asked_and_no_secret() {
    let host = Host::new(Way::Unix).await;
    let worker = host.connect(Some(key_of("W1"))).await;
    let mut worker = Wire::open(&worker).await;
    let spec = json!({ "spec": { "name": "w/exec", "op_type": "query" } });
    worker.frames([requested("r", "op/register", &spec, &json!({}))]).await;
    assert_eq!(worker.answer().await.unwrap().1, "OK");
    let client = host.client().await;
    let input = json!({ "route": "any", "input": { "n": 1 } });
    let alice = json!({ "id": "alice", "scopes": ["admin"], "resources": {} });
    for (with, behalf) in
        [(token("good"), Some(alice)), (CallOptions::default(), None), (token("wrong"), None)]
    {
        let call = client.call_with("p/peer", &input, &with);
        let serve = async {
            let request = worker.next().await.unwrap();
            let mut expected = json!({ "operationId": "/w/exec", "input": { "n": 1 } });
            if let Some(behalf) = &behalf {
                expected["forwarded_for"] = behalf.clone();
            }
            assert_eq!(request["payload"], expected, "nothing else, and no credential");
            let answer = json!({ "type": "call.responded", "id": request["id"], "payload": { "output": 2 } });
            worker.frames([answer.to_string()]).await;
        };
        let (answer, ()) = soon("a call by way of the host", async { tokio::join!(call, serve) }).await;
        assert_eq!(came_to(answer), "OK 2");
    }
}

#[tokio::test]
async fn peers_that_leave_end_what_they_serve() {
    for way in WAYS {
        let host = Host::new(way).await;
        let client = host.client().await;
        let begun = Arc::new(Notify::new());
        let notify = Arc::clone(&begun);
        let never = handler_fn(move |_: Value, _: CallScope| {
            notify.notify_one();
            std::future::pending()
        });
        let peer = host.worker("W1", vec![Registration::local(query("w/exec"), never)]).await;
        announce(&peer, "w/exec").await;
        let (answer, ()) = tokio::join!(routed(&client, "W1"), async {
            soon("the peer's call", begun.notified()).await;
            drop(peer);
        });
        assert!(answer == "INTERNAL", "{way:?} {answer}");
    }
}

#[tokio::test]
async fn what_a_peer_may_announce() {
    let spec = |name: &str| json!({ "name": name, "op_type": "query" });
    let with = |mut spec: Value, member: &str, value: Value| {
        spec[member] = value;
        spec
    };
    let table = [
        (json!({ "spec": spec("w/a") }), "OK"),
        (json!({ "spec": spec("w/a") }), "ALREADY_EXISTS"),
        (json!({ "spec": spec("w/a"), "replace": true }), "OK"),
        (json!({ "spec": spec("/w/b") }), "OK"),
        (json!({ "spec": with(spec("w/c"), "op_type", json!("subscription")) }), "OK"),
        // The host's own names, whatever the peer says.
        (json!({ "spec": spec("t/echo") }), "ALREADY_EXISTS"),
        (json!({ "spec": spec("t/hidden"), "replace": true }), "ALREADY_EXISTS"),
        (json!({ "spec": spec("services/list"), "replace": true }), "ALREADY_EXISTS"),
        (json!({ "spec": spec("services/mine") }), "INVALID_INPUT"),
        (json!({ "spec": spec("op/mine") }), "INVALID_INPUT"),
        (json!({ "spec": spec("session/mine") }), "INVALID_INPUT"),
        (json!({ "spec": spec("channels/mine") }), "INVALID_INPUT"),
        (json!({ "spec": spec("w") }), "INVALID_INPUT"),
        (json!({ "spec": spec("w/../x y") }), "INVALID_INPUT"),
        (json!({ "spec": with(spec("w/d"), "op_type", json!("other")) }), "INVALID_INPUT"),
        (json!({ "spec": with(spec("w/d"), "input_schema", json!({ "type": "no type" })) }), "INVALID_INPUT"),
        (json!({ "spec": with(spec("w/d"), "description", json!("x".repeat(300_000))) }), "INVALID_INPUT"),
        (json!({ "spec": with(spec("w/d"), "channel_open", json!(true)) }), "MARKED_SPEC_UNSUPPORTED"),
        (json!({ "spec": 1 }), "INVALID_INPUT"),
        (json!({}), "INVALID_INPUT"),
        (json!({ "spec": spec("w/e") }), "OK"),
        (json!({ "spec": spec("w/one-too-many") }), "INVALID_INPUT"),
    ];
    for way in WAYS {
        let limits = Limits { peer_operations_max: 4, ..Limits::default() };
        let host = Host::with(way, limits, Vec::new()).await;
        let peer = host.worker("W1", Vec::new()).await;
        for (input, expected) in &table {
            let came = call(&peer, "op/register", input).await;
            let code = came.split(' ').next().unwrap();
            assert_eq!(
                code,
                *expected,
                "{way:?} {}",
                input.to_string().chars().take(200).collect::<String>()
            );
        }
        let stranger = Ed25519SecretKey::generate().unwrap();
        let strangers = [host.connect(Some(stranger)).await, host.connect(None).await];
        for connection in strangers {
            let client = Client::new(connection, Limits::default());
            let refused = client.call("op/register", &json!({ "spec": spec("w/x") })).await.unwrap_err();
            assert_eq!(refused.message(), "authentication required");
            let input = json!({ "spec": spec("w/x") });
            let low = soon("op/register", client.call_with("op/register", &input, &token("good"))).await;
            assert_eq!(came_to(low), "FORBIDDEN", "alice may not announce");
        }
    }
}
