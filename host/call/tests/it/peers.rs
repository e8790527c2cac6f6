//! Operations of peers: announced, imported, replaced and gone; and what no peer may do.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use alknet_call::{
    AdapterError, AuditUnavailable, CallOptions, Client, Dispatcher, FromCall, ImportOptions, ImportedFrom,
    Limits, Link, NoAudit, OfferError, OperationAdapter as _, PeerRef, Registration, RegistrationError,
    Registry, handler_fn, stream_handler, with_discovery, with_peer_operations,
};
use alknet_core::{AuthContext, Connection, IdentityId, Secret, SystemClock};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::link::{DropFlag, Served, serve};
use crate::support::*;

fn id(text: &str) -> IdentityId {
    IdentityId::parse(text).unwrap()
}

/// A host that peers may announce operations to. Its `p/any` composes what its input names, on the peer it names.
fn hub(limits: Limits) -> Dispatcher {
    let any = handler_fn(|input: Value, scope| async move {
        let op = input["op"].as_str().unwrap_or_default().to_owned();
        match input["peer"].as_str() {
            Some(peer) => scope.invoke_peer(PeerRef::Specific(id(peer)), &op, input["input"].clone()).await,
            None => scope.invoke(&op, input["input"].clone()).await,
        }
    });
    let reach = ["w/echo", "w/who", "w/other", "far/w/echo", "t/echo"];
    let registry = Registry::builder()
        .register_all([
            Registration::local(spec("t/echo"), echo()),
            Registration::composing(spec("p/any"), any, composition(&["tool"], &reach)),
        ])
        .unwrap();
    let registry = with_peer_operations(with_discovery(registry).unwrap()).unwrap().build();
    Dispatcher::new(registry, Arc::new(NoAudit), limits, Arc::new(SystemClock))
}

/// What a worker serves.
fn worker() -> Dispatcher {
    let who = handler_fn(|_, scope| async move {
        Ok(json!({
            "behalf": scope.on_behalf_of().map(|claim| claim.id.clone()),
            "identity": scope.root_identity().map(|identity| identity.id().to_string()),
        }))
    });
    dispatcher(vec![
        Registration::local(spec("w/echo"), echo()),
        Registration::local(spec("w/other"), constant("other")),
        Registration::local(spec("w/who"), who),
        Registration::local(spec("t/echo"), constant("not the host's own")),
    ])
}

async fn code(host: &Dispatcher, op: &str, peer: Option<&str>) -> String {
    let mut input = json!({ "op": op, "input": 1 });
    if let Some(peer) = peer {
        input["peer"] = json!(peer);
    }
    match host.call(None, "p/any", input).await {
        Ok(output) => format!("OK {output}"),
        Err(error) => error.code().to_string(),
    }
}

fn token(token: &str) -> CallOptions {
    CallOptions { auth_token: Some(Secret::new(token.to_owned())), ..CallOptions::default() }
}

/// A worker's connection to the hub.
fn connect(hub: &Dispatcher, connection: impl FnOnce() -> (Connection, Connection)) -> (Served, Client) {
    let (a, b) = connection();
    let server = serve(a, hub.clone());
    (server, Client::serving(b, AuthContext::default(), worker(), Arc::new(Tokens)))
}

async fn announce(client: &Client, spec: Value, replace: bool) -> Result<Value, String> {
    let input = json!({ "spec": spec, "replace": replace });
    let answer = client.call_with("op/register", &input, &token("worker")).await;
    answer.map_err(|error| format!("{}: {}", error.code(), error.message()))
}

