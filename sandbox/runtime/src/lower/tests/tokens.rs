//! The tokens read here are the compiler's own.

use oxc_allocator::Allocator;
use oxc_ast::AstKind;
use oxc_ast_visit::Visit;
use oxc_parser::{Kind as Theirs, Parser, config::TokensParserConfig};
use oxc_span::SourceType;

use super::super::{
    nesting::most_pending,
    tokens::{Kind, Tokens},
};

/// Words and literals, as ranges.
type Ranges = Vec<(usize, usize)>;

/// What is read here, and whether it is all.
fn ours(text: &str) -> (Ranges, bool) {
    let mut tokens = Tokens::new(text);
    let mut found = Vec::new();
    loop {
        let token = match tokens.next() {
            Ok(Some(token)) => token,
            stopped => return (found, stopped.is_ok()),
        };
        let kept = match token.kind {
            Kind::Word(_) | Kind::Literal | Kind::Between => true,
            Kind::Open | Kind::Close(_) => token.end - token.at > 1 || text.as_bytes()[token.at] == b'`',
            _ => false,
        };
        if kept {
            found.push((token.at, token.end));
        }
    }
}

/// What the compiler reads, and whether it is all; `None` if it does not say.
fn theirs(text: &str, kind: SourceType) -> Option<(Ranges, bool)> {
    let allocator = Allocator::new();
    let parsed = Parser::new(&allocator, text, kind).with_config(TokensParserConfig).parse();
    if parsed.panicked {
        return None;
    }
    let literal = |kind: Theirs| {
        kind.is_literal()
            || kind.is_identifier_name()
            || matches!(
                kind,
                Theirs::NoSubstitutionTemplate
                    | Theirs::TemplateHead
                    | Theirs::TemplateMiddle
                    | Theirs::TemplateTail
                    | Theirs::PrivateIdentifier
            )
    };
    let ranges = parsed
        .tokens
        .iter()
        .filter(|token| literal(token.kind()))
        .map(|token| (usize::try_from(token.start()).unwrap(), usize::try_from(token.end()).unwrap()))
        .collect();
    Some((ranges, parsed.diagnostics.is_empty()))
}

/// Requires that both read `text` alike as far as both read it; whether the compiler did.
fn agree(text: &str) -> bool {
    [SourceType::ts().with_module(true), SourceType::mjs()].into_iter().fold(false, |any, kind| {
        let Some((theirs, theirs_all)) = theirs(text, kind) else { return any };
        let (ours, ours_all) = ours(text);
        let alike = ours.iter().zip(&theirs).take_while(|(ours, theirs)| ours == theirs).count();
        let longer = (ours_all && ours.len() < theirs.len()) || (theirs_all && theirs.len() < ours.len());
        let differs = longer || alike < ours.len().min(theirs.len());
        assert!(!differs, "{:?} is {:?}: {text}", ours.get(alike), theirs.get(alike));
        true
    })
}

#[test]
fn reads_what_the_compiler_reads() {
    for text in [
        "a / b / c; a = /b/g.test(c) / 2",
        "x = a++ / 2 / 'b'; x = a\n++\nb",
        "if (a) /b'/.test(c); while (a) /[/']/g.exec(b)",
        "x = (a) / 2 / 'b'; x = a[0] / 2 / `c`",
        "f(a) / 2; f(/'/); x = [/'/, /\"/]; x = a ? /'/ : /\"/",
        "x = `a${ `b${ /}'/ }` }c` / 2",
        "x = { if: a, for(b) { return /'/ } }; x.if(a) / 2 / 'b'",
        "x = a.return / 2 / 'b'; x = a?.in / 'b' / 2",
        "return_ / 2; x = y => /'/; x = typeof /'/",
        "class A { #if = 1; a() { return this.#if / 2 / '3' } }",
        "x = 1.5e-3 / 2 / 'a'; x = 0x1F / 2; x = .5 / '1'; x = 1_000n / 2n",
        "// a '\n/* \" */ x = 1 /* ' */ / 2 /* ' */ / 3",
        "#!/bin/'\nx = 1",
        "for await (const a of b) /'/.test(a)",
        "x = 'a\\\r\nb' / 2; x = 'a\\\\'",
        "größe / 2; 日本 = 'x'; \\u0061b = 1; x = \\u{62} / 3",
        "x = a\u{2028}y = /'/",
        "x = a!\n/ 2",
        "x = (1 as number) / 2 / 3; x = a! / 2 / 'b'",
        "a: for (;;) { break a }",
    ] {
        agree(text);
    }
}

