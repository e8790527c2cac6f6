//! `from_call`, both ways: what one side offers, the operations of the other compose.

use std::sync::Arc;

use alknet_call::{
    AdapterError, Authority, CallOptions, CallScope, Composition, Dispatcher, FromCall, ImportOptions,
    Limits, NoAudit, OpName, OperationAdapter as _, OperationKind, OperationSpec, Reach, Registration,
    Registry, handler_fn,
};
use alknet_conformance::Identities;
use alknet_core::{AuthContext, IdentityId, SystemClock};
use futures_util::StreamExt as _;
use serde_json::{Value, json};

use super::ways::{Host, WAYS, Way, call, came_to, key_of};
use crate::support::{soon, until};

fn name(text: &str) -> OpName {
    OpName::parse(text).unwrap()
}

fn peer(text: &str) -> IdentityId {
    IdentityId::parse(text).unwrap()
}

/// A host of its own that composes what it imports: `c/use` composes `input.op` with `input.input`.
fn importer(reach: &[&str]) -> Dispatcher {
    let composing = handler_fn(|mut input: Value, scope: CallScope| async move {
        let inner = input["input"].take();
        scope.invoke(input["op"].as_str().unwrap(), inner).await
    });
    let authority = Authority::new(peer("c/use"), Default::default());
    let composition = Composition::new(authority, Reach::of(reach.iter().map(|found| name(found))));
    let spec = |text| OperationSpec::new(name(text), OperationKind::Query);
    let echo = handler_fn(|input, _| async move { Ok(input) });
    let registry = Registry::builder()
        .register(Registration::composing(spec("c/use").forwards_errors(), composing, composition))
        .and_then(|registry| registry.register(Registration::local(spec("t/echo"), echo)))
        .unwrap()
        .build();
    Dispatcher::new(registry, Arc::new(NoAudit), Limits::default(), Arc::new(SystemClock))
}

fn only(prefix: Option<&str>, wanted: &'static [&'static str]) -> ImportOptions {
    ImportOptions {
        prefix: prefix.map(str::to_owned),
        filter: Some(Arc::new(move |name: &str| wanted.contains(&name))),
        ..ImportOptions::default()
    }
}

#[tokio::test]
async fn a_client_composes_what_the_host_offers() {
    for way in WAYS {
        let host = Host::new(way).await;
        let reach = ["far/t/echo", "far/t/err", "far/t/typed", "far/t/sub", "far/t/hidden", "far/t/admin"];
        let here = importer(&reach);
        let nobody = Arc::new(Identities::new(&[]).unwrap());
        let connection = host.connect(None).await;
        let client = alknet_call::Client::serving(connection, AuthContext::default(), here.clone(), nobody);
        let all = ImportOptions { prefix: Some("far".to_owned()), ..ImportOptions::default() };
        let count = soon("an import", client.link().import(&peer("host"), &all)).await.unwrap();
        assert_eq!(count, 20, "{way:?}: everything that is listed, but for discovery");
        let used = async |op: &str, input: Value| {
            let input = json!({ "op": op, "input": input });
            came_to(soon(op, here.call(None, "c/use", input)).await)
        };
        let why = json!({ "code": "DOMAIN_X", "details": { "why": "so" } });
        for (op, input, expected) in [
            ("far/t/echo", json!(1), "OK 1"),
            ("far/t/err", why, "DOMAIN_X"),
            ("far/t/typed", json!({ "a": 1 }), "INVALID_INPUT"),
            ("far/t/sub", json!({ "n": 1 }), "INVALID_OPERATION_TYPE"),
            ("far/t/hidden", json!(1), "NOT_FOUND"),
            ("far/t/admin", json!(1), "NOT_FOUND"),
            ("far/t/ctx", json!(1), "NOT_FOUND"),
        ] {
            assert_eq!(used(op, input).await, expected, "{way:?} {op}");
        }
        let from_outside = came_to(here.call(None, "far/t/echo", json!(1)).await);
        assert_eq!(from_outside, "NOT_FOUND", "an import is Internal");
        // Importing again replaces all of it at once.
        let few = only(Some("far"), &["t/ctx", "t/echo"]);
        assert_eq!(soon("an import", client.link().import(&peer("host"), &few)).await.unwrap(), 2);
        assert_eq!(used("far/t/err", json!({})).await, "NOT_FOUND");
        // What would shadow an operation of this side is refused, and nothing changes.
        let shadowing = only(None, &["t/echo", "t/ctx"]);
        let refused = soon("an import", client.link().import(&peer("host"), &shadowing)).await.unwrap_err();
        assert!(matches!(refused, AdapterError::Refused(_)), "{refused}");
        assert_eq!(used("far/t/echo", json!(2)).await, "OK 2");
        assert_eq!(used("t/echo", json!(2)).await, "NOT_FOUND", "its reach is as before");
        let adapter = FromCall::new(client.link().clone(), peer("host"), only(None, &["t/typed", "t/pub"]));
        let imported = soon("an import", adapter.import()).await.unwrap();
        let kinds: Vec<_> = imported.iter().map(|found| found.spec().kind()).collect();
        assert_eq!(kinds, [OperationKind::Publication, OperationKind::Query]);
        client.close().await;
        assert_eq!(used("far/t/echo", json!(1)).await, "NOT_FOUND", "it ends with the connection");
    }
}

