//! Who reaches what: every rule with the attack on it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use alknet_call::{
    CallError, CallId, Composition, Dispatcher, ErrorSpec, ImportedFrom, Limits, OperationKind,
    OperationSpec, Reach, Registration, RegistrationError, Registry, Schema, SessionContext, SessionLayer,
    handler_fn,
};
use alknet_core::{Capabilities, Identity, Secret};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::*;

async fn code(host: &Dispatcher, caller: Option<Identity>, op: &str, input: Value) -> String {
    match host.call(caller, op, input).await {
        Ok(output) => format!("OK {output}"),
        Err(error) => error.code().to_string(),
    }
}

fn fixture() -> Vec<Registration> {
    vec![
        Registration::local(spec("t/echo"), echo()),
        Registration::local(spec("t/hidden").internal(), echo()),
        Registration::local(requiring("t/admin", "admin"), echo()),
        Registration::local(requiring("t/leaf", "tool").internal(), constant("leaf")),
        // Holds admin itself: a weak composer must not profit from what its callee holds.
        Registration::composing(
            requiring("t/selfadmin", "admin").internal(),
            constant("selfadmin"),
            composition(&["admin"], &[]),
        ),
        Registration::composing(spec("p/strong"), compose_named(), composition(&["tool"], &["t/leaf"])),
        Registration::composing(
            spec("p/weak"),
            compose_named(),
            composition(&[], &["t/leaf", "t/selfadmin"]),
        ),
        Registration::composing(spec("p/dyn"), compose_named(), composition(&["dyn"], &["t/echo"])),
        Registration::local(spec("p/none"), compose_named()),
        Registration::imported(ImportedFrom::OpenApi, spec("t/import"), echo()),
        Registration::imported(ImportedFrom::OpenApi, spec("t/exposed"), echo()).exposed(),
        Registration::imported(ImportedFrom::Call, spec("t/of-a-peer"), echo()).exposed(),
        Registration::composing(spec("p/loop"), compose_named(), composition(&[], &["p/loop"])),
    ]
}

