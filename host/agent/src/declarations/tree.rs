//! Operations as the nested members of `env`.

use std::collections::BTreeMap;

use super::text::{indented, property};

/// The members of `env` or of one of them, by name.
#[derive(Debug, Default)]
pub(super) struct Tree {
    members: BTreeMap<String, Node>,
}

/// One member: an operation, a group of them, or both.
#[derive(Debug, Default)]
struct Node {
    /// Documentation and call signature, without a name.
    operation: Option<(String, String)>,
    group: Tree,
}

impl Tree {
    /// Adds the operation `name` with its documentation and signature `(…): …`.
    pub(super) fn insert(&mut self, name: &str, doc: String, signature: String) {
        let mut group = self;
        let mut segments = name.split('/').peekable();
        while let Some(segment) = segments.next() {
            let node = group.members.entry(segment.to_owned()).or_default();
            if segments.peek().is_none() {
                node.operation = Some((doc, signature));
                return;
            }
            group = &mut node.group;
        }
    }

    /// The members, one after another, each with its line end.
    pub(super) fn render(&self) -> String {
        let mut out = String::new();
        for (name, node) in &self.members {
            let name = property(name);
            match &node.operation {
                Some((doc, signature)) if node.group.members.is_empty() => {
                    out.push_str(&format!("{doc}{name}{signature};\n"));
                }
                operation => {
                    let call = operation
                        .as_ref()
                        .map_or(String::new(), |(doc, signature)| format!("{doc}{signature};\n"));
                    out.push_str(&format!("{name}: {{\n{}}};\n", indented(&(call + &node.group.render()))));
                }
            }
        }
        out
    }
}