#[test]
fn asks_where_a_slash_is_unclear() {
    for (text, at) in [
        ("x = {} / 1 / 2", 7),
        ("{}\n/a/.test(b)", 3),
        ("x = a\n/ 1 / 2", 6),
        ("x = a as B<c> / 1 / 2", 14),
        ("x = await /a/", 10),
        ("\\u0069f(x) /a/", 11),
    ] {
        let refused = super::super::nesting::bound(text).unwrap_err();
        assert_eq!((refused.at, refused.message.contains("parentheses")), (at, true), "{text}");
    }
    for text in ["x = {} / 2", "x = a\n/ 2", "x = a as B<c> / 2"] {
        assert!(super::super::nesting::bound(text).is_ok(), "{text}");
    }
}

/// Pieces that put a `/`, a quote or a bracket where its meaning depends on what precedes it.
const PIECES: &[&str] = &[
    "a", "b", "/", "/", "/", "'", "\"", "`", "(", ")", "[", "]", "{", "}", "${", "\n", " ", ";", ",", ":", "=", "=>", "<",
    ">", "!", "++", "--", "+", "?", ".", "?.", "...", "if(a)", "while(a)", "for(;;)", "with(a)", "do ", "else ",
    "return ", "typeof ", "void ", "await ", "yield ", "of ", "in ", "as ", "const ", "let ", "var ", "class ",
    "function ", "async ", "new ", "this", "super", "null", "1", "1.", ".5", "0x1", "1e", "'a'", "`a`", "`a${", "}`",
    "/a/", "/[/]/", "//", "/*", "*/", "\\", "\\u0061", "\\u{61}", "é", "\u{2028}", "\u{a0}", "#a", "#", "@", "a:",
    "break a", "continue", "debugger", "case a:", "default:", "switch(a){", "extends ", "throw ", "delete ",
    "instanceof ", "try{", "}catch{", "}finally{", "x.if(a)", "import ", "export ", "export default ", "type ",
    "interface ", "enum A{", "a!", "as any", "satisfies ", "keyof ", "is ", "<a>", "<a,>", "(a)", "()=>", "{}", "[]", "()", "a=",
    "a\n", ")\n", "}\n", "]\n", "<!--", "-->", "#!", "\r", "\\\n", "]:", "{a:", "){", "/=", "*", "**", "%", "&&", "||", "??",
];

/// Random sources, reproducible by their seed.
fn random(seed: u64, pieces: usize) -> String {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap() % below
    };
    let length = 1 + next(pieces);
    (0..length).map(|_| PIECES[next(PIECES.len())]).collect()
}

