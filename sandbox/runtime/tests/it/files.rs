//! Tools of several files.

use alknet_sandbox::{Language, Limit, Limits, RegisterError, Shape};

use crate::support::{Host, limits, names, register_files};

/// Files, and the output for the input 2.
const TOOLS: &[(&[(&str, &str)], &str)] = &[
    (
        &[
            ("main.ts", "import { double } from './lib/math.ts'\nexport default (n: number) => double(n)"),
            ("lib/math.ts", "import type { N } from './types'\nexport const double = (n: N): N => n * 2"),
            ("lib/types.ts", "export type N = number"),
        ],
        "4",
    ),
    (
        &[
            (
                "main.ts",
                "import d, * as all from './b.js'\nimport { c as e } from './b'\nexport default (n: number) => [d, all.c, e, n]",
            ),
            ("b.ts", "export default 'd'\nexport { c } from './c'"),
            ("c.ts", "export let c = 1\nc++"),
        ],
        r#"["d",2,2,2]"#,
    ),
    (
        &[
            ("main.ts", "export { default } from './impl'"),
            ("impl.ts", "export default async (n: number, env: any) => (await env.echo.it({ n })).n"),
        ],
        "2",
    ),
    (
        // A cycle: functions are there before the modules run, constants are not.
        &[
            ("main.ts", "import { even } from './even'\nexport default (n: number) => even(n)"),
            (
                "even.ts",
                "import { odd } from './odd'\nexport function even(n: number): boolean { return n === 0 || odd(n - 1) }",
            ),
            (
                "odd.ts",
                "import { even } from './even'\nexport function odd(n: number): boolean { return n !== 0 && even(n - 1) }",
            ),
        ],
        "true",
    ),
    (
        // Each module runs once, dependencies first; one that nobody imports does not run.
        &[
            (
                "main.ts",
                "import { log } from './log'\nimport './x'\nimport './y'\nlog.push('main')\nexport default () => log",
            ),
            ("log.ts", "export const log: string[] = []"),
            ("x.ts", "import { log } from './log'\nlog.push('x')"),
            ("y.ts", "import './x'\nimport { log } from './log'\nlog.push('y')"),
            ("z.ts", "import { log } from './log'\nlog.push('z')"),
        ],
        r#"["x","y","main"]"#,
    ),
    (
        &[
            ("main.ts", "import { Mode, type Options } from './m'\nexport default (o: Options) => Mode.Fast"),
            ("m.ts", "export enum Mode { Fast = 'f' }\nexport interface Options { a: 1 }"),
        ],
        r#""f""#,
    ),
];

#[tokio::test]
async fn files_go_together() {
    for (files, expected) in TOOLS {
        let tool = match register_files(Language::TypeScript, files, &names(), &limits()).await {
            Ok(tool) => tool,
            Err(error) => panic!("{files:?}: {error}"),
        };
        let report = tool.call("2", &Host::default(), &limits()).await;
        assert_eq!(report.result.as_deref(), Ok(*expected), "{files:?}");
    }
}

#[tokio::test]
async fn as_many_files_as_may_be_can_form_a_chain() {
    let names_of: Vec<_> = (0..64).map(|n| format!("f{n}.js")).collect();
    let texts: Vec<_> = (0..64)
        .map(|n| match n {
            0 => "import { f1 } from './f1.js'\nexport default () => f1()".to_owned(),
            63 => "export const f63 = () => 63".to_owned(),
            n => format!("import {{ f{0} }} from './f{0}'\nexport const f{n} = () => f{0}()", n + 1),
        })
        .collect();
    let files: Vec<_> = names_of.iter().map(String::as_str).zip(texts.iter().map(String::as_str)).collect();
    let tool = register_files(Language::JavaScript, &files, &names(), &limits()).await.unwrap();
    assert_eq!(tool.call("0", &Host::default(), &limits()).await.result.as_deref(), Ok("63"));
}

#[tokio::test]
async fn all_files_count_towards_the_source_limit() {
    let text = format!("export const x = '{}'", "x".repeat(600));
    let files = [("a.js", "export default () => 1"), ("b.js", text.as_str()), ("c.js", text.as_str())];
    let within = Limits { source_bytes_max: 1000, ..limits() };
    let error = register_files(Language::JavaScript, &files, &names(), &within).await.unwrap_err();
    assert_eq!(error, RegisterError::Limit(Limit::Source(1000)));
    assert!(register_files(Language::JavaScript, &files[..2], &names(), &within).await.is_ok());
}

#[tokio::test]
async fn a_tool_knows_its_shape_and_digest() {
    for (text, shape) in [
        ("export default () => 1", Shape::Function),
        ("export default async function () {}", Shape::Function),
        ("export default async function* () {}", Shape::Generator),
        ("export default function* () {}", Shape::Generator),
        ("const f = async function* () {}\nexport { f as default }", Shape::Generator),
    ] {
        let tool =
            register_files(Language::JavaScript, &[("t.js", text)], &names(), &limits()).await.unwrap();
        assert_eq!(tool.shape(), shape, "{text}");
    }
    let files = [("a.js", "export default () => 1"), ("b.js", "")];
    let tool = register_files(Language::JavaScript, &files, &names(), &limits()).await.unwrap();
    let of = files.map(|(path, text)| alknet_sandbox::SourceFile { path, text });
    let source = alknet_sandbox::Source { language: Language::JavaScript, files: &of };
    assert_eq!(tool.digest(), source.digest());
}
