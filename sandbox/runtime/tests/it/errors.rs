//! Failures an author has to understand, with positions in the author's own text.

use alknet_sandbox::{CallFailure, HostCallError, Language, Position, RegisterError};

use crate::support::{Host, failure_of, limits, names, register, register_as};

#[tokio::test]
async fn thrown_errors_come_with_name_message_and_position() {
    let text = "function inner(x) {\n  return x.missing.field;\n}\nexport default async function main(input) {\n  await null;\n  return inner(input);\n}\n";
    let tool = register(text).await;
    let failure = tool.call("{}", &Host::default(), &limits()).await.result.unwrap_err();
    let CallFailure::Threw { name, message, stack, at, snippet } = &failure else { panic!("{failure:?}") };
    assert_eq!(name, "TypeError");
    assert!(message.contains("field"), "{message}");
    assert_eq!(at.as_ref().map(|at| (&*at.file, at.line)), Some(("tool", 2)));
    assert_eq!(snippet.as_deref(), Some("  return x.missing.field;"));
    assert_eq!(stack.first().and_then(|frame| frame.function.as_deref()), Some("inner"));
    assert_eq!(
        stack.get(1).map(|frame| (frame.function.as_deref(), frame.position.line)),
        Some((Some("main"), 6))
    );
    assert!(failure.to_string().contains("TypeError") && failure.to_string().contains("2:"), "{failure}");
}

