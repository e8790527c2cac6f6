//! What checking costs at most.
//!
//! A schema may come from whoever announces an operation or registers a tool, and an instance from whoever calls it. A
//! few references that fork are enough for a check that would never end, and nothing can interrupt one. So the steps of
//! a check are counted before it: each application of a schema to a part of an instance, as if nothing failed early.

use std::collections::HashMap;

use serde_json::{Map, Value};

/// Steps that any check may take: below 1 ms, and some 20 ms to tell where it fails.
const STEPS_MIN: u64 = 1 << 16;
/// Steps that it may take for each part of the instance, where these are more.
const STEPS_PER_PART: u64 = 64;
/// Schemas that refer to one another, each inside of the last, on the way through one schema or one check.
const DEPTH_MAX: usize = 512;
/// Bytes of a text that count like one step or part.
const TEXT_BYTES: usize = 16;

/// Patterns in one schema: each is a program of its own.
const PATTERNS_MAX: usize = 64;

/// What a schema costs, as far as it can be said without an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cost {
    /// The most steps for each part of an instance; `None` where only the instance tells.
    pub(super) steps_per_part: Option<u64>,
    pub(super) patterns: usize,
}

/// Why a schema is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error("a reference is `#`, or `#/` and a JSON pointer into the schema")]
    Reference,
    #[error("`$dynamicRef`, `$recursiveRef` and an `$id` below the top are not supported")]
    Dynamic,
    #[error("its references lead to more than {DEPTH_MAX} schemas inside of one another")]
    Deep,
    #[error("it has more than {PATTERNS_MAX} patterns")]
    Patterns,
    #[error(
        "its references fork too often, or lead back to themselves: no check against it would end in time"
    )]
    Costly,
}

/// Looks a schema over before it is compiled.
pub(super) fn survey(schema: &Value) -> Result<Cost, Refused> {
    let mut survey = Survey { root: schema, known: HashMap::new(), patterns: 0 };
    let steps_per_part = survey.steps(schema, 0)?;
    if survey.patterns > PATTERNS_MAX {
        return Err(Refused::Patterns);
    }
    let cost = Cost { steps_per_part, patterns: survey.patterns };
    // What is applied to any instance, with nothing in it.
    if Meter::is_within(STEPS_MIN, schema, &NOTHING) { Ok(cost) } else { Err(Refused::Costly) }
}

/// Whether checking an instance takes no more steps than it may.
pub(super) fn is_affordable(schema: &Value, cost: Cost, instance: &Value) -> bool {
    if cost.steps_per_part.is_some_and(|steps| steps <= STEPS_PER_PART) {
        return true;
    }
    let parts = parts(instance);
    let most = parts.saturating_mul(STEPS_PER_PART).max(STEPS_MIN);
    if cost.steps_per_part.is_some_and(|steps| steps.saturating_mul(parts) <= most) {
        return true;
    }
    Meter::is_within(most, schema, instance)
}

