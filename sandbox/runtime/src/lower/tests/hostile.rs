//! Sources written to exhaust the compiler.

use super::super::{
    SOURCE_BYTES_MAX, STACK_BYTES,
    compile::compile,
    nesting::{PENDING_TOKENS_MAX, bound},
};
use super::lower;
use crate::Language;

/// How a source nests: `opening` over and over, `middle`, and `closing` as often.
struct Pattern {
    before: &'static str,
    opening: &'static str,
    middle: &'static str,
    closing: &'static str,
}

const fn pattern(
    before: &'static str,
    opening: &'static str,
    middle: &'static str,
    closing: &'static str,
) -> Pattern {
    Pattern { before, opening, middle, closing }
}

const PATTERNS: &[Pattern] = &[
    pattern("x = ", "(", "1", ")"),
    pattern("x = ", "[", "1", "]"),
    pattern("x = ", "{a:", "1", "}"),
    pattern("x = ", "{[", "1", "]:1}"),
    pattern("x = ", "({a=", "1", "}={})"),
    pattern("", "{", "", "}"),
    pattern("x = ", "!", "1", ""),
    pattern("x = ", "- ", "1", ""),
    pattern("x = ", "-(", "1", ")"),
    pattern("x = ", "typeof ", "1", ""),
    pattern("x = ", "void ", "1", ""),
    pattern("x = ", "new ", "X", ""),
    pattern("x = ", "a=>", "1", ""),
    pattern("x = ", "a=>{return ", "1", "}"),
    pattern("x = ", "(a)=>", "1", ""),
    pattern("x = ", "(a=", "1", ")=>1"),
    pattern("x = ", "(a=", "1", ")"),
    pattern("x = ", "async a=>", "1", ""),
    pattern("x = ", "async(", "1", ")"),
    pattern("x = ", "x=", "1", ""),
    pattern("x = ", "x??=", "1", ""),
    pattern("x = ", "a?b:", "1", ""),
    pattern("x = ", "a?", "1", ":b"),
    pattern("x = ", "a?(b):c=>", "1", ""),
    pattern("x = ", "a?(b)=>(", "1", "):c"),
    pattern("x = ", "a?(b):(", "1", ")=>c"),
    pattern("x = ", "a**", "1", ""),
    pattern("x = a", "+a", "", ""),
    pattern("x = a", "<a", "", ""),
    pattern("x = a", "||a", "", ""),
    pattern("x = a", "??a", "", ""),
    pattern("x = a", ".b", "", ""),
    pattern("x = a", "?.b", "", ""),
    pattern("x = a", "[0]", "", ""),
    pattern("x = a", "()", "", ""),
    pattern("x = a", "(b)", "", ""),
    pattern("x = a", "``", "", ""),
    pattern("x = a", "!", "", ""),
    pattern("x = a", " as b", "", ""),
    pattern("x = a", " satisfies b", "", ""),
    pattern("x = ", "<b>", "1", ""),
    pattern("x = ", "a(", "1", ")"),
    pattern("x = ", "a[", "1", "]"),
    pattern("x = ", "`${", "1", "}`"),
    pattern("x = ", "a`${", "1", "}`"),
    pattern("x = ", "f<", "a", ">"),
    pattern("x = ", "f<(", "a", ")"),
    pattern("x = ", "f<a,", "a", ">"),
    pattern("x = ", "class{[", "1", "]}"),
    pattern("x = ", "class extends ", "A", "{}"),
    pattern("x = ", "class{a=", "1", "}"),
    pattern("x = ", "class{static{", "1", "}}"),
    pattern("x = ", "class{a(){", "1", "}}"),
    pattern("x = ", "function(){", "1", "}"),
    pattern("x = ", "function(a=", "1", "){}"),
    pattern("x = ", "{a(){", "1", "}}"),
    pattern("async function f(){", "await ", "1", ""),
    pattern("function*f(){", "yield ", "1", ""),
    pattern("", "if(1)", "x", ""),
    pattern("", "if(1){", "x", "}"),
    pattern("", "if(1)x;else ", "x", ""),
    pattern("", "if(1){}else ", "x", ""),
    pattern("", "if(1)x,x;else ", "x", ""),
    pattern("", "for(;;)", "x", ""),
    pattern("", "for(a of b)", "x", ""),
    pattern("", "while(1)", "x", ""),
    pattern("", "do ", "x", ";while(1)"),
    pattern("", "do{", "x", "}while(1)"),
    pattern("", "try{", "x", "}catch{}"),
    pattern("", "try{}catch{", "x", "}"),
    pattern("", "try{}finally{", "x", "}"),
    pattern("", "switch(1){case 1:", "x", "}"),
    pattern("", "a:", "x", ""),
    pattern("", "function f(){", "", "}"),
    pattern("", "class A{a(){", "", "}}"),
    pattern("let ", "[", "a", "]=[]"),
    pattern("let ", "{a:", "b", "}"),
    pattern("let ", "[a=", "b", "]"),
    pattern("let ", "{a:[b=", "b", "]}"),
    pattern("let x:", "A<", "b", ">"),
    pattern("let x:", "A<b,", "b", ">"),
    pattern("let x:", "{a:", "b", "}"),
    pattern("let x:", "[", "b", "]"),
    pattern("let x:", "(", "b", ")"),
    pattern("let x:", "(a:", "b", ")=>c"),
    pattern("let x:", "()=>", "b", ""),
    pattern("let x:", "new()=>", "b", ""),
    pattern("let x:", "keyof ", "b", ""),
    pattern("let x:", "typeof a<", "b", ">"),
    pattern("let x:", "readonly ", "b[]", ""),
    pattern("let x: b", "[]", "", ""),
    pattern("let x: b", "['c']", "", ""),
    pattern("let x: b", "|c", "", ""),
    pattern("let x: b", "&c", "", ""),
    pattern("let x: b", ".c", "", ""),
    pattern("let x:", "a extends b?c:", "d", ""),
    pattern("let x:", "a extends ", "b", "?c:d"),
    pattern("let x:", "a extends b?", "c", ":d"),
    pattern("let x:", "{[k in ", "b", "]:c}"),
    pattern("let x:", "`${", "b", "}`"),
    pattern("let x:", "A<a extends b?", "b", ":c>"),
    pattern("let x:", "<T extends ", "b", ">()=>c"),
    pattern("let x:", "import('a').A<", "b", ">"),
    pattern("function f(x):", "x is ", "b", ""),
    pattern("", "namespace a{", "", "}"),
    pattern("namespace a", ".b", "{ x }", ""),
    pattern("enum A{a=", "(", "1", ")}"),
    pattern("enum A{a=", "1+", "1", "}"),
    pattern("x = ", "/(", "", ")/"),
    pattern("x = ", "/a/[", "1", "]"),
    pattern("", "if(1)\n", "x", ""),
    pattern("", "else\n", "x", ""),
    pattern("x =\n", "typeof\n", "x", ""),
    pattern("", "if(1)let\n", "x", ""),
    pattern("", "if(1)x,(function(){", "", "})"),
    pattern("", "if(1)try{}catch{", "", "}"),
    pattern("", "do do do do;while(function(){", "", "}())"),
    pattern("", "a:b:c:x,(function(){", "", "})"),
    pattern("x = ", "a<b?c:d>", "1", ""),
    pattern("x = ", "a<b?c:d?e:f>", "1", ""),
    pattern("x = ", "<T,>(a)=>", "1", ""),
    pattern("x = ", "<T>(a:T=", "1", ")=>1"),
    pattern("x = ", "(a:{b:", "c", "})=>1"),
    pattern("x = ", "({a:", "1", "})=>1"),
    pattern("x = ", "([", "1", "])=>1"),
    pattern("x = ", "import(", "1", ")"),
    pattern("x = ", "...", "1", ""),
    pattern("x = ", "[...", "1", "]"),
    pattern("x = ", "{...", "1", "}"),
    pattern("", "export default ", "1", ""),
    pattern("", "declare module 'a'{", "", "}"),
    pattern("", "interface A{a:", "b", "}"),
    pattern("", "<a>", "x", "</a>"),
    pattern("x = a", "<{[a", "", ""),
    pattern("x = ", "{[a=let as (", "1", ")]:1}"),
    pattern("function f(", "{[a=let as (", "b", ")]:1}"),
    pattern("x = ", "x as ({a=", "1", "})"),
    pattern("x = ", "a?(b):{[", "1", "]:1}"),
    pattern("x = ", "a?(b=", "1", "):c"),
    pattern("x = ", "a<(b=", "1", ")"),
    pattern("x = ", "a<{a:(b=", "1", ")}"),
    pattern("x = ", "async<T>(a=", "1", ")"),
    pattern("x = ", "<T>(a=", "1", ")"),
    pattern("x = ", "<T>({a=", "1", "})"),
    pattern("x = ", "(a,{b=", "1", "})"),
    pattern("x = ", "a?(b,{c=", "1", "}):d"),
    pattern("x = ", "a?(b)=>{[", "1", "]:1}:d"),
    pattern("x = ", "new a<{[", "1", "]:b}>"),
    pattern("let x: a extends infer b extends ", "c extends infer d extends ", "1", ""),
    pattern("x = a", "\n++\na", "", ""),
];

