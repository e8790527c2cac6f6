//! Components, as text and as binary: what they may do, what is refused, what they cannot get away with.

use std::time::Duration;

use alknet_sandbox::{Binary, CallFailure, Limit, Limits, RegisterError, Tool};

use crate::support::{Host, limits, sandbox};

/// The functions every hand-written tool needs: memory that grows on demand and nothing is freed from.
const ALLOCATOR: &str = r#"
  (memory (export "memory") 1)
  (global $top (mut i32) (i32.const 4096))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local $p i32)
    (local.set $p (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
    (global.set $top (i32.add (local.get $p) (local.get 3)))
    (block $fits
      (br_if $fits (i32.le_u (global.get $top) (i32.mul (memory.size) (i32.const 65536))))
      (br_if $fits (i32.ne (i32.const -1)
        (memory.grow (i32.add (i32.const 1) (i32.shr_u (local.get 3) (i32.const 16))))))
      unreachable)
    (local.get $p))
"#;

/// A module with those functions, imports before them and fields after them.
fn module(imports: &str, fields: &str) -> String {
    format!("(module\n{imports}\n{ALLOCATOR}\n{fields})")
}

/// A tool whose `invoke` has that body; what it leaves is the address of the result.
fn tool_text(body: &str) -> String {
    let imports = r#"
  (import "alknet:tool/ops@0.1.0" "invoke" (func $ops (param i32 i32 i32 i32 i32)))
  (import "alknet:tool/runtime@0.1.0" "log" (func $log (param i32 i32 i32)))
  (import "alknet:tool/runtime@0.1.0" "now-millis" (func $now (result i64)))
  (import "alknet:tool/runtime@0.1.0" "random-bytes" (func $random (param i32 i32)))"#;
    let fields = format!(
        r#"
  (data (i32.const 1024) "\"text\"echo/itfail/itnever/it{{")
  (func $answer (param $p i32) (param $n i32) (result i32)
    (i32.store (i32.const 16) (i32.const 0))
    (i32.store (i32.const 20) (local.get $p))
    (i32.store (i32.const 24) (local.get $n))
    (i32.const 16))
  (func (export "invoke") (param $name i32) (param $name_len i32) (param $in i32) (param $in_len i32) (result i32)
    (local $i i32)
    {body})"#
    );
    module(imports, &fields)
}

async fn register(text: &str) -> Tool {
    match sandbox().register_component("a-tool", Binary::Text(text), &limits()).await {
        Ok(tool) => tool,
        Err(error) => panic!("{text}\n{error}"),
    }
}

async fn rejection(binary: Binary<'_>) -> (String, u32, u32) {
    match sandbox().register_component("a-tool", binary, &limits()).await {
        Err(RegisterError::Rejected(diagnostics)) => {
            let first = diagnostics.into_iter().next().unwrap();
            (first.message, first.line, first.column)
        }
        other => panic!("{binary:?}: {other:?}"),
    }
}

#[tokio::test]
async fn a_component_answers_and_calls_the_host() {
    let rows = [
        // Its input.
        ("(call $answer (local.get $in) (local.get $in_len))", Ok(r#"{"a":1}"#)),
        // Two calls, one after the other; the second's result.
        (
            "(call $ops (i32.const 1030) (i32.const 7) (i32.const 1024) (i32.const 6) (i32.const 64))
             (call $ops (i32.const 1030) (i32.const 7) (local.get $in) (local.get $in_len) (i32.const 16))
             (i32.const 16)",
            Ok(r#"{"a":1}"#),
        ),
        // A failed call, passed on as its own error.
        (
            "(call $ops (i32.const 1037) (i32.const 7) (local.get $in) (local.get $in_len) (i32.const 16))
             (i32.const 16)",
            Err("the tool raised NOT_FOUND: no such thing"),
        ),
        (
            "unreachable",
            Err("uncaught Trap: wasm trap: wasm `unreachable` instruction executed (at tool.wat:27:4)"),
        ),
        (
            "(i32.div_u (local.get $in) (local.get $i))",
            Err("uncaught Trap: wasm trap: integer divide by zero (at tool.wat:27:4)"),
        ),
        (
            "(call $answer (i32.const -16) (i32.const 64))",
            Err("uncaught Trap: string pointer/length out of bounds of memory"),
        ),
        (
            "(call $answer (i32.const 1024) (i32.const -1))",
            Err("uncaught Trap: string pointer/length out of bounds of memory"),
        ),
        ("(i32.const 1)", Err("uncaught Trap: return pointer not aligned")),
        (
            "(i32.store (i32.const 16) (i32.const 9)) (i32.const 16)",
            Err("uncaught Trap: invalid expected discriminant"),
        ),
        (
            "(call $answer (i32.const 1051) (i32.const 1))",
            Err("the output is not JSON: EOF while parsing a value at line 1 column 1"),
        ),
    ];
    for (body, expected) in rows {
        let tool = register(&tool_text(body)).await;
        let report = tool.call(r#"{"a":1}"#, &Host::default(), &limits()).await;
        let result = report.result.map_err(|failure| failure.to_string());
        assert_eq!(result.as_deref().map_err(String::as_str), expected, "{body}");
    }
}

#[tokio::test]
async fn a_component_logs_and_knows_time_and_its_own_name() {
    let body = "(call $log (i32.const 2) (local.get $name) (local.get $name_len))
        (call $random (i32.const 32) (i32.const 64))
        (if (i64.ne (call $now) (i64.const 1700000000123)) (then unreachable))
        (if (i32.ne (i32.load (i32.const 68)) (i32.const 32)) (then unreachable))
        (call $answer (local.get $in) (local.get $in_len))";
    let tool = register(&tool_text(body)).await;
    let report = tool.call("1", &Host::default(), &limits()).await;
    assert_eq!(report.result.as_deref(), Ok("1"));
    let texts: Vec<&str> = report.logs.iter().map(|line| line.text.as_str()).collect();
    assert_eq!(texts, ["a-tool"]);
    assert_eq!(report.memory_bytes, 65_536);
}

#[tokio::test]
async fn every_limit_ends_a_component_cleanly_and_the_next_call_works() {
    let few = Limits { host_calls_max: 3, ..limits() };
    let small = Limits { memory_bytes_max: 4 << 20, ..limits() };
    let quick = Limits { cpu: Duration::from_millis(30), ..limits() };
    let short = Limits { wall: Duration::from_millis(50), ..limits() };
    let calls = "(loop $l (call $ops (i32.const 1030) (i32.const 7) (local.get $in) (local.get $in_len) (i32.const 16))
        (br $l)) unreachable";
    let rows = [
        ("(loop $l (br $l)) unreachable", &quick, Limit::Cpu(quick.cpu)),
        (
            "(loop $l (br_if $l (i32.ne (i32.const -1) (memory.grow (i32.const 1))))) unreachable",
            &small,
            Limit::Memory(4 << 20),
        ),
        (calls, &few, Limit::HostCallsTotal(3)),
        (
            "(call $ops (i32.const 1044) (i32.const 8) (local.get $in) (local.get $in_len) (i32.const 16)) (i32.const 16)",
            &short,
            Limit::Wall(short.wall),
        ),
    ];
    for (body, limits, expected) in rows {
        let tool = register(&tool_text(body)).await;
        let report = tool.call("1", &Host::default(), limits).await;
        assert_eq!(report.result, Err(CallFailure::Limit(expected)), "{body}");
    }
    let deep = module(
        "",
        r#"(func $f (result i32) (i32.add (call $f) (call $f)))
        (func (export "invoke") (param i32 i32 i32 i32) (result i32) (call $f))"#,
    );
    let report = register(&deep).await.call("1", &Host::default(), &limits()).await;
    assert_eq!(report.result, Err(CallFailure::Limit(Limit::Stack(128 << 10))));
    let works = register(&tool_text("(call $answer (local.get $in) (local.get $in_len))")).await;
    assert_eq!(works.call("1", &Host::default(), &limits()).await.result.as_deref(), Ok("1"));
}

#[tokio::test]
async fn nothing_of_a_component_outlives_a_call() {
    let fields = r#"(global $n (mut i32) (i32.const 48))
      (func (export "invoke") (param i32 i32 i32 i32) (result i32)
        (global.set $n (i32.add (global.get $n) (i32.const 1)))
        (i32.store8 (i32.const 1024) (global.get $n))
        (i32.store (i32.const 20) (i32.const 1024)) (i32.store (i32.const 24) (i32.const 1)) (i32.const 16))"#;
    let tool = register(&module("", fields)).await;
    for _ in 0..3 {
        assert_eq!(tool.call("1", &Host::default(), &limits()).await.result.as_deref(), Ok("1"));
    }
}

#[tokio::test]
async fn what_is_no_tool_is_refused_with_a_reason_and_a_place() {
    let texts: &[(&str, &str, (u32, u32))] = &[
        ("", "expected at least one module field", (1, 1)),
        (
            "(module\n  (func (result i32)\n    i64.const 1))",
            "type mismatch: expected i32, found i64",
            (2, 4),
        ),
        (
            "(module\n  (func\n    i32.add\n    drop))",
            "type mismatch: expected i32 but nothing on stack",
            (3, 5),
        ),
        ("(module\n (func $a (call $b)))", "unknown func: failed to find name `$b`", (2, 17)),
        ("(module (fun))", "expected valid module field", (1, 10)),
        ("(module)", "failed to", (1, 1)),
        ("(component)", "it does not export `invoke", (1, 1)),
        (
            "(component (import \"wasi:cli/environment@0.2.0\" (instance)))",
            "it imports `wasi:cli/environment@0.2.0`, which is not there",
            (1, 1),
        ),
        (
            "(component (core module (memory 2000)))",
            "its memory begins with more than 67108864 bytes",
            (1, 1),
        ),
        (
            "(component (core module (memory 1)) (core module (memory 1)))",
            "it has more than 1 memory",
            (1, 1),
        ),
        (
            "(component (type $t (func (param \"x\" string) (result string)))
               (import \"alknet:tool/ops@0.1.0\" (instance (export \"invoke\" (func (type $t))))))",
            "component imports instance `alknet:tool/ops@0.1.0`",
            (1, 1),
        ),
    ];
    for (text, message, at) in texts {
        let (found, line, column) = rejection(Binary::Text(text)).await;
        assert!(found.contains(message), "{text}\n{found}");
        assert_eq!((line, column), *at, "{text}\n{found}");
    }
    let unknown = module(r#"(import "env" "clock" (func))"#, "");
    assert!(rejection(Binary::Text(&unknown)).await.0.contains("env"), "an import of another world");
    for (bytes, message) in [
        (&b""[..], "this is not WebAssembly"),
        (b"#!/bin/sh", "this is not WebAssembly"),
        (b"\0asm\x0d\0\x01\0\x01\xff", "unexpected end"),
        (b"\0asm\x01\0\0\0\x0a\xff\xff", "decoding item in module"),
    ] {
        let (found, ..) = rejection(Binary::Bytes(bytes)).await;
        assert!(found.contains(message), "{bytes:?}: {found}");
    }
    let narrow = Limits { source_bytes_max: 5, component_bytes_max: 7, ..limits() };
    for (binary, limit) in [
        (Binary::Text("(module)"), Limit::Source(5)),
        (Binary::Bytes(b"\0asm\x01\0\0\0"), Limit::Component(7)),
    ] {
        let refused = sandbox().register_component("a-tool", binary, &narrow).await;
        assert_eq!(refused.err(), Some(RegisterError::Limit(limit)));
    }
}

#[tokio::test]
async fn a_binary_does_what_its_text_does() {
    let text = tool_text("(call $answer (local.get $in) (local.get $in_len))");
    let module = wast_bytes(&text);
    let tool = sandbox().register_component("a-tool", Binary::Bytes(&module), &limits()).await.unwrap();
    assert_eq!(tool.call("[2]", &Host::default(), &limits()).await.result.as_deref(), Ok("[2]"));
    assert_ne!(tool.digest(), register(&text).await.digest());
}

fn wast_bytes(text: &str) -> Vec<u8> {
    let buffer = wast::parser::ParseBuffer::new(text).unwrap();
    wast::parser::parse::<wast::Wat<'_>>(&buffer).unwrap().encode().unwrap()
}

#[tokio::test]
async fn what_would_take_long_to_compile_is_refused_at_once() {
    let loops = |count: usize| "(loop (br_if 0 (local.get 0)))\n".repeat(count);
    let function = |locals: usize, body: &str| {
        let locals = " i32".repeat(locals);
        format!("(func (param i32) (local{locals}) {body})\n")
    };
    let invoke = "(func (export \"invoke\") (param i32 i32 i32 i32) (result i32) unreachable)";
    let rows = [
        function(0, &loops(8_000)),
        function(5_000, &loops(1_000)),
        function(0, &loops(2_000)).repeat(40),
        function(0, &format!("(br_table{} (local.get 0))", " 0".repeat(20_000))),
    ];
    let limits = Limits { source_bytes_max: 4 << 20, ..limits() };
    for fields in rows {
        let text = module("", &(fields.clone() + invoke));
        let refused = sandbox().register_component("a-tool", Binary::Text(&text), &limits).await;
        let message = refused.unwrap_err().to_string();
        assert!(message.contains("compiling it would take too long"), "{message}");
    }
}
