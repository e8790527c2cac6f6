//! The passes over a tool's files, on a stack of their own.

use std::path::{Path, PathBuf};

use oxc_allocator::Allocator;
use oxc_ast::ast::Program;
use oxc_codegen::{Codegen, CodegenOptions, CommentOptions};
use oxc_parser::{Parser, ParserReturn};
use oxc_semantic::SemanticBuilder;
use oxc_span::SourceType;
use oxc_transformer::{TransformOptions, Transformer};

use super::{
    Lowered, Module, PositionMap, SourceMap,
    files::Files,
    finding::{FINDINGS_MAX, Finding, diagnostics, from_compiler},
    link::{Links, name_files, unmet},
    nesting::{Bounded, bound},
    refuse::{Site, refusals},
    source_map::MappedFile,
    text::{Index, offset},
};
use crate::{Diagnostic, Language};

/// Lowers `files`, paths and texts, the entry first. All together must be shorter than 4 GiB.
pub(super) fn compile(language: Language, files: &[(String, String)]) -> Result<Lowered, Vec<Diagnostic>> {
    let paths: Vec<_> = files.iter().map(|(path, _)| path.as_str()).collect();
    let site = |path, is_entry| Site { files: Files::new(&paths), path, is_entry };
    let mut complaints = Vec::new();
    let (mut modules, mut mapped, mut links) = (Vec::new(), Vec::new(), Vec::new());
    for (number, (path, text)) in files.iter().enumerate() {
        let source = Index::new(text);
        match passes(language, text, &source, site(path, number == 0)) {
            Ok(compiled) => {
                modules.push(Module { path: path.clone(), js: compiled.js });
                mapped.push(MappedFile { path: (**path).into(), text: (**text).into(), map: compiled.map });
                links.push((path.as_str(), compiled.links));
            }
            Err(findings) => complaints.extend(diagnostics(path, &source, findings)),
        }
    }
    // What a file that failed would export is not known.
    if complaints.is_empty() && files.len() > 1 {
        let mut unmet = unmet(language, &links).into_iter().peekable();
        for (number, (path, text)) in files.iter().enumerate() {
            let mut findings = Vec::new();
            while let Some((_, finding)) = unmet.next_if(|(of, _)| *of == number) {
                findings.push(finding);
            }
            if !findings.is_empty() {
                complaints.extend(diagnostics(path, &Index::new(text), findings));
            }
        }
    }
    complaints.truncate(FINDINGS_MAX);
    if complaints.is_empty() { Ok(Lowered { modules, map: SourceMap::new(mapped) }) } else { Err(complaints) }
}

/// One file, lowered.
struct Compiled {
    js: String,
    map: PositionMap,
    links: Links,
}

fn passes(
    language: Language,
    text: &str,
    source: &Index<'_>,
    site: Site<'_>,
) -> Result<Compiled, Vec<Finding>> {
    let bounded = bound(text).map_err(|finding| vec![finding])?;
    let allocator = Allocator::new();
    let mut program = parse(&allocator, language, text, bounded)?;
    refused(refusals(&program, site))?;
    let imports = name_files(&mut program, &allocator, site.files, site.path);

    let analyzed =
        SemanticBuilder::new_compiler().with_enum_eval(true).with_excess_capacity(1.0).build(&program);
    refused(from_compiler(analyzed.diagnostics))?;

    match language {
        Language::JavaScript => {
            // What an import says is replaced, so a module with imports is printed.
            if !imports && let Some(map) = PositionMap::verbatim(source, text) {
                return Ok(Compiled { js: text.to_owned(), map, links: Links::of(&program) });
            }
        }
        Language::TypeScript => {
            let options = TransformOptions::default();
            let erased = Transformer::new(&allocator, Path::new(FILE), &options)
                .build_with_scoping(analyzed.semantic.into_scoping(), &mut program);
            refused(from_compiler(erased.diagnostics))?;
        }
    }
    let (js, map) = print(&program, source);
    Ok(Compiled { js, map, links: Links::of(&program) })
}

fn parse<'a>(
    allocator: &'a Allocator,
    language: Language,
    text: &'a str,
    bounded: Bounded,
) -> Result<Program<'a>, Vec<Finding>> {
    let kind = match language {
        Language::TypeScript => SourceType::ts().with_module(true),
        Language::JavaScript => SourceType::mjs(),
    };
    let read = text.get(..bounded.end).unwrap_or(text);
    let ParserReturn { program, diagnostics, panicked, .. } = Parser::new(allocator, read, kind).parse();
    let mut findings = from_compiler(diagnostics);
    if findings.is_empty() && (panicked || bounded.end < text.len()) {
        findings.push(Finding::new(offset(read.trim_end().len().saturating_sub(1)), "unexpected token"));
    }
    if let (false, Some(element)) = (findings.is_empty(), bounded.element) {
        findings = vec![Finding::new(element, JSX)];
    }
    refused(findings)?;
    Ok(program)
}

fn print(program: &Program<'_>, source: &Index<'_>) -> (String, PositionMap) {
    let options = CodegenOptions {
        // Indentation grows with the square of the nesting, and nobody reads it.
        indent_width: 0,
        // The engine counts fewer line ends in comments than the generator does.
        comments: CommentOptions::disabled(),
        source_map_path: Some(PathBuf::from(FILE)),
        ..CodegenOptions::default()
    };
    let printed = Codegen::new().with_options(options).build(program);
    let tokens = printed.map.iter().flat_map(|map| map.get_tokens()).map(|token| {
        let module = (token.get_dst_line(), token.get_dst_col());
        (module, (token.get_src_line(), token.get_src_col()))
    });
    let map = PositionMap::printed(source, &printed.code, tokens);
    (printed.code, map)
}

fn refused(findings: Vec<Finding>) -> Result<(), Vec<Finding>> {
    if findings.is_empty() { Ok(()) } else { Err(findings) }
}

/// The compiler wants a name; nothing shows it.
const FILE: &str = "tool.ts";

const JSX: &str =
    "JSX is not supported: a tool returns data. If this is a type assertion, write `value as Type`";
