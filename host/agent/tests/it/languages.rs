//! Tools in every language, of several files, with items, and sessions that do the same again.

use base64::Engine as _;
use serde_json::{Value, json};

use crate::support::{agent, host, registration, with};

/// A tool in WebAssembly text that answers with its input, or calls `t/echo` with it.
fn text(calls: bool) -> String {
    let body = if calls {
        "(call $ops (i32.const 1024) (i32.const 6) (local.get 2) (local.get 3) (i32.const 16)) (i32.const 16)"
    } else {
        "(i32.store (i32.const 16) (i32.const 0))
         (i32.store (i32.const 20) (local.get 2)) (i32.store (i32.const 24) (local.get 3)) (i32.const 16)"
    };
    format!(
        r#"(module
  (import "alknet:tool/ops@0.1.0" "invoke" (func $ops (param i32 i32 i32 i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 1024) "t/echo")
  (global $top (mut i32) (i32.const 4096))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local $p i32)
    (local.set $p (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
    (global.set $top (i32.add (local.get $p) (local.get 3)))
    (local.get $p))
  (func (export "invoke") (param i32 i32 i32 i32) (result i32) {body}))"#
    )
}

#[tokio::test]
async fn a_tool_may_be_text_or_a_component() {
    let host = host();
    let session = host.open(json!({})).await;
    let wat = with(registration(&session, "wat", &text(true)), json!({ "language": "wat" }));
    host.call(agent(), "session/register", wat).await.unwrap();
    assert_eq!(host.outcome(&session, "wat", json!({ "a": [1] })).await, "OK {\"a\":[1]}");

    // The smallest binary that is a component of nothing useful, and base64 that is none.
    for (source, message) in [("%%%", "the component is not standard base64"), ("AGFzbQ0AAQA=", "invoke")] {
        let bad = with(registration(&session, "bin", source), json!({ "language": "component" }));
        let error = host.call(agent(), "session/register", bad).await.unwrap_err();
        assert_eq!(error.code().as_str(), "SOURCE_REJECTED");
        assert!(error.message().contains(message), "{}", error.message());
    }
    let bytes = base64::engine::general_purpose::STANDARD.encode(wat_bytes(&text(false)));
    let component = with(
        registration(&session, "bin", &bytes),
        json!({ "language": "component", "examples": [{ "input": 7, "output": 7 }] }),
    );
    let registered = host.call(agent(), "session/register", component).await.unwrap();
    assert_eq!(registered["examples_passed"], 1);
    assert_eq!(host.outcome(&session, "bin", json!("x")).await, "OK \"x\"");
}

fn wat_bytes(text: &str) -> Vec<u8> {
    let buffer = wast::parser::ParseBuffer::new(text).unwrap();
    wast::parser::parse::<wast::Wat<'_>>(&buffer).unwrap().encode().unwrap()
}

#[tokio::test]
async fn what_a_component_calls_is_bounded_by_its_env() {
    let host = host();
    let session = host.open(json!({})).await;
    let wat = with(registration(&session, "wat", &text(true)), json!({ "language": "wat", "env": [] }));
    host.call(agent(), "session/register", wat).await.unwrap();
    let error = host.invoke(&session, "wat", json!(1)).await.unwrap_err();
    assert_eq!(error.code().as_str(), "NOT_FOUND");
}

#[tokio::test]
async fn a_tool_may_have_several_files() {
    let host = host();
    let session = host.open(json!({})).await;
    let files = json!({
        "main.ts": "import { twice } from './lib/twice'; export default async (n: number, env) => twice(n)",
        "lib/twice.ts": "export const twice = (n: number): number => {\n  if (n < 0) throw new RangeError('no');\n  return 2 * n };",
    });
    let several = json!({
        "session": session, "name": "files", "description": "", "input_schema": {}, "output_schema": {},
        "language": "typescript", "files": files,
    });
    let first = host.call(agent(), "session/register", several.clone()).await.unwrap();
    assert_eq!(host.outcome(&session, "files", json!(21)).await, "OK 42");
    let error = host.invoke(&session, "files", json!(-1)).await.unwrap_err();
    let at = &error.details().unwrap()["at"];
    assert_eq!((&at["file"], &at["line"]), (&json!("lib/twice.ts"), &json!(2)));
    assert!(at["snippet"].as_str().unwrap().contains("RangeError"));

    let mut other = with(several.clone(), json!({ "replace": true, "entry": "main.ts" }));
    let same = host.call(agent(), "session/register", other.clone()).await.unwrap();
    assert_eq!(same["digest"], first["digest"]);
    other["files"]["lib/twice.ts"] = json!("export const twice = (n: number) => n + n;");
    let changed = host.call(agent(), "session/register", other).await.unwrap();
    assert_ne!(changed["digest"], first["digest"]);

    let rows = [
        (json!({ "entry": "other.ts" }), "INVALID_INPUT", "no such file"),
        (json!({ "source": "x" }), "INVALID_INPUT", "either source or files"),
        (json!({ "files": { "a.ts": "", "b.ts": "" } }), "INVALID_INPUT", "which file is the tool"),
        (json!({ "language": "wat" }), "INVALID_INPUT", "a single text"),
        (json!({ "files": null }), "INVALID_INPUT", "give the text"),
        (
            json!({ "files": { "main.ts": "import 'fs'; export default () => 1" } }),
            "SOURCE_REJECTED",
            "main.ts:1:",
        ),
    ];
    for (members, code, message) in rows {
        let input = with(with(several.clone(), json!({ "name": "other" })), members);
        let error = host.call(agent(), "session/register", input).await.unwrap_err();
        assert_eq!(error.code().as_str(), code, "{}", error.message());
        assert!(error.message().contains(message), "{}", error.message());
    }
}

