//! Operations as TypeScript declarations: what the author of a tool reads.
//!
//! Schemas and descriptions come from agents, so all of theirs is escaped for where it stands, and whatever has no
//! TypeScript form, or is too deep or too long, becomes `unknown`. The output is bounded and depends on nothing but
//! the operations.

mod names;
mod text;
mod tree;
mod types;

#[cfg(test)]
mod tests;

use serde_json::Value;

use names::{Names, type_name};
use text::{access, doc, indented, string_literal};
use tree::Tree;
use types::{References, Types, accepts_no_input, notes};

/// What is declared of one operation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Declared<'a> {
    /// Its name, as in `fs/read`.
    pub(crate) name: &'a str,
    /// What it does.
    pub(crate) description: Option<&'a str>,
    /// JSON Schema of its input.
    pub(crate) input: &'a Value,
    /// JSON Schema of its output.
    pub(crate) output: &'a Value,
    /// Whether it answers with items, each of which is an output.
    pub(crate) streams: bool,
    /// Code and description of each error it declares.
    pub(crate) errors: &'a [(String, String)],
}

/// Ambient declarations of `env` with `operations`, and of the globals a tool finds.
///
/// Operations are sorted by name; of several with one name, the first counts.
pub(crate) fn declarations(operations: &[Declared<'_>]) -> String {
    let mut sorted = operations.to_vec();
    sorted.sort_by_key(|operation| operation.name);
    sorted.dedup_by_key(|operation| operation.name);

    let mut names = Names::default();
    let mut tree = Tree::default();
    let mut overloads = String::new();
    let mut left = OUTPUT_BYTES_MAX - FRAME_BYTES_MAX;
    let mut left_out = 0;
    for operation in &sorted {
        match Member::fitting(operation, &mut names, left) {
            Some(member) => {
                left -= member.bytes;
                overloads.push_str(&member.overload);
                if in_tree(operation.name) {
                    tree.insert(operation.name, member.doc, member.signature);
                }
            }
            None => left_out += 1,
        }
    }

    let mut out =
        String::from("/** What a tool may call: the second parameter of its function. */\ninterface Env {\n");
    out.push_str(&indented(&tree.render()));
    out.push_str("  /** Calls an operation by its name. */\n");
    out.push_str(&indented(&overloads));
    out.push_str("  invoke(name: string, input?: unknown): Promise<unknown>;\n");
    if left_out > 0 {
        out.push_str(&format!(
            "  // {left_out} more operations are not listed: the list would be too long.\n"
        ));
    }
    out.push_str("}\n");
    out.extend(names.texts());
    out.push_str(GLOBALS);
    out
}

/// One operation on one line, as in `env.fs.read(input: { path: string }): Promise<{ text: string }>`.
pub(crate) fn signature(operation: &Declared<'_>) -> String {
    let write = |schema| {
        let references = References::Inline { open: Vec::new() };
        let written = Types::new(schema, "", references, SIGNATURE_BYTES_MAX).write(schema);
        // A long object type takes lines of its own; each of them but the last ends in `;`, `{` or `{ … }`.
        let line = written.map(|text| text.lines().map(str::trim).collect::<Vec<_>>().join(" "));
        line.filter(|line| line.len() <= SIGNATURE_BYTES_MAX).unwrap_or_else(|| "unknown".into())
    };
    let (input, output) = (write(operation.input), write(operation.output));
    let call = call(operation, &input, &output);
    if in_tree(operation.name) {
        let path: String = operation.name.split('/').map(access).collect();
        format!("env{path}{call}")
    } else {
        format!("env.invoke({}, {}", string_literal(operation.name), call.trim_start_matches('('))
    }
}

/// One operation, written.
struct Member {
    doc: String,
    /// `(input: …): Promise<…>`
    signature: String,
    /// `invoke(name: "…", …): …;` with its line end.
    overload: String,
    /// No less than all of it takes in the output, its named types included.
    bytes: usize,
}

impl Member {
    /// Writes `operation` in at most `bytes_max`: fully, else without types and documentation, else not at all.
    fn fitting<'a>(operation: &Declared<'a>, names: &mut Names<'a>, bytes_max: usize) -> Option<Self> {
        let known = names.count();
        let allowed = bytes_max.min(OPERATION_BYTES_MAX);
        if let Some((input, output)) = types(operation, names) {
            let doc = doc(&paragraphs(operation));
            let defined: usize = names.after(known).iter().map(|definition| definition.text.len()).sum();
            let member = Self::new(operation, doc, &input, &output, defined);
            if member.bytes <= allowed {
                return Some(member);
            }
        }
        names.truncate(known);
        let member = Self::new(operation, String::new(), "unknown", "unknown", 0);
        (member.bytes <= allowed).then_some(member)
    }

    fn new(operation: &Declared<'_>, doc: String, input: &str, output: &str, defined: usize) -> Self {
        let signature = call(operation, input, output);
        let name = string_literal(operation.name);
        let overload = if in_tree(operation.name) {
            let path: String =
                operation.name.split('/').map(|name| format!("[{}]", string_literal(name))).collect();
            format!("invoke(name: {name}, ...args: Parameters<Env{path}>): ReturnType<Env{path}>;\n")
        } else {
            format!("{doc}invoke(name: {name}, {};\n", signature.trim_start_matches('('))
        };
        // Every level of the name adds two lines and an indentation to all lines within.
        let levels = operation.name.split('/').count() + 1;
        let lines = doc.lines().count() + signature.lines().count() + 2 * levels;
        let tree = doc.len() + signature.len() + 2 * (operation.name.len() + 8 * levels) + lines * 2 * levels;
        let bytes = tree + overload.len() + 2 * overload.lines().count() + defined;
        Self { doc, signature, overload, bytes }
    }
}

