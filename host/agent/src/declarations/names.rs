//! Names of the types that schemas define.

use std::collections::BTreeMap;

use serde_json::Value;

/// Named types of all operations, in the order they were first needed.
#[derive(Debug, Default)]
pub(super) struct Names<'a> {
    definitions: Vec<Definition<'a>>,
    by_name: BTreeMap<String, usize>,
}

/// One named type.
#[derive(Debug)]
pub(super) struct Definition<'a> {
    pub(super) name: String,
    /// What it stands for, inside `root`.
    pub(super) schema: &'a Value,
    pub(super) root: &'a Value,
    /// Its declaration, once written.
    pub(super) text: String,
}

impl<'a> Names<'a> {
    /// Name of the type of `schema`: `base` if it is free or already means the same, else one with `prefix`.
    pub(super) fn name(&mut self, base: &str, prefix: &str, schema: &'a Value, root: &'a Value) -> String {
        let free = |candidate: String| (!RESERVED.contains(&candidate.as_str())).then_some(candidate);
        let candidates = [base.to_owned(), format!("{prefix}{base}")].into_iter();
        let numbered = (2u32..).map(|number| format!("{prefix}{base}{number}"));
        for name in candidates.chain(numbered).filter_map(free) {
            match self.by_name.get(&name).and_then(|&at| self.definitions.get(at)) {
                Some(known) if means_the_same(known, schema, root) => return name,
                Some(_) => {}
                None => {
                    self.by_name.insert(name.clone(), self.definitions.len());
                    self.definitions.push(Definition {
                        name: name.clone(),
                        schema,
                        root,
                        text: String::new(),
                    });
                    return name;
                }
            }
        }
        String::from("unknown")
    }

    /// The definitions after the first `count`.
    pub(super) fn after(&self, count: usize) -> &[Definition<'a>] {
        self.definitions.get(count..).unwrap_or_default()
    }

    /// The definition made after `at` others.
    pub(super) fn get(&mut self, at: usize) -> Option<&mut Definition<'a>> {
        self.definitions.get_mut(at)
    }

    /// How many definitions there are.
    pub(super) fn count(&self) -> usize {
        self.definitions.len()
    }

    /// Forgets all definitions after the first `count`.
    pub(super) fn truncate(&mut self, count: usize) {
        self.definitions.truncate(count);
        self.by_name.retain(|_, at| *at < count);
    }

    /// Every definition's text, in order.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        self.definitions.iter().map(|definition| definition.text.as_str())
    }
}

/// Equal schemas mean the same if what they refer to is equal too.
fn means_the_same(known: &Definition<'_>, schema: &Value, root: &Value) -> bool {
    let one_document = std::ptr::eq(known.root, root);
    (one_document && std::ptr::eq(known.schema, schema))
        || (known.schema == schema
            && (one_document || !refers(schema) || known.root.get("$defs") == root.get("$defs")))
}

fn refers(schema: &Value) -> bool {
    match schema {
        Value::Object(members) => members.contains_key("$ref") || members.values().any(refers),
        Value::Array(items) => items.iter().any(refers),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// `text` as the name of a type: its letters and digits, each word capitalized.
pub(super) fn type_name(text: &str) -> String {
    let mut name = String::new();
    for word in text.split(|c: char| !c.is_ascii_alphanumeric()) {
        let mut characters = word.chars();
        name.extend(characters.next().map(|first| first.to_ascii_uppercase()));
        name.push_str(characters.as_str());
    }
    name.truncate(NAME_BYTES_MAX);
    if !name.starts_with(|c: char| c.is_ascii_uppercase()) {
        name.insert(0, 'T');
    }
    name
}

/// Longest part of a name taken over from a schema.
const NAME_BYTES_MAX: usize = 64;

/// Names that mean something already.
const RESERVED: &[&str] = &[
    "Array",
    "AsyncGenerator",
    "AsyncIterable",
    "AsyncIterator",
    "Boolean",
    "CallError",
    "Date",
    "Env",
    "Error",
    "Function",
    "Generator",
    "Infinity",
    "Iterable",
    "Iterator",
    "JSON",
    "Map",
    "Math",
    "NaN",
    "Number",
    "Object",
    "OperationError",
    "Parameters",
    "Promise",
    "Record",
    "RegExp",
    "ReturnType",
    "Set",
    "String",
    "Symbol",
];