/// The parts of an instance: values, and what long texts count for.
fn parts(instance: &Value) -> u64 {
    1 + match instance {
        Value::String(text) => count(text.len() / TEXT_BYTES),
        Value::Array(items) => items.iter().map(parts).sum(),
        Value::Object(members) => {
            members.iter().map(|(key, value)| count(key.len() / TEXT_BYTES) + parts(value)).sum()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// What a subschema is applied to.
#[derive(Debug, Clone, Copy)]
enum Place<'a> {
    /// What the schema itself is applied to.
    Here,
    /// One member of it.
    Member(&'a str),
    /// Every member.
    Members,
    /// Every member's name.
    Names,
    /// One element.
    Element(usize),
    /// Every element.
    Elements,
}

/// The subschemas of a schema, with what they are applied to. Those of every draft: what a draft does not know is
/// counted too much.
fn subschemas(schema: &Map<String, Value>) -> Vec<(Place<'_>, &Value)> {
    let mut found = Vec::new();
    for (keyword, value) in schema {
        match (keyword.as_str(), value) {
            ("allOf" | "anyOf" | "oneOf", Value::Array(all)) => {
                found.extend(all.iter().map(|schema| (Place::Here, schema)));
            }
            ("not" | "if" | "then" | "else", schema) => found.push((Place::Here, schema)),
            ("dependentSchemas" | "dependencies", Value::Object(all)) => {
                found.extend(all.values().map(|schema| (Place::Here, schema)));
            }
            ("properties", Value::Object(all)) => {
                found.extend(all.iter().map(|(name, schema)| (Place::Member(name), schema)));
            }
            ("patternProperties", Value::Object(all)) => {
                found.extend(all.values().map(|schema| (Place::Members, schema)));
            }
            ("additionalProperties" | "unevaluatedProperties", schema) => {
                found.push((Place::Members, schema));
            }
            ("propertyNames", schema) => found.push((Place::Names, schema)),
            ("items" | "prefixItems", Value::Array(all)) => {
                found.extend(all.iter().enumerate().map(|(at, schema)| (Place::Element(at), schema)));
            }
            ("items" | "additionalItems" | "unevaluatedItems" | "contains", schema) => {
                found.push((Place::Elements, schema));
            }
            _ => {}
        }
    }
    found
}

/// The schema that a reference leads to, where there is one.
fn referred<'a>(root: &'a Value, schema: &'a Map<String, Value>) -> Result<Option<&'a Value>, Refused> {
    let Some(reference) = schema.get("$ref") else { return Ok(None) };
    let pointer = reference.as_str().and_then(|text| text.strip_prefix('#'));
    let pointer = pointer.filter(|pointer| !pointer.contains('%'));
    pointer.and_then(|pointer| root.pointer(pointer)).map(Some).ok_or(Refused::Reference)
}

/// What one schema costs by itself: its keywords, and what they list.
fn own_steps(schema: &Map<String, Value>) -> u64 {
    let listed = schema.iter().map(|(keyword, value)| match (keyword.as_str(), value) {
        ("enum" | "required", Value::Array(all)) => count(all.len()),
        ("patternProperties", Value::Object(all)) => count(all.len()),
        _ => 0,
    });
    1 + count(schema.len()) + listed.sum::<u64>()
}

/// Whether the members or elements of an instance are looked at once more for each of them.
fn looks_again(schema: &Map<String, Value>) -> bool {
    schema.contains_key("unevaluatedProperties") || schema.contains_key("unevaluatedItems")
}

type Address = *const Value;

/// What stands for every instance that has no parts.
static NOTHING: Value = Value::Null;

/// Sums up a schema with everything that it refers to.
struct Survey<'a> {
    root: &'a Value,
    /// `None` while it is under way.
    known: HashMap<Address, Option<u64>>,
    patterns: usize,
}

impl<'a> Survey<'a> {
    /// `None` where the schema refers back to itself.
    fn steps(&mut self, schema: &'a Value, depth: usize) -> Result<Option<u64>, Refused> {
        let Value::Object(members) = schema else { return Ok(Some(1)) };
        if let Some(known) = self.known.get(&std::ptr::from_ref(schema)) {
            return Ok(*known);
        }
        if depth >= DEPTH_MAX {
            return Err(Refused::Deep);
        }
        let is_top = std::ptr::eq(schema, self.root);
        if ["$dynamicRef", "$recursiveRef"].iter().any(|keyword| members.contains_key(*keyword))
            || (!is_top && members.get("$id").is_some_and(Value::is_string))
        {
            return Err(Refused::Dynamic);
        }
        self.known.insert(schema, None);
        self.patterns += usize::from(members.contains_key("pattern"));
        self.patterns += members.get("patternProperties").and_then(Value::as_object).map_or(0, Map::len);
        let mut steps = (!looks_again(members)).then(|| own_steps(members));
        let below = subschemas(members).into_iter().map(|(_, schema)| schema);
        for schema in below.chain(referred(self.root, members)?) {
            let more = self.steps(schema, depth + 1)?;
            steps = steps.zip(more).map(|(steps, more)| steps.saturating_add(more));
        }
        self.known.insert(schema, steps);
        Ok(steps)
    }
}

/// A check would take more steps than it may, or never end.
struct TooCostly;

/// Counts the steps of one check.
struct Meter<'a> {
    root: &'a Value,
    /// `None` while it is under way.
    known: HashMap<(Address, Address), Option<u64>>,
    /// Pairs that may still be looked at: there are no more of them than steps.
    left: u64,
}

impl<'a> Meter<'a> {
    fn is_within(most: u64, schema: &'a Value, instance: &'a Value) -> bool {
        let mut meter = Self { root: schema, known: HashMap::new(), left: most };
        meter.steps(schema, instance, 0).is_ok_and(|steps| steps <= most)
    }

    fn steps(&mut self, schema: &'a Value, instance: &'a Value, depth: usize) -> Result<u64, TooCostly> {
        let Value::Object(members) = schema else { return Ok(1) };
        let has_parts = instance.is_array() || instance.is_object();
        if !has_parts && !std::ptr::eq(instance, &NOTHING) {
            let each = self.steps(schema, &NOTHING, depth)?;
            return Ok(each.saturating_mul(1 + parts_here(instance)));
        }
        let pair = (std::ptr::from_ref(schema), std::ptr::from_ref(instance));
        if let Some(known) = self.known.get(&pair) {
            return known.ok_or(TooCostly);
        }
        self.left = self.left.checked_sub(1).ok_or(TooCostly)?;
        if depth >= DEPTH_MAX {
            return Err(TooCostly);
        }
        self.known.insert(pair, None);
        let mut steps = own_steps(members).saturating_add(parts_here(instance));
        for (place, schema) in subschemas(members) {
            let below = self.below(place, schema, instance, depth + 1)?;
            steps = steps.saturating_add(below);
        }
        if let Some(schema) = referred(self.root, members).map_err(|_| TooCostly)? {
            steps = steps.saturating_add(self.steps(schema, instance, depth + 1)?);
        }
        if looks_again(members) {
            steps = steps.saturating_mul(parts_here(instance).saturating_add(2));
        }
        self.known.insert(pair, Some(steps));
        Ok(steps)
    }

    /// The steps of a subschema on all that it is applied to.
    fn below(
        &mut self,
        place: Place<'a>,
        schema: &'a Value,
        instance: &'a Value,
        depth: usize,
    ) -> Result<u64, TooCostly> {
        let parts: Vec<&'a Value> = match (place, instance) {
            (Place::Here, instance) => vec![instance],
            (Place::Member(name), Value::Object(members)) => members.get(name).into_iter().collect(),
            (Place::Members, Value::Object(members)) => members.values().collect(),
            (Place::Element(at), Value::Array(items)) => items.get(at).into_iter().collect(),
            (Place::Elements, Value::Array(items)) => items.iter().collect(),
            (Place::Names, Value::Object(_)) => {
                let each = self.steps(schema, &NOTHING, depth)?.saturating_add(1);
                return Ok(each.saturating_mul(parts_here(instance)));
            }
            _ => Vec::new(),
        };
        parts
            .into_iter()
            .try_fold(0_u64, |sum, part| Ok(sum.saturating_add(self.steps(schema, part, depth)?)))
    }
}

