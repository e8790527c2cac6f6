//! The JSON Schema of records, from the types that write and read them.

use schemars::SchemaGenerator;
use serde_json::{Map, Value, json};

use crate::call_record::{CallRecord, VERSION};
use crate::canonical::INTEGER_MAX;
use crate::event::Event;

/// The members that one kind of call record has beside those that every kind may have.
const CALL_KINDS: [(&str, &[&str], &[&str]); 3] = [
    ("call.admitted", &["input"], &[]),
    ("call.refused", &["code", "reason"], &[]),
    ("call.finished", &["code", "micros"], &["output"]),
];
const CALL_MEMBERS_OF_A_KIND: [&str; 5] = ["code", "input", "micros", "output", "reason"];

/// The JSON Schema (2020-12) of a record: one variant per kind, no member beside those named.
#[must_use]
pub fn record_schema() -> Value {
    let mut generator = SchemaGenerator::default();
    let call = generator.root_schema_for::<CallRecord<'_>>().to_value();
    let events = generator.into_root_schema_for::<Event>().to_value();
    let mut definitions = call["$defs"].as_object().cloned().unwrap_or_default();
    definitions.extend(events["$defs"].as_object().cloned().unwrap_or_default());

    let mut variants =
        CALL_KINDS.map(|(kind, required, allowed)| call_variant(&call, kind, required, allowed)).to_vec();
    for variant in events["oneOf"].as_array().into_iter().flatten() {
        variants.push(event_variant(variant));
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Audit record",
        "description": "One record of the audit log, written as canonical JSON (RFC 8785): a leaf of its Merkle tree.",
        "oneOf": variants,
        "$defs": definitions,
    })
}

fn call_variant(call: &Value, kind: &str, required: &[&str], allowed: &[&str]) -> Value {
    let mut variant = call.as_object().cloned().unwrap_or_default();
    for name in ["$schema", "$defs", "title", "description"] {
        variant.remove(name);
    }
    let has = |name: &&str| required.contains(name) || allowed.contains(name);
    if let Some(properties) = variant.get_mut("properties").and_then(Value::as_object_mut) {
        for name in CALL_MEMBERS_OF_A_KIND.iter().filter(|name| !has(name)) {
            properties.remove(*name);
        }
        for name in CALL_MEMBERS_OF_A_KIND.iter().filter(|name| has(name)) {
            forbid_null(properties, name);
        }
    }
    finish(variant, kind, required)
}

fn event_variant(variant: &Value) -> Value {
    let kind = variant["properties"]["kind"]["const"].as_str().unwrap_or_default();
    let mut members = variant.as_object().cloned().unwrap_or_default();
    members.insert("additionalProperties".to_owned(), false.into());
    finish(members, kind, &[])
}

/// Adds what every record has.
fn finish(mut variant: Map<String, Value>, kind: &str, required: &[&str]) -> Value {
    variant.insert("title".to_owned(), kind.into());
    if let Some(properties) = variant.get_mut("properties").and_then(Value::as_object_mut) {
        let names = properties.keys().cloned().collect::<Vec<_>>();
        names.iter().for_each(|name| forbid_null(properties, name));
        properties.insert("kind".to_owned(), json!({ "const": kind }));
        properties.insert(
            "v".to_owned(),
            json!({ "const": VERSION, "description": "Version of the record format." }),
        );
        properties.insert(
            "time".to_owned(),
            json!({
                "type": "integer", "minimum": 0, "maximum": INTEGER_MAX,
                "description": "Microseconds since the Unix epoch; never less than in the record before.",
            }),
        );
    }
    let mut all = variant.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    all.extend(required.iter().map(|name| json!(name)));
    all.extend(["kind", "time", "v"].map(Value::from));
    all.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
    all.dedup();
    variant.insert("required".to_owned(), all.into());
    variant.into()
}

/// Members are absent or have a value: none is ever null.
fn forbid_null(properties: &mut Map<String, Value>, name: &str) {
    let Some(Value::Object(property)) = properties.get_mut(name) else {
        return;
    };
    property.remove("default");
    if let Some(Value::Array(types)) = property.get_mut("type") {
        types.retain(|kind| kind != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            property.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(any)) = property.get_mut("anyOf") {
        any.retain(|schema| schema["type"] != "null");
        if let [Value::Object(only)] = any.as_slice() {
            let only = only.clone();
            property.remove("anyOf");
            property.extend(only);
        }
    }
}
