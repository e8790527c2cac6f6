//! Subscriptions and publications that an operation composes, also those of its session.

use std::pin::pin;
use std::sync::Arc;

use alknet_call::{
    CallError, Composition, Dispatcher, Limits, OperationKind, PeerRef, Reach, Registration, Schema,
    SessionContext, SessionLayer, handler_fn,
};
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};

use super::{Source, counting, of_kind, small, source_and_echo};
use crate::support::*;

/// A host whose `p/enter` enters a session, takes two items of its one subscription and tells how many were made.
fn entering(source: &Source, audit: &Arc<MemoryAudit>, output: Value) -> Dispatcher {
    let (source, output) = (source.clone(), Schema::compile(output, 1 << 10).unwrap());
    let enter = handler_fn(move |_, scope| {
        let (source, output) = (source.clone(), output.clone());
        async move {
            let authority = scope.composition().authority().unwrap();
            let reach = Reach::default().with_session_operations();
            let own = scope.composition().attenuate(authority.label().clone(), authority.grants(), &reach);
            let spec = of_kind("session/items", OperationKind::Subscription).output(output);
            let items = source.handler(10, 1);
            let items = Registration::session(spec, items, own.clone(), "00".into()).unwrap();
            let layer = SessionLayer::default().with(Arc::new(items), scope.curated()).unwrap();
            let (layer, composition) = (Arc::new(layer), own.into_composition());
            let session = SessionContext { id: "s".into(), layer, composition };
            let mut items = pin!(scope.subscribe_in_session(&session, &name("session/items"), json!({})));
            let before = source.made();
            let first = items.next().await.unwrap()?;
            let between = source.made();
            tokio::task::yield_now().await;
            let second = items.next().await.unwrap()?;
            Ok(json!({ "made": [before, between, source.made()], "items": [first["n"], second["n"]] }))
        }
    });
    let authority = composition(&[], &[]).authority().unwrap().clone();
    let composition = Composition::new(authority, Reach::default().with_session_operations());
    let enter = Registration::composing(spec("p/enter"), enter, composition);
    dispatcher_with(vec![enter], Arc::<MemoryAudit>::clone(audit), Limits::default())
}

#[tokio::test]
async fn a_subscription_in_a_session_makes_an_item_when_it_is_asked_for_one() {
    let (source, audit) = (Source::default(), Arc::new(MemoryAudit::default()));
    let host = entering(&source, &audit, json!({}));
    let answer = host.call(None, "p/enter", json!({})).await.unwrap();
    assert_eq!(answer, json!({ "made": [0, 1, 2], "items": [0, 1] }));
    assert!(source.is_dropped(), "dropping the stream stops it");
    assert!(audit.lines().contains(&"session/items finished CANCELLED".to_owned()), "{:?}", audit.lines());
}

#[tokio::test]
async fn items_of_a_session_are_held_to_their_schema() {
    let (source, audit) = (Source::default(), Arc::new(MemoryAudit::default()));
    let host = entering(&source, &audit, json!({ "properties": { "n": { "maximum": 0 } } }));
    let error = host.call(None, "p/enter", json!({})).await.unwrap_err();
    assert_eq!(error.message(), "output failed output_schema validation");
    assert_eq!(source.made(), 2, "nothing is made after the first that does not fit");
    assert!(audit.lines().contains(&"session/items finished INTERNAL".to_owned()), "{:?}", audit.lines());
}

/// Tells what came of composing a subscription, or a publication, that its input names.
fn composers() -> [Registration; 2] {
    let shown = |item: Result<Value, CallError>| match item {
        Ok(item) => item["n"].clone(),
        Err(error) => json!(error.code().as_str()),
    };
    let takes = handler_fn(move |input: Value, scope| async move {
        let op = input["op"].as_str().unwrap_or_default().to_owned();
        let items: Vec<_> = scope.subscribe(PeerRef::Any, &op, json!({})).map(shown).collect().await;
        Ok(json!(items))
    });
    let feeds = handler_fn(|input: Value, scope| async move {
        let op = input["op"].as_str().unwrap_or_default().to_owned();
        let breaks = input["breaks"].as_u64().unwrap_or(u64::MAX);
        let chunks = stream::iter((0..200).map(move |n| match n {
            n if n == breaks => Err(CallError::internal("it broke")),
            _ => Ok(json!("chunk")),
        }));
        scope.publish(PeerRef::Any, &op, json!({}), chunks).await
    });
    let reach = ["t/items", "t/count", "t/closed", "t/echo"];
    [
        Registration::composing(spec("p/takes"), takes, composition(&[], &reach)),
        Registration::composing(spec("p/feeds"), feeds, composition(&[], &reach)),
    ]
}

#[tokio::test]
async fn composed_subscriptions_and_publications_pass_the_same_gate() {
    let source = Source::default();
    let mut all = source_and_echo(&source, 3, 1);
    let closed = requiring("t/closed", "admin");
    let closed = of_kind("t/closed", OperationKind::Subscription).access(closed.access_control().clone());
    all.push(Registration::local(closed, source.handler(3, 1)));
    all.push(counting(None));
    all.extend(composers());
    let host = host_of(all, small());
    let table = [
        ("p/takes", "t/items", json!([0, 1, 2])),
        ("p/takes", "t/closed", json!(["FORBIDDEN"])),
        ("p/takes", "t/none", json!(["NOT_FOUND"])),
        ("p/takes", "t/echo", json!(["INVALID_OPERATION_TYPE"])),
        ("p/takes", "t/count", json!(["INVALID_OPERATION_TYPE"])),
        ("p/feeds", "t/count", json!({ "count": 200 })),
        ("p/feeds", "t/closed", json!("FORBIDDEN")),
        ("p/feeds", "t/none", json!("NOT_FOUND")),
        ("p/feeds", "t/items", json!("INVALID_OPERATION_TYPE")),
    ];
    for (composer, op, expected) in table {
        let called = host.call(Some(identity("root", &["admin"])), composer, json!({ "op": op })).await;
        let answer = called.unwrap_or_else(|error| json!(error.code().as_str()));
        assert_eq!(answer, expected, "{composer} {op}");
    }
    let broken = host.call(None, "p/feeds", json!({ "op": "t/count", "breaks": 100 })).await.unwrap_err();
    assert_eq!(broken.message(), "it broke");
}
