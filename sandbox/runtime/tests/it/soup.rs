//! Texts of tools, cut up and stirred: taken or refused with a place, never worse.

use std::time::Duration;

use alknet_sandbox::{Binary, Language, Limits, RegisterError};

use crate::dice::Dice;
use crate::support::{Host, limits, names, register, register_as, sandbox};

const SEED: u64 = 0x5009_2026;
const TEXTS: u64 = 1500;

const SCRIPTS: &[&str] = &[
    include_str!("../../../../tests/adversarial/escape/path_traversal.ts"),
    include_str!("../../../../tests/adversarial/escape/resized_under_a_view.js"),
    include_str!("../../../../tests/adversarial/escape/names_tell_nothing.ts"),
    include_str!("../../../../tests/adversarial/source/enum_doubling.ts"),
    include_str!("../../../../tests/adversarial/source/decorators.ts"),
    "interface A<T extends object = {}> { readonly [key: string]: T[keyof T] | undefined }\n\
     type B = A<{ a: `x${number}` }> extends infer U ? U & { b?: never } : unique symbol[];\n\
     namespace N { export const x = 1 as const; }\n\
     export default async function tool<T>(this: void, input: T, { invoke }: any): Promise<T> {\n\
       const { a = 1, ...rest } = input as any; label: for (const [k, v] of Object.entries(rest)) {\n\
         if (/[/\\]]+(?<n>x)/u.test(k)) continue label; await using r = v!; switch (v) { case 1: default: }\n\
       }\n  return <T>(a ?? rest?.b?.[0] ?? `t${`${a}`}`) satisfies unknown as T;\n}\n",
];

const COMPONENTS: &[&str] = &[
    include_str!("../../../../tests/adversarial/components/calls_without_end.wat"),
    include_str!("../../../../tests/adversarial/components/handle_used_after_drop.wat"),
    include_str!("../../../../tests/adversarial/components/indirect_call_of_another_type.wat"),
];

/// What is strewn in between.
const SCRIPT_SPICE: &[&str] = &[
    "(",
    ")",
    "{",
    "}",
    "[",
    "]",
    "<",
    ">",
    "`",
    "${",
    "'",
    "\"",
    "/*",
    "*/",
    "//",
    "/",
    "=>",
    "...",
    "?.",
    "#a",
    "@a ",
    "async ",
    "await ",
    "yield ",
    "enum E{A=`${B}`}",
    "declare ",
    "import ",
    "export ",
    "class ",
    "\u{2028}",
    "\0",
    "\\u{110000}",
    "\u{feff}",
    "0x",
    "1e",
    "n",
    "é",
    "𝕏",
    "as ",
    "satisfies ",
    "\r",
    "\n",
    ";",
    "<!--",
    "super",
    "new.",
];

const COMPONENT_SPICE: &[&str] = &[
    "(",
    ")",
    "(;",
    ";)",
    ";;",
    "\"",
    "\\",
    "$",
    "$x ",
    "@",
    "(@custom ",
    "0x",
    "-",
    "99999999999999999999",
    "nan:0x",
    "(block ",
    "(loop ",
    "(if ",
    "end ",
    "(type ",
    "(rec ",
    "(core ",
    "(component ",
    "(alias outer 9 0 ",
    "(canon ",
    "(export \"\" ",
    "(import \"\" \"\" ",
    "(memory 99999999)",
    "(data \"\\ff\")",
    "i32.const ",
    "\u{0}",
    "\u{202e}",
    "é",
    "(start 0)",
    "(instance ",
    "(instantiate ",
    "(result ",
    "(param ",
    "\n",
    "\r",
    "v128.const i8x16 ",
    "\\u{d800}",
];

fn bounds() -> Limits {
    // Were the wall reached, something took much longer than it may: a text is compiled in milliseconds.
    Limits { cpu: Duration::from_millis(50), memory_bytes_max: 8 << 20, ..limits() }
}

#[tokio::test]
async fn stirred_scripts_are_taken_or_refused() {
    let mut taken = 0;
    for number in 0..TEXTS {
        let mut dice = Dice::new(SEED + number);
        let text = stirred(SCRIPTS, SCRIPT_SPICE, &mut dice);
        let language = *dice.one_of(&[Language::TypeScript, Language::JavaScript]);
        let result = register_as(language, &text, &names(), &bounds()).await;
        taken += usize::from(is_taken(result.map(drop), &text, number));
    }
    assert!(taken > 50, "stirred too much: only {taken} are scripts");
    let healthy = register("export default (n) => n + 1").await;
    assert_eq!(healthy.call("1", &Host::default(), &limits()).await.result.as_deref(), Ok("2"));
}

#[tokio::test]
async fn stirred_components_are_taken_or_refused() {
    let mut taken = 0;
    for number in 0..TEXTS {
        let mut dice = Dice::new(SEED + (1 << 32) + number);
        let text = stirred(COMPONENTS, COMPONENT_SPICE, &mut dice);
        let result = sandbox().register_component("a-tool", Binary::Text(&text), &bounds()).await;
        taken += usize::from(is_taken(result.map(drop), &text, number));
    }
    assert!(taken > 20, "stirred too much: only {taken} are components");
}

/// Whether it is a tool. If not, the reason must be one for an author.
fn is_taken(result: Result<(), RegisterError>, text: &str, number: u64) -> bool {
    // Every character that ends a line in one of the languages.
    let lines = text.matches(['\n', '\r', '\u{2028}', '\u{2029}']).count() + 1;
    match result {
        Ok(()) => true,
        Err(RegisterError::Rejected(diagnostics)) => {
            assert!(!diagnostics.is_empty(), "{SEED} {number}: {text}");
            for found in diagnostics {
                let line = usize::try_from(found.line).unwrap();
                assert!((1..=lines).contains(&line), "{SEED} {number}: {found:?}: {text}");
                assert!(!found.message.contains("the compiler failed"), "{SEED} {number}: {found:?}: {text}");
            }
            false
        }
        Err(RegisterError::Limit(limit)) if limit.name() != "wall_ms" => false,
        Err(error) => panic!("{SEED} {number}: {error:?}: {text}"),
    }
}

/// One of the texts, changed in a few places.
fn stirred(texts: &[&str], spice: &[&str], dice: &mut Dice) -> String {
    let mut chars: Vec<char> = dice.one_of(texts).chars().collect();
    for _ in 0..=dice.below(3) {
        let at = dice.below(chars.len() + 1);
        let end = (at + dice.below(24)).min(chars.len());
        match dice.below(6) {
            0 => drop(chars.drain(at..end)),
            1 => {
                let piece = chars[at..end].to_vec();
                let to = dice.below(chars.len() + 1);
                chars.splice(to..to, piece).for_each(drop);
            }
            2 => chars.truncate(at.max(40)),
            3 => {
                let again = dice.one_of(spice).repeat(1 + dice.below(300));
                chars.splice(at..at, again.chars()).for_each(drop);
            }
            _ => chars.splice(at..end.min(at + 1), dice.one_of(spice).chars()).for_each(drop),
        }
    }
    chars.into_iter().collect()
}
