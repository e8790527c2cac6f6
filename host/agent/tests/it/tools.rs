//! Registering and running tools: diagnostics, schemas, examples, errors, logs, hostile code.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::*;

async fn rejected(input: Value) -> (String, Value) {
    let host = host();
    let session = host.open(json!({})).await;
    let input = with(input, json!({ "session": session }));
    let error = host.call(agent(), "session/register", input).await.unwrap_err();
    (error.code().to_string(), error.details().cloned().unwrap_or_default())
}

fn typescript(source: &str) -> Value {
    with(registration("", "tool", source), json!({ "language": "typescript" }))
}

#[tokio::test]
async fn bad_sources_are_pointed_at() {
    let table = [
        ("export default async (n: number => n", (1, 33)),
        ("\n\nexport default async (n) => {\n  let x = ;\n}", (4, 11)),
        ("import fs from 'fs'\nexport default async () => 1", (1, 16)),
        ("export const x = 1", (1, 1)),
    ];
    for (source, (line, column)) in table {
        let (code, details) = rejected(typescript(source)).await;
        assert_eq!(code, "SOURCE_REJECTED", "{source}");
        let first = &details["diagnostics"][0];
        let at = (first["line"].as_u64().unwrap(), first["column"].as_u64().unwrap());
        assert_eq!(at.0, line, "{source}: {details}");
        assert!(at.1.abs_diff(column) <= 2, "{source}: {details}");
    }
}

#[tokio::test]
async fn bad_registrations_are_refused_by_name() {
    let good = || registration("", "tool", "export default async (input) => input");
    let not_schema = json!({ "type": "nonsense" });
    let lookaround = json!({ "type": "string", "pattern": "(?=a)b" });
    let remote = json!({ "$ref": "https://example.com/schema.json" });
    let big = "x".repeat(300_000);
    let deep = (0..70).fold(json!({}), |inner, _| json!({ "not": inner }));
    let table = [
        ("schema that is none", json!({ "input_schema": not_schema }), "SCHEMA_REJECTED"),
        ("schema of the wrong type", json!({ "output_schema": 7 }), "SCHEMA_REJECTED"),
        ("schema with look-ahead", json!({ "input_schema": lookaround }), "SCHEMA_REJECTED"),
        ("schema from elsewhere", json!({ "input_schema": remote }), "SCHEMA_REJECTED"),
        ("schema too deep", json!({ "input_schema": deep }), "SCHEMA_REJECTED"),
        ("schema too large", json!({ "input_schema": { "description": big } }), "SCHEMA_REJECTED"),
        ("source too large", json!({ "source": big }), "LIMIT_EXCEEDED"),
        ("unknown member", json!({ "admin": true }), "INVALID_INPUT"),
        ("unknown language", json!({ "language": "cobol" }), "INVALID_INPUT"),
        ("reserved error code", json!({ "error_schemas": [{ "code": "FORBIDDEN" }] }), "INVALID_INPUT"),
        ("env that is no name", json!({ "env": ["x"] }), "INVALID_INPUT"),
        (
            "too many examples",
            json!({ "examples": vec![json!({ "input": 1, "output": 1 }); 3] }),
            "LIMIT_EXCEEDED",
        ),
        ("wrong example", json!({ "examples": [{ "input": 1, "output": 2 }] }), "EXAMPLE_FAILED"),
        ("example without expectation", json!({ "examples": [{ "input": 1 }] }), "INVALID_INPUT"),
    ];
    for (what, members, expected) in table {
        let (code, details) = rejected(with(good(), members)).await;
        assert_eq!(code, expected, "{what}: {details}");
    }
    let failed = json!({ "examples": [{ "input": 1, "output": 1 }, { "input": 2, "output": null }] });
    let (_, details) = rejected(with(good(), failed)).await;
    let expected = json!({ "index": 1, "expected": { "output": null }, "actual": { "output": 2 } });
    assert_eq!(details, expected);
}

#[tokio::test]
async fn inputs_and_outputs_are_held_to_the_schemas() {
    let host = host();
    let session = host.open(json!({})).await;
    let schemas = json!({
        "input_schema": { "type": "object", "required": ["n"], "properties": { "n": { "type": "integer" } } },
        "output_schema": { "type": "integer" },
        "examples": [{ "input": { "n": 2 }, "output": 4 }, { "input": { "n": "x" }, "error": "INVALID_INPUT" }],
    });
    let source = "export default async ({ n }) => n === 7 ? 'seven' : n * 2";
    let registered =
        host.call(agent(), "session/register", with(registration(&session, "tool", source), schemas));
    assert_eq!(registered.await.unwrap()["examples_passed"], json!(2));
    assert_eq!(host.outcome(&session, "tool", json!({ "n": 4 })).await, "OK 8");
    let error = host.invoke(&session, "tool", json!({ "n": 7 })).await.unwrap_err();
    assert_eq!(error.message(), "output failed output_schema validation");
    let error = host.invoke(&session, "tool", json!({ "n": "hunter2" })).await.unwrap_err();
    assert!(!format!("{error:?}").contains("hunter2"));
}

