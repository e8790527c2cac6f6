//! The tokens read here are the compiler's own.

use oxc_allocator::Allocator;
use oxc_ast::AstKind;
use oxc_ast_visit::Visit;
use oxc_parser::{Kind as Theirs, Parser, config::TokensParserConfig};
use oxc_span::SourceType;

use super::super::{
    nesting::{bound, most_pending},
    token::Kind,
    tokens::Tokens,
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
    // Collecting tokens, which nothing but this test asks for, fails on some sources that end early.
    let parse = || Parser::new(&allocator, text, kind).with_config(TokensParserConfig).parse();
    let parsed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(parse)).ok()?;
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
    let Ok(bounded) = bound(text) else { return false };
    let text = &text[..bounded.end];
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
        "return_ / 2; x = y => /'/; x = typeof (/'/)",
        "class A { #if = 1; a() { return this.#if / 2 / '3' } }",
        "x = 1.5e-3 / 2 / 'a'; x = 0x1F / 2; x = .5 / '1'; x = 1_000n / 2n",
        "// a '\n/* \" */ x = 1 /* ' */ / 2 /* ' */ / 3",
        "#!/bin/'\nx = 1",
        "for await (const a of b) /'/.test(a)",
        "x = 'a\\\r\nb' / 2; x = 'a\\\\'",
        "größe(x) / 2 / '3'; größe / 2 / '3'; x = (await (y)) / 2; 日本 = 'x'; \\u0061b = 1; x = \\u{62} / 3",
        "x = a\u{2028}y = /'/",
        "x = a!\n/ 2",
        "x = (1 as number) / 2 / 3; x = a! / 2 / 'b'",
        "a: for (;;) { break a }",
        "switch (a) { case 'b': return_(/'/); case /* ' */ 2: throw /'/; default: throw /\"/ }",
    ] {
        assert!(agree(text), "{text}");
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
        let refused = bound(text).unwrap_err();
        assert_eq!((refused.at, refused.message.contains("parentheses")), (at, true), "{text}");
    }
    for text in ["x = {} / 2", "x = a\n/ 2", "x = a as B<c> / 2"] {
        assert!(bound(text).is_ok(), "{text}");
    }
}

/// Pieces that put a `/`, a quote or a bracket where its meaning depends on what precedes it.
const PIECES: &[&str] = &[
    "a",
    "b",
    "/",
    "/",
    "/",
    "'",
    "\"",
    "`",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "${",
    "\n",
    " ",
    ";",
    ",",
    ":",
    "=",
    "=>",
    "<",
    ">",
    "!",
    "++",
    "--",
    "+",
    "?",
    ".",
    "?.",
    "...",
    "if(a)",
    "while(a)",
    "for(;;)",
    "with(a)",
    "do ",
    "else ",
    "return ",
    "typeof ",
    "void ",
    "await ",
    "yield ",
    "of ",
    "in ",
    "as ",
    "const ",
    "let ",
    "var ",
    "class ",
    "function ",
    "async ",
    "new ",
    "this",
    "super",
    "null",
    "1",
    "1.",
    ".5",
    "0x1",
    "1e",
    "'a'",
    "`a`",
    "`a${",
    "}`",
    "/a/",
    "/[/]/",
    "//",
    "/*",
    "*/",
    "\\",
    "\\u0061",
    "\\u{61}",
    "é",
    "Ⓐ",
    "\u{345}",
    "\u{200d}",
    "\u{180e}",
    "😀",
    "\u{2028}",
    "\u{a0}",
    "#a",
    "#",
    "@",
    "a:",
    "break a",
    "continue",
    "debugger",
    "case a:",
    "default:",
    "switch(a){",
    "extends ",
    "throw ",
    "delete ",
    "instanceof ",
    "try{",
    "}catch{",
    "}finally{",
    "x.if(a)",
    "import ",
    "export ",
    "export default ",
    "type ",
    "interface ",
    "enum A{",
    "a!",
    "as any",
    "satisfies ",
    "keyof ",
    "is ",
    "<a>",
    "<a,>",
    "(a)",
    "()=>",
    "{}",
    "[]",
    "()",
    "a=",
    "a\n",
    ")\n",
    "}\n",
    "]\n",
    "<!--",
    "-->",
    "#!",
    "\r",
    "\\\n",
    "]:",
    "{a:",
    "){",
    "/=",
    "*",
    "**",
    "%",
    "&&",
    "||",
    "??",
    "infer ",
    "asserts ",
    "readonly ",
    "unique ",
    "abstract ",
    "declare ",
    "namespace ",
    "accessor ",
    "static ",
    "get ",
    "x is ",
    "(a=b)",
    "(a,b)",
    "(a?",
    "(a:",
    "|",
    "&",
    "import(",
    "using ",
    "as (",
    "as ()",
    "satisfies (a,b)",
    "new ()",
    "<T>()",
    ":()",
    "=()",
    ":(a,b)",
    "=>(a=b)",
    "as return ",
    "as if ",
    "case 1:return ",
    "default:",
    "global",
    "require",
    "from ",
    "async(",
    "async ",
    "set a(",
    "-readonly ",
    "[a]?:",
    "new.target",
    "import.meta",
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
    let read = (0..20_000).filter(|&seed| agree(&random(seed, 9))).count();
    assert!(read > 1000, "{read} sources read");
}

/// Depth of the syntax tree.
#[derive(Default)]
struct Depth {
    now: u32,
    most: u32,
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

/// Whatever is written over and over, the tree is no deeper than about as many tokens are pending.
#[test]
fn pending_tokens_bound_the_depth() {
    let mut read = 0;
    for seed in 0..10_000 {
        let text = random(seed, 8).repeat(40);
        // What is refused for its depth may take the compiler forever.
        if bound(&text).is_err() {
            continue;
        }
        for kind in [SourceType::ts().with_module(true), SourceType::mjs()] {
            let Some(pending) = most_pending(&text) else { continue };
            let allocator = Allocator::new();
            let parsed = Parser::new(&allocator, &text, kind).parse();
            let mut depth = Depth::default();
            depth.visit_program(&parsed.program);
            read += u32::from(!parsed.panicked);
            assert!(depth.most <= 2 * pending + 16, "{} nodes deep, {pending} pending: {text}", depth.most);
        }
    }
    assert!(read > 500, "{read} sources read");
}
