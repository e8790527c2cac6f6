//! The published crate `alkcall`, another implementation of the protocol: its clients against this host, and this host's
//! clients against its servers.

mod other;

use std::any::Any;

use alkcall::client::{FromCallConfig, from_call};
use alkcall::protocol::wire::ResponseEnvelope;
use alkcall::registry::spec::OperationType;
use alknet_call::{
    CallOptions, ImportOptions, OpName, OperationKind, OperationSpec, Registration, handler_fn,
};
use alknet_core::IdentityId;
use futures_util::StreamExt as _;
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::ways::{Host, WAYS, Way, call, called, came_to, key_of, pipe, token, unix, worker};
use crate::support::{soon, until};
use other::{Other, server_on_quic};

fn said(response: ResponseEnvelope) -> String {
    match response.result {
        Ok(output) => format!("OK {output}"),
        Err(error) => error.code,
    }
}

#[tokio::test]
async fn its_clients_call_this_host() {
    for way in WAYS {
        let host = Host::new(way).await;
        let client = Other::over(way, host.connect(None).await).await;
        let why = json!({ "code": "DOMAIN_X", "details": { "why": "so" } });
        for (operation, input, expected) in [
            ("/t/echo", json!({ "a": "é" }), r#"OK {"a":"é"}"#),
            ("t/echo", json!(1), "OK 1"),
            ("/t/absent", json!(1), "NOT_FOUND"),
            ("/t/hidden", json!(1), "NOT_FOUND"),
            ("/t/typed", json!(1), "INVALID_INPUT"),
            ("/t/admin", json!(1), "FORBIDDEN"),
            ("/t/err", why, "DOMAIN_X"),
            ("/t/panic", json!({}), "INTERNAL"),
            ("/p/strong", json!({}), r#"OK "leaf""#),
            ("/t/sleep", json!({ "ms": 1 }), r#"OK {"slept":1}"#),
        ] {
            let answer = soon(operation, client.connection.call(operation, input)).await;
            assert_eq!(said(answer), expected, "{way:?} {operation}");
        }
        let payload = json!({ "operationId": "/t/admin", "input": 7, "auth_token": "good" });
        assert_eq!(said(soon("t/admin", client.connection.call_with_payload(payload)).await), "OK 7");
        // On QUIC more than there may be streams: it opens one for each call, and ends none.
        let count = if [Way::Quic, Way::Iroh].contains(&way) { 350 } else { 100 };
        let calls = (0..count).map(|n| client.connection.call("/t/echo", json!(n)));
        let answers: Vec<String> = soon("a batch", join_all(calls)).await.into_iter().map(said).collect();
        assert!(answers.iter().enumerate().all(|(n, answer)| *answer == format!("OK {n}")), "{answers:?}");
    }
}

#[tokio::test]
async fn its_clients_subscribe_and_publish_here() {
    for way in WAYS {
        let host = Host::new(way).await;
        let client = Other::over(way, host.connect(None).await).await;
        let all = async |operation: &str, input: Value| -> Vec<String> {
            let items = client.connection.subscribe(operation, input).await;
            soon(operation, items.map(said).collect()).await
        };
        assert_eq!(all("/t/sub", json!({ "n": 2, "ms": 1 })).await, [r#"OK {"i":0}"#, r#"OK {"i":1}"#]);
        assert_eq!(all("/t/sub", json!({ "n": 0 })).await, Vec::<String>::new());
        assert_eq!(all("/t/suberr", json!({})).await, [r#"OK {"i":0}"#, "DOMAIN_X"]);
        assert_eq!(all("/t/sub", json!({ "n": -1 })).await, ["INVALID_INPUT"]);
        let publish = async |chunks: Vec<Value>| {
            let chunks = Box::pin(futures_util::stream::iter(chunks));
            said(soon("t/pub", client.connection.publish("/t/pub", json!({}), chunks)).await)
        };
        assert_eq!(publish(vec![json!(1), json!(2)]).await, "OK [1,2]", "{way:?}");
        assert_eq!(publish(Vec::new()).await, "OK []");
        assert_eq!(publish(vec![json!(1), json!("x"), json!(3)]).await, "INVALID_INPUT");
        let many: Vec<Value> = (0..200).map(|n| json!(n)).collect();
        assert_eq!(publish(many.clone()).await, format!("OK {}", Value::Array(many)));
    }
}

#[tokio::test]
async fn its_aborts_stop_calls_here() {
    for way in WAYS {
        let host = Host::new(way).await;
        let client = Other::over(way, host.connect(None).await).await;
        let endless = json!({ "n": 1_000_000_000, "ms": 20 });
        let mut items = Box::pin(client.connection.subscribe("/t/sub", endless).await);
        let first = soon("an item", items.next()).await.unwrap();
        assert_eq!(first.result.as_ref().unwrap(), &json!({ "i": 0 }));
        client.connection.abort(&first.request_id).await;
        soon("the end of its items", items.map(drop).collect::<Vec<()>>()).await;

        let sleeping = client.connection.call("/t/sleep", json!({ "ms": 600_000 }));
        let aborting = async {
            let pending = || client.connection.pending().lock().len();
            until("it is asked for", async || pending() == 1).await;
            assert_eq!(said(client.connection.call("/t/echo", json!(1)).await), "OK 1");
        };
        let counted = async || host.dispatcher.call(None, "t/counters", json!({})).await.unwrap();
        tokio::select! {
            _ = sleeping => {}
            () = aborting => {}
        }
        client.stop();
        until("a connection that ends stops its calls", async || counted().await["sleep_cancelled"] == 1)
            .await;
    }
}

#[tokio::test]
async fn its_clients_make_ten_thousand_calls_on_streams_they_never_end() {
    const CALLS: usize = 10_000;
    for way in [Way::Quic, Way::Iroh] {
        let host = Host::new(way).await;
        let client = Other::over(way, host.connect(None).await).await;
        let answers = futures_util::stream::iter(0..CALLS)
            .map(|n| {
                let connection = client.connection.clone();
                async move { said(connection.call("/t/echo", json!(n)).await) == format!("OK {n}") }
            })
            .buffer_unordered(16);
        let right = answers.filter(|right| std::future::ready(*right)).count();
        assert_eq!(soon("ten thousand calls", right).await, CALLS, "{way:?}");
    }
}

#[tokio::test]
async fn its_clients_discover_and_import_this_host() {
    for way in WAYS {
        let host = Host::new(way).await;
        let client = Other::over(way, host.connect(None).await).await;
        let config = FromCallConfig::new()
            .with_namespace_prefix("far")
            .with_operation_filter(["t/echo", "t/sub", "t/pub", "t/err"].map(str::to_owned).into());
        let imported = soon("an import", from_call(&client.connection, config)).await.unwrap();
        let mut kinds: Vec<_> =
            imported.iter().map(|found| (found.spec.name.as_str(), found.spec.op_type)).collect();
        kinds.sort_unstable_by_key(|(name, _)| *name);
        let expected = [
            ("far/t/echo", OperationType::Query),
            ("far/t/err", OperationType::Query),
            ("far/t/pub", OperationType::Pub),
            ("far/t/sub", OperationType::Sub),
        ];
        assert_eq!(kinds, expected, "{way:?}");
        let declared = imported.iter().find(|found| found.spec.name == "far/t/err").unwrap();
        assert_eq!(declared.spec.error_schemas[0].code, "DOMAIN_X");
        let all = soon("an import", from_call(&client.connection, FromCallConfig::new())).await.unwrap();
        assert!(all.len() >= 20 && all.iter().all(|found| found.spec.name != "t/hidden"));
    }
}

#[tokio::test]
async fn this_host_composes_what_its_clients_serve() {
    for way in WAYS {
        let host = Host::new(way).await;
        let peer = Other::over(way, host.connect(Some(key_of("W1"))).await).await;
        let spec = json!({ "spec": { "name": "w/exec", "op_type": "query" } });
        assert!(
            said(soon("op/register", peer.connection.call("/op/register", spec)).await).starts_with("OK")
        );
        let client = host.client().await;
        for route in ["any", "W1"] {
            let input = json!({ "route": route, "input": { "n": 1 } });
            let answer = call(&client, "p/peer", &input).await;
            assert_eq!(answer, r#"OK {"exec":{"n":1},"for":null}"#, "{way:?} {route}");
        }
        let alice = called(&client, "p/peer", json!({ "route": "any" }), &token("good")).await;
        assert_eq!(came_to(alice), r#"OK {"exec":{},"for":"alice"}"#);
        assert_eq!(call(&client, "p/peer", &json!({ "route": "W2" })).await, "NOT_FOUND");
        peer.stop();
        until("it is gone", async || call(&client, "p/peer", &json!({ "route": "W1" })).await == "NOT_FOUND")
            .await;
    }
    // The same by an import of this side.
    for way in [Way::Pipe, Way::Unix] {
        let host = Host::new(way).await;
        let (connection, link) = host.link(Some(key_of("W1")));
        let _peer = Other::over(way, connection).await;
        let id = IdentityId::parse("W1").unwrap();
        let imported = soon("an import", link.import(&id, &ImportOptions::default())).await.unwrap();
        assert_eq!(imported, 5, "{way:?}: all but the hidden one");
        let client = host.client().await;
        let answer = call(&client, "p/peer", &json!({ "route": "W1", "input": 3 })).await;
        assert_eq!(answer, r#"OK {"exec":3,"for":null}"#);
    }
}

/// A connection of this crate to a server of the other, and what keeps the server up.
async fn to_its_server(way: Way) -> (alknet_core::Connection, Box<dyn Any>) {
    match way {
        Way::Quic | Way::Iroh => {
            let (connection, server) = server_on_quic(way).await;
            (connection, Box::new(server))
        }
        Way::Pipe | Way::Unix => {
            let (ours, theirs) = if way == Way::Pipe { pipe() } else { unix() };
            (ours, Box::new(Other::over(way, theirs).await))
        }
    }
}

#[tokio::test]
async fn this_client_calls_its_servers() {
    for way in WAYS {
        let (connection, _server) = to_its_server(way).await;
        let client = worker(connection, Vec::new());
        for (operation, input, expected) in [
            ("k/echo", json!({ "a": 1 }), r#"OK {"a":1}"#),
            ("k/fail", json!({}), "K_FAILED"),
            ("k/absent", json!({}), "NOT_FOUND"),
            ("k/hidden", json!({}), "NOT_FOUND"),
            ("w/exec", json!(2), r#"OK {"exec":2,"for":null}"#),
        ] {
            assert_eq!(call(&client, operation, &input).await, expected, "{way:?} {operation}");
        }
        let error = client.call("k/fail", &json!({})).await.unwrap_err();
        assert_eq!((error.message(), error.is_retryable()), ("it failed", true));
        assert_eq!(error.details(), Some(&json!({ "why": "so" })));
        let calls = (0..50).map(|n| {
            let client = &client;
            async move { call(client, "k/echo", &json!(n)).await == format!("OK {n}") }
        });
        assert!(soon("a batch", join_all(calls)).await.into_iter().all(|right| right));

        let options = CallOptions::default();
        let items = client.subscribe("k/items", &json!({ "n": 20 }), &options).await.unwrap();
        let items: Vec<String> = soon("its items", items.map(came_to).collect()).await;
        assert_eq!(items, (0..20).map(|n| format!("OK {n}")).collect::<Vec<_>>(), "{way:?}");
        let mut endless = client.subscribe("k/items", &json!({ "n": 1_000_000 }), &options).await.unwrap();
        assert_eq!(soon("an item", endless.next()).await.unwrap().unwrap(), json!(0));
        drop(endless);
        let mut publication = client.publish("k/sum", &json!({}), &options).await.unwrap();
        for n in 1..=100 {
            assert!(soon("a place", publication.send(&json!(n))).await.unwrap());
        }
        assert_eq!(soon("the sum", publication.finish()).await.unwrap(), json!(5050), "{way:?}");
        drop(client.publish("k/sum", &json!({}), &options).await.unwrap());
        assert_eq!(call(&client, "k/echo", &json!(1)).await, "OK 1", "after what was dropped");
    }
}

#[tokio::test]
async fn this_side_discovers_and_imports_its_servers() {
    for way in WAYS {
        let (connection, _server) = to_its_server(way).await;
        let client = worker(connection, Vec::new());
        let listed = soon("a list", client.call("services/list", &json!({}))).await.unwrap();
        assert!(listed["operations"].as_array().is_some_and(|listed| listed.len() >= 5), "{listed}");
        let options = ImportOptions { prefix: Some("far".to_owned()), ..ImportOptions::default() };
        let id = IdentityId::parse("other").unwrap();
        let imported = soon("an import", client.link().import(&id, &options)).await.unwrap();
        assert_eq!(imported, 5, "{way:?}");
    }
}

#[tokio::test]
async fn its_servers_call_this_client() {
    for way in [Way::Pipe, Way::Unix] {
        let (ours, theirs) = if way == Way::Pipe { pipe() } else { unix() };
        let spec = OperationSpec::new(OpName::parse("c/echo").unwrap(), OperationKind::Query);
        let echo = Registration::local(spec, handler_fn(|input, _| async move { Ok(input) }));
        let client = worker(ours, vec![echo]);
        let server = Other::over(way, theirs).await;
        // Both directions at once.
        for n in 0..20 {
            let input = json!(n);
            let (there, here) = soon("two calls", async {
                tokio::join!(call(&client, "k/echo", &input), server.connection.call("/c/echo", json!(n)))
            })
            .await;
            assert_eq!((there, said(here)), (format!("OK {n}"), format!("OK {n}")), "{way:?}");
        }
        assert_eq!(said(soon("c/none", server.connection.call("/c/none", json!(1))).await), "NOT_FOUND");
    }
}
