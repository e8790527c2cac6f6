//! What tools have beyond the language: every name that is documented, and what it does.

use std::collections::BTreeSet;

use alknet_sandbox::{CallFailure, Language, RegisterError};

use crate::support::{call_body, limits, names, register_as};

/// Names that `docs/guest.md` lists as globals: in backticks, in the section of that name.
fn documented() -> BTreeSet<String> {
    let path = "../../docs/guest.md";
    let text = std::fs::read_to_string(path).unwrap();
    let section = text.split("\n## ").find(|section| section.starts_with("Globals\n")).unwrap();
    let rows = section.lines().filter(|line| line.starts_with('|')).filter_map(|line| line.split('|').nth(1));
    rows.flat_map(|cell| cell.split('`').skip(1).step_by(2)).map(String::from).collect()
}

#[tokio::test]
async fn every_documented_global_exists_and_no_other() {
    let report = call_body("return Object.getOwnPropertyNames(globalThis)", "0").await;
    let existing: BTreeSet<String> = serde_json::from_str(&report.result.unwrap()).unwrap();
    let documented = documented();
    let undocumented: Vec<_> = existing.difference(&documented).collect();
    let missing: Vec<_> = documented.difference(&existing).collect();
    assert!(
        undocumented.is_empty() && missing.is_empty(),
        "only there: {undocumented:?}; only in the docs: {missing:?}"
    );
    let report = call_body("return Object.keys(globalThis)", "0").await;
    assert_eq!(report.result.as_deref(), Ok("[]"), "globals are not enumerable");
}

/// Body of a tool, and its output.
type Row = (&'static str, &'static str);

async fn check(rows: &[Row]) {
    for (body, expected) in rows {
        assert_eq!(call_body(body, "{}").await.result.as_deref(), Ok(*expected), "{body}");
    }
}

