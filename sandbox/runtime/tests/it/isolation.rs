//! Nothing survives a call, and nothing a tool patches reaches the host or other tools.

use crate::support::{Host, call_body, limits, register};

#[tokio::test]
async fn calls_share_nothing() {
    let text = "let count = 0; const seen = []; \
        export default function (input) { \
            globalThis.left = (globalThis.left ?? 0) + 1; Array.prototype.extra = (Array.prototype.extra ?? 0) + 1; \
            seen.push(input); count++; return [count, seen.length, globalThis.left, Array.prototype.extra] }";
    let tool = register(text).await;
    for input in ["1", "\"a\"", "[2]"] {
        let report = tool.call(input, &Host::default(), &limits()).await;
        assert_eq!(report.result.as_deref(), Ok("[1,1,1,1]"));
    }
}

#[tokio::test]
async fn what_registration_computed_is_there_in_every_call() {
    let tool =
        register("const table = Array.from({length: 1000}, (_, i) => i * i); export default (i) => table[i]")
            .await;
    for (input, output) in [("0", "0"), ("999", "998001"), ("10", "100")] {
        assert_eq!(tool.call(input, &Host::default(), &limits()).await.result.as_deref(), Ok(output));
    }
}

#[tokio::test]
async fn random_numbers_follow_the_seed() {
    let tool = register("export default () => [Math.random(), Math.random()]").await;
    let numbers = async |seed| {
        let host = Host { seed, ..Host::default() };
        tool.call("0", &host, &limits()).await.result.unwrap()
    };
    assert_eq!(numbers(1).await, numbers(1).await);
    assert_ne!(numbers(1).await, numbers(2).await);
    assert_eq!(numbers(0).await, numbers(0).await);
}

#[tokio::test]
async fn a_tool_that_grew_memory_when_registered_is_restored_whole() {
    let text = "const big = new Uint8Array(20 << 20).fill(7); export default () => [big.length, big[0], big[big.length - 1]]";
    let tool = register(text).await;
    for _ in 0..3 {
        let report = tool.call("0", &Host::default(), &limits()).await;
        assert_eq!(report.result.as_deref(), Ok("[20971520,7,7]"));
    }
}

/// Patches at the top of a module; after each, the same body must still work.
const PATCHES: &[&str] = &[
    "Object.prototype.toJSON = () => 'patched'",
    "Array.prototype.toJSON = function () { throw new Error('patched') }",
    "String.prototype.toJSON = () => { while (true); }",
    "Promise.prototype.then = () => { throw 1 }",
    "Promise.resolve = null; Object.defineProperty(Promise, Symbol.species, {value: 1})",
    "globalThis.Promise = undefined",
    "globalThis.JSON = { parse() { throw 1 }, stringify() { throw 1 } }; JSON.stringify = null",
    "Array.prototype.push = Array.prototype.map = () => { throw 1 }; Array.prototype[Symbol.iterator] = null",
    "for (const k of ['name', 'message', 'stack', 'code']) Object.defineProperty(Object.prototype, k, { get() { throw 1 }, configurable: true })",
    "Object.defineProperty(Object.prototype, 'then', { get() { return undefined }, set() { throw 1 } })",
    "Object.defineProperty(Object.prototype, '0', { set() { throw 1 } })",
    "Function.prototype.call = Function.prototype.apply = Function.prototype.bind = null",
    "globalThis.CallError = globalThis.OperationError = globalThis.Error = null",
    "Object.setPrototypeOf(CallError, null); CallError.prototype.name = 5; Object.setPrototypeOf(CallError.prototype, null)",
    "Object.freeze = Object.defineProperty = () => { throw 1 }",
    "globalThis.console = null; globalThis.Symbol = null",
    "Reflect.ownKeys(globalThis).forEach(k => { try { delete globalThis[k] } catch {} })",
    "Object.setPrototypeOf(Object.prototype, null); Object.freeze(Object.prototype); Object.freeze(Promise.prototype)",
    "Error.prepareStackTrace = () => { throw 1 }; Error.stackTraceLimit = -1",
];

#[tokio::test]
async fn patched_globals_break_neither_env_nor_host() {
    for patch in PATCHES {
        let text = format!(
            "{patch};\nexport default function (input, env) {{ const p = env.echo.it(1); return p }}"
        );
        let tool = register(&text).await;
        let report = tool.call("0", &Host::default(), &limits()).await;
        assert_eq!(report.result.as_deref(), Ok("1"), "{patch}");
        let text = format!("{patch};\nexport default async function (input, env) {{ await env.fail.it(1) }}");
        let tool = register(&text).await;
        let failure = tool.call("0", &Host::default(), &limits()).await.result.unwrap_err();
        assert!(failure.to_string().contains("NOT_FOUND"), "{patch}: {failure:?}");
    }
    assert_eq!(call_body("return [1, {a: 1}]", "0").await.result.as_deref(), Ok(r#"[1,{"a":1}]"#));
}

#[tokio::test]
async fn there_is_no_way_to_new_code() {
    let ways = [
        "new Function('return 1')()",
        "Function('return 1')()",
        "(() => 1).constructor('return 1')()",
        "(async () => 1).constructor('return 1')()",
        "(function* () {}).constructor('yield 1')()",
        "(async function* () {}).constructor('yield 1')()",
        "Object.getPrototypeOf(async () => 1).constructor('return 1')()",
        "Reflect.construct(Function, ['return 1'])()",
        "eval('1')",
        "(0, globalThis.eval)('1')",
        "env.invoke.constructor('return 1')()",
        "new Proxy(Function, {})('return 1')()",
        "class F extends Function {}; new F('return 1')()",
        "CallError.constructor('return 1')()",
    ];
    for way in ways {
        let statement = if way.starts_with("class") {
            way.replace("new F", "return new F")
        } else {
            format!("return {way}")
        };
        let body = format!("try {{ {statement} }} catch (e) {{ return [e.name] }}");
        let report = call_body(&body, "0").await;
        let result = report.result.unwrap();
        assert!(result == r#"["TypeError"]"# || result == r#"["ReferenceError"]"#, "{way}: {result}");
    }
}
