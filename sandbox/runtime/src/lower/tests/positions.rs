//! Places in the lowered module lead back to the author's source.

use super::super::text::Place;
use super::{Single, lower};
use crate::Language;

fn lowered(language: Language, text: &str) -> Single {
    lower(language, text).unwrap_or_else(|diagnostics| panic!("{text}: {}", diagnostics[0]))
}

/// Line and column of the `occurrence`th `word` as the engine reports them: columns count bytes.
fn in_engine(js: &str, word: &str, occurrence: usize) -> (u32, u32) {
    let (at, _) = js.match_indices(word).nth(occurrence).unwrap_or_else(|| panic!("no `{word}` in:\n{js}"));
    let before = js[..at].replace("\r\n", " \n").replace('\r', "\n");
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.matches('\n').count() + 1;
    (u32::try_from(line).unwrap(), u32::try_from(at - start + 1).unwrap())
}

/// Line and column of the `occurrence`th `word` as its author counts.
fn in_source(text: &str, word: &str, occurrence: usize) -> Place {
    let text = text.trim_start_matches('\u{feff}');
    let (at, _) = text.match_indices(word).nth(occurrence).unwrap();
    let before = text[..at].replace("\r\n", "\n").replace(['\r', '\u{2028}', '\u{2029}'], "\n");
    let (lines, last) = match before.rsplit_once('\n') {
        Some((above, last)) => (above.matches('\n').count() + 1, last),
        None => (0, before.as_str()),
    };
    let column = last.chars().count() + 1;
    Place { line: u32::try_from(lines + 1).unwrap(), column: u32::try_from(column).unwrap() }
}

/// Requires that every `mark…` in `text` is found from where it went.
fn check(language: Language, text: &str) {
    let Single { js, map } = lowered(language, text);
    let words: Vec<&str> =
        text.split(|c: char| !c.is_alphanumeric()).filter(|word| word.starts_with("mark")).collect();
    assert!(!words.is_empty());
    for word in words {
        let (line, column) = in_engine(&js, word, 0);
        let found = map.original(line, column);
        assert_eq!(found, Some(in_source(text, word, 0)), "`{word}` at {line}:{column} in\n{js}\nof\n{text}");
    }
}

const TYPESCRIPT: &[&str] = &[
    "export default (input: number) => mark1(input)",
    "interface Wide<\n  A,\n  B extends {\n    c: A\n  },\n> {}\n\nexport default function mark1<\n  T extends Wide<any, any>,\n  U = Map<\n    string,\n    T\n  >,\n>(\n  mark2: T,\n  mark3: U,\n): U {\n  return mark4(\n    mark5 as unknown as T,\n  ) satisfies U\n}",
    "enum Mode {\n  A = 1,\n  B,\n}\nclass P {\n  constructor(private readonly x: number) { mark1(x) }\n  mark2(): void {}\n}\n// gone\nexport default () => {\n  /* gone\n   too */ throw new mark3(Mode.B)\n}",
    "type Gone = 1\r\n\r\nexport default () => {\r\n  const a: Gone = 1; mark1(a)\r\n  return `x\r\ny${mark2}`\r\n}\r\n",
    "\u{feff}const größe: string = '日本𝒳', b = mark1;\nexport default () => '𝒳𝒳' + mark2 + größe + mark3",
    "const a = `𝒳\u{2028}é` as string; mark1;\rmark2\u{2029}mark3\nexport default () => mark4",
];

const JAVASCRIPT: &[&str] = &[
    "export default (input) => mark1(input)",
    "   const größe = '日本𝒳'; mark1\r\n  mark2; /* é\n */ mark3\nexport default () => `a\n${mark4}` + '𝒳' + mark5",
    "const é = 1; mark1\rmark2; /* a\rb */ mark3\nexport default () => mark4",
    "const s = 'a\u{2028}b'; mark1\nmark2\u{2029}mark3 // \u{2028} mark4\nexport default () => mark5",
];

#[test]
fn places_lead_back() {
    for text in TYPESCRIPT {
        check(Language::TypeScript, text);
    }
    for text in JAVASCRIPT {
        let Single { js, .. } = lowered(Language::JavaScript, text);
        if js == *text || !text.contains("mark4") || js.contains("mark4") {
            check(Language::JavaScript, text);
        }
    }
}

#[test]
fn a_place_between_tokens_leads_to_the_one_before() {
    let Single { js, map } =
        lowered(Language::TypeScript, "export default (a: any) => {\n  return a.first .second\n}");
    let (line, column) = in_engine(&js, ".second", 0);
    let found = map.original(line, column + 3).unwrap();
    assert_eq!(found.line, 2);
    assert!((3..=19).contains(&found.column), "{found:?}");
}

/// On the first line, the engine counts a token that is a keyword from 0.
#[test]
fn keywords_of_the_first_line_lead_back() {
    let text = "export default (a: any) => { null.mark }";
    let Single { js, map } = lowered(Language::TypeScript, &text.replace("{ ", "{  "));
    assert_eq!(js.lines().next(), Some("export default (a) => {"));
    let text = "export default async (a: any) => await a(this.b)";
    let Single { js, map: one_line } = lowered(Language::TypeScript, text);
    let (line, column) = in_engine(&js, "await", 0);
    assert_eq!(one_line.original(line, column - 1), Some(in_source(text, "await", 0)));
    assert_eq!(one_line.original(line, column), Some(in_source(text, "await", 0)));
    assert_eq!(map.original(2, 1).map(|found| found.column), Some(31));
}

#[test]
fn places_outside_the_module_lead_nowhere() {
    for (language, text) in [
        (Language::TypeScript, "export default (a: any) => a"),
        (Language::JavaScript, "export default (a) => a"),
    ] {
        let Single { js, map } = lowered(language, text);
        let lines = u32::try_from(js.lines().count()).unwrap();
        assert_eq!(map.original(0, 1), None);
        assert_eq!(map.original(lines + 2, 1), None);
        assert_eq!(map.original(u32::MAX, u32::MAX), None);
        for (line, column) in [(1, 0), (1, 1), (1, u32::MAX)] {
            assert_eq!(
                map.original(line, column).map(|found| found.line),
                Some(1),
                "{language:?} {line}:{column}"
            );
        }
    }
}

#[test]
fn every_place_leads_into_the_source() {
    let statements = "  const größe: number = input.map((x: { a: string }) => x?.a ?? '日本').length;\n  enum E { A, B }\n";
    let text =
        format!("namespace N {{\n{statements}}}\nexport default async (input: any) => {{\n{statements}}}\n");
    let Single { js, map } = lowered(Language::TypeScript, &text);
    for (line, content) in (1..).zip(js.lines()) {
        for column in (1..).take(content.len() + 1) {
            let found = map.original(line, column).unwrap();
            let written = text.lines().nth(usize::try_from(found.line - 1).unwrap()).unwrap();
            assert!(usize::try_from(found.column).unwrap() <= written.chars().count() + 1, "{found:?}");
        }
    }
}