#[test]
fn agrees_on_random_sources() {
    let rounds = std::env::var("ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(20_000);
    let read = (0..rounds).filter(|&seed| agree(&random(seed, 9))).count();
    eprintln!("{read} of {rounds}");
    assert!(read > 500, "{read} sources read");
}
/// Depth of the syntax tree.
#[derive(Default)]
struct Depth {
    now: usize,
    most: usize,
}

impl<'a> Visit<'a> for Depth {
    fn enter_node(&mut self, _: AstKind<'a>) {
        self.now += 1;
        self.most = self.most.max(self.now);
    }

    fn leave_node(&mut self, _: AstKind<'a>) {
        self.now -= 1;
    }
}

static CURRENT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
#[test]
fn pending_tokens_bound_the_depth() {
    let rounds = std::env::var("ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(20_000);
    let mut read = 0;
    std::thread::spawn(|| { let mut last = 0; loop { std::thread::sleep(std::time::Duration::from_millis(150)); let now = CURRENT.load(std::sync::atomic::Ordering::Relaxed); if now == last { eprintln!("STUCK {now} {:?}", random(now, 8)); std::thread::sleep(std::time::Duration::from_millis(350)); if now == CURRENT.load(std::sync::atomic::Ordering::Relaxed) { eprintln!("HANG"); std::process::exit(3) } } last = now; } });
    let mut worst = (0.0, String::new());
    for seed in std::env::var("FROM").map_or(0, |f| f.parse().unwrap())..rounds {
        let unit = random(seed, 8);
        let text = unit.repeat(60);
        for kind in [SourceType::ts().with_module(true), SourceType::mjs()] {
            let Some(pending) = most_pending(&text) else { continue };
            let allocator = Allocator::new();
            CURRENT.store(seed, std::sync::atomic::Ordering::Relaxed);
            let started = std::time::Instant::now();
            let parsed = Parser::new(&allocator, &text, kind).parse();
            if started.elapsed().as_millis() > 20 { eprintln!("SLOW {:?} {unit:?}", started.elapsed()); }
            if parsed.panicked {
                continue;
            }
            let mut depth = Depth::default();
            depth.visit_program(&parsed.program);
            read += 1;
            let ratio = depth.most as f64 / f64::from(pending + 8);
            if ratio > worst.0 { worst = (ratio, unit.clone()); eprintln!("{ratio} {unit:?} {} {pending}", depth.most); }
        }
    }
    eprintln!("{read} of {rounds}");
}

const SPEC: &[&str] = &["a", "b", "<", "<", "(", "(", ")", "{", "[", "]", "}", "=", "=>", "?", ":", ",", "async ", "extends ", "infer ", "new ", "typeof ", ">", "as ", "a=", "a:", "(a)", "()=>", "...", ".", "?.", "!", "keyof ", "function(", "class{", "class extends ", "`${", "}`", "@", "let ", "const ", "type a=", "interface a{", "in ", "is ", "asserts ", "readonly ", "abstract ", "import(", "return ", "await ", "yield ", "satisfies ", "|", "&", "get a(", "static ", "for(", "if(", "unique ", "\n", ";", "using ", "of ", "declare ", "namespace a{", "enum a{a=", "x is ", "/a/", "1", "'a'", "(a=", "({a=", "[a=", "<a,", "<a>(", "(a,b)", "(a?", "):", ")=>"];
#[test]
fn slow() {
    if std::env::var("FROM").is_err() { return }
    let from: u64 = std::env::var("FROM").unwrap().parse().unwrap();
    let rounds: u64 = std::env::var("ROUNDS").unwrap().parse().unwrap();
    std::thread::spawn(|| { let mut last = 0; loop { std::thread::sleep(std::time::Duration::from_millis(700)); let now = CURRENT.load(std::sync::atomic::Ordering::Relaxed); if now == last { eprintln!("STUCK {now} {:?}", spec(now)); std::thread::sleep(std::time::Duration::from_millis(3000)); if now == CURRENT.load(std::sync::atomic::Ordering::Relaxed) { eprintln!("HANG {now}"); std::process::exit(3) } } last = now; } });
    for seed in from..rounds {
        CURRENT.store(seed, std::sync::atomic::Ordering::Relaxed);
        let unit = spec(seed);
        let before = ["x = ", "", "let x: ", "function f(", "class A { "][(seed % 5) as usize];
        let mut times = 400;
        let mut text;
        loop { text = format!("{before}{}", unit.repeat(times)); if times == 1 || super::super::nesting::bound(&text).is_ok() { break } times = times * 3 / 4; }
        let Ok(bounded) = super::super::nesting::bound(&text) else { continue };
        let text = &text[..bounded.end];
        for kind in [SourceType::ts().with_module(true), SourceType::mjs()] {
            let allocator = Allocator::new();
            let started = std::time::Instant::now();
            let parsed = Parser::new(&allocator, &text, kind).parse();
            let took = started.elapsed();
            if took.as_millis() > 40 { eprintln!("SLOW {seed} {took:?} {times} {before}{unit:?} {}", parsed.panicked); }
        }
    }
}
fn spec(seed: u64) -> String {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap() % below
    };
    let length = 1 + next(7);
    (0..length).map(|_| SPEC[next(SPEC.len())]).collect()
}

#[test]
fn corpus() {
    let Ok(list) = std::env::var("CORPUS") else { return };
    let (mut read, mut refused) = (0, 0);
    for path in std::fs::read_to_string(list).unwrap().lines() {
        let Ok(text) = std::fs::read_to_string(path) else { continue };
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let result = std::panic::catch_unwind(|| agree(text));
        match result { Ok(true) => read += 1, Ok(false) => {}, Err(_) => eprintln!("DIFFERS {path}") }
        if let Err(finding) = super::super::nesting::bound(text) {
            refused += 1;
            let line = text[..finding.at as usize].lines().count();
            eprintln!("refused {path}:{line} {} {:.40}", text.len(), finding.message);
        }
        let _ = theirs;
    }
    eprintln!("{read} {refused}");
}
