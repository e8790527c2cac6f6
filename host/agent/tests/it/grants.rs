//! What a session may reach, and who may reach a session.

use serde_json::{Value, json};

use crate::support::*;

const CALL_NAMED: &str = "export default async (input, env) => env.invoke(input.op, input.input)";

#[tokio::test]
async fn a_grant_is_the_part_of_the_profile_that_was_asked_for() {
    let host = host();
    let names = |opened: &Value| -> Vec<String> {
        opened["env"].as_array().unwrap().iter().map(|e| e["name"].as_str().unwrap().to_owned()).collect()
    };
    let all = host.call(agent(), "session/open", json!({})).await.unwrap();
    assert_eq!(names(&all), ["t/echo", "t/fail", "t/tool", "time/now"]);
    assert_eq!(all["authority"]["scopes"], json!(["tool"]));
    assert!(all["declarations"].as_str().unwrap().contains("interface Env"), "{all}");
    let wanted = json!({ "env": ["t/echo", "t/admin", "host/shutdown", "no name"] });
    let some = host.call(agent(), "session/open", wanted).await.unwrap();
    assert_eq!(names(&some), ["t/echo"]);
}

#[tokio::test]
async fn profiles_are_hidden_from_those_who_may_not_use_them() {
    let host = host();
    let open = json!({ "profile": "operator" });
    let absent = host.call(agent(), "session/open", json!({ "profile": "nonsense" })).await.unwrap_err();
    let hidden = host.call(agent(), "session/open", open.clone()).await.unwrap_err();
    assert_eq!(absent, hidden);
    host.call(Some(identity("root", &["session", "admin"])), "session/open", open).await.unwrap();
    for nobody in [None, Some(identity("guest", &[]))] {
        let error = host.call(nobody, "session/open", json!({})).await.unwrap_err();
        assert_eq!(error.code().as_str(), "FORBIDDEN");
    }
}

#[tokio::test]
async fn a_tool_reaches_its_env_on_the_sessions_authority_and_nothing_else() {
    let host = host();
    let session = host.open(json!({})).await;
    host.register(&session, "any", CALL_NAMED).await.unwrap();
    let call = |op: &str| json!({ "op": op, "input": 7 });
    let table = [
        ("t/echo", "OK 7"),
        ("t/tool", "OK 7"),
        // Outside of the env: absent, whatever it is.
        ("t/admin", "NOT_FOUND"),
        ("services/list", "NOT_FOUND"),
        ("session/open", "NOT_FOUND"),
        ("session/register", "NOT_FOUND"),
        ("audit/query", "NOT_FOUND"),
        ("t/absent", "NOT_FOUND"),
        ("/t/echo", "NOT_FOUND"),
        ("", "NOT_FOUND"),
        ("__proto__", "NOT_FOUND"),
    ];
    for (op, expected) in table {
        assert_eq!(host.outcome(&session, "any", call(op)).await, expected, "{op}");
    }
    // In the env, but the session's authority does not hold the scope.
    let weak = host.open(json!({ "profile": "weak" })).await;
    host.register(&weak, "any", CALL_NAMED).await.unwrap();
    assert_eq!(host.outcome(&weak, "any", call("t/tool")).await, "FORBIDDEN");
}

#[tokio::test]
async fn an_operations_env_is_within_its_sessions() {
    let host = host();
    let session = host.open(json!({ "env": ["t/echo"] })).await;
    let wider =
        with(registration(&session, "wider", CALL_NAMED), json!({ "env": ["t/echo", "t/tool", "t/admin"] }));
    let error = host.call(agent(), "session/register", wider).await.unwrap_err();
    assert_eq!(
        (error.code().as_str(), error.details().unwrap()),
        ("ENV_DENIED", &json!({ "operations": ["t/tool", "t/admin"] }))
    );
    let narrow = with(registration(&session, "narrow", CALL_NAMED), json!({ "env": [] }));
    host.call(agent(), "session/register", narrow).await.unwrap();
    assert_eq!(host.outcome(&session, "narrow", json!({ "op": "t/echo" })).await, "NOT_FOUND");
    // The curated session operations are not the session's own.
    let meta = with(registration(&session, "meta", CALL_NAMED), json!({ "env": ["session/open"] }));
    assert_eq!(host.call(agent(), "session/register", meta).await.unwrap_err().code().as_str(), "ENV_DENIED");
}

#[tokio::test]
async fn operations_of_one_session_compose_each_other_when_they_say_so() {
    let host = host();
    let session = host.open(json!({})).await;
    host.register(&session, "double", "export default async (n) => n * 2").await.unwrap();
    let source = "export default async (n, env) => (await env.session.double(n)) + 1";
    let composed = with(registration(&session, "composed", source), json!({ "env": ["session/double"] }));
    host.call(agent(), "session/register", composed).await.unwrap();
    assert_eq!(host.outcome(&session, "composed", json!(20)).await, "OK 41");
    let looping = "export default async (n, env) => env.session.loops(n + 1)";
    let loops = with(registration(&session, "loops", looping), json!({ "env": ["session/loops"] }));
    host.call(agent(), "session/register", loops).await.unwrap();
    let error = host.invoke(&session, "loops", json!(0)).await.unwrap_err();
    assert!(error.message().contains("nested more than 16 deep"), "{error}");
    // Another session's operations are absent, even by name.
    let other = host.open(json!({})).await;
    host.register(&other, "any", CALL_NAMED).await.unwrap();
    assert_eq!(host.outcome(&other, "any", json!({ "op": "session/double", "input": 1 })).await, "NOT_FOUND");
}

#[tokio::test]
async fn a_session_is_its_owners_alone() {
    let host = host();
    let session = host.open(json!({})).await;
    host.register(&session, "tool", "export default async () => 1").await.unwrap();
    let mallory = || Some(identity("mallory", &["session", "admin", "audit:read"]));
    let table = [
        ("session/invoke", json!({ "session": session, "operation": "tool" })),
        ("session/register", registration(&session, "mine", "export default async () => 2")),
        (
            "session/run",
            json!({ "session": session, "language": "javascript", "source": "export default async () => 2" }),
        ),
        ("session/list", json!({ "session": session })),
        ("session/remove", json!({ "session": session, "operation": "tool" })),
        ("session/close", json!({ "session": session })),
    ];
    for (op, input) in table {
        let foreign = host.call(mallory(), op, input.clone()).await.unwrap_err();
        let guessed = with(input, json!({ "session": "0".repeat(32) }));
        let absent = host.call(mallory(), op, guessed).await.unwrap_err();
        assert_eq!(foreign, absent, "{op}: a foreign session reads like an absent one");
        assert_eq!(foreign.code().as_str(), "NOT_FOUND");
    }
    // The operation itself is not on the wire, for nobody.
    for who in [agent(), mallory()] {
        let error = host.call(who.clone(), "session/tool", json!({})).await.unwrap_err();
        assert_eq!(error.message(), "operation not found: session/tool");
        let described = host.call(who.clone(), "services/schema", json!({ "name": "session/tool" })).await;
        assert_eq!(described.unwrap_err().code().as_str(), "NOT_FOUND");
        let listed = host.call(who, "services/list", json!({})).await.unwrap();
        assert!(!listed.to_string().contains("session/tool"));
    }
    assert_eq!(host.outcome(&session, "tool", Value::Null).await, "OK 1");
}