const LANGUAGES: [Language; 2] = [Language::TypeScript, Language::JavaScript];

/// The longest source a caller lets through.
const LONG: usize = 256 * 1024;

fn repeated(pattern: &Pattern, times: usize) -> String {
    let Pattern { before, opening, middle, closing } = pattern;
    format!("{before}{}{middle}{}\n", opening.repeat(times), closing.repeat(times))
}

/// The pattern nested as deeply as it may be.
fn deepest(pattern: &Pattern) -> String {
    let (mut fits, mut exceeds) = (1, 2 + usize::try_from(PENDING_TOKENS_MAX).unwrap());
    while exceeds - fits > 1 {
        let times = (fits + exceeds) / 2;
        if bound(&repeated(pattern, times)).is_ok() { fits = times } else { exceeds = times }
    }
    repeated(pattern, fits)
}

/// Every construct, as deep as it may be, leaves half of the stack unused.
#[test]
#[cfg(target_os = "linux")]
fn every_construct_fits_the_stack() {
    for pattern in PATTERNS {
        let text = deepest(pattern);
        for language in LANGUAGES {
            let text = text.clone();
            let compiled = move || {
                drop(compile(language, &[("t".to_owned(), text.clone())]));
                stack_used()
            };
            let thread = std::thread::Builder::new().stack_size(4 * STACK_BYTES).spawn(compiled).unwrap();
            let used = thread.join().unwrap();
            assert!(used > 0 && used < STACK_BYTES / 2, "{used} bytes: {:?} {language:?}", pattern.opening);
        }
    }
}

