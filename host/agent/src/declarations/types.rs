//! JSON Schema (draft 2020-12) as TypeScript types.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{
    names::{Names, type_name},
    text::{doc, indented, property, string_literal},
};

/// What becomes of a `$ref`.
#[derive(Debug)]
pub(super) enum References<'n, 'a> {
    /// A type with a name, declared once.
    Named {
        names: &'n mut Names<'a>,
        /// Put before a name that is taken.
        prefix: &'n str,
    },
    /// What it stands for; `unknown` inside itself. Nothing is documented, so the type stays on one line.
    Inline {
        /// References being followed.
        open: Vec<&'a str>,
    },
}

/// Writes the types of one schema document.
#[derive(Debug)]
pub(super) struct Types<'n, 'a> {
    root: &'a Value,
    /// Name of the document itself, for references to it.
    root_name: &'n str,
    references: References<'n, 'a>,
    /// Names given to references of this document.
    named: BTreeMap<&'a str, String>,
    /// Bytes that may still be written.
    left: usize,
}

/// A type's text and how it binds.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Type {
    text: String,
    binds: Binds,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Binds {
    /// As one unit, anywhere.
    Tightly,
    /// `A & B`.
    Intersection,
    /// `A | B`.
    Union,
}

impl<'n, 'a> Types<'n, 'a> {
    pub(super) fn new(
        root: &'a Value,
        root_name: &'n str,
        references: References<'n, 'a>,
        bytes_max: usize,
    ) -> Self {
        Self { root, root_name, references, named: BTreeMap::new(), left: bytes_max }
    }

    /// The type of `schema`, which is the document or a part of it; `None` if it would be too long.
    pub(super) fn write(&mut self, schema: &'a Value) -> Option<String> {
        let written = self.schema(schema, 0);
        (self.left > 0).then_some(written.text)
    }

    fn schema(&mut self, schema: &'a Value, depth: usize) -> Type {
        match schema {
            Value::Bool(false) => Type::unit("never"),
            Value::Object(members) if depth < DEPTH_MAX && self.spend(1) => self.members(members, depth + 1),
            _ => Type::unit("unknown"),
        }
    }

    /// Takes `bytes` from what may be written; whether there were as many.
    fn spend(&mut self, bytes: usize) -> bool {
        self.left = self.left.saturating_sub(bytes);
        self.left > 0
    }