#[tokio::test]
async fn errors_reach_the_agent_with_what_it_needs() {
    let host = host();
    let session = host.open(json!({})).await;
    let source = "\
export default async (what: string, env: any) => {
  console.log('asked for', what);
  if (what === 'declared') throw new OperationError('TEAPOT', 'short and stout', { spout: 1 });
  if (what === 'undeclared') throw new OperationError('KETTLE', 'no');
  if (what === 'type') return (undefined as any).x;
  if (what === 'uncaught') return await env.t.fail({});
  if (what === 'caught') try { await env.t.fail({}) } catch (e: any) { return [e.code, e.details, e instanceof CallError] }
  if (what === 'never') await new Promise(() => {});
  if (what === 'bigint') return 1n;
  return what;
}";
    let declared = json!({ "language": "typescript", "error_schemas": [{ "code": "TEAPOT" }] });
    host.call(agent(), "session/register", with(registration(&session, "tool", source), declared))
        .await
        .unwrap();
    let table = [
        ("declared", "TEAPOT", json!({ "spout": 1 }), "spout"),
        ("undeclared", "INTERNAL", json!("KETTLE"), "code"),
        ("type", "INTERNAL", json!("TypeError"), "error"),
        ("uncaught", "INTERNAL", json!("BROKEN"), "code"),
        ("never", "INTERNAL", json!(["asked for never"]), "logs"),
        ("bigint", "INTERNAL", json!(["asked for bigint"]), "logs"),
    ];
    for (what, code, detail, key) in table {
        let error = host.invoke(&session, "tool", json!(what)).await.unwrap_err();
        assert_eq!(error.code().as_str(), code, "{what}: {error}");
        let details = error.details().unwrap();
        assert!(details[key] == detail || *details == detail, "{what}: {details}");
    }
    let error = host.invoke(&session, "tool", json!("undeclared")).await.unwrap_err();
    assert_eq!(error.message(), "undeclared error KETTLE: no");
    let error = host.invoke(&session, "tool", json!("type")).await.unwrap_err();
    assert_eq!(error.details().unwrap()["at"]["line"], json!(5), "{:?}", error.details());
    assert_eq!(host.outcome(&session, "tool", json!("caught")).await, r#"OK ["BROKEN",{"n":1},true]"#);
}

#[tokio::test]
async fn a_run_answers_output_logs_and_calls() {
    let host = host();
    let session = host.open(json!({})).await;
    let source = "\
export default async (n: number, env: Env) => {
  const all = await Promise.all(Array.from({ length: n }, (_, k) => env.t.echo({ k })));
  console.warn('done', all.length);
  try { await env.invoke('t/admin', {}) } catch {}
  return all.length;
}";
    let input = json!({ "session": session, "language": "typescript", "source": source, "input": 20 });
    let ran = host.call(agent(), "session/run", input).await.unwrap();
    assert_eq!(ran["output"], json!(20));
    assert_eq!(ran["logs"], json!([{ "level": "warn", "text": "done 20" }]));
    let calls = ran["calls"].as_array().unwrap();
    assert_eq!(calls.len(), 21);
    assert_eq!((&calls[20]["operation"], &calls[20]["outcome"]), (&json!("t/admin"), &json!("NOT_FOUND")));
    let listed = host.call(agent(), "session/list", json!({ "session": session })).await.unwrap();
    assert_eq!(listed["sessions"][0]["operations"], json!([]), "scripts are not kept");
}

#[tokio::test]
async fn hostile_tools_end_typed_and_the_next_call_works() {
    let host = host();
    let session = host.open(json!({})).await;
    let table = [
        ("while (true) {}", "LIMIT_EXCEEDED"),
        ("while (true) { try { throw 1 } catch {} finally { continue } }", "LIMIT_EXCEEDED"),
        ("for (;;) await null", "LIMIT_EXCEEDED"),
        ("return /^(a+)+$/.test('a'.repeat(40) + 'b')", "LIMIT_EXCEEDED"),
        ("const f = () => 1 + f(); return f()", "LIMIT_EXCEEDED"),
        ("return 'x'.repeat(5e6)", "LIMIT_EXCEEDED"),
        ("return new ArrayBuffer(1 << 30).byteLength", "LIMIT_EXCEEDED"),
        ("await new Promise(() => {})", "INTERNAL"),
        ("const a = {}; a.a = a; return a", "INTERNAL"),
        ("throw null", "INTERNAL"),
        ("Object.prototype.toJSON = () => 'evil'; Promise.prototype.then = null; return { ok: 1 }", "OK"),
        ("globalThis.env = 1; globalThis.CallError = 1; return 2", "OK 2"),
        ("env.t.echo = 1", "INTERNAL"),
    ];
    for (body, expected) in table {
        let source = format!("export default async (input, env) => {{ {body} }}");
        let replacing = with(registration(&session, "hostile", &source), json!({ "replace": true }));
        host.call(agent(), "session/register", replacing).await.unwrap();
        let outcome =
            tokio::time::timeout(Duration::from_secs(20), host.outcome(&session, "hostile", Value::Null));
        let outcome = outcome.await.expect("every tool ends");
        assert!(outcome.starts_with(expected), "{body}: {outcome}");
        let good = with(
            registration(&session, "good", "export default async (n) => n + 1"),
            json!({ "replace": true }),
        );
        host.call(agent(), "session/register", good).await.unwrap();
        assert_eq!(host.outcome(&session, "good", json!(1)).await, "OK 2", "after {body}");
    }
}

#[tokio::test]
async fn nothing_survives_a_call() {
    let host = host();
    let session = host.open(json!({})).await;
    let source = "let n = 0; export default async () => { globalThis.g = (globalThis.g ?? 0) + 1; Array.prototype.leak = 1; return [++n, globalThis.g] }";
    host.register(&session, "tool", source).await.unwrap();
    for _ in 0..3 {
        assert_eq!(host.outcome(&session, "tool", Value::Null).await, "OK [1,1]");
    }
    host.register(&session, "random", "export default async () => Math.random()").await.unwrap();
    let (a, b) = (
        host.outcome(&session, "random", Value::Null).await,
        host.outcome(&session, "random", Value::Null).await,
    );
    assert_ne!(a, b, "each call has randomness of its own");
}
