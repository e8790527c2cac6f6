//! Calls that outlive those that composed them, and what composed calls learn of their root.

use std::sync::Arc;
use std::time::Duration;

use alknet_call::{
    AbortPolicy, CallOptions, Client, Dispatcher, ErrorCode, Handler, Limits, OnBehalfOf, Registration,
    handler_fn,
};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::link::serve;
use crate::support::*;

/// Composes `t/slow` with a policy.
fn keeping(policy: AbortPolicy) -> impl Handler {
    handler_fn(move |input, scope| async move { scope.invoke_with_policy(policy, "t/slow", input).await })
}

struct Fixture {
    host: Dispatcher,
    audit: Arc<MemoryAudit>,
    begun: Arc<Notify>,
    release: Arc<Notify>,
}

/// `t/slow` tells that it began, waits to be released, and then composes `t/echo`.
fn fixture(limits: Limits) -> Fixture {
    let (begun, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (tell, wait) = (Arc::clone(&begun), Arc::clone(&release));
    let slow = handler_fn(move |input, scope| {
        let (tell, wait) = (Arc::clone(&tell), Arc::clone(&wait));
        async move {
            tell.notify_one();
            wait.notified().await;
            match scope.invoke("t/echo", input).await {
                Ok(_) => Ok(json!("it began something")),
                Err(error) => Ok(json!(error.message())),
            }
        }
    });
    let parent = |name: &str, policy| {
        Registration::composing(spec(name), keeping(policy), composition(&[], &["t/slow"]))
    };
    let audit = Arc::new(MemoryAudit::default());
    let host = dispatcher_with(
        vec![
            Registration::local(spec("t/echo"), echo()),
            Registration::composing(spec("t/slow").internal(), slow, composition(&[], &["t/echo"])),
            parent("p/keeps", AbortPolicy::ContinueRunning),
            parent("p/aborts", AbortPolicy::AbortDependents),
        ],
        Arc::<MemoryAudit>::clone(&audit),
        limits,
    );
    Fixture { host, audit, begun, release }
}

impl Fixture {
    /// Calls an operation and drops the call once `t/slow` has begun below it.
    async fn call_and_drop(&self, name: &str) {
        tokio::select! {
            _ = self.host.call(None, name, json!({})) => panic!("it waits"),
            () = self.begun.notified() => {}
        }
    }

    fn has(&self, line: &str) -> bool {
        self.audit.lines().iter().any(|known| known == line)
    }
}

#[tokio::test]
async fn a_call_that_continues_finishes_and_begins_nothing_new() {
    let fixture = fixture(Limits::default());
    fixture.call_and_drop("p/keeps").await;
    assert!(fixture.has("p/keeps finished CANCELLED"));
    assert!(!fixture.has("t/slow finished CANCELLED"));
    fixture.release.notify_one();
    until(|| fixture.has("t/slow finished OK")).await;
    assert!(fixture.has("t/echo composer refused over INTERNAL"), "{:?}", fixture.audit.lines());
    assert!(!fixture.has("t/echo finished OK"));
}

#[tokio::test]
async fn a_call_that_depends_is_stopped_with_its_composer() {
    let fixture = fixture(Limits::default());
    fixture.call_and_drop("p/aborts").await;
    assert!(fixture.has("t/slow finished CANCELLED"), "{:?}", fixture.audit.lines());
}

#[tokio::test]
async fn both_policies_answer_where_nobody_stops_them() {
    let fixture = fixture(Limits::default());
    for parent in ["p/keeps", "p/aborts"] {
        fixture.release.notify_one();
        let answer = fixture.host.call(None, parent, json!({})).await.unwrap();
        assert_eq!(answer, json!("it began something"), "{parent}");
    }
}

#[tokio::test]
async fn calls_that_continue_are_bounded() {
    let fixture = fixture(Limits { detached_calls_max: 1, ..Limits::default() });
    fixture.call_and_drop("p/keeps").await;
    let error = fixture.host.call(None, "p/keeps", json!({})).await.unwrap_err();
    assert_eq!((error.code(), error.is_retryable()), (&ErrorCode::INTERNAL, true), "{error}");
    fixture.release.notify_one();
    until(|| fixture.has("t/slow finished OK")).await;
    fixture.call_and_drop("p/keeps").await;
}

#[tokio::test]
async fn a_stopped_host_leaves_nothing_running() {
    let fixture = fixture(Limits::default());
    fixture.call_and_drop("p/keeps").await;
    fixture.host.stop().await;
    assert!(fixture.has("t/slow finished CANCELLED"), "{:?}", fixture.audit.lines());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_continues_ends_with_the_deadline_of_its_tree() {
    let fixture = fixture(Limits { call_timeout: Duration::from_secs(5), ..Limits::default() });
    fixture.call_and_drop("p/keeps").await;
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert!(fixture.has("t/slow finished TIMEOUT"), "{:?}", fixture.audit.lines());
}

#[tokio::test]
async fn notes_stay_with_their_call() {
    let noted = handler_fn(|_, scope| async move {
        scope.note("secret", json!("CANARY-NOTE"));
        let below = scope.invoke("t/notes", json!({})).await?;
        Ok(json!({ "own": scope.metadata(), "below": below }))
    });
    let notes = handler_fn(|_, scope| async move { Ok(json!(scope.metadata())) });
    let host = dispatcher(vec![
        Registration::local(spec("t/notes"), notes),
        Registration::composing(spec("p/noted"), noted, composition(&[], &["t/notes"])),
    ]);
    let answer = host.call(None, "p/noted", json!({})).await.unwrap();
    assert_eq!(answer, json!({ "own": { "secret": "CANARY-NOTE" }, "below": {} }));
}

fn behalf() -> Vec<Registration> {
    let told = || {
        handler_fn(|input: Value, scope| async move {
            let claim = scope.on_behalf_of().map(|claim| json!([claim.id, claim.scopes, claim.resources]));
            let below = match input["below"].as_str() {
                Some(below) => scope.invoke(below, json!({})).await?,
                None => Value::Null,
            };
            Ok(json!({ "claim": claim, "below": below }))
        })
    };
    vec![
        Registration::composing(spec("p/told"), told(), composition(&[], &["t/told"])),
        Registration::local(spec("t/told"), told()),
        Registration::local(requiring("t/admin", "admin"), echo()),
    ]
}

#[tokio::test]
async fn a_claim_reaches_the_root_call_and_grants_nothing() {
    let (a, b) = pipe();
    let _server = serve(a, dispatcher(behalf()));
    let client = Client::new(b, Limits::default());
    let claim = OnBehalfOf {
        id: "mallory".to_owned(),
        scopes: vec!["admin".to_owned()],
        resources: [("repo".to_owned(), vec!["get".to_owned()])].into(),
    };
    let options = CallOptions { on_behalf_of: Some(claim), ..CallOptions::default() };
    let answer = client.call_with("p/told", &json!({ "below": "t/told" }), &options).await.unwrap();
    assert_eq!(answer["claim"], json!(["mallory", ["admin"], { "repo": ["get"] }]));
    assert_eq!(answer["below"]["claim"], Value::Null, "composed calls do not inherit it");
    let error = client.call_with("t/admin", &json!({}), &options).await.unwrap_err();
    assert_eq!(*error.code(), ErrorCode::FORBIDDEN);
}

#[tokio::test]
async fn a_claim_that_makes_no_sense_is_ignored() {
    let (a, b) = pipe();
    let _server = serve(a, dispatcher(behalf()));
    let mut wire = Wire::new(b.open_bi().await.unwrap());
    let whole = json!({ "id": "x", "scopes": ["s"], "resources": {} });
    let table = [
        (whole, json!(["x", ["s"], {}])),
        (json!(7), Value::Null),
        (Value::Null, Value::Null),
        (json!(["x", ["s"], {}]), Value::Null),
        (json!({ "id": "x" }), Value::Null),
        (json!({ "id": "x", "scopes": "s", "resources": {} }), Value::Null),
        (json!({ "id": ["x"], "scopes": [], "resources": {} }), Value::Null),
    ];
    for (claim, seen) in table {
        wire.request("1", "/t/told", json!({}), json!({ "forwarded_for": claim })).await;
        let answer = wire.read().await;
        assert_eq!(answer["payload"]["output"]["claim"], seen, "{claim}: {answer}");
    }
}