    fn members(&mut self, schema: &'a Map<String, Value>, depth: usize) -> Type {
        if let Some(value) = schema.get("const") {
            return self.literal(value);
        }
        if let Some(values) = schema.get("enum").and_then(Value::as_array) {
            return self.literals(values);
        }
        let mut parts = Vec::new();
        if let Some(reference) = schema.get("$ref") {
            parts.push(reference.as_str().map_or(Type::unit("unknown"), |to| self.reference(to, depth)));
        }
        for choice in ["oneOf", "anyOf"] {
            if let Some(choices) = schema.get(choice).and_then(Value::as_array) {
                parts.push(union(choices.iter().map(|choice| self.schema(choice, depth)).collect()));
            }
        }
        for all in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
            parts.push(self.schema(all, depth));
        }
        if parts.is_empty() || STRUCTURE.iter().any(|keyword| schema.contains_key(*keyword)) {
            parts.insert(0, self.own(schema, depth));
        }
        intersection(parts)
    }

    /// What `type` and the keywords about one type say.
    fn own(&mut self, schema: &'a Map<String, Value>, depth: usize) -> Type {
        let has = |keywords: &[&str]| keywords.iter().any(|keyword| schema.contains_key(*keyword));
        let types: Vec<&str> = match schema.get("type") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
            _ if has(&["properties", "required", "additionalProperties", "patternProperties"]) => {
                vec!["object"]
            }
            _ if has(&["items", "prefixItems"]) => vec!["array"],
            _ => return Type::unit("unknown"),
        };
        union(types.into_iter().map(|name| self.of_type(name, schema, depth)).collect())
    }

    fn of_type(&mut self, name: &str, schema: &'a Map<String, Value>, depth: usize) -> Type {
        match name {
            "string" => Type::unit("string"),
            "number" | "integer" => Type::unit("number"),
            "boolean" => Type::unit("boolean"),
            "null" => Type::unit("null"),
            "array" => self.array(schema, depth),
            "object" => self.object(schema, depth),
            _ => Type::unit("unknown"),
        }
    }

    fn array(&mut self, schema: &'a Map<String, Value>, depth: usize) -> Type {
        let rest = schema.get("items").map(|items| self.schema(items, depth));
        let Some(first) = schema.get("prefixItems").and_then(Value::as_array) else {
            return Type::unit(format!("{}[]", rest.unwrap_or(Type::unit("unknown")).tight()));
        };
        let count =
            |keyword: &str| schema.get(keyword).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
        let required = count("minItems").unwrap_or(0);
        let mut items = Vec::new();
        for (at, item) in first.iter().enumerate() {
            let item = self.schema(item, depth);
            items.push(if at < required { item.text } else { format!("{}?", item.tight()) });
        }
        let full = count("maxItems").is_some_and(|most| most <= first.len());
        match rest {
            Some(rest) if rest.text != "never" && !full => items.push(format!("...{}[]", rest.tight())),
            None if !full => items.push("...unknown[]".into()),
            _ => {}
        }
        Type::unit(format!("[{}]", items.join(", ")))
    }

    fn object(&mut self, schema: &'a Map<String, Value>, depth: usize) -> Type {
        let empty = Map::new();
        let properties = schema.get("properties").and_then(Value::as_object);
        let required: Vec<&str> = schema
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let mut members = Vec::new();
        for (name, property_schema) in properties.into_iter().flatten() {
            if self.left == 0 {
                break;
            }
            let mark = if required.contains(&name.as_str()) { "" } else { "?" };
            let written = self.schema(property_schema, depth);
            members.push(self.member(property_schema, &format!("{}{mark}", property(name)), &written.text));
        }
        let known = properties.unwrap_or(&empty);
        for name in required.iter().filter(|name| !known.contains_key(**name)) {
            members.push(self.member(&Value::Null, &property(name), "unknown"));
        }
        match (self.others(schema, depth), members.is_empty()) {
            (Some(others), true) => Type::unit(format!("Record<string, {}>", others.text)),
            // What else there is has to agree with every property named.
            (Some(_), false) => {
                members.push("[key: string]: unknown".into());
                Type::unit(braces(&members))
            }
            (None, true) if properties.is_none() && !schema.contains_key("additionalProperties") => {
                Type::unit("Record<string, unknown>")
            }
            (None, _) => Type::unit(braces(&members)),
        }
    }

    /// Type of the properties a schema allows without naming them, if it says so.
    fn others(&mut self, schema: &'a Map<String, Value>, depth: usize) -> Option<Type> {
        let mut others = Vec::new();
        for (_, pattern) in schema.get("patternProperties").and_then(Value::as_object).into_iter().flatten() {
            others.push(self.schema(pattern, depth));
        }
        match schema.get("additionalProperties") {
            None | Some(Value::Bool(false)) => {}
            Some(additional) => others.push(self.schema(additional, depth)),
        }
        (!others.is_empty()).then(|| union(others))
    }

    /// One member of an object, documented.
    fn member(&mut self, schema: &Value, name: &str, text: &str) -> String {
        let doc = match self.references {
            References::Named { .. } => doc(&notes(schema)),
            References::Inline { .. } => String::new(),
        };
        self.spend(doc.len() + name.len() + ": ".len());
        format!("{doc}{name}: {text}")
    }

    fn literals(&mut self, values: &[Value]) -> Type {
        if values.len() <= LITERALS_MAX {
            return union(values.iter().map(|value| self.literal(value)).collect());
        }
        Type::unit(if values.iter().all(Value::is_string) { "string" } else { "unknown" })
    }

    fn literal(&mut self, value: &Value) -> Type {
        let text = match value {
            Value::String(text) => string_literal(text),
            Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
            Value::Array(_) | Value::Object(_) => String::from("unknown"),
        };
        self.spend(text.len());
        Type::unit(text)
    }

    fn reference(&mut self, to: &'a str, depth: usize) -> Type {
        let found = match to.strip_prefix('#') {
            Some("") => Some(self.root),
            Some(pointer) => self.root.pointer(pointer),
            None => None,
        };
        let Some(schema) = found else {
            return Type::unit("unknown");
        };
        match &mut self.references {
            References::Named { names, prefix } => {
                let (root, root_name) = (self.root, self.root_name);
                let name = self.named.entry(to).or_insert_with(|| {
                    let last = to.rsplit('/').next().unwrap_or(to);
                    let base = if to == "#" { root_name.to_owned() } else { type_name(last) };
                    names.name(&base, prefix, schema, root)
                });
                let name = name.clone();
                self.spend(name.len());
                Type::unit(name)
            }
            References::Inline { open } => {
                if open.contains(&to) {
                    return Type::unit("unknown");
                }
                open.push(to);
                let written = self.schema(schema, depth);
                if let References::Inline { open } = &mut self.references {
                    open.pop();
                }
                written
            }
        }
    }
}

