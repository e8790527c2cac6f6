//! Tools of several files.

use super::lower_files;
use crate::{Language, Source, SourceFile};

/// What the entry's imports are made of, by the files there are.
const RESOLVED: &[(&str, &str, &[&str], &str)] = &[
    ("a.ts", "./b.ts", &["b.ts"], "b.ts"),
    ("a.ts", "./b.js", &["b.ts"], "b.ts"),
    ("a.ts", "./b.js", &["b.js", "b.ts"], "b.js"),
    ("a.ts", "./b", &["b.js", "b.ts"], "b.ts"),
    ("a.ts", "./b", &["b.js"], "b.js"),
    ("a.ts", "./b", &["b", "b.ts"], "b"),
    ("x/y/a.ts", "../b.ts", &["x/b.ts"], "x/b.ts"),
    ("x/y/a.ts", "../../b.ts", &["b.ts"], "b.ts"),
    ("x/a.ts", "./y/./../b.ts", &["x/b.ts", "b.ts"], "x/b.ts"),
    ("a.ts", "./.b.ts", &[".b.ts"], ".b.ts"),
];

#[test]
fn imports_find_their_files() {
    for (entry, specifier, others, expected) in RESOLVED {
        for language in [Language::TypeScript, Language::JavaScript] {
            let text = format!("import {{ b }} from '{specifier}'\nexport default () => b");
            let mut files = vec![(*entry, text.as_str())];
            files.extend(others.iter().map(|path| (*path, "export const b = 1")));
            let lowered = lower_files(language, &files)
                .unwrap_or_else(|diagnostics| panic!("{specifier}: {}", diagnostics[0]));
            let js = &lowered.modules[0].js;
            assert!(js.contains(&format!("from \"{expected}\"")), "{specifier}: {js}");
            assert_eq!(lowered.modules.len(), files.len());
        }
    }
}

/// Files, then what is said: file, line, column, part of the message.
type Refused = (&'static [(&'static str, &'static str)], &'static [(&'static str, u32, u32, &'static str)]);

const OK: &str = "export default () => 1";

const REFUSED: &[Refused] = &[
    (&[("a.ts", "import './b'\nexport default () => 1")], &[("a.ts", 1, 8, "Its only file is `a.ts`")]),
    (
        &[("a.ts", "import { x } from './c'\nexport default () => x"), ("b.ts", "")],
        &[("a.ts", 1, 19, "`./c` is no file of this tool. Its files are `a.ts`, `b.ts`")],
    ),
    (
        &[("a.ts", OK), ("lib/b.ts", "\nexport * from 'fs'")],
        &[("lib/b.ts", 2, 15, "`fs` is not relative. Its files are `a.ts`, `lib/b.ts`")],
    ),
    (&[("a.ts", OK), ("b.ts", "import 'https://x/y.js'")], &[("b.ts", 1, 8, "is not relative")]),
    (&[("a.ts", OK), ("b.ts", "import '/a.ts'")], &[("b.ts", 1, 8, "is not relative")]),
    (&[("a.ts", OK), ("b.ts", "import 'a.ts'")], &[("b.ts", 1, 8, "is not relative")]),
    (&[("a.ts", OK), ("b.ts", "import '../a.ts'")], &[("b.ts", 1, 8, "leads out of the tool")]),
    (&[("a.ts", OK), ("b.ts", "import './lib/a.ts'")], &[("b.ts", 1, 8, "is no file of this tool")]),
    (
        &[("a.ts", OK), ("b.ts", "import j from './a.ts' with { type: 'json' }\nj")],
        &[("b.ts", 1, 29, "import attributes")],
    ),
    (
        &[("a.ts", OK), ("b.ts", "export const f = () => import('./a.ts')")],
        &[("b.ts", 1, 24, "while it runs")],
    ),
    (&[("a.ts", OK), ("b.ts", "await 1")], &[("b.ts", 1, 1, "`await` outside a function")]),
    (
        &[("a.ts", "import { y } from './b'\nexport default () => y"), ("b.ts", "export const x = 1, z = 2")],
        &[("a.ts", 1, 10, "`b.ts` does not export `y`; it exports `x`, `z`")],
    ),
    (
        &[("a.ts", "import b from './b'\nexport default () => b"), ("b.ts", "")],
        &[("a.ts", 1, 8, "`b.ts` does not export `default`; it exports nothing")],
    ),
    (
        &[
            ("a.ts", "import './b'\nexport default () => 1"),
            ("b.ts", "export { T } from './c'"),
            ("c.ts", "export type T = 1"),
        ],
        &[("b.ts", 1, 10, "it exports nothing. If it is a type, write `import type` or `export type`")],
    ),
    (
        &[("a.ts", "export { default } from './b'"), ("b.ts", "export const x = 1")],
        &[("a.ts", 1, 10, "does not export `default`")],
    ),
    (
        &[("a.ts", "import { x } from './b'\nexport default () => x"), ("b.ts", "export { x } from './a'")],
        &[("a.ts", 1, 10, "does not export `x`"), ("b.ts", 1, 10, "does not export `x`")],
    ),
    (&[("a.ts", "const x = ;"), ("b.ts", "let y y")], &[("a.ts", 1, 11, ""), ("b.ts", 1, 6, "")]),
    (&[], &[("", 1, 1, "1 to 64 files, not 0")]),
    (&[("a.ts", OK), ("a.ts", "")], &[("a.ts", 1, 1, "two files with this path")]),
    (&[("", OK)], &[("", 1, 1, "1 to 100 characters")]),
    (&[("/a.ts", OK)], &[("/a.ts", 1, 1, "relative")]),
    (&[("a//b.ts", OK)], &[("a//b.ts", 1, 1, "empty segment")]),
    (&[("./a.ts", OK)], &[("./a.ts", 1, 1, "none that is . or ..")]),
    (&[("a/../b.ts", OK)], &[("a/../b.ts", 1, 1, "none that is . or ..")]),
    (&[("a b.ts", OK)], &[("a b.ts", 1, 1, "is made of")]),
    (&[("é.ts", OK)], &[("é.ts", 1, 1, "is made of")]),
    (&[("<library>", OK)], &[("<library>", 1, 1, "is made of")]),
];

