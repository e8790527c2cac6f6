//! Sources written to exhaust the compiler.

use std::time::{Duration, Instant};

use super::super::{STACK_BYTES, compile::compile, lower, nesting::bound};
use crate::{Language, Source};

/// How a source nests: `opening` over and over, `middle`, and `closing` as often.
struct Pattern {
    before: &'static str,
    opening: &'static str,
    middle: &'static str,
    closing: &'static str,
}

const fn pattern(before: &'static str, opening: &'static str, middle: &'static str, closing: &'static str) -> Pattern {
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
    pattern("x = ", "@a(", "", ")class{}"),
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

fn repeated(pattern: &Pattern, times: usize) -> String {
    format!(
        "{}{}{}{}\nexport default function () {{}}",
        pattern.before,
        pattern.opening.repeat(times),
        pattern.middle,
        pattern.closing.repeat(times)
    )
}

/// The pattern nested as deeply as it may be.
fn deepest(pattern: &Pattern) -> String {
    let (mut fits, mut exceeds) = (1, 100_000);
    while exceeds - fits > 1 {
        let times = (fits + exceeds) / 2;
        if bound(&repeated(pattern, times)).is_ok() { fits = times } else { exceeds = times }
    }
    repeated(pattern, fits)
}

#[test]
fn measure() {
    let only = std::env::var("ONLY").ok();
    for pattern in PATTERNS {
        if only.as_ref().is_some_and(|only| !pattern.opening.contains(only)) { continue }
        for language in [Language::TypeScript, Language::JavaScript] {
        let text = deepest(pattern);
        eprint!("{:?} {:14} {:18} {:6}B ", language, pattern.before.escape_debug().to_string(), pattern.opening.escape_debug().to_string(), text.len());
        let (stack, time, out) = std::thread::Builder::new().stack_size(1 << 31).spawn({ let text = text.clone(); move || {
            let started = Instant::now();
            let out = compile(language, &text);
            let time = started.elapsed();
            (stack_rss(), time, out)
        }}).unwrap().join().unwrap();
        let message = match out { Ok(l) => format!("ok {}", l.js.len()), Err(d) => format!("{} {}", d[0], d.len()) };
        eprint!("{:6} KiB {:9.3?} {:60.60}", stack / 1024, time, message);
        let unit = text.replace("\nexport default function () {}", "");
        let flood = format!("{};\n", unit).repeat(256 * 1024 / (unit.len() + 2));
        let started = Instant::now();
        let r = lower(&Source { language, file: "", text: &flood });
        eprint!(" flood {:9.3?} {:.30}", started.elapsed(), match r { Ok(_) => "ok".into(), Err(d) => d[0].to_string() });
        let big = repeated(pattern, 256*1024 / (pattern.opening.len() + pattern.closing.len()));
        let started = Instant::now();
        let r = lower(&Source { language, file: "", text: &big });
        eprintln!(" big {:9.3?} {:.50}", started.elapsed(), match r { Ok(_) => "ok".into(), Err(d) => d[0].to_string() });
        }
    }
}

fn stack_rss() -> usize {
    let here = 0u8;
    let address = std::ptr::from_ref(&here).addr();
    let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
    let mut inside = false;
    for line in maps.lines() {
        if let Some((range, _)) = line.split_once(' ') && let Some((from, to)) = range.split_once('-')
            && let (Ok(from), Ok(to)) = (usize::from_str_radix(from, 16), usize::from_str_radix(to, 16)) {
                inside = (from..to).contains(&address);
        }
        if inside && let Some(kb) = line.strip_prefix("Rss:") {
            return kb.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024;
        }
    }
    0
}

const FLAT: &[&str] = &["var a;", "let a;", "function a(){}\n", "class a{}\n", "enum A{x=y}\n", "enum A{x}\n", "enum A{x='a'+x}\n", "enum A{x,y=A.x}\n", "const enum A{x=1}\n",
 "namespace a{export let b=1}\n", "namespace a.b{let c}\n", "a:;", "a=>a;", "(a)=>a;", "a;", "a\n", "a,", ";", "{}", "[]\n", "``;", "/a/;", "#a;", "@a;", "import'a';", "import{type a}from'a';", "import type{a}from'a';", "export{a};", "export{a as b};", "export default 1;", "export*from'a';", "import('a');", "import.meta;", "await a;", "label:while(1)break label;", "interface A{}\n", "type a=b;", "declare let a;", "a<b>c;", "a<b;", "a<b>(c);", "((a));", "(a,b);", "async(a);", "class A{constructor(private a){}}\n", "class A{a;b=1;#c;static d}\n", "using a=b;", "\u{61};", "é;", "日,", "'a';", "0;", "abstract class A{abstract a}\n", "if(1);", "else;", "x?.y;", "(x?.y).z;", "a??=b;", "a**b;", "\n", "\r", "/**/", "//a\n", "// @ts-ignore\n", "/* @__PURE__ */a();", "new.target;", "super.a;", "yield;", "arguments;", "eval;", "delete a;", "with(a);", "08;", "a b;", "\\", "`${a}`;", "({a});", "({a:1,a:2});", "({__proto__:1,__proto__:2});", "class A{#a;#a}\n", "({get a(){}});", "function f(a,a){}\n", "switch(1){case 1:}\n", "try{}catch{}\n", "for(var a of b);", "for(const a in b);", "a.#b;", "import a=b.c;", "export import a=b;", "export as namespace a;", "export=a;", "declare module 'a'{}\n", "declare global{}\n", "function f(this:a){}\n", "function f():asserts a is b{}\n", "let a!:b;", "<a>b;", "a!;", "a as b;", "function a();", "export function a();"];
#[test]
fn flat() {
    for unit in FLAT { for language in [Language::TypeScript, Language::JavaScript] {
        let flood = format!("{}\nexport default function () {{}}", unit.repeat(256 * 1024 / unit.len()));
        let started = Instant::now();
        let r = lower(&Source { language, file: "", text: &flood });
        let t = started.elapsed();
        eprintln!("{:9.3?} {:?} {:.30} {:.60}", t, language, unit.escape_debug().to_string(), match r { Ok(l) => format!("ok {}", l.js.len()), Err(d) => d[0].to_string() });
    }}
}