impl Type {
    fn unit(text: impl Into<String>) -> Self {
        Self { text: text.into(), binds: Binds::Tightly }
    }

    /// The text, in parentheses unless it is one unit.
    fn tight(&self) -> String {
        match self.binds {
            Binds::Tightly => self.text.clone(),
            Binds::Intersection | Binds::Union => format!("({})", self.text),
        }
    }
}

/// Any of `types`.
fn union(types: Vec<Type>) -> Type {
    let mut kept: Vec<Type> = Vec::new();
    for each in types {
        match each.text.as_str() {
            "unknown" => return each,
            "never" => {}
            _ if kept.contains(&each) => {}
            _ => kept.push(each),
        }
    }
    joined(kept, " | ", Binds::Union, "never")
}

/// All of `types`.
fn intersection(types: Vec<Type>) -> Type {
    let mut kept: Vec<Type> = Vec::new();
    for each in types {
        match each.text.as_str() {
            "never" => return each,
            "unknown" => {}
            _ if kept.contains(&each) => {}
            _ => kept.push(each),
        }
    }
    joined(kept, " & ", Binds::Intersection, "unknown")
}

fn joined(types: Vec<Type>, by: &str, binds: Binds, none: &str) -> Type {
    let mut types = types;
    match types.len() {
        0 => Type::unit(none),
        1 => types.remove(0),
        _ => {
            let parts: Vec<String> = types
                .iter()
                .map(|each| if each.binds == Binds::Union { each.tight() } else { each.text.clone() })
                .collect();
            Type { text: parts.join(by), binds }
        }
    }
}

/// An object type: on one line where that reads well.
fn braces(members: &[String]) -> String {
    let line = members.join("; ");
    match line.len() {
        0 => "{}".into(),
        1..=LINE_BYTES_MAX if !line.contains('\n') => format!("{{ {line} }}"),
        _ => {
            let lines: String = members.iter().map(|member| indented(&format!("{member};"))).collect();
            format!("{{\n{lines}}}")
        }
    }
}

/// What a schema's annotations say, for a reader.
pub(super) fn notes(schema: &Value) -> Vec<String> {
    let mut notes: Vec<String> =
        schema.get("description").and_then(Value::as_str).map(str::to_owned).into_iter().collect();
    if let Some(format) = schema.get("format").and_then(Value::as_str) {
        notes.push(format!("@format {format}"));
    }
    if let Some(default) = schema.get("default") {
        notes.push(format!("@default {default}"));
    }
    if schema.get("deprecated") == Some(&Value::Bool(true)) {
        notes.push("@deprecated".into());
    }
    notes
}

/// Whether `{}`, which a call without input sends, certainly fits `schema`.
pub(super) fn accepts_no_input(schema: &Value) -> bool {
    let Value::Object(members) = schema else {
        return schema == &Value::Bool(true);
    };
    let object = match members.get("type") {
        None => true,
        Some(Value::String(name)) => name == "object",
        Some(Value::Array(names)) => names.iter().any(|name| name == "object"),
        Some(_) => false,
    };
    let requires =
        members.get("required").and_then(Value::as_array).is_some_and(|required| !required.is_empty());
    object && !requires && !CONDITIONS.iter().any(|keyword| members.contains_key(*keyword))
}

/// Keywords that say something about the shape of a value.
const STRUCTURE: &[&str] =
    &["properties", "required", "additionalProperties", "patternProperties", "items", "prefixItems"];

/// Keywords that could rule `{}` out.
const CONDITIONS: &[&str] = &[
    "$ref",
    "$dynamicRef",
    "const",
    "enum",
    "oneOf",
    "anyOf",
    "allOf",
    "not",
    "if",
    "minProperties",
    "dependentRequired",
    "dependentSchemas",
];

/// Deepest nesting written; what lies deeper is `unknown`.
const DEPTH_MAX: usize = 32;

/// Longest enumeration written out.
const LITERALS_MAX: usize = 256;

/// Longest object type on one line.
const LINE_BYTES_MAX: usize = 80;