#[tokio::test]
async fn the_host_composes_what_a_client_offers() {
    for way in [Way::Pipe, Way::Unix] {
        let host = Host::new(way).await;
        let (connection, link) = host.link(Some(key_of("W1")));
        let spec = |text| OperationSpec::new(name(text), OperationKind::Query);
        let answer = |text: &'static str| handler_fn(move |_, _| async move { Ok(json!(text)) });
        let offered = vec![
            Registration::local(spec("w/exec"), answer("done")),
            Registration::local(spec("w/hidden").internal(), answer("hidden")),
            Registration::local(spec("w/other"), answer("other")),
        ];
        let worker = super::ways::worker(connection, offered);
        let all = ImportOptions::default();
        assert_eq!(soon("an import", link.import(&peer("W1"), &all)).await.unwrap(), 2, "{way:?}");
        let client = host.client().await;
        for (route, expected) in [("any", r#"OK "done""#), ("W1", r#"OK "done""#), ("W2", "NOT_FOUND")] {
            assert_eq!(call(&client, "p/peer", &json!({ "route": route })).await, expected, "{route}");
        }
        worker.close().await;
        let gone = soon("an import", link.import(&peer("W1"), &all)).await.unwrap_err();
        assert!(matches!(gone, AdapterError::Transport(_) | AdapterError::DiscoveryFailed(_)), "{gone}");
    }
}

#[tokio::test]
async fn the_host_calls_its_clients() {
    for way in [Way::Pipe, Way::Unix] {
        let host = Host::new(way).await;
        let (connection, link) = host.link(None);
        let counters = Arc::default();
        let client = super::ways::worker(connection, alknet_conformance::registrations(&counters).unwrap());
        let options = CallOptions::default();
        for (operation, input, expected) in [
            ("t/echo", json!(1), "OK 1"),
            ("t/typed", json!(1), "INVALID_INPUT"),
            ("t/hidden", json!(1), "NOT_FOUND"),
            ("t/panic", json!(1), "INTERNAL"),
            ("p/strong", json!({}), r#"OK "leaf""#),
        ] {
            let (there, back) = soon(operation, async {
                tokio::join!(link.call(operation, &input, &options), call(&client, operation, &input))
            })
            .await;
            assert_eq!(came_to(there), expected, "{way:?} {operation}");
            assert_eq!(back, expected, "{way:?} {operation}, the other way at the same time");
        }
        let items = link.subscribe("t/sub", &json!({ "n": 3 }), &options).await.unwrap();
        let items: Vec<String> = soon("its items", items.map(came_to).collect()).await;
        assert_eq!(items, [r#"OK {"i":0}"#, r#"OK {"i":1}"#, r#"OK {"i":2}"#]);
        let mut publication = link.publish("t/pub", &json!({}), &options).await.unwrap();
        assert!(soon("a place", publication.send(&json!(7))).await.unwrap());
        assert_eq!(soon("the answer", publication.finish()).await.unwrap(), json!([7]));
        let long = json!({ "ms": 600_000 });
        tokio::select! {
            biased;
            _ = link.call("t/sleep", &long, &options) => panic!("it sleeps"),
            // Asked for behind it, and answered.
            echoed = link.call("t/echo", &long, &options) => assert_eq!(echoed.unwrap(), long),
        }
        until("the client has stopped it", async || counters.to_json()["sleep_cancelled"] == 1).await;
    }
}