#[tokio::test]
async fn decisions() {
    let host = dispatcher(fixture());
    let admin = || Some(identity("root", &["admin", "tool"]));
    let user = || Some(identity("user", &[]));
    let op = |op: &str| json!({ "op": op, "input": 1 });
    let table = [
        ("open operation, anonymous", None, "t/echo", json!(1), "OK 1"),
        ("absent", admin(), "t/absent", json!(1), "NOT_FOUND"),
        ("no name", admin(), "", json!(1), "NOT_FOUND"),
        ("no name", admin(), "/t/echo", json!(1), "NOT_FOUND"),
        ("Internal from the wire", admin(), "t/hidden", json!(1), "NOT_FOUND"),
        ("an import is Internal", admin(), "t/import", json!(1), "NOT_FOUND"),
        ("an import that the assembly exposes", None, "t/exposed", json!(1), "OK 1"),
        ("a peer's operation is Internal, exposed or not", admin(), "t/of-a-peer", json!(1), "NOT_FOUND"),
        ("restricted, anonymous", None, "t/admin", json!(1), "FORBIDDEN"),
        ("restricted, without scope", user(), "t/admin", json!(1), "FORBIDDEN"),
        ("restricted, with scope", admin(), "t/admin", json!(1), "OK 1"),
        // The confused deputy, both ways: only the composer's authority counts.
        ("strong composer, weak caller", user(), "p/strong", op("t/leaf"), r#"OK "leaf""#),
        ("strong composer, anonymous caller", None, "p/strong", op("t/leaf"), r#"OK "leaf""#),
        ("weak composer, strong caller", admin(), "p/weak", op("t/leaf"), "FORBIDDEN"),
        ("weak composer, callee holds the scope", admin(), "p/weak", op("t/selfadmin"), "FORBIDDEN"),
        // Parameterized dispatch: the name is data.
        ("named within reach", user(), "p/dyn", op("t/echo"), "OK 1"),
        ("named outside of reach", admin(), "p/dyn", op("t/admin"), "NOT_FOUND"),
        ("named outside of reach, absent", admin(), "p/dyn", op("t/absent"), "NOT_FOUND"),
        ("named with a slash", admin(), "p/dyn", op("/t/echo"), "NOT_FOUND"),
        ("named itself", admin(), "p/dyn", op("p/dyn"), "NOT_FOUND"),
        ("a leaf composes nothing", admin(), "p/none", op("t/echo"), "NOT_FOUND"),
    ];
    for (what, caller, operation, input, expected) in table {
        assert_eq!(code(&host, caller, operation, input).await, expected, "{what}: {operation}");
    }
}

#[tokio::test]
async fn absent_internal_and_out_of_reach_read_the_same() {
    let host = dispatcher(fixture());
    let mut messages = BTreeSet::new();
    for op in ["t/hidden", "t/absent"] {
        let error = host.call(Some(identity("root", &["admin"])), op, json!({})).await.unwrap_err();
        messages.insert(error.to_string().replace(op, "X"));
    }
    for op in ["t/absent", "t/admin", "t/hidden"] {
        let error = host.call(None, "p/dyn", json!({ "op": op })).await.unwrap_err();
        messages.insert(error.to_string().replace(op, "X"));
    }
    assert_eq!(messages, BTreeSet::from(["NOT_FOUND: operation not found: X".to_owned()]));
}

#[tokio::test]
async fn nesting_has_an_end() {
    let host = dispatcher(fixture());
    let nested = (0..20).fold(json!(1), |input, _| json!({ "op": "p/loop", "input": input }));
    let error = host.call(None, "p/loop", nested).await.unwrap_err();
    assert_eq!(error.message(), "calls are nested more than 16 deep");
    let limits = Limits { tree_calls_max: 3, ..Limits::default() };
    let host = host_of(fixture(), limits);
    let nested = (0..5).fold(json!(1), |input, _| json!({ "op": "p/loop", "input": input }));
    let error = host.call(None, "p/loop", nested).await.unwrap_err();
    assert!(error.message().contains("more than 3 further calls"), "{error}");
}

#[tokio::test]
async fn every_decision_and_outcome_is_recorded() {
    let audit = Arc::new(MemoryAudit::default());
    let host = dispatcher_with(fixture(), Arc::<MemoryAudit>::clone(&audit), Limits::default());
    host.call(Some(identity("user", &[])), "p/weak", json!({ "op": "t/leaf" })).await.unwrap_err();
    host.call(None, "nonsense", json!({})).await.unwrap_err();
    let expected = [
        "p/weak user admitted",
        "t/leaf composer refused scope FORBIDDEN",
        "p/weak finished FORBIDDEN",
        "nonsense - refused no_name NOT_FOUND",
    ];
    assert_eq!(audit.lines(), expected);
}

#[tokio::test]
async fn without_a_record_nothing_runs() {
    let audit = Arc::new(MemoryAudit::default());
    let ran = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let flag = Arc::clone(&ran);
    let op = handler_fn(move |_, _| {
        flag.store(true, Ordering::SeqCst);
        async { Ok(Value::Null) }
    });
    let host = dispatcher_with(
        vec![Registration::local(spec("t/run"), op)],
        Arc::<MemoryAudit>::clone(&audit),
        Limits::default(),
    );
    audit.fail_decisions.store(true, Ordering::SeqCst);
    let error = host.call(None, "t/run", json!({})).await.unwrap_err();
    assert!(error.is_retryable() && error.message().contains("audit log"), "{error}");
    assert!(!ran.load(Ordering::SeqCst), "the handler must not run unrecorded");
    audit.fail_decisions.store(false, Ordering::SeqCst);
    host.call(None, "t/run", json!({})).await.unwrap();
    assert!(ran.load(Ordering::SeqCst));
}

#[tokio::test]
async fn inputs_are_checked_and_never_echoed() {
    let schema = json!({ "type": "object", "required": ["a"], "properties": { "a": { "type": "string" } } });
    let typed = spec("t/typed").input(Schema::compile(schema, 1 << 16).unwrap());
    let host = dispatcher(vec![Registration::local(typed, echo())]);
    let secret = "hunter2";
    for input in [json!({}), json!({ "a": 7, "secret": secret }), json!(secret), Value::Null] {
        let error = host.call(None, "t/typed", input).await.unwrap_err();
        assert_eq!(error.code().as_str(), "INVALID_INPUT");
        let told = format!("{error} {:?}", error.details());
        assert!(!told.contains(secret), "{told}");
    }
    assert_eq!(code(&host, None, "t/typed", json!({ "a": "x" })).await, r#"OK {"a":"x"}"#);
}

#[tokio::test]
async fn errors_are_held_to_their_declaration() {
    let details = json!({ "type": "object", "required": ["why"] });
    let declared = ErrorSpec {
        code: "DOMAIN_X".to_owned(),
        description: String::new(),
        details: Schema::compile(details, 1 << 16).unwrap(),
        http_status: None,
    };
    let fail = || {
        handler_fn(|input: Value, _| async move {
            let code = alknet_call::ErrorCode::new(input["code"].as_str().unwrap_or_default().to_owned());
            let error = CallError::new(code, "failed");
            Err(match input.get("details") {
                Some(details) => error.with_details(details.clone()),
                None => error,
            })
        })
    };
    let panics = handler_fn(|_, _| async { panic!("CANARY-PANIC") });
    let host = dispatcher(vec![
        Registration::local(spec("t/err").raises_with(declared).unwrap(), fail()),
        Registration::local(spec("t/panic"), panics),
    ]);
    let table = [
        (json!({ "code": "DOMAIN_X", "details": { "why": "so" } }), "DOMAIN_X", json!({ "why": "so" })),
        (json!({ "code": "DOMAIN_X" }), "DOMAIN_X", Value::Null),
        (json!({ "code": "DOMAIN_X", "details": 7 }), "INTERNAL", json!({ "code": "DOMAIN_X" })),
        (json!({ "code": "DOMAIN_Y" }), "INTERNAL", json!({ "code": "DOMAIN_Y" })),
        (json!({ "code": "NOT_FOUND" }), "NOT_FOUND", Value::Null),
        // It would tell the caller that its request never left.
        (json!({ "code": "CONNECTION_CLOSED", "details": 7 }), "INTERNAL", Value::Null),
    ];
    for (input, code, details) in table {
        let error = host.call(None, "t/err", input).await.unwrap_err();
        assert_eq!((error.code().as_str(), error.details().cloned().unwrap_or_default()), (code, details));
    }
    let error = host.call(None, "t/panic", json!({})).await.unwrap_err();
    assert_eq!(error.to_string(), "INTERNAL: handler failed");
}

#[tokio::test]
async fn credentials_reach_their_own_leaf_only() {
    let has = || handler_fn(|_, scope| async move { Ok(json!(scope.capabilities().get("svc").is_some())) });
    let secret = Capabilities::new().with_api_key("svc", Secret::new("CANARY-CAP".to_owned()));
    let holder = Registration::local(spec("t/cap"), has()).with_capabilities(secret.clone());
    let composer = |op: &str| {
        Registration::composing(
            spec(op),
            compose_named(),
            composition(&[], &["t/cap", "t/plain", "t/import"]),
        )
    };
    let host = dispatcher(vec![
        holder,
        Registration::local(spec("t/plain"), has()),
        Registration::imported(ImportedFrom::OpenApi, spec("t/import"), has()),
        composer("p/without"),
        composer("p/with").with_capabilities(secret),
    ]);
    let table = [
        ("p/without", "t/cap", true),
        ("p/without", "t/plain", false),
        ("p/with", "t/plain", true),
        ("p/with", "t/import", false),
    ];
    for (composer, leaf, expected) in table {
        let got = host.call(None, composer, json!({ "op": leaf })).await.unwrap();
        assert_eq!(got, json!(expected), "{composer} -> {leaf}");
    }
}

/// A host whose `s/enter` enters a session with one operation, which composes what its input names.
fn session_host(session_scopes: &'static [&'static str], env: &'static [&'static str]) -> Dispatcher {
    let enter = handler_fn(move |input: Value, scope| async move {
        let outer = composition(session_scopes, env);
        let label = outer.authority().unwrap().label().clone();
        let held = outer.authority().unwrap().grants().clone();
        let wanted = Reach::of(env.iter().map(|n| name(n))).with_session_operations();
        // The session claims what it likes; entering narrows it to what s/enter itself composes with.
        let claimed = Composition::new(outer.authority().unwrap().clone(), wanted.clone());
        let own = scope.composition().attenuate(label, &held, &wanted);
        let tool = Registration::session(spec("session/tool"), compose_named(), own, "00".into()).unwrap();
        let layer = SessionLayer::default().with(Arc::new(tool), scope.curated()).unwrap();
        let context = SessionContext { id: "s1".into(), layer: Arc::new(layer), composition: claimed };
        let target = name(input["target"].as_str().unwrap_or("session/tool"));
        scope.invoke_in_session(&context, &target, input).await
    });
    let authority = composition(&["tool", "dyn"], &[]).authority().unwrap().clone();
    let reach = Reach::of([name("t/echo"), name("t/leaf")]).with_session_operations();
    let mut all = fixture();
    all.push(Registration::composing(spec("s/enter"), enter, Composition::new(authority, reach)));
    all.push(Registration::local(spec("session/open"), constant("curated")));
    dispatcher(all)
}

#[tokio::test]
async fn a_session_operation_stays_within_its_grant() {
    let granted = session_host(&["tool", "admin"], &["t/leaf", "t/admin"]);
    let call = |op: &str| json!({ "op": op, "input": {} });
    assert_eq!(code(&granted, None, "s/enter", call("t/leaf")).await, r#"OK "leaf""#);
    // s/enter holds neither the name nor the scope: claiming both does not give them.
    assert_eq!(code(&granted, None, "s/enter", call("t/admin")).await, "NOT_FOUND");
    assert_eq!(code(&granted, None, "s/enter", call("t/echo")).await, "NOT_FOUND");
    let weak = session_host(&[], &["t/leaf"]);
    assert_eq!(code(&weak, None, "s/enter", call("t/leaf")).await, "FORBIDDEN");
    // Session operations are no way to the curated `session/*`, and are not on the wire.
    let curated = json!({ "target": "session/open" });
    assert_eq!(code(&granted, None, "s/enter", curated).await, "NOT_FOUND");
    assert_eq!(code(&granted, None, "session/tool", call("t/leaf")).await, "NOT_FOUND");
}

#[test]
fn a_session_operation_shadows_nothing() {
    let curated =
        Registry::builder().register(Registration::local(spec("session/open"), echo())).unwrap().build();
    let shadow = |op: &str| {
        let nothing = composition(&[], &[]);
        let label = nothing.authority().unwrap().label().clone();
        let narrowed = nothing.attenuate(label, &grants(&[]), &Reach::default());
        Registration::session(spec(op), echo(), narrowed, "00".into())
    };
    let layer = SessionLayer::default();
    assert!(layer.with(Arc::new(shadow("session/open").unwrap()), &curated).is_err());
    assert!(shadow("fs/read").is_err());
    assert!(layer.with(Arc::new(Registration::local(spec("fs/read"), echo())), &curated).is_err());
}

#[test]
fn a_name_is_taken_once_and_a_handler_answers_as_its_kind_says() {
    let of_kind = |kind| Registration::local(OperationSpec::new(name("t/op"), kind), echo());
    let once = |kind| Registry::builder().register(of_kind(kind));
    let twice = once(OperationKind::Query).unwrap().register(of_kind(OperationKind::Query));
    assert_eq!(twice.unwrap_err(), RegistrationError::Exists(name("t/op")));
    assert!(once(OperationKind::Mutation).is_ok());
    for kind in [OperationKind::Subscription, OperationKind::Publication] {
        assert_eq!(once(kind).unwrap_err(), RegistrationError::Kind { name: name("t/op"), kind });
    }
}

proptest! {
    /// Narrowing never yields what the wider side does not hold.
    #[test]
    fn attenuation_never_widens(
        held in proptest::collection::btree_set("[a-d]", 0..4),
        wanted in proptest::collection::btree_set("[a-d]", 0..4),
        reach in proptest::collection::btree_set("[a-d]/x", 0..4),
        asked in proptest::collection::btree_set("([a-d]|session)/x", 0..4),
        session: bool,
    ) {
        let strings = |set: &BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>();
        let (held_list, reach_list) = (strings(&held), strings(&reach));
        let held_refs: Vec<&str> = held_list.iter().map(String::as_str).collect();
        let mut own = Reach::of(reach_list.iter().map(|n| name(n)));
        if session {
            own = own.with_session_operations();
        }
        let authority = composition(&held_refs, &[]).authority().unwrap().clone();
        let outer = Composition::new(authority, own);
        let wanted_refs: Vec<&str> = wanted.iter().map(String::as_str).collect();
        let label = outer.authority().unwrap().label().clone();
        let inner = outer.attenuate(label, &grants(&wanted_refs), &Reach::of(asked.iter().map(|n| name(n))));
        prop_assert!(inner.authority().unwrap().grants().is_subset(outer.authority().unwrap().grants()));
        for reached in inner.reach().names() {
            prop_assert!(outer.reach().allows(reached.as_str()) || (session && reached.is_session()));
            prop_assert!(asked.contains(reached.as_str()));
        }
    }
}

#[test]
fn a_call_id_reads_as_it_was_written() {
    let id = CallId::next();
    assert_eq!(id.to_string(), hex_of(&id.to_bytes()));
    assert_eq!(id.to_string().parse::<CallId>(), Ok(id));
    for text in ["", "1234", "+0000000000000000000000000000001", &"g".repeat(32), &"0".repeat(33)] {
        assert!(text.parse::<CallId>().is_err(), "{text}");
    }
}

fn hex_of(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