#[test]
fn what_is_wrong_is_said_in_its_file() {
    for (files, expected) in REFUSED {
        let diagnostics = lower_files(Language::TypeScript, files).expect_err(&format!("{files:?}"));
        let places: Vec<_> =
            diagnostics.iter().map(|found| (found.file.as_str(), found.line, found.column)).collect();
        let wanted: Vec<_> = expected.iter().map(|&(file, line, column, _)| (file, line, column)).collect();
        assert_eq!(places, wanted, "{files:?}: {diagnostics:?}");
        for (found, (_, _, _, says)) in diagnostics.iter().zip(*expected) {
            assert!(found.message.contains(says), "{files:?}: {}", found.message);
        }
    }
}

#[test]
fn there_are_at_most_sixty_four_files() {
    let paths: Vec<_> = (0..65).map(|n| format!("f{n}.ts")).collect();
    let files: Vec<_> = paths.iter().map(|path| (path.as_str(), OK)).collect();
    assert!(lower_files(Language::TypeScript, &files[..64]).is_ok());
    let diagnostics = lower_files(Language::TypeScript, &files).unwrap_err();
    assert!(diagnostics[0].message.contains("not 65"), "{}", diagnostics[0]);
}

/// Files that go together, however they are linked.
const LINKED: &[&[(&str, &str)]] = &[
    &[("a.ts", "import * as b from './b'\nexport default () => b.anything"), ("b.ts", "")],
    &[
        ("a.ts", "import d, { x as y, 'a-b' as z } from './b'\nexport default () => [d, y, z]"),
        ("b.ts", "export default 1; export const { x, ...rest } = { x: 1 }, q = 2\nexport { q as 'a-b' }"),
    ],
    &[
        ("a.ts", "import { x, ns } from './b'\nexport default () => ns.x + x"),
        ("b.ts", "export * from './c'; export * as ns from './c'"),
        ("c.ts", "export * from './b'; export function x() {} export class K {}"),
    ],
    &[
        (
            "a.ts",
            "import type { T } from './b'\nimport { type U, V, f } from './b'\nexport default (t: T, v: V) => f",
        ),
        (
            "b.ts",
            "export interface T {}\nexport type U = 1; export type V = 2; export enum f { A } export namespace N { export const x = 1 }",
        ),
    ],
    &[("a.ts", "import { V } from './b'\nexport default (v: V) => 1"), ("b.ts", "export interface V {}")],
    &[("a.ts", "export { default } from './b'"), ("b.ts", "export { f as default }; async function f() {}")],
    &[("a.ts", "import type { Env } from 'anywhere'\nexport default (env: Env) => 1")],
    &[("a.ts", OK), ("unused.ts", "export const x = 1")],
];

#[test]
fn linked_files_are_lowered() {
    for files in LINKED {
        if let Err(diagnostics) = lower_files(Language::TypeScript, files) {
            panic!("{files:?}: {}", diagnostics[0]);
        }
    }
}

#[test]
fn a_digest_says_which_files_and_which_is_the_entry() {
    let of = |files: &[(&str, &str)]| {
        let files: Vec<_> = files.iter().map(|&(path, text)| SourceFile { path, text }).collect();
        let source = Source { language: Language::TypeScript, files: &files };
        (String::from_utf8(source.bundle().into_owned()).unwrap(), source.digest())
    };
    let (text, digest) = of(&[("a.ts", "abc")]);
    assert_eq!(text, "abc");
    assert_eq!(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    let (bundle, digest) = of(&[("b.ts", "x\n"), ("a.ts", "é"), ("c.ts", "")]);
    assert_eq!(bundle, "%alknet-tool-files 1\nb.ts\na.ts\n2\né\nb.ts\n2\nx\n\nc.ts\n0\n\n");
    assert_eq!(digest, of(&[("b.ts", "x\n"), ("c.ts", ""), ("a.ts", "é")]).1);
    assert_ne!(digest, of(&[("a.ts", "é"), ("b.ts", "x\n"), ("c.ts", "")]).1);
    // A bundle is no module, so no single file has a bundle's digest.
    assert!(lower_files(Language::TypeScript, &[("a.ts", &bundle)]).is_err());
    assert_eq!(of(&[]).0, "");
}