#[tokio::test]
async fn positions_are_those_of_the_typescript() {
    let text = "interface A {\n  b: string;\n}\n\ntype C = A | null;\n\nexport default function tool(input: A): never {\n  const d: C = input;\n  throw new Error(`no ${d.b}`);\n}\n";
    let tool = register_as(Language::TypeScript, text, &names(), &limits()).await.unwrap();
    let failure = tool.call(r#"{"b":"x"}"#, &Host::default(), &limits()).await.result.unwrap_err();
    let CallFailure::Threw { message, at, .. } = &failure else { panic!("{failure:?}") };
    assert_eq!((message.as_str(), at.as_ref().map(|at| at.line)), ("no x", Some(9)));
}

#[tokio::test]
async fn an_uncaught_host_failure_is_reported_where_it_was_called() {
    let text = "export default async function tool(input, env) {\n  const a = await env.echo.it(1);\n  return [a, await env.fail.it(2)];\n}";
    let tool = register(text).await;
    let failure = tool.call("{}", &Host::default(), &limits()).await.result.unwrap_err();
    let CallFailure::HostCall { error, at, snippet } = failure else { panic!("{failure:?}") };
    let details = Some(r#"{"path":"/a"}"#.to_owned());
    let expected =
        HostCallError { code: "NOT_FOUND".into(), message: "no such thing".into(), retryable: true, details };
    assert_eq!((error, at.map(|at| at.line)), (expected, Some(3)));
    assert_eq!(snippet.as_deref(), Some("  return [a, await env.fail.it(2)];"));
}

#[tokio::test]
async fn declared_errors_are_raised() {
    let rows = [
        ("throw new OperationError('NOT_READY', 'wait', {ms: 5})", "NOT_READY", "wait", Some(r#"{"ms":5}"#)),
        ("throw new OperationError('A')", "A", "", None),
        ("throw new (class X extends OperationError {})('A', 'm', [1])", "A", "m", Some("[1]")),
        ("throw new OperationError('A', 'm', 1n)", "A", "m", None),
        (
            "const e = new OperationError('A', 'm'); Object.defineProperty(e, 'details', {get() { throw 1 }}); throw e",
            "A",
            "m",
            None,
        ),
        ("return Promise.reject(new OperationError('A', 'm'))", "A", "m", None),
    ];
    for (body, code, message, details) in rows {
        let details = details.map(String::from);
        let expected = CallFailure::Raised { code: code.into(), message: message.into(), details };
        assert_eq!(failure_of(body, &limits()).await, expected, "{body}");
    }
}

/// Body, name, part of the message.
const THROWN: &[(&str, &str, &str)] = &[
    ("throw new RangeError('far')", "RangeError", "far"),
    ("throw null", "Thrown", "null"),
    ("throw undefined", "Thrown", "undefined"),
    ("throw 'text'", "Thrown", "text"),
    ("throw {code: 5}", "Thrown", r#"{"code":5}"#),
    ("throw Symbol('s')", "Thrown", ""),
    ("throw () => 1", "Thrown", "1"),
    ("throw 5n", "Thrown", "5"),
    ("throw new Proxy({}, { get() { throw 1 }, ownKeys() { throw 1 } })", "Thrown", ""),
    (
        "const e = new Error('x'); Object.defineProperty(e, 'message', {get() { throw 1 }}); throw e",
        "Error",
        "",
    ),
    ("const e = new Error('x'); e.name = {toString() { throw 1 }}; throw e", "", "x"),
    ("const e = new Error('x'); e.stack = 'at z (tool:999999:1)'; throw e", "Error", "x"),
    (
        "const e = new Error('x'); e.stack = 'at z (tool:99999999999999:1)\\nat (tool:)\\n at tool:1:'; throw e",
        "Error",
        "x",
    ),
    ("Error.prepareStackTrace = () => { throw 1 }; throw new Error('x')", "Error", "x"),
    ("Error.stackTraceLimit = 1e9; throw new Error('x')", "Error", "x"),
    ("throw new Error('y'.repeat(1e6))", "Error", "yyy"),
    ("throw new AggregateError([1], 'all')", "AggregateError", "all"),
    ("return { toJSON() { throw new TypeError('mine') } }", "TypeError", "mine"),
    ("undefinedVariable", "ReferenceError", "undefinedVariable"),
    (
        "queueMicrotask(() => { throw new Error('later') }); await null; await null; await null",
        "Error",
        "later",
    ),
    ("return import('fs')", "TypeError", "imports"),
];

#[tokio::test]
async fn whatever_is_thrown_is_described() {
    for (body, expected, part) in THROWN {
        // Lowering refuses some of these before they can run.
        let text = format!("export default async function tool(input, env) {{ {body}\n}}");
        let Ok(tool) = register_as(Language::JavaScript, &text, &names(), &limits()).await else {
            assert!(body.contains("import("), "{body}");
            continue;
        };
        match tool.call("{}", &Host::default(), &limits()).await.result {
            Err(CallFailure::Threw { name, message, .. }) => {
                assert_eq!(name, *expected, "{body}");
                assert!(message.contains(part) && message.len() <= 3 * 8192, "{body}: {message}");
            }
            other => panic!("{body}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn results_that_are_not_json_are_named() {
    let rows = [
        ("return 1n", "BigInt"),
        ("const a = {}; a.a = a; return a", "circular"),
        ("return () => 1", "function"),
        ("return Symbol()", "symbol"),
        ("return (function* () {})()", "generator"),
    ];
    for (body, part) in rows {
        match failure_of(body, &limits()).await {
            CallFailure::BadOutput { reason } => assert!(reason.contains(part), "{body}: {reason}"),
            other => panic!("{body}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn other_ends_are_typed() {
    assert_eq!(failure_of("await new Promise(() => {})", &limits()).await, CallFailure::Stalled);
    let tool = register("export default () => 1").await;
    for input in ["", "{", "nul", "1 2", "\u{0}", "{\"a\":1,}"] {
        let result = tool.call(input, &Host::default(), &limits()).await.result;
        assert_eq!(result, Err(CallFailure::BadInput), "{input:?}");
    }
}

/// Language, text, part of the message, line (0: any).
const REJECTED: &[(Language, &str, &str, u32)] = &[
    (Language::JavaScript, "export default function( {", "", 1),
    (Language::JavaScript, "const a = 1;\nconst b = ;\nexport default () => a;", "", 2),
    (Language::TypeScript, "const a: number = 1;\n\nlet b: = 2;\nexport default () => a;", "", 3),
    (Language::JavaScript, "export const x = 1", "default", 0),
    (Language::JavaScript, "export default 5", "default", 0),
    (Language::JavaScript, "import x from 'fs';\nexport default () => x", "import", 1),
    (Language::JavaScript, "\n\nthrow new Error('early');\nexport default () => 1", "early", 3),
    (Language::JavaScript, "throw null; export default () => 1", "null", 0),
    (Language::JavaScript, "const x = await new Promise(() => {});\nexport default () => x", "await", 0),
    (Language::JavaScript, "const x = await env.fs.read({});\nexport default () => x", "", 1),
    (Language::JavaScript, "\nenv.fs.read({});\nexport default () => 1", "env", 2),
    (Language::JavaScript, "export { a as default }", "", 0),
    (Language::JavaScript, "", "default", 0),
];

#[tokio::test]
async fn sources_are_rejected_where_they_are_wrong() {
    for (language, text, part, line) in REJECTED {
        match register_as(*language, text, &names(), &limits()).await {
            Err(RegisterError::Rejected(diagnostics)) => {
                let first = diagnostics.first().unwrap();
                assert!(first.message.contains(part), "{text}: {first}");
                assert!(*line == 0 || first.line == *line, "{text}: {first}");
                assert!(first.line >= 1 && first.column >= 1);
            }
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn positions_print_as_file_line_and_column() {
    let position = Position { file: "lib/a.ts".into(), line: 3, column: 7 };
    assert_eq!(position.to_string(), "lib/a.ts:3:7");
}