#[tokio::test]
async fn a_subscription_hands_over_its_items_and_its_errors() {
    let host = host();
    let session = host.open(json!({})).await;
    let source = "export default async function* (input, env) { \
        for (let i = 0; i < input.count; i++) yield (await env.t.echo({ i })).i; \
        if (input.fail) throw new OperationError('BROKEN', 'at the end') }";
    let sub = with(
        registration(&session, "sub", source),
        json!({
            "kind": "sub", "output_schema": { "type": "integer", "maximum": 3 },
            "error_schemas": [{ "code": "BROKEN" }], "replace": true,
        }),
    );
    let registered = host.call(agent(), "session/register", sub.clone()).await.unwrap();
    assert!(registered["declarations"].as_str().unwrap().contains("AsyncIterable<number>"), "{registered}");
    let rows = [
        (json!({ "input": { "count": 3 }, "output": [0, 1, 2] }), None),
        (json!({ "input": { "count": 0 }, "output": [] }), None),
        (json!({ "input": { "count": 1, "fail": true }, "error": "BROKEN" }), None),
        // The item that does not fit the schema ends it.
        (json!({ "input": { "count": 6 }, "error": "INTERNAL" }), None),
        (json!({ "input": { "count": 2 }, "output": [0] }), Some("EXAMPLE_FAILED")),
        (json!({ "input": { "count": 2_000 }, "output": [] }), Some("EXAMPLE_FAILED")),
    ];
    for (example, code) in rows {
        let input = with(sub.clone(), json!({ "examples": [example] }));
        let registered = host.call(agent(), "session/register", input).await;
        let found = registered.err().map(|error| error.code().to_string());
        assert_eq!(found.as_deref(), code, "{example}");
    }
}

#[tokio::test]
async fn a_kind_that_the_tool_is_not_is_refused() {
    let host = host();
    let session = host.open(json!({})).await;
    let rows = [
        ("export default async function* () { yield 1 }", json!({}), "a generator function"),
        ("export default async () => 1", json!({ "kind": "sub" }), "an async generator function"),
        (&text(false), json!({ "kind": "sub", "language": "wat" }), "a component answers once"),
    ];
    for (source, members, message) in rows {
        let input = with(registration(&session, "tool", source), members);
        let error = host.call(agent(), "session/register", input).await.unwrap_err();
        assert_eq!(error.code().as_str(), "SOURCE_REJECTED");
        assert!(error.message().contains(message), "{}", error.message());
    }
}

#[tokio::test]
async fn a_deterministic_session_does_the_same_again() {
    let host = host();
    let source = "export default async (input, env) => { \
        const draws = [Math.random(), crypto.randomUUID(), Date.now()]; \
        const order = []; \
        await Promise.all([30, 10, 20].map((ms) => new Promise((done) => \
            setTimeout(() => { order.push(ms); done() }, ms)))); \
        return [draws, order, Date.now()] }";
    let run = async |asked: Value| {
        let opened = host.call(agent(), "session/open", asked).await.unwrap();
        let session = opened["session"].as_str().unwrap().to_owned();
        host.register(&session, "draw", source).await.unwrap();
        let outputs = [
            host.invoke(&session, "draw", json!(1)).await.unwrap(),
            host.invoke(&session, "draw", json!(1)).await.unwrap(),
        ];
        host.call(agent(), "session/close", json!({ "session": session })).await.unwrap();
        (outputs, opened["deterministic"].clone())
    };
    let fixed = json!({ "deterministic": { "seed": "a", "now_ms": 1_000 } });
    let (outputs, told) = run(fixed.clone()).await;
    assert_eq!(told, fixed["deterministic"]);
    assert_eq!(outputs[0], outputs[1]);
    assert_eq!(outputs[0][1], json!([10, 20, 30]));
    assert_eq!((&outputs[0][0][2], &outputs[0][2]), (&json!(1_000), &json!(1_030)));
    assert_eq!(run(fixed).await.0[0], outputs[0]);

    let (drawn, told) = run(json!({ "deterministic": {} })).await;
    assert_ne!(drawn[0], outputs[0]);
    assert_eq!(run(json!({ "deterministic": told })).await.0[0], drawn[0], "what the answer says suffices");
    let (free, told) = run(json!({})).await;
    assert_eq!(told, Value::Null);
    assert_ne!(free[0][0], free[1][0]);
}
