//! The shape of `env`.

use alknet_sandbox::Language;

use crate::support::{Host, limits, register_as};

/// Names, body, output.
const SHAPES: &[(&[&str], &str, &str)] = &[
    (
        &["fs/read", "fs/list", "kv/get"],
        "return [Object.keys(env), Object.keys(env.fs)]",
        r#"[["fs","kv","invoke"],["list","read"]]"#,
    ),
    (
        &["fs/read"],
        "return [Object.isFrozen(env), Object.isFrozen(env.fs), Object.isFrozen(env.fs.read), Object.isFrozen(env.invoke), Object.getPrototypeOf(env), Object.getPrototypeOf(env.fs)]",
        "[true,true,true,true,null,null]",
    ),
    (
        &["name/a"],
        "const out = []; for (const f of [() => { env.x = 1 }, () => { env.name.a = 1 }, () => { delete env.name }, () => { env.name.a.b = 1 }]) { try { f(); out.push('no') } catch (e) { out.push(e.name) } } return out",
        r#"["TypeError","TypeError","TypeError","TypeError"]"#,
    ),
    (&["name/a/b/c"], "return await env.name.a.b.c()", r#""name/a/b/c""#),
    (&["name"], "return await env.name()", r#""name""#),
    (
        &["name/a/b", "name/a", "name"],
        "return [await env.name(), await env.name.a(), await env.name.a.b()]",
        r#"["name","name/a","name/a/b"]"#,
    ),
    (
        &["name/name", "name/length", "name"],
        "return [await env.name(), await env.name.name(), await env.name.length()]",
        r#"["name","name/name","name/length"]"#,
    ),
    (
        &["name/__proto__", "name/constructor", "name/toString", "name/prototype"],
        "return [await env.name.__proto__(), await env.name.constructor(), await env.name.toString(), await env.name.prototype(), Object.getPrototypeOf(env.name)]",
        r#"["name/__proto__","name/constructor","name/toString","name/prototype",null]"#,
    ),
    (
        &["__proto__/x", "constructor/y"],
        "return [Object.keys(env), ({}).x, typeof env.__proto__.x, Object.getPrototypeOf(env)]",
        r#"[["__proto__","constructor","invoke"],null,"function",null]"#,
    ),
    (
        &["invoke/x", "invoke"],
        "return [await env.invoke('name/q'), typeof env.invoke.x]",
        r#"["name/q","undefined"]"#,
    ),
    (&["name/x", "name/x"], "return [await env.name.x()]", r#"["name/x"]"#),
    (
        &["", "/", "name//x", "0/1"],
        "return [Object.keys(env), typeof env[0][1], typeof env.name[''].x]",
        r#"[["0","","name","invoke"],"function","function"]"#,
    ),
    (&["näme/ü"], "return await env.näme.ü().catch(e => e.message)", r#""näme/ü""#),
    (&["then"], "return typeof env.then", r#""function""#),
    (
        &[],
        "return [Object.keys(env), env.invoke.name, await env.invoke('name/not-listed')]",
        r#"[["invoke"],"invoke","name/not-listed"]"#,
    ),
    (
        &["name/x"],
        "const { x } = env.name; const { invoke } = env; return [await x(), await x.call(5), await invoke('name/y'), x.name]",
        r#"["name/x","name/x","name/y","name/x"]"#,
    ),
];

#[tokio::test]
async fn env_mirrors_the_names() {
    for (names, body, output) in SHAPES {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let text = format!("export default async function (input, env) {{ {body} }}");
        let tool = register_as(Language::JavaScript, &text, &names, &limits()).await.unwrap();
        let report = tool.call("0", &Host::default(), &limits()).await;
        assert_eq!(report.result.as_deref(), Ok(*output), "{names:?} {body}");
    }
}

/// What a call made wrongly is rejected with. None reaches the host.
const MISUSE: &[(&str, &str)] = &[
    ("env.invoke()", "TypeError"),
    ("env.invoke(5, 1)", "TypeError"),
    ("env.invoke({toString() { return 'name/x' }})", "TypeError"),
    ("env.invoke('name/\\ud800')", "TypeError"),
    ("env.name.it(() => 1)", "TypeError"),
    ("env.name.it(Symbol())", "TypeError"),
    ("env.name.it(1n)", "TypeError"),
    ("(() => { const a = {}; a.a = a; return env.name.it(a) })()", "TypeError"),
    ("env.name.it({ toJSON() { throw new RangeError('mine') } })", "RangeError"),
    ("env.name.it({ get x() { throw new RangeError('mine') } })", "RangeError"),
];

#[tokio::test]
async fn misuse_rejects_and_never_throws() {
    for (expression, name) in MISUSE {
        let body = format!(
            "let p; try {{ p = {expression} }} catch (e) {{ return 'threw' }} return p.then(() => 'ok', e => e.name)"
        );
        let report = crate::support::call_body(&body, "0").await;
        assert_eq!(
            (report.result.as_deref(), report.host_calls),
            (Ok(&*format!("\"{name}\"")), 0),
            "{expression}"
        );
    }
}

#[tokio::test]
async fn there_is_no_env_at_the_top_level() {
    let report = crate::support::call_body(
        "return [typeof globalThis.env, typeof globalThis.invoke, typeof globalThis.alk]",
        "0",
    )
    .await;
    assert_eq!(report.result.as_deref(), Ok(r#"["undefined","undefined","undefined"]"#));
}

#[tokio::test]
async fn a_broken_result_rejects() {
    let report = crate::support::call_body("return env.broken.it().catch(e => e.name)", "0").await;
    assert_eq!(report.result.as_deref(), Ok("\"SyntaxError\""));
}