#[tokio::test]
async fn an_announced_operation_is_the_hosts_to_compose_as_long_as_the_link_lives() {
    for connection in [pipe, single_pipe] {
        let hub = hub(Limits::default());
        let (mut server, client) = connect(&hub, connection);
        assert_eq!(code(&hub, "w/echo", None).await, "NOT_FOUND");
        let spec = json!({ "name": "w/echo", "op_type": "query" });
        let answer = announce(&client, spec, false).await.unwrap();
        assert_eq!(answer, json!({ "name": "w/echo", "registered": true }));
        assert_eq!(code(&hub, "w/echo", None).await, "OK 1");
        assert_eq!(code(&hub, "w/echo", Some("worker")).await, "OK 1");
        assert_eq!(code(&hub, "w/echo", Some("stranger")).await, "NOT_FOUND");
        // Internal, whatever it says: nobody else can name it, and lists do not have it.
        let direct = hub.call(None, "w/echo", json!(1)).await.unwrap_err();
        assert_eq!(direct.code().as_str(), "NOT_FOUND");
        assert!(!hub.call(None, "services/list", json!({})).await.unwrap().to_string().contains("w/echo"));
        client.close().await;
        server.tasks.join_next().await.unwrap().unwrap().unwrap();
        assert_eq!(code(&hub, "w/echo", None).await, "NOT_FOUND");
        assert!(hub.peers().ids().is_empty());
    }
}

#[tokio::test]
async fn who_may_not_announce() {
    let hub = hub(Limits::default());
    let (_server, client) = connect(&hub, pipe);
    for options in [CallOptions::default(), token("bob")] {
        let input = json!({ "spec": { "name": "w/echo", "op_type": "query" } });
        let error = client.call_with("op/register", &input, &options).await.unwrap_err();
        assert_eq!(error.code().as_str(), "FORBIDDEN");
    }
}

#[tokio::test]
async fn what_may_not_be_announced() {
    let hub = hub(Limits { peer_operations_max: 3, peer_spec_bytes_max: 2000, ..Limits::default() });
    let (_server, client) = connect(&hub, pipe);
    let query = |name: &str| json!({ "name": name, "op_type": "query" });
    let with = |member: &str, value: Value| {
        let mut spec = query("w/new");
        spec[member] = value;
        spec
    };
    let error = |code: &str| json!([{ "code": code }]);
    let table = [
        (query("w/echo"), false, ""),
        (query("w/echo"), false, "ALREADY_EXISTS: the operation `w/echo` exists already"),
        (query("/w/echo"), true, ""),
        (query("t/echo"), false, "ALREADY_EXISTS: the operation `t/echo` exists already"),
        (query("t/echo"), true, "ALREADY_EXISTS: the operation `t/echo` exists already"),
        (query("services/list"), true, "ALREADY_EXISTS"),
        (query("services/new"), true, "INVALID_INPUT: `services/new` is not a name"),
        (query("op/new"), false, "INVALID_INPUT: `op/new`"),
        (query("session/new"), false, "INVALID_INPUT: `session/new`"),
        (query("channel/open"), false, "INVALID_INPUT: `channel/open`"),
        (query("nameless"), false, "INVALID_INPUT: an operation name is"),
        (query("//w/new"), false, "INVALID_INPUT: an operation name is"),
        (with("op_type", json!("stream")), false, "INVALID_INPUT: `op_type` is one of"),
        (
            with("input_schema", json!({ "properties": { "a": { "type": 7 } } })),
            false,
            "INVALID_INPUT: `input_schema`: at `/properties/a/type`",
        ),
        (
            with("output_schema", json!({ "$ref": "https://example.org/x" })),
            false,
            "INVALID_INPUT: `output_schema`",
        ),
        (with("publish_schema", json!(7)), false, "INVALID_INPUT: `publish_schema`"),
        (
            with("description", json!("x".repeat(2000))),
            false,
            "INVALID_INPUT: the specification has more than",
        ),
        (with("channel_open", json!(true)), false, "MARKED_SPEC_UNSUPPORTED"),
        (with("error_schemas", error("INTERNAL")), false, "INVALID_INPUT: error code `INTERNAL` is reserved"),
        (with("error_schemas", error("not a code")), false, "INVALID_INPUT: an error code is"),
        (
            with("error_schemas", json!([{ "code": "A" }, { "code": "A" }])),
            false,
            "INVALID_INPUT: error code `A`",
        ),
        (
            with("access_control", json!({ "required_scopes": ["a b"] })),
            false,
            "INVALID_INPUT: `access_control`",
        ),
        (with("op_type", json!("subscription")), false, ""),
        (with("op_type", json!("pub")), true, ""),
        (query("w/who"), false, ""),
        (query("w/fourth"), false, "INVALID_INPUT: a peer may offer 3 operations"),
    ];
    for (spec, replace, expected) in table {
        let got = announce(&client, spec.clone(), replace).await.err().unwrap_or_default();
        let is = if expected.is_empty() { got.is_empty() } else { got.starts_with(expected) };
        assert!(is, "{spec}: {got}");
    }
}

