//! Several identities on one host: what is one's own stays one's own.

use alknet_core::NewApiKey;
use serde_json::{Value, json};

use crate::support::{Peer, Project, Wire, requested};

/// The configuration of an API key.
fn api_key(key: &NewApiKey, scopes: &[&str], more: &str) -> String {
    format!("[[api_key]]\nprefix = {:?}\nhash = \"{}\"\nscopes = {scopes:?}\n{more}\n", key.prefix, key.hash)
}

#[tokio::test]
async fn sessions_and_records_are_their_owners() {
    let project = Project::new().await;
    let scopes = ["session", "fs:read", "kv:read", "kv:write"];
    let alice = project.add_peer("alice", &scopes);
    let mallory = project.add_peer("mallory", &scopes);
    let host = project.serve().await;
    let alice = host.client(Some(alice)).await;
    let session = alice.open_session().await;
    alice.register(&session, "tool", "export default (input) => input").await.unwrap();
    let requests = |session: &str| {
        let base = json!({ "session": session });
        let with = |members: Value| {
            let mut request = base.clone();
            request.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
            request
        };
        let source = "export default () => 1";
        let tool = json!({
            "name": "mine", "description": "", "input_schema": {}, "output_schema": {},
            "language": "javascript", "source": source,
        });
        [
            ("session/list", base.clone()),
            ("session/invoke", with(json!({ "operation": "tool", "input": {} }))),
            ("session/register", with(tool)),
            ("session/run", with(json!({ "language": "javascript", "source": source }))),
            ("session/remove", with(json!({ "operation": "tool" }))),
            ("session/close", base.clone()),
        ]
    };
    // All scopes of the host do not make the operator the owner; an id that was never given out reads the same.
    for key in [mallory, project.operator_key()] {
        let other = host.client(Some(key)).await;
        let absent = "0".repeat(32);
        for ((operation, foreign), (_, absent)) in requests(&session).into_iter().zip(requests(&absent)) {
            let error = other.call(operation, foreign).await.unwrap_err();
            assert_eq!(error.code().as_str(), "NOT_FOUND", "{operation}");
            assert_eq!(error, other.call(operation, absent).await.unwrap_err(), "{operation}");
        }
        assert_eq!(other.code("session/tool", json!({})).await, "NOT_FOUND");
    }
    let mallory = host.client(Some(crate::support::secret_key(&project.file("mallory.key")))).await;
    let tool = json!({ "operation": { "name": "session/tool", "session": session } });
    assert_eq!(mallory.code("audit/provenance", tool.clone()).await, "NOT_FOUND");
    assert_eq!(mallory.code("audit/query", json!({ "filter": { "caller": "alice" } })).await, "FORBIDDEN");
    let own = mallory.call("audit/query", json!({ "limit": 1000 })).await.unwrap();
    let callers = own["entries"].as_array().unwrap().iter();
    assert!(callers.map(|entry| &entry["record"]["caller"]).all(|caller| caller == "mallory"));
    for peer in [&alice, &mallory] {
        assert_eq!(peer.code("host/status", json!({})).await, "FORBIDDEN");
    }
    // Nothing that was tried had an effect.
    assert_eq!(alice.code("audit/provenance", tool).await, "OK");
    let run = json!({ "session": session, "operation": "tool", "input": { "still": "here" } });
    assert_eq!(alice.call("session/invoke", run).await.unwrap(), json!({ "still": "here" }));
}

#[tokio::test]
async fn every_identity_has_a_store_of_its_own_that_outlives_the_host() {
    let project = Project::new().await;
    let scopes = ["kv:read", "kv:write", "session"];
    let alice = project.add_peer("alice", &scopes);
    let key = NewApiKey::generate().unwrap();
    project.add(&api_key(&key, &scopes, ""));
    let get = async |peer: &Peer| {
        let got = peer.call("kv/get", json!({ "key": "name" })).await.unwrap();
        got["value"].clone()
    };
    let host = project.serve().await;
    let by_key = host.client(Some(alice.clone())).await;
    let by_token = host.client(None).await.with_token(&key.token);
    for (peer, value) in [(&by_key, "alice"), (&by_token, "token")] {
        let put = json!({ "key": "name", "value": value });
        peer.call("kv/put", put).await.unwrap();
    }
    // A tool writes where its caller does.
    let session = by_key.open_session().await;
    let script = "export default async (i, env) => (await env.kv.get({ key: 'name' })).value";
    assert_eq!(by_key.run(&session, script).await.unwrap(), "alice");
    assert_eq!(get(&by_token).await, "token");
    by_token.call("kv/delete", json!({ "key": "name" })).await.unwrap();
    assert_eq!(get(&by_token).await, Value::Null);
    assert_eq!(get(&by_key).await, "alice");
    host.stop().await;

    let host = project.serve().await;
    let by_key = host.client(Some(alice)).await;
    assert_eq!(get(&by_key).await, "alice");
    assert_eq!(get(&host.client(None).await.with_token(&key.token)).await, Value::Null);
    let list = json!({ "session": session });
    assert_eq!(by_key.code("session/list", list).await, "NOT_FOUND", "a session ends with its host");
}

