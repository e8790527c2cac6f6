//! The operations of a host as Markdown, made from their specifications.

use std::path::Path;

use alknet_call::{OperationKind, OperationSpec};
use alknet_core::Ed25519SecretKey;
use serde_json::Value;

use super::cell;
use crate::assemble::offered;
use crate::config::{Config, Template};
use crate::failure::{CommandError, CommandResult};
use crate::vault::HostKeys;

/// The whole of `docs/operations.md`.
///
/// # Errors
/// What keeps a host from being set up in a temporary folder.
pub(super) async fn markdown() -> CommandResult<String> {
    let failed = |error| CommandError::internal(format!("cannot use a temporary folder: {error}"));
    let folder = tempfile::tempdir().map_err(failed)?;
    let config = configuration(folder.path())?;
    let key = Ed25519SecretKey::generate().map_err(failed)?;
    let specs = Box::pin(offered(&config, HostKeys::of_key(key))).await?;
    folder.close().map_err(failed)?;
    let mut page = format!("{PREAMBLE}\n| operation | kind | takes |\n|---|---|---|\n");
    for spec in &specs {
        let anchor = spec.name().as_str().replace('/', "");
        let scope = demands(spec).unwrap_or_else(|| "-".to_owned());
        put(&mut page, &format!("| [`{}`](#{anchor}) | {} | {scope} |\n", spec.name(), kind(spec.kind())));
    }
    for spec in &specs {
        section(spec, &mut page);
    }
    Ok(page)
}

/// What `init` writes, and one server for `http/fetch`.
fn configuration(folder: &Path) -> CommandResult<Config> {
    let failed = |error| CommandError::internal(format!("the template is not valid: {error}"));
    let path = folder
        .to_str()
        .ok_or_else(|| CommandError::internal("the temporary folder's path is not UTF-8 text"))?;
    let data_dir = folder.join("data");
    let template = Template { data_dir: data_dir.to_str(), listen: None, root: path, peers: &[] };
    Config::parse(&folder.join("alknet-agent.toml"), template.render() + TARGET).map_err(failed)
}

fn section(spec: &OperationSpec, page: &mut String) {
    let description = spec.description().unwrap_or_default();
    put(page, &format!("\n## {}\n\n{description}\n", spec.name()));
    let open = || "Open to everybody, also without an identity.".to_owned();
    let takes = demands(spec).map_or_else(open, |demands| format!("Takes {demands}."));
    put(page, &format!("\nA {}. {takes}\n", kind(spec.kind())));
    schema("Input", spec.input_schema().source(), page);
    if let Some(chunk) = spec.publish_schema() {
        schema("Each chunk", chunk.source(), page);
    }
    let output = if spec.kind() == OperationKind::Subscription { "Each item" } else { "Output" };
    schema(output, spec.output_schema().source(), page);
    if spec.errors().is_empty() {
        return;
    }
    put(page, "\nErrors:\n\n| code | when |\n|---|---|\n");
    for error in spec.errors() {
        put(page, &format!("| `{}` | {} |\n", error.code, cell(&error.description)));
    }
}

fn kind(kind: OperationKind) -> &'static str {
    match kind {
        OperationKind::Query => "query",
        OperationKind::Mutation => "mutation",
        OperationKind::Subscription => "subscription",
        OperationKind::Publication => "publication",
    }
}

/// What a caller must hold; `None` for nothing.
fn demands(spec: &OperationSpec) -> Option<String> {
    let access = spec.access_control();
    let names = |scopes: &[alknet_core::Scope], joint: &str| {
        let names: Vec<String> = scopes.iter().map(|scope| format!("`{scope}`")).collect();
        names.join(joint)
    };
    if !access.required_scopes.is_empty() {
        return Some(format!("scope {}", names(&access.required_scopes, " and ")));
    }
    let any = &access.required_scopes_any;
    (!any.is_empty()).then(|| format!("scope {}", names(any, " or ")))
}

