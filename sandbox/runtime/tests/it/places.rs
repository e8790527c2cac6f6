//! Errors of a call, and the places in the author's files they point at.

use alknet_sandbox::{CallFailure, Language, Position, RegisterError};

use crate::support::{Host, limits, names, register_files};

/// Marks the place in a file that an error must point at; it is not part of the file.
const MARK: char = '¤';

/// Files without marks, and the place of the only mark.
fn marked(files: &[(&str, &str)]) -> (Vec<(String, String)>, Position, String) {
    let mut found = None;
    let mut plain = Vec::new();
    for (path, text) in files {
        if let Some((before, _)) = text.split_once(MARK) {
            let line = before.matches('\n').count();
            let start = before.rfind('\n').map_or(0, |at| at + 1);
            let position = Position {
                file: (*path).into(),
                line: u32::try_from(line + 1).unwrap(),
                column: u32::try_from(before[start..].chars().count() + 1).unwrap(),
            };
            found = Some((position, text.lines().nth(line).unwrap().replace(MARK, "")));
        }
        plain.push(((*path).to_owned(), text.replace(MARK, "")));
    }
    let (position, snippet) = found.unwrap();
    (plain, position, snippet)
}

async fn check(language: Language, files: &[(&str, &str)]) {
    let (files, expected, line) = marked(files);
    let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let tool = register_files(language, &files, &names(), &limits()).await.unwrap();
    let (at, snippet) = match tool.call(r#"{"a":1}"#, &Host::default(), &limits()).await.result {
        Err(CallFailure::Threw { at, snippet, .. } | CallFailure::HostCall { at, snippet, .. }) => {
            (at, snippet)
        }
        other => panic!("{files:?}: {other:?}"),
    };
    let at = at.unwrap();
    assert_eq!((&at.file, at.line), (&expected.file, expected.line), "{files:?}");
    // The engine may point at another token of the expression.
    assert!(at.column.abs_diff(expected.column) < 24, "{files:?}: {at}");
    assert_eq!(snippet.as_deref(), Some(line.as_str()), "{files:?}");
}

/// A file with an error in it, however it comes to light.
const SINGLE: &[&str] = &[
    "export default function () {\n  throw ¤new Error('x')\n}",
    "export default async function (input, env) {\n  await env.echo.it(1)\n  null.¤x\n}",
    "export default async function (input, env) {\n  await ¤env.fail.it(1)\n}",
    "export default async (input, env) => {\n  const all = [1, 2].map((n) =>\n    ¤env.fail.it(n))\n  await Promise.all(all)\n}",
    "export default (input) => {\n  return [1].map((n) => {\n    return ¤missing + n\n  })\n}",
    "export default (input) => Promise.resolve()\n  .then(() => {\n    throw ¤new TypeError('t')\n  })",
    "export default async () => {\n  setTimeout(() => {\n    throw ¤new Error('late')\n  }, 1)\n  await new Promise((r) => setTimeout(r, 50))\n}",
    "export default async () => {\n  setInterval(tick, 1)\n  await new Promise(() => {})\n}\nfunction tick() { null.¤x }",
    "export default async () => {\n  await new Promise(async () => {\n    ¤undefinedName\n  })\n}",
    "export default () => {\n  const it = (function* () {\n    yield 1\n    throw ¤new Error('in a generator')\n  })()\n  return [...it]\n}",
    "export default () => {\n  return ¤new URL('no url')\n}",
    "export default () => {\n  const o = {}\n  for (let i = 0, p = o; i < 50; i++) p = p.x = { f: i === 49 ? () => 1 : 0 }\n  return ¤structuredClone(o)\n}",
    "export default async (input, env) => {\n  const t = new EventTarget()\n  t.addEventListener('x', () => { throw ¤new Error('heard') })\n  t.dispatchEvent(new Event('x'))\n  await null\n}",
    "export default async (input, env) => {\n  const signal = ¤AbortSignal.timeout(1)\n  await env.never.it({}, { signal })\n}",
    "class A {\n  get x() { throw ¤new Error('getter') }\n}\nexport default () => new A().x",
    "export default () => {\n  return { toJSON() {\n    throw ¤new Error('json')\n  } }\n}",
];