#[tokio::test]
async fn a_token_is_an_identity_where_it_is_valid() {
    let project = Project::new().await;
    let (good, expired, unknown) =
        (NewApiKey::generate().unwrap(), NewApiKey::generate().unwrap(), NewApiKey::generate().unwrap());
    project.add(&api_key(&good, &["kv:read", "kv:write"], ""));
    project.add(&api_key(&expired, &["kv:read"], "expires_at = 2020-01-01T00:00:00Z"));
    // The same peer by its key and by a token.
    let both = NewApiKey::generate().unwrap();
    let alice = project.add_peer("alice", &["kv:read", "kv:write"]);
    project.edit(|text| {
        let hash = format!("id = \"alice\"\nauth_token_hash = \"{}\"", both.hash);
        text.replacen("id = \"alice\"", &hash, 1)
    });
    let host = project.serve().await;
    let put = json!({ "key": "k", "value": 1 });
    host.client(Some(alice)).await.call("kv/put", put).await.unwrap();
    let token = host.client(None).await.with_token(&both.token);
    assert_eq!(token.call("kv/get", json!({ "key": "k" })).await.unwrap()["value"], 1);

    // The connection is nobody's here: what counts is the token.
    let (elsewhere, addr, pin) = (Project::empty(), host.addr().to_string(), host.fingerprint().to_string());
    let call = ["call", "kv/get", r#"{"key":"k"}"#, "--connect", &addr, "--fingerprint", &pin, "--json"];
    for (name, key, code) in [("good", &good, 0), ("expired", &expired, 1), ("unknown", &unknown, 1)] {
        let file = elsewhere.write_private(name, &format!("{}\n", *key.token));
        let ran = elsewhere.run(call.iter().copied().chain(["--token-file", file.to_str().unwrap()])).await;
        let piped =
            elsewhere.run_with_input(call.iter().copied().chain(["--token-file", "-"]), &key.token).await;
        for ran in [&ran, &piped] {
            assert_eq!(ran.code, code, "{name}: {ran:?}");
            if code == 1 {
                assert_eq!(ran.error_code(), "FORBIDDEN");
            } else {
                assert_eq!(ran.json()["found"], false, "a store of its own");
            }
        }
    }
    let open = elsewhere.write("open", &good.token);
    let ran =
        elsewhere.run(call.iter().copied().chain(["--token-file", open.to_str().unwrap()])).await.fails(3);
    assert!(ran.stderr.contains("chmod"), "{}", ran.stderr);
}

#[tokio::test]
async fn who_calls_too_fast_is_refused_and_nobody_else() {
    const CALLS: usize = 50;
    let project = Project::new().await;
    project.edit(|text| text.replace("#calls_per_second_max = 10000", "calls_per_second_max = 1"));
    let (hasty, other) = (project.add_peer("hasty", &[]), project.add_peer("other", &[]));
    let host = project.serve().await;
    let (_dialer, connection) = host.dial(Some(hasty)).await.unwrap();
    let mut wire = Wire::open(&connection).await;
    wire.frames((0..CALLS).map(|id| requested(&id.to_string(), "time/now", &json!({}), &json!({})))).await;
    let mut codes = Vec::new();
    while codes.len() < CALLS {
        codes.push(wire.answer().await.unwrap().1);
    }
    let count = |code: &str| codes.iter().filter(|other| *other == code).count();
    assert!(count("OK") > 0 && count("RATE_LIMITED") > 0, "{codes:?}");
    assert_eq!(count("OK") + count("RATE_LIMITED"), CALLS, "{codes:?}");
    assert_eq!(host.client(Some(other)).await.code("time/now", json!({})).await, "OK");
    host.stop().await;
}