/// A schema as tables: its members, then those of the objects it is made of.
fn schema(title: &str, root: &Value, page: &mut String) {
    let empty = || match root.get("type") {
        Some(_) => "an empty object",
        None => "any JSON",
    };
    match rows(root, root) {
        Some(rows) => put(page, &format!("\n{title}{}:\n\n{TABLE}{rows}", alternatives(root))),
        None => put(page, &format!("\n{title}: {}.\n", empty())),
    }
    let definitions = root.get("$defs").and_then(Value::as_object);
    for (name, definition) in definitions.into_iter().flatten() {
        let Some(rows) = rows(root, definition) else {
            continue;
        };
        let note = match text(definition, "description") {
            "" => String::new(),
            note => format!(" {}", cell(note)),
        };
        let heading = format!("`{name}`{}:{note}", alternatives(definition));
        put(page, &format!("\n{heading}\n\n{TABLE}{rows}"));
    }
}

/// What a heading says of a schema that is one of several objects.
fn alternatives(schema: &Value) -> &'static str {
    match schema.get("oneOf") {
        Some(_) => " (exactly one of these)",
        None => "",
    }
}

/// The members of an object, or of the objects that it may be, one a line; `None` for anything else.
fn rows(root: &Value, schema: &Value) -> Option<String> {
    if let Some(members) = schema.get("properties").and_then(Value::as_object) {
        let required = names(schema, "required");
        let row =
            |(name, member): (&String, &Value)| row(root, name, member, required.contains(&name.as_str()));
        return Some(members.iter().map(row).collect());
    }
    let mut all = String::new();
    for choice in schema.get("oneOf")?.as_array()? {
        for (name, member) in choice.get("properties")?.as_object()? {
            let mut member = member.clone();
            if let (Some(members), Some(note)) = (member.as_object_mut(), choice.get("description")) {
                members.entry("description").or_insert_with(|| note.clone());
            }
            all.push_str(&row(root, name, &member, true));
        }
    }
    Some(all)
}

fn row(root: &Value, name: &str, member: &Value, required: bool) -> String {
    let optional = if required { "" } else { ", optional" };
    let (kind, meaning) = (cell(&type_of(root, member)), cell(&meaning(member)));
    format!("| `{name}` | {kind}{optional} | {meaning} |\n")
}

fn meaning(member: &Value) -> String {
    let mut parts = vec![text(member, "description").to_owned()];
    for (least, most, unit) in BOUNDS {
        let bound = |keyword: &str| member.get(keyword).and_then(Value::as_u64);
        parts.push(match (bound(least).filter(|least| *least > 0), bound(most)) {
            (Some(least), Some(most)) => format!("{least} to {most}{unit}."),
            (Some(least), None) => format!("At least {least}{unit}."),
            (None, Some(most)) => format!("At most {most}{unit}."),
            (None, None) => String::new(),
        });
    }
    if let Some(default) = member.get("default").filter(|default| !(default.is_null() || default.is_object()))
    {
        parts.push(format!("Default: `{default}`."));
    }
    parts.retain(|part| !part.is_empty());
    parts.join(" ")
}

/// A type in words; what a schema says about numbers and lengths is in its meaning.
fn type_of(root: &Value, schema: &Value) -> String {
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let Some(name) = reference.strip_prefix("#/$defs/") else {
            return "the same again".to_owned();
        };
        let definition = root.pointer(reference.trim_start_matches('#'));
        return definition.and_then(choices).unwrap_or_else(|| format!("`{name}`"));
    }
    if let Some(choices) = choices(schema) {
        return choices;
    }
    for keyword in ["anyOf", "oneOf"] {
        if let Some(several) = schema.get(keyword).and_then(Value::as_array) {
            let several: Vec<String> = several.iter().map(|one| type_of(root, one)).collect();
            return several.join(" or ");
        }
    }
    let types: Vec<&str> = match schema.get("type") {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(_)) => names(schema, "type"),
        _ => return "any JSON".to_owned(),
    };
    let types: Vec<String> = types.into_iter().map(|name| of_type(root, name, schema)).collect();
    types.join(" or ")
}

fn of_type(root: &Value, name: &str, schema: &Value) -> String {
    let values = |keyword: &str| {
        schema.get(keyword).filter(|values| values.is_object()).map(|values| type_of(root, values))
    };
    match name {
        "array" => format!("array of {}", values("items").unwrap_or_else(|| "any JSON".to_owned())),
        "object" => {
            match (schema.get("properties").and_then(Value::as_object), values("additionalProperties")) {
                (Some(members), _) => {
                    let required = names(schema, "required");
                    let mark = |name: &String| {
                        if required.contains(&name.as_str()) { "" } else { "?" }
                    };
                    let members: Vec<String> =
                        members.keys().map(|name| format!("{name}{}", mark(name))).collect();
                    format!("`{{{}}}`", members.join(", "))
                }
                (None, Some(values)) => format!("object of {values}"),
                (None, None) => "object".to_owned(),
            }
        }
        other => other.to_owned(),
    }
}