/// Types of the input and the output; `None` if they are too long.
fn types<'a>(operation: &Declared<'a>, names: &mut Names<'a>) -> Option<(String, String)> {
    let prefix = type_name(operation.name);
    let (input_name, output_name) = (format!("{prefix}Input"), format!("{prefix}Output"));
    let mut next = names.count();
    let mut left = OPERATION_BYTES_MAX;
    let mut write = |names: &mut Names<'a>, root: &'a Value, schema: &'a Value| {
        let root_name = if std::ptr::eq(root, operation.output) { &output_name } else { &input_name };
        let references = References::Named { names, prefix: &prefix };
        let text = Types::new(root, root_name, references, left).write(schema)?;
        left = left.checked_sub(text.len())?;
        Some(text)
    };
    let input = write(names, operation.input, operation.input)?;
    let output = write(names, operation.output, operation.output)?;
    while let Some((schema, root)) = names.get(next).map(|definition| (definition.schema, definition.root)) {
        let text = write(names, root, schema)?;
        if let Some(definition) = names.get(next) {
            let text = if text == definition.name { "unknown" } else { text.as_str() };
            definition.text = format!("\n{}type {} = {text};\n", doc(&notes(schema)), definition.name);
        }
        next += 1;
    }
    Some((input, output))
}

/// `(input: …): Promise<…>`
fn call(operation: &Declared<'_>, input: &str, output: &str) -> String {
    let optional = if accepts_no_input(operation.input) { "?" } else { "" };
    let answer = if operation.streams { "AsyncIterable" } else { "Promise" };
    format!("(input{optional}: {input}): {answer}<{output}>")
}

fn paragraphs(operation: &Declared<'_>) -> Vec<String> {
    let errors = operation.errors.iter().map(|(code, description)| {
        let description = description.replace(['\n', '\r'], " ");
        format!("@throws {} {description}", code.replace(['\n', '\r'], " "))
    });
    operation.description.map(str::to_owned).into_iter().chain(errors.take(ERRORS_MAX)).collect()
}

/// Whether the operation is a member of `env`; `env.invoke` is taken.
fn in_tree(name: &str) -> bool {
    name != "invoke" && !name.starts_with("invoke/")
}

const GLOBALS: &str = r#"
/** A call that failed. */
declare class CallError extends Error {
  readonly code: string;
  readonly retryable: boolean;
  readonly details: unknown;
}

/** Throw it to fail with one of the errors the tool declares. */
declare class OperationError extends Error {
  constructor(code: string, message?: string, details?: unknown);
  readonly code: string;
  readonly details: unknown;
}

// Of the web platform there are TextEncoder, TextDecoder, URL, URLSearchParams, structuredClone, atob, btoa,
// crypto (getRandomValues, randomUUID, subtle.digest), setTimeout and its relatives, queueMicrotask, AbortController,
// AbortSignal, EventTarget, DOMException and performance.now. There is no fetch, and nothing of Node.js.

/** Writes to the log of the call. */
declare const console: Record<"debug" | "info" | "log" | "warn" | "error", (...values: unknown[]) => void>;
"#;

/// Longest listing.
const OUTPUT_BYTES_MAX: usize = 256 * 1024;

/// What a listing holds besides its operations.
const FRAME_BYTES_MAX: usize = 2048;

/// Longest text of one operation, its named types included; a longer one is listed without types.
const OPERATION_BYTES_MAX: usize = 32 * 1024;

/// Longest type in a one-line summary.
const SIGNATURE_BYTES_MAX: usize = 1024;

/// Most errors documented of one operation.
const ERRORS_MAX: usize = 64;
