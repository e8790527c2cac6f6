//! What becomes of a source, and what is said against it.

use super::lower;
use crate::{Diagnostic, Language};

fn lowered(language: Language, text: &str) -> Result<String, Vec<Diagnostic>> {
    lower(language, text).map(|lowered| lowered.js)
}

/// TypeScript, and pieces of the module it becomes.
const ERASED: &[(&str, &[&str])] = &[
    (
        "export default async function (input: { a: number }, env: Env): Promise<{ b: string }> { return { b: `${input.a}` } }",
        &["export default async function(input, env) {", "return { b: `${input.a}` };"],
    ),
    (
        "export default async function* (input: { n: number }) { yield input.n as const }",
        &["async function* (input) {", "yield input.n;"],
    ),
    (
        "enum Mode { Fast, Slow = 'slow' }\nexport default () => Mode.Fast",
        &["var Mode = ", r#"Mode[Mode["Fast"] = 0] = "Fast""#, r#"Mode["Slow"] = "slow""#],
    ),
    ("const enum Bit { A = 1 << 0, B = 1 << 3, C = A | B }\nexport default () => Bit.C", &[r#""C"] = 9"#]),
    (
        "class P { constructor(private readonly x: number, public y = 2) {} }\nexport default () => new P(1)",
        &["this.x = x;", "this.y = y;"],
    ),
    ("abstract class A<T> { abstract f(): T; g?: T; declare h: T }\nexport default () => A", &["class A {"]),
    (
        "const a = { b: 1 } satisfies Record<string, number>;\nexport default () => a!.b as unknown as string",
        &["const a = { b: 1 };", "=> a.b"],
    ),
    (
        "export default <T extends { id: string }>(items: T[]): Map<string, T> => new Map(items.map((i) => [i.id, i] as const))",
        &["(items) => new Map(items.map((i) => [i.id, i]))"],
    ),
    (
        "import type { Env } from './env'\nexport type { X } from './x'\ntype X = Env\ninterface Y { z: X }\nexport default (y: Y) => y.z",
        &["export default (y) => y.z"],
    ),
    (
        "function isText(x: unknown): x is string { return typeof x === 'string' }\nexport default (x: unknown) => isText(x)",
        &["function isText(x) {"],
    ),
    (
        "function f(a: string): string;\nfunction f(a: number): number;\nfunction f(a: any) { return a }\nexport default f",
        &["function f(a) {", "export default f"],
    ),
    ("namespace N { export const a = 1 }\nexport default () => N.a", &["(function(_N) {", "_N.a = 1"]),
    (
        "export default (a: any) => { using r = a.open(); a.b ??= a?.c; return a ** 2n }",
        &["using r = a.open();", "a.b ??= a?.c", "a ** 2n"],
    ),
    ("async function run() {}\nexport { run as default }", &["export { run as default }"]),
    ("#!/usr/bin/env tool\nexport default () => 1", &["export default () => 1"]),
    ("\u{feff}export default () => 1", &["export default () => 1"]),
    (
        "export default function (größe: number, 日本: string) { return '𝒳\u{2028}' + größe + 日本 }",
        &["größe", "日本", "𝒳"],
    ),
    (
        "declare const env: Env; declare global { interface Env {} }\nexport default () => 1",
        &["export default () => 1"],
    ),
    (
        "export const meta = { a: 1 };\nexport default makeTool();\nfunction makeTool() { return () => 1 }",
        &["export const meta", "export default makeTool()"],
    ),
];

#[test]
fn types_are_erased() {
    for (text, pieces) in ERASED {
        let js = lowered(Language::TypeScript, text)
            .unwrap_or_else(|diagnostics| panic!("{text}: {}", diagnostics[0]));
        for piece in *pieces {
            assert!(js.contains(piece), "no `{piece}` in:\n{js}");
        }
    }
}

#[test]
fn javascript_stays_as_it_is() {
    for text in [
        "export default async function (input, env) {\n  // stays\n  return await env.a.b(input)\n}\n",
        "export default (a) => a / 2 / 3 // größe\r\n",
        "/* 日本 */ export default function* () { yield (/[/'\"]/g) }",
    ] {
        assert_eq!(lowered(Language::JavaScript, text).as_deref(), Ok(text));
    }
    let stripped = lowered(Language::JavaScript, "\u{feff}export default () => 1");
    assert_eq!(stripped.as_deref(), Ok("export default () => 1"));
}

/// Line, column and a part of what is said.
type Complaint = (u32, u32, &'static str);

/// A source, and each complaint.
const REFUSED: &[(&str, &[Complaint])] = &[
    (
        "",
        &[(1, 1, "no default export. Write the tool as `export default async function (input, env) { … }`")],
    ),
    ("export const run = () => 1", &[(1, 1, "no default export")]),
    ("import { a } from 'a'\nexport default () => a", &[(1, 19, "a tool cannot import")]),
    (
        "import 'a'\nimport * as b from 'b'\nexport default () => b",
        &[(1, 8, "cannot import"), (2, 20, "cannot import")],
    ),
    (
        "export default async () => {\n  const fs = await import('fs')\n}",
        &[(2, 20, "cannot import while it runs")],
    ),
    ("export default () => import.meta.url", &[(1, 22, "`import.meta`")]),
    ("export * from 'a'\nexport default () => 1", &[(1, 15, "cannot import")]),
    ("export * as b from 'a'\nexport default () => 1", &[(1, 20, "cannot import")]),
    ("export { a } from 'a'\nexport default () => 1", &[(1, 19, "cannot import")]),
    ("export { default } from 'a'", &[(1, 25, "cannot import")]),
    ("const a = await b()\nexport default () => a", &[(1, 11, "`env` exists only inside")]),
    ("for await (const a of b) {}\nexport default () => a", &[(1, 1, "`env` exists only inside")]),
    ("class A { static [await b] = 1 }\nexport default () => A", &[(1, 19, "`env` exists only inside")]),
    ("export default { run() {} }", &[(1, 1, "the default export is an object")]),
    ("export default 'text'", &[(1, 1, "is a string")]),
    ("export default class {}", &[(1, 1, "is a class")]),
    ("class Tool {}\nexport default Tool", &[(2, 1, "is a class")]),
    ("const run = [1]\nconst alias = run\nexport { alias as default }", &[(3, 10, "is an array")]),
    ("export default -1", &[(1, 1, "is a plain value")]),
    ("export default () => {\n  let x = 1;\n  let x = 2;\n}", &[(2, 7, "already been declared")]),
    ("export default function (a {\n}", &[(1, 28, "Expected `,` or `)` but found `{`")]),
    ("export default () => {\n  const s = \"open\n}", &[(2, 13, "Unterminated string")]),
    ("export default () => (1]", &[(1, 24, "Expected")]),
    ("export default () => { return }}", &[(1, 32, "Unexpected token")]),
    ("export default () => <p>don't</p>", &[(1, 22, "JSX is not supported")]),
    ("export default () => <br a={1} />", &[(1, 22, "JSX is not supported")]),
    ("@dec class A {}\nexport default () => A", &[(1, 1, "decorators are not supported")]),
    ("export default () => 日本 +", &[(1, 26, "Unexpected token")]),
    ("/* 𝒳 */ await x\nexport default () => 1", &[(1, 9, "`env` exists only inside")]),
    ("a\u{2028}b\r\nc\rawait x", &[(1, 1, "no default export"), (4, 1, "`env` exists only inside")]),
    ("\u{feff}await x\nexport default () => 1", &[(1, 1, "`env` exists only inside")]),
    ("export default () => { return = 1 }\n", &[(1, 31, "Unexpected token")]),
    ("with (a) b\nexport default () => 1", &[(1, 1, "'with' statements are not allowed")]),
];

#[test]
fn refusals_say_where_and_why() {
    for (text, expected) in REFUSED {
        for language in [Language::TypeScript, Language::JavaScript] {
            check_refused(language, text, expected);
        }
    }
}

/// As [`REFUSED`], of TypeScript only.
const REFUSED_TYPESCRIPT: &[(&str, &[Complaint])] = &[
    ("import a = require('a')\nexport default () => a", &[(1, 1, "is not supported")]),
    ("import { type A } from 'a'\nexport default () => 1", &[(1, 24, "`import type`")]),
    ("export = () => 1", &[(1, 1, "Use `export default`")]),
    ("enum E { A }\nexport default E", &[(2, 1, "is an enum")]),
    ("export default interface A {}", &[(1, 1, "is an interface")]),
    ("export default ({ a: 1 } satisfies object)", &[(1, 1, "is an object")]),
    ("class A { accessor x = 1 }\nexport default () => A", &[(1, 11, "`accessor` fields")]),
    ("export default (a: number b: string) => a", &[(1, 27, "Expected `,` or `)` but found `Identifier`")]),
    ("export default (a: string): => a", &[(1, 29, "Unexpected token")]),
];

#[test]
fn refusals_of_typescript_say_where_and_why() {
    for (text, expected) in REFUSED_TYPESCRIPT {
        check_refused(Language::TypeScript, text, expected);
    }
    let types = "export default function (a: number) { return a }";
    check_refused(Language::JavaScript, types, &[(1, 27, "Expected `,` or `)` but found `:`")]);
}

fn check_refused(language: Language, text: &str, expected: &[Complaint]) {
    let diagnostics = lowered(language, text).expect_err(text);
    let places: Vec<_> = diagnostics.iter().map(|found| (found.line, found.column)).collect();
    let wanted: Vec<_> = expected.iter().map(|&(line, column, _)| (line, column)).collect();
    assert_eq!(places, wanted, "{language:?} {text}: {diagnostics:?}");
    for (found, (_, _, says)) in diagnostics.iter().zip(expected) {
        assert!(found.message.contains(says), "{language:?} {text}: {}", found.message);
        assert!(!found.message.contains(['\n', '\x1b']), "{}", found.message);
    }
}

#[test]
fn a_complaint_shows_its_line() {
    let text = "const a = 1\n\tawait a // größe\nexport default () => a";
    let diagnostics = lowered(Language::TypeScript, text).unwrap_err();
    assert_eq!(diagnostics[0].snippet.as_deref(), Some(" await a // größe"));
    assert_eq!((diagnostics[0].line, diagnostics[0].column), (2, 2));

    let long = format!("export default () => {{ {} ) }}", "日".repeat(300));
    let snippet = lowered(Language::TypeScript, &long).unwrap_err()[0].snippet.clone().unwrap();
    assert_eq!((snippet.chars().count(), snippet.ends_with("日…")), (161, true));

    assert_eq!(lowered(Language::TypeScript, "").unwrap_err()[0].snippet, None);
}

#[test]
fn advice_of_the_compiler_is_kept() {
    let diagnostics = lowered(Language::TypeScript, "const a\nexport default () => a").unwrap_err();
    assert!(
        diagnostics[0].message.starts_with("Missing initializer in const declaration"),
        "{}",
        diagnostics[0]
    );
    let diagnostics = lowered(Language::JavaScript, "export default () => { break }").unwrap_err();
    assert!(diagnostics[0].message.contains(". A `break` statement"), "{}", diagnostics[0]);
}

#[test]
fn complaints_are_bounded_and_in_order() {
    let text =
        (0..50).map(|n| format!("let a{n};\nlet a{n};\n")).collect::<String>() + "export default () => 1";
    let diagnostics = lowered(Language::TypeScript, &text).unwrap_err();
    assert_eq!(diagnostics.len(), 20);
    assert!(diagnostics.is_sorted_by_key(|found| (found.line, found.column)));
}