#[tokio::test]
async fn a_specification_is_an_object_and_errors_repeat_nothing_of_it() {
    let hub = hub(Limits::default());
    let (_server, client) = connect(&hub, pipe);
    let with = |member: &str, value: Value| json!({ "name": "w/new", "op_type": "query", member: value });
    let table = [
        (json!("CANARY"), "no specification: it is an object"),
        (json!(["w/new", "query"]), "no specification: it is an object"),
        (json!({ "op_type": "CANARY" }), "no specification: `name` is missing"),
        (with("op_type", json!("CANARY")), "`op_type` is one of query, mutation, sub, pub"),
        (with("channel_open", json!("CANARY")), "no specification: `channel_open` is of another type"),
        // Read by their order, they would let everybody in.
        (with("access_control", json!([])), "no specification: `access_control` is of another type"),
        (
            with("access_control", json!({ "required_scopes": "CANARY" })),
            "no specification: `required_scopes` is of another type",
        ),
        (with("error_schemas", json!([["CANARY"]])), "no specification: `error_schemas` is of another type"),
        (
            with("input_schema", json!({ "type": "CANARY" })),
            "`input_schema`: at `/type`: value is not valid under any of the schemas listed in the 'anyOf' keyword",
        ),
        (
            with("output_schema", json!({ "pattern": "(CANARY" })),
            "`output_schema`: at `/pattern`: value is not a \"regex\"",
        ),
    ];
    let mut defs: serde_json::Map<_, _> = (0..30)
        .map(|level| (level.to_string(), json!({ "$ref": format!("#/$defs/{}", level + 1) })))
        .map(|(level, next)| (level, json!({ "anyOf": [next, next] })))
        .collect();
    defs.insert("30".to_owned(), json!({ "type": "string" }));
    let endless = with("input_schema", json!({ "$ref": "#/$defs/0", "$defs": defs }));
    let refused = announce(&client, endless, false).await.unwrap_err();
    assert!(refused.contains("no check against it would end in time"), "{refused}");
    for (spec, message) in table {
        let refused = announce(&client, spec.clone(), false).await.unwrap_err();
        assert_eq!(refused, format!("INVALID_INPUT: {message}"), "{spec}");
    }
}

#[tokio::test]
async fn peers_are_listed_with_what_the_caller_would_suffice_for() {
    let hub = hub(Limits::default());
    let (_server, client) = connect(&hub, pipe);
    let ticks = json!({ "name": "w/ticks", "op_type": "subscription", "description": "Ticks." });
    announce(&client, ticks, false).await.unwrap();
    let closed = json!({ "name": "w/closed", "op_type": "mutation",
        "access_control": { "required_scopes": ["admin"], "resource_type": null } });
    announce(&client, closed, false).await.unwrap();
    let list =
        |who| async { hub.call(who, "services/list-peers", json!({})).await.unwrap()["peers"].clone() };
    let ticks = json!({ "name": "w/ticks", "namespace": "w", "op_type": "sub", "description": "Ticks." });
    let seen = list(None).await;
    assert_eq!(seen[0]["peer_id"], "local");
    assert!(seen[0].to_string().contains("\"t/echo\""));
    assert_eq!(seen[1], json!({ "peer_id": "worker", "operations": [ticks] }));
    let seen = list(Some(identity("root", &["admin"]))).await;
    assert_eq!(seen[1]["operations"].as_array().unwrap().len(), 2);
}

/// A connection that the hub dialed to a worker, with the hub's end as a link that runs.
fn dial(hub: &Dispatcher) -> (Served, Client) {
    let (a, b) = pipe();
    let worker = serve(a, worker());
    (worker, Client::serving(b, AuthContext::default(), hub.clone(), Arc::new(Tokens)))
}