/// The values of an enumeration.
fn choices(schema: &Value) -> Option<String> {
    let constants = |choice: &Value| match choice.get("const") {
        Some(value) => Some(vec![format!("`{value}`")]),
        None => {
            choice.get("enum")?.as_array().map(|all| all.iter().map(|value| format!("`{value}`")).collect())
        }
    };
    let values: Vec<Vec<String>> = match schema.get("oneOf") {
        Some(choices) => choices.as_array()?.iter().map(constants).collect::<Option<_>>()?,
        None => vec![constants(schema)?],
    };
    Some(values.concat().join(" or "))
}

fn text<'a>(schema: &'a Value, member: &str) -> &'a str {
    schema.get(member).and_then(Value::as_str).unwrap_or_default()
}

fn names<'a>(schema: &'a Value, member: &str) -> Vec<&'a str> {
    let names = schema.get(member).and_then(Value::as_array);
    names.into_iter().flatten().filter_map(Value::as_str).collect()
}

fn put(page: &mut String, text: &str) {
    page.push_str(text);
}

const TABLE: &str = "| member | type | meaning |\n|---|---|---|\n";

const BOUNDS: [(&str, &str, &str); 3] = [
    ("minimum", "maximum", ""),
    ("minLength", "maxLength", " characters"),
    ("minItems", "maxItems", " items"),
];

/// Makes `http/fetch` one of the operations. Nothing is contacted.
const TARGET: &str = r#"
[[http.target]]
name = "example"
description = "An example"
base_url = "http://127.0.0.1:9"
methods = ["GET", "POST"]
allow_private = true
"#;

const PREAMBLE: &str = "\
# Operations

<!-- Generated by `alknet-agent reference operations`. Change the specifications in the code, not this page. -->

Every operation that a host offers on the wire, as `services/schema` describes it. The host is configured as
`alknet-agent init` writes it, with one server for `http/fetch`; `fs/*` is there when a file root is configured, and
`http/fetch` when a server is. `alknet-agent call services/list` shows what you may call.

Beside the errors listed, every operation may answer the codes of the protocol: see [protocol.md](protocol.md#errors).
";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn the_page_in_docs_is_this_one() {
        let kept = include_str!("../../../../docs/operations.md");
        let made = markdown().await.unwrap();
        assert!(
            kept.trim_end() == made.trim_end(),
            "docs/operations.md is not what the operations say: run `cargo run -- reference operations > docs/operations.md`"
        );
    }

    #[test]
    fn types_are_told_in_words() {
        let root = json!({ "$defs": { "Kind": { "oneOf": [{ "const": "a" }, { "enum": ["b", "c"] }] }, "Entry": {} } });
        let table = [
            (json!({ "$ref": "#/$defs/Kind" }), r#"`"a"` or `"b"` or `"c"`"#),
            (json!({ "$ref": "#" }), "the same again"),
            (json!({ "type": "object", "properties": { "a": {}, "b": {} }, "required": ["a"] }), "`{a, b?}`"),
            (json!({ "type": "string" }), "string"),
            (json!({ "type": ["integer", "null"] }), "integer or null"),
            (json!({ "type": "array", "items": { "$ref": "#/$defs/Entry" } }), "array of `Entry`"),
            (json!({ "anyOf": [{ "$ref": "#/$defs/Body" }, { "type": "null" }] }), "`Body` or null"),
            (json!({ "enum": ["a", "b"] }), r#"`"a"` or `"b"`"#),
            (json!({ "oneOf": [{ "const": "a" }, { "const": 1 }] }), r#"`"a"` or `1`"#),
            (json!({ "type": "object", "additionalProperties": { "type": "string" } }), "object of string"),
            (json!({}), "any JSON"),
            (json!(true), "any JSON"),
        ];
        for (schema, expected) in table {
            assert_eq!(type_of(&root, &schema), expected, "{schema}");
        }
    }
}