#[tokio::test]
async fn text_is_encoded_and_decoded() {
    check(&[
        ("return [...new TextEncoder().encode('é€😀')]", "[195,169,226,130,172,240,159,152,128]"),
        (r"return [...new TextEncoder().encode('\ud800x')]", "[239,191,189,120]"),
        ("return [...new TextEncoder().encode()]", "[]"),
        (
            "const to = new Uint8Array(6); return [new TextEncoder().encodeInto('aé😀b', to), [...to]]",
            r#"[{"read":2,"written":3},[97,195,169,0,0,0]]"#,
        ),
        ("return new TextDecoder().decode(new Uint8Array([0xef, 0xbb, 0xbf, 0x61]))", r#""a""#),
        (
            "return new TextDecoder('utf-8', {ignoreBOM: true}).decode(new Uint8Array([0xef, 0xbb, 0xbf, 0x61]).buffer)",
            "\"\u{feff}a\"",
        ),
        (
            "return new TextDecoder().decode(new DataView(new Uint8Array([0, 0xf0, 0x9f, 0x92, 0xed, 0xa0, 0xc0]).buffer, 1))",
            "\"\u{fffd}\u{fffd}\u{fffd}\u{fffd}\"",
        ),
        (
            "const d = new TextDecoder(); return [[0xe2], [0x82], [0xac, 0xf0], []].map((b, i) => d.decode(new Uint8Array(b), {stream: i < 3}))",
            "[\"\",\"\",\"€\",\"\u{fffd}\"]",
        ),
        ("return [' UTF-8 ', 'utf8'].map((l) => new TextDecoder(l).encoding)", r#"["utf-8","utf-8"]"#),
        ("try { new TextDecoder('latin1') } catch (e) { return e.name }", r#""RangeError""#),
        (
            "const d = new TextDecoder('utf-8', {fatal: true}); try { d.decode(new Uint8Array([0xff])) } catch (e) { return [e.name, d.fatal] }",
            r#"["TypeError",true]"#,
        ),
        ("try { TextEncoder.prototype.encode.call({}) } catch (e) { return e.name }", r#""TypeError""#),
        ("return [atob(' Y Q = = '), btoa('a')]", r#"["a","YQ=="]"#),
        (
            "try { atob('%') } catch (e) { return [e.name, e.code, e instanceof DOMException, e instanceof Error] }",
            r#"["InvalidCharacterError",5,true,true]"#,
        ),
        ("try { btoa('\u{100}') } catch (e) { return e.name }", r#""InvalidCharacterError""#),
    ])
    .await;
}

/// A URL, its base, and what it becomes; empty for an error.
const URLS: &[(&str, &str, &str)] = &[
    ("https://User:p%40ss@EXAMPLE.com:443/a/./b/../c?q=1#f", "", "https://User:p%40ss@example.com/a/c?q=1#f"),
    ("http://h:8080", "", "http://h:8080/"),
    ("  http://h/\ta\nb  ", "", "http://h/ab"),
    ("../x?y#z", "http://h/a/b/c", "http://h/a/x?y#z"),
    ("//other/p", "https://h/a", "https://other/p"),
    ("?q", "http://h/a?b#c", "http://h/a?q"),
    ("#f", "mailto:x@y", "mailto:x@y#f"),
    ("", "http://h/a?b#c", "http://h/a?b"),
    ("\\\\h\\p", "http://x/", "http://h/p"),
    ("http://0x7f.1/", "", "http://127.0.0.1/"),
    ("http://4294967295", "", "http://255.255.255.255/"),
    ("http://1.2.3.4.", "", "http://1.2.3.4/"),
    ("http://[2001:DB8:0:0:1:0:0:1]:81", "", "http://[2001:db8::1:0:0:1]:81/"),
    ("http://[::ffff:1.2.3.4]/", "", "http://[::ffff:102:304]/"),
    ("http://a%41b/", "", "http://aab/"),
    ("http://h/é?é#é", "", "http://h/%C3%A9?%C3%A9#%C3%A9"),
    ("http://h/a b{}|?'\"<>", "", "http://h/a%20b%7B%7D|?%27%22%3C%3E"),
    ("http://h/%2e%2E/%2e/a/%2e%2e", "", "http://h/"),
    ("file:///C|/a/../..", "", "file:///C:/"),
    ("file://localhost/x", "", "file:///x"),
    ("/y", "file:///C:/x", "file:///C:/y"),
    ("data:text/plain,a b", "", "data:text/plain,a b"),
    ("foo://H/a/../b", "", "foo://H/b"),
    ("foo:/.//p", "", "foo:/.//p"),
    ("javascript:alert(1)", "", "javascript:alert(1)"),
    ("x", "", ""),
    ("x", "mailto:a", ""),
    ("http://", "", ""),
    ("http://h:99999", "", ""),
    ("http://h:8a", "", ""),
    ("http://a b", "", ""),
    ("http://256.1.1.1", "", ""),
    ("http://09", "", ""),
    ("http://[1::2::3]", "", ""),
    ("http://a<b", "", ""),
    ("http://a%00b", "", ""),
    ("http://@", "", ""),
    // Not mapped to ASCII, but refused.
    ("http://bücher.example", "", ""),
    ("http://\u{212a}elvin", "", ""),
];

#[tokio::test]
async fn urls_are_those_of_the_standard() {
    let rows: Vec<_> = URLS.iter().map(|(input, base, _)| [input, base]).collect();
    let body = "return input.map(([url, base]) => { try { return new URL(url, base || undefined).href } catch (e) { return e instanceof TypeError ? '' : String(e) } })";
    let input = serde_json::to_string(&rows).unwrap();
    let output: Vec<String> = serde_json::from_str(&call_body(body, &input).await.result.unwrap()).unwrap();
    for ((input, base, expected), found) in URLS.iter().zip(output) {
        assert_eq!(found, *expected, "{input} {base}");
    }
}

#[tokio::test]
async fn urls_can_be_changed_and_queried() {
    check(&[
        (
            "const u = new URL('http://u:p@h:81/p?q#f'); return [u.origin, u.protocol, u.username, u.password, u.host, u.hostname, u.port, u.pathname, u.search, u.hash]",
            r##"["http://h:81","http:","u","p","h:81","h","81","/p","?q","#f"]"##,
        ),
        (
            "const u = new URL('http://h/'); Object.assign(u, {protocol: 'https', username: 'a b', host: 'x:90', pathname: '/é', search: 'a=1', hash: 'z'}); return u",
            r#""https://a%20b@x:90/%C3%A9?a=1#z""#,
        ),
        ("const u = new URL('http://h:81/'); u.port = 'x'; u.protocol = 'foo'; u.hostname = 'a:b'; return u.href", r#""http://h:81/""#),
        ("const u = new URL('http://h/'); try { u.href = 'x' } catch (e) { return [e.name, u.href] }", r#"["TypeError","http://h/"]"#),
        (
            "const u = new URL('http://h/?a=1&b=2'); u.searchParams.append('c', 'x y&'); u.searchParams.delete('a'); return [u.search, u.searchParams === u.searchParams]",
            r#"["?b=2&c=x+y%26",true]"#,
        ),
        ("const u = new URL('http://h/?a'); const p = u.searchParams; u.search = '?b=1'; return [...p]", r#"[["b","1"]]"#),
        ("const u = new URL('http://h/?a'); u.searchParams.delete('a'); return u.href", r#""http://h/""#),
        ("return [URL.canParse('x'), URL.canParse('x', 'http://h'), URL.parse('x'), URL.parse('http://h').href]", r#"[false,true,null,"http://h/"]"#),
        ("return String(new URLSearchParams('?a=1&a=%C3%A9+%26&b'))", r#""a=1&a=%C3%A9+%26&b=""#),
        ("return String(new URLSearchParams({a: 1, 'é': '~'})) + new URLSearchParams([['x', 'y'], ['x', 'z']])", r#""a=1&%C3%A9=%7Ex=y&x=z""#),
        (
            "const p = new URLSearchParams('b=2&a=1&b=1'); p.sort(); p.set('a', 5); const l = []; p.forEach((v, k) => l.push(k + v)); return [l, p.size, p.get('b'), p.getAll('b'), p.get('x'), p.has('b', '1'), p.has('b', '3'), [...p.keys()], [...p.values()]]",
            r#"[["a5","b2","b1"],3,"2",["2","1"],null,true,false,["a","b","b"],["5","2","1"]]"#,
        ),
        ("try { new URLSearchParams([['a']]) } catch (e) { return e.name }", r#""TypeError""#),
    ])
    .await;
}

#[tokio::test]
async fn values_are_cloned() {
    check(&[
        (
            "const c = structuredClone({d: new Date(5), r: /x/gi, m: new Map([[{k: 1}, new Set([1])]]), b: new Uint8Array([1, 2]), n: [1, , 3], u: undefined}); return [c.d.getTime(), c.r.flags, [...c.m][0][0].k, [...[...c.m][0][1]], [...c.b], 1 in c.n, 'u' in c]",
            r#"[5,"gi",1,[1],[1,2],false,true]"#,
        ),
        ("const a = {}; a.a = [a]; const c = structuredClone(a); return c !== a && c.a[0] === c", "true"),
        (
            "const e = structuredClone(new RangeError('far', {cause: {a: 1}})); return [e instanceof RangeError, e.message, e.cause, Object.keys(e)]",
            r#"[true,"far",{"a":1},[]]"#,
        ),
        (
            "const b = new ArrayBuffer(8); const c = structuredClone([new Uint16Array(b, 2, 2), new DataView(b, 1)]); return [c[0].buffer === c[1].buffer, c[0].byteOffset, c[0].length, c[1].byteLength]",
            "[true,2,2,7]",
        ),
        ("let o = {}; for (let i = 0; i < 1e4; i++) o = {o}; structuredClone(o); return 1", "1"),
        (
            "return [() => 1, Symbol(), new WeakMap(), Promise.resolve(), new Proxy({}, {}), new URL('http://a'), new EventTarget(), env.echo.it].map((v) => { try { return structuredClone({v}) } catch (e) { return e.name + e.code } })",
            r#"["DataCloneError25","DataCloneError25","DataCloneError25","DataCloneError25","DataCloneError25","DataCloneError25","DataCloneError25","DataCloneError25"]"#,
        ),
        ("class P { #x = 1; y = 2 } const c = structuredClone(new P()); return [c, c.constructor === Object]", r#"[{"y":2},true]"#),
    ])
    .await;
}

#[tokio::test]
async fn digests_and_random_bytes_are_there() {
    let hex =
        "const hex = (b) => [...new Uint8Array(b)].map((x) => x.toString(16).padStart(2, '0')).join('');";
    for (algorithm, text, expected) in [
        ("'SHA-1'", "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        ("{name: 'sha-256'}", "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (
            "'SHA-384'",
            "abc",
            "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
        ),
        (
            "'SHA-512'",
            "abc",
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        ),
    ] {
        let body = format!(
            "{hex} return hex(await crypto.subtle.digest({algorithm}, new TextEncoder().encode('{text}')))"
        );
        assert_eq!(call_body(&body, "0").await.result, Ok(format!("\"{expected}\"")), "{algorithm}");
    }
    check(&[
        (
            "const f = async (n) => { const b = new Uint8Array(n).fill(0x61); return new Uint8Array(await crypto.subtle.digest('SHA-256', b))[0] }; return Promise.all([55, 56, 63, 64, 119, 1000].map(f))",
            "[159,179,125,255,49,65]",
        ),
        ("return crypto.subtle.digest('MD5', new Uint8Array(1)).catch((e) => [e.name, e instanceof DOMException])", r#"["NotSupportedError",true]"#),
        ("return /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(crypto.randomUUID())", "true"),
        ("const a = new BigUint64Array(4); return [crypto.getRandomValues(a) === a, a.some((x) => x > 0n)]", "[true,true]"),
        (
            "return [new Float32Array(1), {}, new Uint8Array(65537)].map((a) => { try { crypto.getRandomValues(a) } catch (e) { return e.name } })",
            r#"["TypeMismatchError","TypeMismatchError","QuotaExceededError"]"#,
        ),
    ])
    .await;
}

#[tokio::test]
async fn timers_fire_in_order() {
    check(&[
        ("return new Promise((r) => setTimeout((a, b) => r([a, b]), 1, 2, 3))", "[2,3]"),
        ("const l = []; setTimeout(() => l.push(2), 20); setTimeout(() => l.push(1), 1); await new Promise((r) => setTimeout(r, 40)); return l", "[1,2]"),
        ("let n = 0; return new Promise((r) => { const i = setInterval(() => { if (++n === 3) { clearInterval(i); r(n) } }, 0) })", "3"),
        ("let n = 0; const t = setTimeout(() => n++, 1); clearTimeout(t); clearTimeout(t); await new Promise((r) => setTimeout(r, 10)); return n", "0"),
        ("setTimeout(() => { throw new Error('too late') }, 1e9); return 1", "1"),
        ("return ['text', undefined, {}].map((f) => { try { setTimeout(f) } catch (e) { return e.name } })", r#"["TypeError","TypeError","TypeError"]"#),
        ("return [performance.now() >= 0, performance.timeOrigin === Date.now(), typeof setTimeout(() => 1)]", r#"[true,true,"number"]"#),
    ])
    .await;
}

#[tokio::test]
async fn host_calls_can_be_aborted() {
    check(&[
        (
            "const c = new AbortController(); setTimeout(() => c.abort(), 1); return env.never.it({}, {signal: c.signal}).catch((e) => [e.name, e === c.signal.reason])",
            r#"["AbortError",true]"#,
        ),
        ("return env.never.it({}, {signal: AbortSignal.timeout(1)}).catch((e) => e.name)", r#""TimeoutError""#),
        ("return env.invoke('never/it', {}, {signal: AbortSignal.abort('why')}).catch((e) => e)", r#""why""#),
        ("const c = new AbortController(); const r = await env.later.it(5, {signal: c.signal}); c.abort(); return r", "5"),
        ("return env.echo.it(1, {signal: {}}).catch((e) => e.name)", r#""TypeError""#),
        ("return [1, 2].map(env.echo.it).length", "2"),
        (
            "const c = new AbortController(); const s = AbortSignal.any([c.signal]); const l = []; s.onabort = (e) => l.push(e.type, e.target === s); s.addEventListener('abort', () => l.push(2), {once: true}); c.abort('r'); return [l, s.reason, s.aborted]",
            r#"[["abort",true,2],"r",true]"#,
        ),
        ("try { AbortSignal.abort().throwIfAborted() } catch (e) { return [e.name, e.code] }", r#"["AbortError",20]"#),
        ("try { new AbortSignal() } catch (e) { return e.name }", r#""TypeError""#),
        (
            "const t = new EventTarget(); const l = []; const f = (e) => { l.push(e.type); e.preventDefault() }; t.addEventListener('x', f); t.addEventListener('x', f); t.removeEventListener('y', f); return [t.dispatchEvent(new Event('x', {cancelable: true})), l]",
            r#"[false,["x"]]"#,
        ),
    ])
    .await;
    // A call that was aborted keeps nothing waiting.
    let report = call_body(
        "const c = new AbortController(); env.never.it({}, {signal: c.signal}).catch(() => 0); c.abort(); return 1",
        "0",
    )
    .await;
    assert_eq!((report.result.as_deref(), report.host_calls), (Ok("1"), 1));
}

#[tokio::test]
async fn tools_that_redefine_the_language_do_not_break_the_library() {
    check(&[(
        "const types = [Array, String, Map, Set, Uint8Array, ArrayBuffer, Date, RegExp, Promise, Number, Object.getPrototypeOf(Uint8Array)];
         for (const type of types)
           for (const name of Object.getOwnPropertyNames(type.prototype))
             if (name !== 'constructor')
               Reflect.defineProperty(type.prototype, name, {get() { throw new Error(name) }});
         globalThis.Uint8Array = globalThis.DOMException = globalThis.Map = null;
         const u = new URL('http://a/%41?b=é');
         u.searchParams.append('c', 'd');
         return {u: u.href, s: structuredClone({a: {b: 1}}).a.b, t: new TextDecoder().decode(new TextEncoder().encode('x')), r: crypto.randomUUID().length, a: new AbortController().signal.aborted}",
        r#"{"u":"http://a/%41?b=%C3%A9&c=d","s":1,"t":"x","r":36,"a":false}"#,
    )])
    .await;
}

#[tokio::test]
async fn at_the_top_level_there_is_no_call_to_serve() {
    for (statement, says) in [
        ("crypto.randomUUID()", "inside the exported function"),
        ("crypto.getRandomValues(new Uint8Array(1))", "inside the exported function"),
        ("setTimeout(() => 1)", "in the exported function"),
        ("AbortSignal.timeout(1)", "in the exported function"),
    ] {
        let text = format!("\n  {statement}\nexport default () => 1");
        match register_as(Language::JavaScript, &text, &names(), &limits()).await {
            Err(RegisterError::Rejected(diagnostics)) => {
                assert!(diagnostics[0].message.contains(says), "{}", diagnostics[0]);
                assert_eq!((diagnostics[0].file.as_str(), diagnostics[0].line), ("tool", 2));
            }
            other => panic!("{statement}: {other:?}"),
        }
    }
    let text = "const u = new URL('http://a'), c = structuredClone([1]), t = performance.now()\nexport default () => [u, c, t]";
    let tool = register_as(Language::JavaScript, text, &names(), &limits()).await.unwrap();
    let report = tool.call("0", &crate::support::Host::default(), &limits()).await;
    assert_eq!(report.result.as_deref(), Ok(r#"["http://a/",[1],0]"#));
}

/// A tool that waits for ever because a promise was rejected and nobody looked hears of that.
#[tokio::test]
async fn an_error_nobody_handled_explains_a_stall() {
    let report = call_body("await new Promise(async () => { throw new Error('lost') })", "0").await;
    assert!(matches!(report.result, Err(CallFailure::Threw { message, .. }) if message == "lost"));
    let report = call_body("await Promise.reject(1).catch(() => 2); await new Promise(() => {})", "0").await;
    assert_eq!(report.result, Err(CallFailure::Stalled));
}
