//! WebAssembly text to binary, and back from places in the binary to lines of the text.

use wasmparser::{Parser, Payload, TypeRef};
use wast::Wat;
use wast::core::{FuncKind, ModuleField, ModuleKind};
use wast::parser::{ParseBuffer, parse};
use wast::token::Span;

use crate::guest::index;
use crate::lower::snippet;
use crate::{Diagnostic, Position};

/// What a text becomes.
pub(super) struct Assembled {
    pub(super) bytes: Vec<u8>,
    pub(super) is_module: bool,
    pub(super) functions: Vec<FunctionText>,
}

/// A line and a column of the text, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    line: u32,
    column: u32,
}

/// Where a function of the module is in the text.
#[derive(Debug)]
pub(super) struct FunctionText {
    begins: Place,
    /// Of each instruction, as far as the text says.
    instructions: Vec<Place>,
}

/// Where each function of a text module begins, and the text: what is kept of it for stack traces.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    text: Box<str>,
    functions: Box<[Place]>,
    /// Functions that the module imports, which come first in its numbering.
    imported: usize,
}

/// Assembles `text`, or says where it is wrong.
pub(super) fn assemble(text: &str) -> Result<Assembled, Vec<Diagnostic>> {
    let places = Places::new(text);
    let wrong = |error: wast::Error| vec![places.of(error.span()).diagnostic(text, error.message())];
    let mut buffer = ParseBuffer::new(text).map_err(wrong)?;
    buffer.track_instr_spans(true);
    let mut wat: Wat<'_> = parse(&buffer).map_err(wrong)?;
    let bytes = wat.encode().map_err(wrong)?;
    let (is_module, functions) = match &wat {
        Wat::Module(module) => (true, functions(module, &places)),
        Wat::Component(_) => (false, Vec::new()),
    };
    Ok(Assembled { bytes, is_module, functions })
}

fn functions(module: &wast::core::Module<'_>, places: &Places) -> Vec<FunctionText> {
    let ModuleKind::Text(fields) = &module.kind else { return Vec::new() };
    let own = fields.iter().filter_map(|field| match field {
        ModuleField::Func(func) => match &func.kind {
            FuncKind::Inline { expression, .. } => Some((func.span, expression)),
            FuncKind::Import(..) => None,
        },
        _ => None,
    });
    own.map(|(span, expression)| {
        let spans = expression.instr_spans.as_deref().unwrap_or_default();
        let instructions = spans.iter().map(|span| places.of(*span)).collect();
        FunctionText { begins: places.of(span), instructions }
    })
    .collect()
}

impl Assembled {
    /// Where in the text what is at `offset` of the binary came from: the instruction, or the function.
    pub(super) fn place(&self, offset: usize) -> Option<Place> {
        let bodies = Parser::new(0).parse_all(&self.bytes).filter_map(|payload| match payload {
            Ok(Payload::CodeSectionEntry(body)) => Some(body),
            _ => None,
        });
        let (at, body) = bodies.enumerate().find(|(_, body)| {
            let range = body.range();
            (range.start..=range.end).contains(&offset)
        })?;
        let function = self.functions.get(at)?;
        let operators = body.get_operators_reader().ok()?.into_iter_with_offsets();
        let before = operators.take_while(|next| next.as_ref().is_ok_and(|(_, at)| *at <= offset));
        let instruction = before.count().checked_sub(1).and_then(|at| function.instructions.get(at));
        Some(instruction.copied().unwrap_or(function.begins))
    }

    /// What is kept for stack traces.
    pub(super) fn lines(&self, text: &str) -> Lines {
        let imported = Parser::new(0).parse_all(&self.bytes).find_map(|payload| match payload {
            Ok(Payload::ImportSection(imports)) => Some(count_functions(imports)),
            _ => None,
        });
        let functions = self.functions.iter().map(|function| function.begins).collect();
        Lines { text: text.into(), functions, imported: imported.unwrap_or(0) }
    }
}

fn count_functions(imports: wasmparser::ImportSectionReader<'_>) -> usize {
    let imports = imports.into_imports().filter_map(Result::ok);
    imports.filter(|import| matches!(import.ty, TypeRef::Func(_) | TypeRef::FuncExact(_))).count()
}

impl Lines {
    /// Where the function with this number in the module begins.
    pub(super) fn of_function(&self, number: u32) -> Option<Position> {
        let own = index(number).checked_sub(self.imported)?;
        self.functions.get(own).map(|place| place.position())
    }

    /// The line a position is on.
    pub(super) fn snippet(&self, at: &Position) -> Option<String> {
        line(&self.text, at.line)
    }

    /// Host memory they take.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.functions) + self.text.len()
    }
}

/// Where the lines of a text begin.
struct Places {
    starts: Vec<usize>,
    text_bytes: usize,
}

impl Places {
    fn new(text: &str) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Self { starts: std::iter::once(0).chain(breaks).collect(), text_bytes: text.len() }
    }

    fn of(&self, span: Span) -> Place {
        let offset = span.offset().min(self.text_bytes);
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = line.checked_sub(1).and_then(|line| self.starts.get(line)).copied().unwrap_or(0);
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Place { line: number(line), column: number(offset - start).saturating_add(1) }
    }
}

impl Place {
    pub(super) const START: Self = Self { line: 1, column: 1 };

    pub(super) fn diagnostic(self, text: &str, message: String) -> Diagnostic {
        let Self { line: number, column } = self;
        Diagnostic { file: FILE.into(), message, line: number, column, snippet: line(text, number) }
    }

    fn position(self) -> Position {
        Position { file: FILE.into(), line: self.line, column: self.column }
    }
}

fn line(text: &str, number: u32) -> Option<String> {
    snippet(text.lines().nth(index(number).checked_sub(1)?)?)
}

/// What the text is called in messages.
const FILE: &str = "tool.wat";
