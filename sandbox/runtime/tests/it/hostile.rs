//! Tools that attack. Each must end as expected, and the next call must find everything in order.

use std::time::Duration;

use alknet_sandbox::{CallFailure, Language, Limit, Limits, RegisterError};

use crate::support::{Host, call_body, limits, names, register_as};

/// How an attack may end.
#[derive(Debug, Clone, Copy)]
enum End {
    Cpu,
    Memory,
    Stack,
    Output,
    Calls,
    Stalled,
    /// Any of these: which one depends on how fast the machine is.
    CpuOrMemory,
    Threw(&'static str),
    BadOutput,
    Rejected,
    Fine,
}

const ATTACKS: &[(&str, End)] = &[
    ("while (true) {}", End::Cpu),
    ("while (true) { try { throw 1 } catch (e) {} finally { continue } }", End::Cpu),
    ("while (true) await null", End::Cpu),
    ("const f = () => queueMicrotask(f); f(); return 1", End::Cpu),
    ("return /^(a+)+$/.test('a'.repeat(40) + 'b')", End::Cpu),
    ("Array.prototype.indexOf.call({length: 2**53 - 1}, 1)", End::Cpu),
    ("return { toJSON() { while (true); } }", End::Cpu),
    (
        "const e = new Error(); Object.defineProperty(e, 'message', {get() { while (true); }}); throw e",
        End::Cpu,
    ),
    ("throw new Proxy({}, { get() { while (true); } })", End::Cpu),
    ("env.echo.it({ toJSON() { while (true); } })", End::Cpu),
    ("return { get then() { while (true); } }", End::Cpu),
    ("console.log({ toJSON() { while (true); } })", End::Cpu),
    ("for (;;) console.log('x'.repeat(1e5))", End::CpuOrMemory),
    ("'x'.repeat(2**28).padEnd(2**29).split('')", End::CpuOrMemory),
    ("const a = []; while (true) a.push(new Array(1000).fill(1))", End::CpuOrMemory),
    ("const a = []; while (true) { try { a.push(new Array(1000).fill(1)) } catch (e) {} }", End::Cpu),
    ("const a = []; for (;;) a.push(new Uint8Array(1 << 20))", End::Memory),
    ("return new ArrayBuffer(1 << 30).byteLength", End::Memory),
    ("let s = 'x'; while (true) s += s + 'é'", End::Threw("InternalError")),
    ("return 'x'.repeat(20e6)", End::Output),
    ("return 'x'.repeat(5e6)", End::Output),
    ("return Array(2e6).fill(0)", End::Output),
    ("function f() { return 1 + f() } return f()", End::Stack),
    ("function f() { try { return 1 + f() } catch { return f() } } return f()", End::Fine),
    ("const o = { toJSON() { return JSON.stringify(o) } }; return JSON.stringify(o)", End::Stack),
    ("const f = () => [1].map(f); return f()", End::Stack),
    ("const o = { get x() { return this.x } }; return o.x", End::Stack),
    ("const f = () => [2, 1].sort(f); return f()", End::Stack),
    ("const f = () => 'aa'.replace(/a/g, f); return f()", End::Stack),
    ("function* g() { yield* g() } return [...g()]", End::Stack),
    ("class A { constructor() { new A() } } new A()", End::Stack),
    ("const p = new Proxy({}, { get(t, k, r) { return r[k] } }); return p.x", End::Stack),
    ("return JSON.parse('['.repeat(1e5))", End::Stack),
    ("let o = {}; for (let i = 0; i < 1e5; i++) o = {o}; return o", End::Fine),
    ("return new RegExp('('.repeat(1e4) + ')'.repeat(1e4)).test('')", End::Threw("SyntaxError")),
    ("for (;;) env.never.it()", End::Calls),
    ("for (;;) await env.echo.it()", End::Calls),
    ("await new Promise(() => {})", End::Stalled),
    ("for (;;) setTimeout(() => 1, 1e9)", End::Threw("RangeError")),
    ("for (;;) clearTimeout(setTimeout(() => 1, 1e9))", End::Fine),
    ("setInterval(() => { for (;;); }); await new Promise(() => {})", End::Cpu),
    ("setTimeout(function f() { f() }); await new Promise(() => {})", End::Stack),
    ("const c = new AbortController(); for (;;) env.never.it({}, {signal: c.signal})", End::Calls),
    ("const c = new AbortController(); c.signal.onabort = () => { for (;;); }; c.abort()", End::Cpu),
    (
        "const t = new EventTarget(); t.addEventListener('x', (e) => t.dispatchEvent(new Event('x'))); t.dispatchEvent(new Event('x'))",
        End::Fine,
    ),
    (
        "const u = new URL('http://' + 'a.'.repeat(1e5) + '@'.repeat(1e4) + '[::1]/' + '../'.repeat(1e5)); for (;;) u.href = u.href",
        End::CpuOrMemory,
    ),
    ("for (;;) crypto.getRandomValues(new Uint8Array(65536))", End::Cpu),
    ("new TextDecoder().decode(new Uint8Array(5e7).fill(0xff))", End::Memory),
    (
        "const b = new ArrayBuffer(8, {maxByteLength: 64}); const u = new Uint8Array(b); return new TextDecoder().decode(u, {get stream() { b.resize(0); return false }})",
        End::Fine,
    ),
    ("const a = []; for (let i = 0; i < 1e6; i++) a.push({a}); structuredClone(a)", End::CpuOrMemory),
    ("structuredClone({get x() { for (;;); }})", End::Cpu),
    ("return { then() {} }", End::Stalled),
    ("throw null", End::Threw("Thrown")),
    ("const a = {}; a.a = a; return a", End::BadOutput),
    ("return 1n", End::BadOutput),
    ("new SharedArrayBuffer(10); return 1", End::Fine),
    ("return new FinalizationRegistry(() => { while (true); }) && 1", End::Fine),
    (
        "const b = new ArrayBuffer(8); const v = new DataView(b); structuredClone(v); b.transfer(); structuredClone(v)",
        End::Threw("DataCloneError"),
    ),
    ("const a = new Uint8Array(8); a.set({length: 2**32, 0: 1}, 0); return 1", End::Threw("RangeError")),
    (
        "const b = new ArrayBuffer(8, {maxByteLength: 64}); const u = new Uint8Array(b); u.fill({valueOf() { b.resize(0); return 1 }}); return 1",
        End::Fine,
    ),
    (
        "const a = [1,2,3]; a.sort(() => { a.length = 0; return 1 }); [1,2,3].concat({length: 2**53 - 1, [Symbol.isConcatSpreadable]: true}); return 1",
        End::Threw("TypeError"),
    ),
];

/// Attacks on CPU time end at once; the others get time to end as they should on a busy machine too.
fn within(end: End) -> Limits {
    let cpu = Duration::from_millis(if matches!(end, End::Cpu | End::CpuOrMemory | End::Fine) {
        100
    } else {
        10_000
    });
    Limits { cpu, host_calls_max: 500, ..limits() }
}

fn is_as(result: &Result<String, CallFailure>, end: End) -> bool {
    use CallFailure::{BadOutput, Limit as Hit, Stalled, Threw};
    match (end, result) {
        (End::Cpu | End::CpuOrMemory, Err(Hit(Limit::Cpu(_))))
        | (End::Memory | End::CpuOrMemory, Err(Hit(Limit::Memory(_))))
        | (End::Stack, Err(Hit(Limit::Stack(_))))
        | (End::Output, Err(Hit(Limit::Output(_))))
        | (End::Calls, Err(Hit(Limit::HostCallsTotal(_))))
        | (End::Stalled, Err(Stalled))
        | (End::BadOutput, Err(BadOutput { .. })) => true,
        (End::Threw(expected), Err(Threw { name, .. })) => name == expected,
        // Whatever it does, it stays inside.
        (End::Fine, Ok(_) | Err(Threw { .. } | Hit(_))) => true,
        _ => false,
    }
}

#[tokio::test]
async fn attacks_end_as_typed_failures() {
    let mut wrong = Vec::new();
    for (body, end) in ATTACKS {
        let text = format!("export default async function tool(input, env) {{ {body}\n}}");
        let result = match register_as(Language::JavaScript, &text, &names(), &within(*end)).await {
            Ok(tool) => tool.call("{}", &Host::default(), &within(*end)).await.result,
            Err(error) => panic!("{body}: {error}"),
        };
        if !is_as(&result, *end) {
            wrong.push(format!("{body}: {:.300} instead of {end:?}", format!("{result:?}")));
        }
        assert_eq!(call_body("return input + 1", "1").await.result.as_deref(), Ok("2"), "after {body}");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn hostile_modules_end_at_registration() {
    let nested = |open: &str, close: &str, n: usize| {
        format!("export default () => {}1{}", open.repeat(n), close.repeat(n))
    };
    let sources = [
        ("while (true) {}\nexport default () => 1".to_owned(), End::Cpu),
        (nested("(", ")", 100_000), End::Rejected),
        (nested("[", "]", 100_000), End::Rejected),
        (nested("-", "", 200_000), End::Rejected),
        (nested("!", "", 200_000), End::Rejected),
        (nested("x=>", "", 80_000), End::Rejected),
        (nested("{", "}", 100_000), End::Rejected),
        (nested("a?", ":0", 60_000), End::Rejected),
        (nested("`${", "}`", 50_000), End::Rejected),
        (nested("1+", "", 100_000), End::Rejected),
        ("export default () => 1\n//".to_owned() + &"\u{2028}".repeat(80_000), End::Fine),
        ("\u{0}".to_owned(), End::Rejected),
        ("export default () => 1;\u{0}throw 1".to_owned(), End::Rejected),
    ];
    for (text, end) in &sources {
        for language in [Language::JavaScript, Language::TypeScript] {
            let result = register_as(language, text, &names(), &within(*end)).await;
            let head: String = text.chars().take(60).collect();
            match (end, result) {
                (End::Cpu, Err(RegisterError::Limit(Limit::Cpu(_))))
                | (End::Rejected, Err(RegisterError::Rejected(_) | RegisterError::Limit(Limit::Stack(_))))
                | (End::Fine, _) => {}
                // A flat but long expression may be fine.
                (End::Rejected, Ok(_)) if head.contains("1+1+") => {}
                (end, result) => panic!("{head}: {result:?} instead of {end:?}"),
            }
        }
    }
    assert_eq!(call_body("return 1", "1").await.result.as_deref(), Ok("1"));
}