/// What of an instance one schema looks at: its text, its members' names, its elements.
fn parts_here(instance: &Value) -> u64 {
    match instance {
        Value::String(text) => count(text.len() / TEXT_BYTES),
        Value::Array(items) => count(items.len()),
        Value::Object(members) => members.keys().map(|key| 1 + count(key.len() / TEXT_BYTES)).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn cost(schema: &Value, instance: &Value) -> Result<bool, Refused> {
        Ok(is_affordable(schema, survey(schema)?, instance))
    }

    /// Schemas that each apply the next one twice, by this keyword.
    fn forking(levels: usize, fork: impl Fn(Value) -> Value) -> Value {
        let mut defs = Map::new();
        for level in 0..levels {
            defs.insert(level.to_string(), fork(json!({ "$ref": format!("#/$defs/{}", level + 1) })));
        }
        defs.insert(levels.to_string(), json!({ "type": "string" }));
        json!({ "$ref": "#/$defs/0", "$defs": defs })
    }

    fn nested(levels: usize) -> Value {
        (0..levels).fold(json!(1), |inner, _| json!([inner]))
    }

    #[test]
    fn schemas_of_everyday_are_affordable() {
        let tree = json!({
            "type": "object", "required": ["name"], "additionalProperties": false,
            "properties": { "name": { "type": "string" }, "children": { "type": "array", "items": { "$ref": "#" } } },
        });
        let deep =
            (0..60).fold(json!({ "name": "leaf" }), |child, _| json!({ "name": "x", "children": [child] }));
        let any = json!({
            "$defs": { "json": { "anyOf": [
                { "type": ["string", "number", "boolean", "null"] },
                { "type": "array", "items": { "$ref": "#/$defs/json" } },
                { "type": "object", "additionalProperties": { "$ref": "#/$defs/json" } },
            ] } },
            "$ref": "#/$defs/json",
        });
        let row = json!({ "id": 1, "name": "a row", "tags": ["a", "b"], "at": { "x": 1.5, "y": 2 } });
        let rows = Value::Array(vec![row; 2000]);
        let columns = json!({ "items": {
            "type": "object", "unevaluatedProperties": false, "required": ["id", "name"],
            "properties": {
                "id": { "type": "integer", "minimum": 0 }, "name": { "type": "string", "pattern": "^[a-z ]+$" },
                "tags": { "items": { "enum": ["a", "b", "c"] }, "uniqueItems": true }, "at": { "$ref": "#/$defs/at" },
            },
        }, "$defs": { "at": { "properties": { "x": { "type": "number" }, "y": { "type": "number" } } } } });
        let chain = forking(200, |next| next);
        for (schema, instance) in [
            (json!({}), rows.clone()),
            (json!(true), json!(1)),
            (any, rows.clone()),
            (columns, rows),
            (tree, deep),
            (chain, json!("x")),
            (forking(8, |next| json!({ "allOf": [next, next] })), json!("x")),
        ] {
            assert_eq!(cost(&schema, &instance), Ok(true), "{schema}");
        }
    }

    #[test]
    fn checks_that_would_not_end_are_refused() {
        let keyword = |keyword: &'static str| move |next: Value| json!({ keyword: [next, next] });
        let twice_deep = forking(30, |next| json!({ "allOf": [{ "items": next }, { "items": next }] }));
        let again = json!({ "anyOf": [{ "items": { "$ref": "#" } }, { "contains": { "$ref": "#" } }] });
        let wide = json!({ "items": { "allOf": vec![json!({ "minimum": 0, "maximum": 9 }); 2000] } });
        let table = [
            (forking(30, keyword("anyOf")), json!(1), Err(Refused::Costly)),
            (forking(30, keyword("oneOf")), json!(1), Err(Refused::Costly)),
            (forking(30, |next| json!({ "not": next, "if": next })), json!(1), Err(Refused::Costly)),
            (
                forking(30, |next| json!({ "dependentSchemas": { "a": next, "b": next } })),
                json!(1),
                Err(Refused::Costly),
            ),
            (json!({ "$ref": "#" }), json!(1), Err(Refused::Costly)),
            (json!({ "allOf": [{ "$ref": "#" }] }), json!(1), Err(Refused::Costly)),
            (forking(2000, |next| next), json!(1), Err(Refused::Deep)),
            (json!({ "$ref": "#nowhere" }), json!(1), Err(Refused::Reference)),
            (json!({ "$ref": "https://example.org/x" }), json!(1), Err(Refused::Reference)),
            (json!({ "items": { "$dynamicRef": "#" } }), json!(1), Err(Refused::Dynamic)),
            (json!({ "items": { "$id": "https://example.org/x" } }), json!(1), Err(Refused::Dynamic)),
            (json!({ "properties": { "$id": { "type": "string" } } }), json!({ "$id": "x" }), Ok(true)),
            (
                json!({ "anyOf": vec![json!({ "pattern": "(a{1000}){9}" }); 65] }),
                json!(1),
                Err(Refused::Patterns),
            ),
            (twice_deep, nested(40), Ok(false)),
            (again.clone(), nested(40), Ok(false)),
            (again, nested(4), Ok(true)),
            (wide, Value::Array(vec![json!(1); 100_000]), Ok(false)),
        ];
        for (schema, instance, expected) in table {
            let text = schema.to_string();
            assert_eq!(cost(&schema, &instance), expected, "{}", text.get(..200).unwrap_or(&text));
        }
    }

    #[test]
    fn the_deepest_schema_and_check_find_room_on_the_stack() {
        let deepest = forking(DEPTH_MAX / 2 - 2, |next| json!({ "items": next }));
        let in_place = forking(DEPTH_MAX - 2, |next| next);
        for (schema, instance) in [(deepest, nested(120)), (in_place, json!("x"))] {
            let compiled = super::super::Schema::compile(schema, 1 << 20).unwrap();
            assert!(compiled.accepts(&instance) || !compiled.violations(&instance).is_empty());
        }
    }
}
