//! The passes over one source, on a stack of their own.

use std::path::{Path, PathBuf};

use oxc_allocator::Allocator;
use oxc_ast::ast::Program;
use oxc_codegen::{Codegen, CodegenOptions, CommentOptions};
use oxc_parser::{Parser, ParserReturn};
use oxc_semantic::SemanticBuilder;
use oxc_span::SourceType;
use oxc_transformer::{TransformOptions, Transformer};

use super::{
    Lowered, PositionMap,
    finding::{Finding, diagnostics, from_compiler},
    nesting::{Bounded, bound},
    refuse::refusals,
    text::{Index, offset},
};
use crate::{Diagnostic, Language};

/// Lowers `text`, which must be shorter than 4 GiB.
pub(super) fn compile(language: Language, text: &str) -> Result<Lowered, Vec<Diagnostic>> {
    let source = Index::new(text);
    passes(language, text, &source).map_err(|findings| diagnostics(&source, findings))
}

fn passes(language: Language, text: &str, source: &Index<'_>) -> Result<Lowered, Vec<Finding>> {
    let bounded = bound(text).map_err(|finding| vec![finding])?;
    let allocator = Allocator::new();
    let mut program = parse(&allocator, language, text, bounded)?;
    refused(refusals(&program))?;

    let analyzed =
        SemanticBuilder::new_compiler().with_enum_eval(true).with_excess_capacity(1.0).build(&program);
    refused(from_compiler(analyzed.diagnostics))?;

    match language {
        Language::JavaScript => {
            if let Some(map) = PositionMap::verbatim(source, text) {
                return Ok(Lowered { js: text.to_owned(), map });
            }
        }
        Language::TypeScript => {
            let options = TransformOptions::default();
            let erased = Transformer::new(&allocator, Path::new(FILE), &options)
                .build_with_scoping(analyzed.semantic.into_scoping(), &mut program);
            refused(from_compiler(erased.diagnostics))?;
        }
    }
    Ok(print(&program, source))
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

fn print(program: &Program<'_>, source: &Index<'_>) -> Lowered {
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
    Lowered { js: printed.code, map }
}

fn refused(findings: Vec<Finding>) -> Result<(), Vec<Finding>> {
    if findings.is_empty() { Ok(()) } else { Err(findings) }
}

/// The compiler wants a name; nothing shows it.
const FILE: &str = "tool.ts";

const JSX: &str =
    "JSX is not supported: a tool returns data. If this is a type assertion, write `value as Type`";