#[tokio::test]
async fn errors_point_at_the_authors_text() {
    for text in SINGLE {
        check(Language::JavaScript, &[("tool.js", text)]).await;
    }
}

#[tokio::test]
async fn errors_point_at_the_authors_typescript() {
    let types = "interface Wide {\n  a: string\n}\ntype Gone = Wide | null\n\n// größe\n";
    for text in SINGLE {
        let text = format!("{types}{text}");
        let (files, expected, _) = marked(&[("tool.ts", &text)]);
        let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        let tool = register_files(Language::TypeScript, &files, &names(), &limits()).await.unwrap();
        let (at, snippet) = match tool.call("{}", &Host::default(), &limits()).await.result {
            Err(CallFailure::Threw { at, snippet, .. } | CallFailure::HostCall { at, snippet, .. }) => {
                (at, snippet)
            }
            other => panic!("{text}: {other:?}"),
        };
        // Printed code keeps the places of tokens, not of everything between them.
        assert_eq!(at.map(|at| (at.file, at.line)), Some((expected.file, expected.line)), "{text}");
        assert!(snippet.is_some_and(|snippet| text.replace(MARK, "").lines().any(|line| *line == *snippet)));
    }
}

#[tokio::test]
async fn errors_point_into_other_files() {
    for (language, entry) in [(Language::JavaScript, "a.js"), (Language::TypeScript, "a.ts")] {
        let call = "import { run } from './lib/b'\nexport default async (input, env) => run(env)";
        for (path, text) in [
            (
                "lib/b.js",
                "// é\nexport async function run(env) {\n  await env.later.it(1)\n  throw ¤new Error('there')\n}",
            ),
            ("lib/b.js", "export const run = (env) => [1].map(() => {\n  ¤missing\n})"),
            ("lib/b.js", "export const run = async (env) => {\n  await ¤env.fail.it(1)\n}"),
        ] {
            check(language, &[(entry, call), (path, text)]).await;
        }
    }
}

#[tokio::test]
async fn an_error_while_loading_points_into_its_file() {
    let files = [
        ("a.js", "import './lib/b.js'\nexport default () => 1"),
        ("lib/b.js", "const limit = 5\nif (limit) throw new Error('early')"),
    ];
    match register_files(Language::JavaScript, &files, &names(), &limits()).await {
        Err(RegisterError::Rejected(diagnostics)) => {
            let first = &diagnostics[0];
            assert_eq!((first.file.as_str(), first.line), ("lib/b.js", 2));
            assert_eq!(first.snippet.as_deref(), Some("if (limit) throw new Error('early')"));
            assert!(first.to_string().starts_with("lib/b.js:2:"), "{first}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_stack_names_functions_of_all_files_and_none_of_the_library() {
    let files = [
        (
            "a.js",
            "import { outer } from './b.js'\nexport default function tool() { return outer(() => { throw new Error('x') }) }",
        ),
        (
            "b.js",
            "export function outer(f) {\n  const t = new EventTarget()\n  return new URLSearchParams('a=1').forEach(f)\n}",
        ),
    ];
    let tool = register_files(Language::JavaScript, &files, &names(), &limits()).await.unwrap();
    let result = tool.call("{}", &Host::default(), &limits()).await.result;
    let Err(CallFailure::Threw { stack, .. }) = result else { panic!("{result:?}") };
    let frames: Vec<_> = stack
        .iter()
        .map(|frame| (frame.function.as_deref(), &*frame.position.file, frame.position.line))
        .collect();
    assert_eq!(frames, [(None, "a.js", 2), (Some("outer"), "b.js", 3), (Some("tool"), "a.js", 2)]);
}

#[tokio::test]
async fn logged_errors_point_at_the_authors_text() {
    let text = "type Gone = {\n  a: 1\n}\n\nexport default function tool() {\n  try {\n    new URL('no')\n  } catch (e) {\n    console.error('seen', e)\n  }\n}";
    let tool = register_files(Language::TypeScript, &[("t.ts", text)], &names(), &limits()).await.unwrap();
    let report = tool.call("{}", &Host::default(), &limits()).await;
    let line = &report.logs[0].text;
    assert!(line.starts_with("seen TypeError: URL: \"no\" is not a valid URL"), "{line}");
    assert!(line.contains("at tool (t.ts:7:") && !line.contains("library"), "{line}");
}