/// Bytes of the current thread's stack that were ever used.
#[cfg(target_os = "linux")]
fn stack_used() -> usize {
    let here = 0u8;
    let address = std::ptr::from_ref(&here).addr();
    let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
    let hex = |text: &str| usize::from_str_radix(text, 16).ok();
    let mut inside = false;
    for line in maps.lines() {
        let range = line.split(' ').next().and_then(|range| range.split_once('-'));
        if let Some((Some(from), Some(to))) = range.map(|(from, to)| (hex(from), hex(to))) {
            inside = (from..to).contains(&address);
        } else if let (true, Some(size)) = (inside, line.strip_prefix("Rss:")) {
            return 1024 * size.trim().trim_end_matches(" kB").parse::<usize>().unwrap();
        }
    }
    0
}

#[test]
fn every_construct_is_refused_beyond_its_bound() {
    for pattern in PATTERNS {
        let text = repeated(pattern, LONG / (pattern.opening.len() + pattern.closing.len()));
        for language in LANGUAGES {
            let diagnostics = lower(language, &text).unwrap_err();
            assert_eq!(diagnostics.len(), 1, "{:?}", pattern.opening);
            let jsx = pattern.opening == "<a>" || pattern.opening == "<b>";
            assert!(jsx || diagnostics[0].message.contains("nested too deeply"), "{}", diagnostics[0]);
        }
    }
}

