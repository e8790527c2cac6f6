//! Operations as TypeScript declarations: what the author of a tool reads.
//!
//! Schemas and descriptions come from agents, so everything of theirs is escaped for where it stands, and whatever
//! has no TypeScript form, or is too deep or too long, becomes `unknown`. The output is bounded and depends on the
//! operations only.

mod names;
mod text;
mod tree;
mod types;

#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use serde_json::Value;

use names::Names;
use text::{doc, indented, property, string_literal};
use tree::Tree;
use types::{Types, accepts_nothing};

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
    let mut bytes = GLOBALS.len();
    let mut left_out = 0;
    for operation in &sorted {
        let types_before = names.bytes();
        let Some(member) = Member::new(operation, &mut names, OUTPUT_BYTES_MAX.saturating_sub(bytes)) else {
            left_out += 1;
            continue;
        };
        bytes += member.bytes(operation) + (names.bytes() - types_before);
        overloads.push_str(&member.overload(operation));
        tree.insert(operation.name, member.doc, member.call);
    }

    let mut out = format!("/** What a tool may call: the second parameter of its function. */\ninterface Env {{\n");
    out.push_str(&indented(&tree.render()));
    out.push_str(&indented(&overloads));
    if left_out > 0 {
        let _ = writeln!(out, "  // {left_out} more operations: their types are too long for this listing.");
    }
    out.push_str("  /** Calls an operation by its name. */\n  invoke(name: string, input?: unknown): Promise<unknown>;\n}\n");
    for (name, definition) in names.definitions() {
        let _ = write!(out, "\ntype {name} = {definition};\n");
    }
    out.push_str(GLOBALS);
    out
}