fn only(names: &'static [&'static str]) -> ImportOptions {
    ImportOptions { filter: Some(Arc::new(|name| names.contains(&name))), ..ImportOptions::default() }
}

#[tokio::test]
async fn an_import_replaces_the_one_before_it_or_changes_nothing() {
    let hub = hub(Limits { peer_operations_max: 3, ..Limits::default() });
    let (_worker, client) = dial(&hub);
    let link: &Link = client.link();
    let peer = id("w1");
    assert_eq!(link.import(&peer, &only(&["w/echo", "w/who"])).await.unwrap(), 2);
    assert_eq!(code(&hub, "w/echo", None).await, "OK 1");
    assert_eq!(code(&hub, "w/other", None).await, "NOT_FOUND");
    assert_eq!(link.import(&peer, &only(&["w/other"])).await.unwrap(), 1);
    assert_eq!(code(&hub, "w/other", Some("w1")).await, r#"OK "other""#);
    assert_eq!(code(&hub, "w/echo", None).await, "NOT_FOUND");
    // Each of these fails as a whole: what was there is still there.
    let shadowing = link.import(&peer, &only(&["t/echo", "w/echo"])).await.unwrap_err();
    assert_eq!(shadowing, AdapterError::Refused(RegistrationError::Exists(name("t/echo"))));
    let too_many = link.import(&peer, &ImportOptions::default()).await.unwrap_err();
    assert_eq!(too_many, AdapterError::TooMany(3));
    let prefixed = |prefix: &str| ImportOptions { prefix: Some(prefix.to_owned()), ..only(&["w/echo"]) };
    let unnameable = link.import(&peer, &prefixed("no name")).await.unwrap_err();
    assert!(matches!(unnameable, AdapterError::SchemaParse { ref operation, .. } if operation == "w/echo"));
    let reserved = link.import(&peer, &prefixed("services")).await.unwrap_err();
    assert!(matches!(reserved, AdapterError::Refused(RegistrationError::Namespace(_))), "{reserved}");
    assert_eq!(code(&hub, "w/other", None).await, r#"OK "other""#);
    assert_eq!(code(&hub, "t/echo", None).await, "OK 1", "the host's own answers to its name");
    assert_eq!(link.import(&peer, &prefixed("far")).await.unwrap(), 1);
    assert_eq!(code(&hub, "far/w/echo", None).await, "OK 1");
}

#[tokio::test]
async fn imports_say_why_they_fail() {
    let hub = hub(Limits::default());
    let (a, b) = pipe();
    let nothing = Client::new(a, Limits::default());
    let client = Client::serving(b, AuthContext::default(), hub.clone(), Arc::new(Tokens));
    let import = FromCall::new(client.link().clone(), id("w1"), ImportOptions::default());
    let without_lists = import.import().await.unwrap_err();
    assert!(matches!(without_lists, AdapterError::Unauthorized(_)), "{without_lists}");
    nothing.close().await;
    client.ended().await;
    let lost = import.import().await.unwrap_err();
    assert!(matches!(lost, AdapterError::Transport(_)), "{lost}");
}

#[tokio::test]
async fn a_peer_that_dials_again_takes_its_own_place() {
    let hub = hub(Limits::default());
    let (_old_worker, old) = dial(&hub);
    old.link().import(&id("w1"), &only(&["w/echo"])).await.unwrap();
    let (_second_worker, second) = dial(&hub);
    second.link().import(&id("w2"), &only(&["w/echo", "w/other"])).await.unwrap();
    let (_new_worker, new) = dial(&hub);
    new.link().import(&id("w1"), &only(&["w/who"])).await.unwrap();
    assert_eq!(hub.peers().ids(), [id("w1"), id("w2")], "its place in the order stays");
    assert_eq!(code(&hub, "w/echo", Some("w1")).await, "NOT_FOUND");
    let late = old.link().import(&id("w1"), &only(&["w/echo"])).await.unwrap_err();
    assert_eq!(late, AdapterError::Replaced);
    old.close().await;
    assert!(
        code(&hub, "w/who", Some("w1")).await.starts_with("OK"),
        "the older link's end takes nothing away"
    );
    // One name with two peers is no collision; each can be addressed.
    assert_eq!(code(&hub, "w/other", Some("w2")).await, r#"OK "other""#);
    assert_eq!(code(&hub, "w/other", Some("w1")).await, "NOT_FOUND", "and no other peer steps in");
}

#[tokio::test]
async fn a_worker_learns_the_identity_at_the_root_or_nothing() {
    let hub = hub(Limits::default());
    let (_worker, client) = dial(&hub);
    let ask = async || {
        let input = json!({ "op": "w/who", "input": {} });
        hub.call(Some(identity("alice", &["admin"])), "p/any", input).await.unwrap()
    };
    client.link().import(&id("w1"), &only(&["w/who"])).await.unwrap();
    // Neither the label of the composing authority, nor any credential: the claim grants nothing there.
    assert_eq!(ask().await, json!({ "behalf": "alice", "identity": null }));
    let hiding = ImportOptions { hides_callers: true, ..only(&["w/who"]) };
    client.link().import(&id("w1"), &hiding).await.unwrap();
    assert_eq!(ask().await, json!({ "behalf": null, "identity": null }));
}

/// A connection that the hub dialed to a worker whose `w/echo` never answers, with its guard.
async fn stuck(hub: &Dispatcher) -> (Served, Client, Arc<AtomicBool>, Arc<Notify>) {
    let (dropped, changed) = (Arc::new(AtomicBool::new(false)), Arc::new(Notify::new()));
    let (flag, tell) = (Arc::clone(&dropped), Arc::clone(&changed));
    let forever = handler_fn(move |_, _| {
        let guard = DropFlag(Arc::clone(&flag), Arc::clone(&tell));
        tell.notify_one();
        async move {
            let _guard = guard;
            std::future::pending().await
        }
    });
    let (a, b) = pipe();
    let worker = serve(a, dispatcher(vec![Registration::local(spec("w/echo"), forever)]));
    let client = Client::serving(b, AuthContext::default(), hub.clone(), Arc::new(Tokens));
    client.link().import(&id("w1"), &ImportOptions::default()).await.unwrap();
    (worker, client, dropped, changed)
}

#[tokio::test]
async fn an_abort_reaches_the_part_of_a_tree_that_runs_on_a_peer() {
    let hub = hub(Limits::default());
    let (_worker, _link, dropped, changed) = stuck(&hub).await;
    let (a, b) = pipe();
    let _server = serve(a, hub);
    let agent = Client::new(b, Limits::default());
    let input = json!({ "op": "w/echo" });
    tokio::select! {
        answer = agent.call("p/any", &input) => panic!("{answer:?}"),
        () = changed.notified() => {}
    }
    changed.notified().await;
    assert!(dropped.load(Ordering::SeqCst), "dropping the agent's call stopped the worker's");
    assert_eq!(agent.call("t/echo", &json!(1)).await.unwrap(), json!(1));
}

#[tokio::test]
async fn a_call_to_a_peer_that_is_lost_fails_at_once() {
    let hub = hub(Limits::default());
    let (mut worker, _link, _dropped, changed) = stuck(&hub).await;
    let call = hub.call(None, "p/any", json!({ "op": "w/echo" }));
    let loss = async {
        changed.notified().await;
        worker.tasks.shutdown().await;
        worker.link.connection().close(0, "gone");
    };
    let (answer, ()) = tokio::join!(call, loss);
    let error = answer.unwrap_err();
    assert_eq!(error.code().as_str(), "INTERNAL", "{error}");
    until(|| hub.peers().ids().is_empty()).await;
    assert_eq!(code(&hub, "w/echo", None).await, "NOT_FOUND");
}

#[tokio::test]
async fn a_tree_keeps_the_peers_it_began_with() {
    let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (tell, wait) = (Arc::clone(&begun), Arc::clone(&go_on));
    let late = handler_fn(move |_, scope| {
        let (tell, wait) = (Arc::clone(&tell), Arc::clone(&wait));
        async move {
            tell.notify_one();
            wait.notified().await;
            scope.invoke("w/echo", json!(1)).await
        }
    });
    let late = Registration::composing(spec("p/late"), late, composition(&[], &["w/echo"]));
    let host = dispatcher(vec![late]);
    let offered = || Registration::imported(ImportedFrom::Call, spec("w/echo"), echo());
    let attachment = host.peers().attach(id("w1"));
    attachment.offer(offered(), false).unwrap();
    let change = async {
        begun.notified().await;
        drop(attachment);
        go_on.notify_one();
    };
    let (answer, ()) = tokio::join!(host.call(None, "p/late", json!({})), change);
    assert_eq!(answer.unwrap(), json!(1));
    go_on.notify_one();
    let error = host.call(None, "p/late", json!({})).await.unwrap_err();
    assert_eq!(error.code().as_str(), "NOT_FOUND");
}

#[tokio::test]
async fn a_place_takes_imports_and_shadows_nothing() {
    let host = dispatcher(vec![Registration::local(spec("t/echo"), echo())]);
    let attachment = host.peers().attach(id("w1"));
    let import = |name: &str| Registration::imported(ImportedFrom::Call, spec(name), echo());
    let sub = |name: &str| {
        let items = stream_handler(|_, _| stream::empty());
        Registration::imported(ImportedFrom::Call, spec(name), items)
    };
    let widened = Registration::composing(spec("w/x"), compose_named(), composition(&["admin"], &["t/echo"]));
    let refused: [(Registration, OfferError); 4] = [
        (import("t/echo"), RegistrationError::Exists(name("t/echo")).into()),
        (import("op/x"), RegistrationError::Namespace(name("op/x")).into()),
        (widened, RegistrationError::Namespace(name("w/x")).into()),
        (
            sub("w/x"),
            RegistrationError::Kind { name: name("w/x"), kind: alknet_call::OperationKind::Query }.into(),
        ),
    ];
    for (registration, expected) in refused {
        assert_eq!(attachment.offer(registration, true).unwrap_err(), expected);
    }
    let twice = attachment.replace_all(vec![import("w/x"), import("w/x")]).unwrap_err();
    assert_eq!(twice, OfferError::SamePeerCollision(name("w/x")));
    attachment.offer(import("w/x"), false).unwrap();
    assert_eq!(
        attachment.offer(import("w/x"), false).unwrap_err(),
        RegistrationError::Exists(name("w/x")).into()
    );
    attachment.offer(import("w/x"), true).unwrap();
    let newer = host.peers().attach(id("w1"));
    newer.replace_all(Vec::new()).unwrap();
    assert_eq!(attachment.offer(import("w/y"), false).unwrap_err(), OfferError::Replaced);
}

#[tokio::test]
async fn what_a_peer_offers_is_on_record_before_it_is_there() {
    let audit = Arc::new(MemoryAudit::default());
    let host = dispatcher_with(Vec::new(), audit.clone(), Limits::default());
    let import = |name: &str| Registration::imported(ImportedFrom::Call, spec(name), echo());
    let silent = host.peers().attach(id("w0"));
    let attachment = host.peers().attach(id("w1"));
    attachment.offer(import("w/a"), false).unwrap();
    attachment.offer(import("w/b"), false).unwrap();
    attachment.offer(import("w/b"), false).unwrap_err();
    let newer = host.peers().attach(id("w1"));
    newer.offer(import("w/c"), false).unwrap();
    // The place is the newer link's: nobody leaves it.
    drop(attachment);
    newer.replace_all(vec![import("w/d"), import("w/e")]).unwrap();
    audit.fail_decisions.store(true, Ordering::SeqCst);
    assert_eq!(newer.offer(import("w/f"), false).unwrap_err(), OfferError::Unrecorded(AuditUnavailable));
    assert_eq!(newer.replace_all(Vec::new()).unwrap_err(), OfferError::Unrecorded(AuditUnavailable));
    assert!(host.peers().described("w/f").is_none() && host.peers().described("w/d").is_some());
    audit.fail_decisions.store(false, Ordering::SeqCst);
    drop(newer);
    drop(silent);
    assert_eq!(
        audit.lines(),
        ["w1 offers w/a", "w1 offers w/b too", "w1 offers w/c", "w1 offers w/d w/e", "w1 left"]
    );
}
