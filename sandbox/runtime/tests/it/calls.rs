//! What tools can do when nothing goes wrong.

use alknet_sandbox::Language;

use crate::support::{Host, call_body, limits, names, register, register_as};

/// Body of an async tool, input, output.
const CALLS: &[(&str, &str, &str)] = &[
    ("return {sum: input.a + input.b}", r#"{"a":1,"b":2}"#, r#"{"sum":3}"#),
    ("", "null", "null"),
    ("return input", r#"{"ü":"\ud83d\ude00","n":[1.5,null,true]}"#, r#"{"ü":"😀","n":[1.5,null,true]}"#),
    ("return input", r#"{"__proto__":{"a":1}}"#, r#"{"__proto__":{"a":1}}"#),
    (r"return '\ud800'", "0", r#""\ud800""#),
    ("return 'a'.repeat(3)", "0", r#""aaa""#),
    ("return new Date().toISOString()", "0", r#""2023-11-14T22:13:20.123Z""#),
    ("return new Date(0).getTimezoneOffset()", "0", "0"),
    ("return (await env.echo.it({a: 1})).a", "0", "1"),
    ("return await env.invoke('echo/other', [input])", "5", "[5]"),
    ("return await env.name.it()", "0", r#""name/it""#),
    ("return await env.echo.it()", "0", "{}"),
    ("return await env.echo.it(null)", "0", "null"),
    ("return await env.later.it(7)", "0", "7"),
    ("return await Promise.all([1,2,3].map(n => env.later.it(n)))", "0", "[1,2,3]"),
    ("return await env.echo.it('x'.repeat(300000)).then(s => s.length)", "0", "300000"),
    (
        "return (await Promise.all(Array.from({length: 20}, () => env.big.it(100000)))).map(s => s.length)[19]",
        "0",
        "100000",
    ),
    (
        "try { await env.fail.it(1) } catch (e) { return [e instanceof CallError, e instanceof Error, \
         Error.isError(e), e.name, e.code, e.message, e.retryable, e.details, String(e), Object.keys(e)] }",
        "0",
        r#"[true,true,true,"CallError","NOT_FOUND","no such thing",true,{"path":"/a"},"CallError: no such thing",["code","retryable","details"]]"#,
    ),
    (
        "const e = new OperationError('C', 'm', {d: 1}); return [e instanceof Error, e.name, e.code, e.message, e.details]",
        "0",
        r#"[true,"OperationError","C","m",{"d":1}]"#,
    ),
    (
        "class Mine extends OperationError { constructor() { super('C', 'm'); this.name = 'Mine' } } return new Mine().name",
        "0",
        r#""Mine""#,
    ),
    ("return Promise.resolve(1).then(n => n + 1)", "0", "2"),
    ("return { then(resolve) { resolve(9) } }", "0", "9"),
    ("return { then: 9 }", "0", r#"{"then":9}"#),
    (
        "return [[3,1,2].toSorted(), Object.groupBy([1,2], n => n % 2 ? 'odd' : 'even'), 'a-b'.replace(/(\\w)-(\\w)/u, '$2-$1')]",
        "0",
        r#"[[1,2,3],{"odd":[1],"even":[2]},"b-a"]"#,
    ),
    (
        "return [typeof process, typeof require, typeof fetch, typeof WebAssembly, typeof eval, typeof Atomics]",
        "0",
        r#"["undefined","undefined","undefined","undefined","undefined","undefined"]"#,
    ),
];

#[tokio::test]
async fn tools_compute_and_call() {
    for (body, input, output) in CALLS.iter().filter(|row| !row.2.is_empty()) {
        let report = call_body(body, input).await;
        assert_eq!(report.result.as_deref(), Ok(*output), "{body}");
    }
}

#[tokio::test]
async fn an_input_longer_than_the_fixed_buffer_arrives_whole() {
    for len in [65_533, 65_534, 65_535, 65_536, 900_000] {
        let input = format!("\"{}\"", "é".repeat(len / 2));
        let report = call_body("return input.length", &input).await;
        assert_eq!(report.result, Ok((len / 2).to_string()));
    }
}

/// Whole modules: language, text, output for `{"n":2}`.
const MODULES: &[(Language, &str, &str)] = &[
    (Language::JavaScript, "export default (input) => input.n", "2"),
    (Language::JavaScript, "const k = 3; function f({ n }) { return n * k }\nexport { f as default }", "6"),
    (Language::JavaScript, "export default class {}\n", ""),
    (Language::JavaScript, "await null; const n = await Promise.resolve(4); export default () => n", "4"),
    (
        Language::TypeScript,
        "export default async function (input: { n: number }, env: unknown): Promise<number> { return input.n! }",
        "2",
    ),
    (
        Language::TypeScript,
        "enum Kind { A = 1, B = A << 3 }\ninterface I { n: number }\nexport default (i: I) => Kind.B satisfies number",
        "8",
    ),
];

#[tokio::test]
async fn modules_export_a_tool() {
    for (language, text, output) in MODULES.iter().filter(|row| !row.2.is_empty()) {
        let Ok(tool) = register_as(*language, text, &names(), &limits()).await else {
            // Lowering may refuse what the engine would take, such as top-level await.
            assert!(text.contains("await null"), "{text}");
            continue;
        };
        let report = tool.call(r#"{"n":2}"#, &Host::default(), &limits()).await;
        assert_eq!(report.result.as_deref(), Ok(*output), "{text}");
    }
}

#[tokio::test]
async fn reports_say_what_was_used() {
    let report =
        call_body("for (let i = 0; i < 5; i++) await env.echo.it(i); console.log('x'); return 1", "0").await;
    assert_eq!((report.host_calls, report.logs.len(), report.log_truncated), (5, 1, false));
    assert!(report.memory_bytes >= 1 << 20 && report.memory_bytes < 4 << 20, "{}", report.memory_bytes);
    assert!(!report.cpu.is_zero());
}

#[tokio::test]
async fn digests_name_source_and_guest() {
    let tool = register("export default () => 1").await;
    // printf 'export default () => 1' | sha256sum
    assert_eq!(tool.digest().len(), 64);
    assert_eq!(tool.digest(), register("export default () => 1").await.digest());
    assert_ne!(tool.digest(), register("export default () => 2").await.digest());
    let sums = include_str!("../../../quickjs/SHA256SUMS");
    assert_eq!(sums.split_whitespace().next(), Some(crate::support::sandbox().guest_digest()));
}

#[tokio::test]
async fn a_registered_tool_is_small() {
    let tool = register("export default (input) => input.a + input.b").await;
    assert!(tool.snapshot_bytes() < 64 << 10, "{}", tool.snapshot_bytes());
}

#[tokio::test]
async fn calls_that_were_not_awaited_are_finished_first() {
    let report = call_body("env.later.it(1).then(() => console.log('done')); return 5", "0").await;
    assert_eq!((report.result.as_deref(), report.logs.len()), (Ok("5"), 1));
}

#[tokio::test]
async fn time_passes_while_a_tool_computes() {
    use std::sync::atomic::{AtomicU64, Ordering};
    struct Clock(AtomicU64);
    impl alknet_sandbox::HostCalls for Clock {
        fn call(
            &self,
            _: String,
            input: String,
        ) -> futures_util::future::BoxFuture<'_, Result<String, alknet_sandbox::HostCallError>> {
            Box::pin(async { Ok(input) })
        }
        fn now_millis(&self) -> u64 {
            self.0.fetch_add(1, Ordering::Relaxed)
        }
        fn seed(&self) -> u64 {
            0
        }
    }
    let tool = register(
        "export default () => { const t = Date.now(); while (Date.now() === t); return Date.now() - t }",
    )
    .await;
    let report = tool.call("0", &Clock(AtomicU64::new(5)), &limits()).await;
    assert!(report.result.is_ok(), "{:?}", report.result);
}

#[tokio::test]
async fn futures_can_move_between_threads() {
    fn sendable<T: Send>(future: T) -> T {
        future
    }
    let files = [alknet_sandbox::SourceFile { path: "tool", text: "export default () => 1" }];
    let source = alknet_sandbox::Source { language: Language::JavaScript, files: &files };
    let (names, within, host) = (names(), limits(), Host::default());
    let tool = sendable(crate::support::sandbox().register(source, &names, &within)).await.unwrap();
    let report = sendable(tool.call("0", &host, &within)).await;
    assert_eq!(report.result.as_deref(), Ok("1"));
}