/// As many of the deepest as a source can hold: what takes the parser longest. Were one of them exponential, this
/// would not end.
#[test]
fn many_deep_statements_are_compiled() {
    for before in ["x = a", "x = "] {
        for opening in
            ["<a", "(a=", "<T>(a=", "a<(b=", "a<{a:(b=", "<{[a", "a?(b):c=>", "({a=", "f<(", "{[a=let as ("]
        {
            let pattern = Pattern { before, opening, middle: "1", closing: "" };
            let unit = deepest(&pattern);
            let text = unit.repeat(LONG / 4 / unit.len());
            for language in LANGUAGES {
                drop(lower(language, &text));
            }
        }
    }
}

/// The compiler takes any token behind the parameters of a function type for `=>`, brackets and `;` included: what
/// seems to be many short statements nests.
#[test]
fn what_is_taken_for_an_arrow_is_refused() {
    for unit in [
        "{ x as () } b; ",
        "[] as ();",
        "async as () a\n",
        "{ x as (a: b) } c; ",
        "{ x as (a, b) } c; ",
        "(x as (a = b)) c; ",
        "[x as new (a)] b; ",
        "x as (a, b)\nc\n",
        "x as () `${ a } ((`; ",
    ] {
        let text = unit.repeat(LONG / unit.len());
        for language in LANGUAGES {
            assert!(lower(language, &text).is_err(), "{unit}");
        }
    }
}

/// Statements that say little, as many as a source can hold.
#[test]
fn many_flat_statements_are_compiled() {
    for unit in [
        "a\n",
        ";",
        "a=>a;",
        "var a;",
        "let a;",
        "function a(){}\n",
        "class A{constructor(private a){}}\n",
        "enum A{x=y}\n",
        "enum A{x,y=A.x}\n",
        "namespace a.b{let c}\n",
        "a:;",
        "@a;",
        "import'a';",
        "export{a};",
        "export default 1;",
        "await a;",
        "a b;",
        "\\",
        "``;",
        "日,",
        "/*",
        "'a';",
        "{}",
        "#a;",
    ] {
        let text = unit.repeat(LONG / 2 / unit.len());
        for language in LANGUAGES {
            match lower(language, &text) {
                Ok(lowered) => assert!(lowered.js.len() < 8 * LONG, "{unit}"),
                Err(diagnostics) => assert!((1..=20).contains(&diagnostics.len()), "{unit}"),
            }
        }
    }
}

#[test]
fn values_of_enums_cannot_grow_without_bound() {
    let doubling: String = (1..64).map(|n| format!("a{n} = a{} + a{}, ", n - 1, n - 1)).collect();
    let text = format!("enum E {{ a0 = 'xxxxxxxx', {doubling} }}\nexport default () => E.a0");
    let diagnostics = lower(Language::TypeScript, &text).unwrap_err();
    assert!(diagnostics[0].message.contains("enum"), "{}", diagnostics[0]);
}

#[test]
fn a_source_of_any_length_is_answered() {
    let text = "a;".repeat(SOURCE_BYTES_MAX);
    let diagnostics = lower(Language::TypeScript, &text).unwrap_err();
    assert!(diagnostics[0].message.contains("bytes long"), "{}", diagnostics[0]);
}

#[test]
fn ordinary_code_is_far_from_the_bounds() {
    let statement = "  var found = input.filter((item) => item.kind === 'file' && item.size > 10)\n    \
                     .map((item) => ({ ...item, name: `${item.name}!` }))\n";
    let nested =
        (0..12).fold("return input".to_owned(), |body, n| format!("if (input > {n}) {{\n{body}\n}}"));
    let sum = (0..150).map(|n| format!("    'line {n}' +\n")).collect::<String>();
    let rows =
        (0..3000).map(|n| format!("  {{ id: {n}, name: 'name {n}', on: true }},\n")).collect::<String>();
    let body = statement.repeat(600) + &nested;
    let text = format!(
        "const rows = [\n{rows}]\nconst sum =\n{sum}    ''\nexport default function (input: any) {{\n{body}\n}}"
    );
    assert_eq!(lower(Language::TypeScript, &text).err(), None);
}
