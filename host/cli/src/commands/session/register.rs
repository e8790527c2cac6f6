//! `session register`: a source file, and beside it what the host needs to know of it.

use std::path::{Path, PathBuf};

use alknet_call::CallError;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Context, explain, session_id, view};
use crate::args::RegisterArgs;
use crate::connect::with_host;
use crate::failure::{CommandError, CommandResult};
use crate::input::{parse_json, read_json, read_text};
use crate::output::{Diagnostic, render_diagnostics};

/// The language of a source, by the ending of its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    TypeScript,
    JavaScript,
}

/// The file `tool.schema.json` beside `tool.ts`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Sidecar {
    description: Option<String>,
    kind: Option<String>,
    input_schema: Option<Value>,
    output_schema: Option<Value>,
    error_schemas: Option<Value>,
    env: Option<Vec<String>>,
    examples: Vec<Value>,
}

pub(super) async fn run(args: &RegisterArgs, context: &Context) -> CommandResult {
    let source = read_text(&args.file)?;
    let mut request = request(args, &source)?;
    let file = args.file.display().to_string();
    let answer = with_host(&args.client, context, async |host| {
        request.insert("session".to_owned(), json!(session_id(&args.session, host)?));
        let request = Value::Object(request);
        let answer = host.call("session/register", &request).await;
        answer.map_err(|error| example_error(error, &request, |error| source_error(error, &file, &source)))
    })
    .await?;
    let output = context.output;
    if output.is_json() {
        output.json(&answer)
    } else {
        output.text(&view::registered(&answer, output.style()))
    }
}

/// The input of `session/register` but for the session.
fn request(args: &RegisterArgs, source: &str) -> CommandResult<Map<String, Value>> {
    let language = Language::of(&args.file)?;
    let stem = args.file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let name = args.name.as_deref().unwrap_or(stem);
    let sidecar = sidecar(&args.file)?;
    let schema = |file: Option<&Path>, beside: Option<Value>| match file {
        Some(file) => read_json(file),
        None => Ok(beside.unwrap_or_else(|| json!({}))),
    };
    let mut examples = sidecar.examples;
    for (index, example) in args.examples.iter().enumerate() {
        examples.push(parse_json(&format!("--example {}", index + 1), example)?);
    }
    let description = args.description.clone().or(sidecar.description);
    let mut request = Map::new();
    let mut set = |key: &str, value: Value| request.insert(key.to_owned(), value);
    set("name", json!(name));
    set("description", json!(description.unwrap_or_else(|| name.to_owned())));
    set("input_schema", schema(args.input_schema.as_deref(), sidecar.input_schema)?);
    set("output_schema", schema(args.output_schema.as_deref(), sidecar.output_schema)?);
    set("language", json!(language.name()));
    set("source", json!(source));
    set("examples", Value::Array(examples));
    set("replace", json!(args.replace));
    if let Some(kind) = sidecar.kind {
        set("kind", json!(kind));
    }
    if let Some(errors) = sidecar.error_schemas {
        set("error_schemas", errors);
    }
    if let Some(env) = args.env.clone().or(sidecar.env) {
        set("env", json!(env));
    }
    Ok(request)
}

fn sidecar(source: &Path) -> CommandResult<Sidecar> {
    let file = sidecar_path(source);
    if !file.exists() {
        return Ok(Sidecar::default());
    }
    let text = read_text(&file)?;
    parse_json(&file.display().to_string(), &text)?;
    serde_json::from_str(&text).map_err(|error| CommandError::usage(format!("{}: {error}", file.display())))
}

fn sidecar_path(source: &Path) -> PathBuf {
    source.with_extension("schema.json")
}

/// An answer about a source: complaints are shown at their place in it.
pub(super) fn source_error(error: CallError, file: &str, source: &str) -> CommandError {
    if error.code().as_str() != "SOURCE_REJECTED" {
        return explain(error);
    }
    let diagnostics = error.details().and_then(|details| details.get("diagnostics")).cloned();
    let diagnostics: Vec<Diagnostic> =
        diagnostics.and_then(|list| serde_json::from_value(list).ok()).unwrap_or_default();
    if diagnostics.is_empty() {
        return explain(error);
    }
    let rendered = render_diagnostics(file, source, &diagnostics);
    CommandError::from(error).rendered(rendered)
}

/// An answer about an example that failed, shown with the example; others are explained by `otherwise`.
fn example_error(
    error: CallError,
    request: &Value,
    otherwise: impl FnOnce(CallError) -> CommandError,
) -> CommandError {
    let Some(details) = error.details().filter(|_| error.code().as_str() == "EXAMPLE_FAILED") else {
        return otherwise(error);
    };
    let index = details.get("index").and_then(Value::as_u64).unwrap_or_default();
    let show = |value: Option<&Value>| value.unwrap_or(&Value::Null).to_string();
    let rendered = format!(
        "error: {}: {}\n  input     {}\n  expected  {}\n  actual    {}",
        error.code(),
        error.message(),
        show(request.pointer(&format!("/examples/{index}/input"))),
        show(details.get("expected")),
        show(details.get("actual")),
    );
    CommandError::from(error).rendered(rendered)
}

impl Language {
    pub(super) fn of(file: &Path) -> CommandResult<Self> {
        match file.extension().and_then(|ending| ending.to_str()) {
            Some("ts" | "mts") => Ok(Self::TypeScript),
            Some("js" | "mjs") => Ok(Self::JavaScript),
            _ => Err(CommandError::usage(format!("{}: the language is told by the ending", file.display()))
                .hint("name the file .ts or .mts for TypeScript, .js or .mjs for JavaScript")),
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::TypeScript => "typescript",
            Self::JavaScript => "javascript",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{ClientArgs, SessionRef};

    fn args(file: &Path) -> RegisterArgs {
        RegisterArgs {
            file: file.to_owned(),
            name: None,
            description: None,
            input_schema: None,
            output_schema: None,
            env: None,
            examples: Vec::new(),
            replace: false,
            session: SessionRef::default(),
            client: ClientArgs::default(),
        }
    }

    #[test]
    fn without_a_sidecar_anything_goes() {
        let request = request(&args(Path::new("no/such/twice.js")), "src").unwrap();
        let expected = json!({
            "name": "twice", "description": "twice", "input_schema": {}, "output_schema": {},
            "language": "javascript", "source": "src", "examples": [], "replace": false,
        });
        assert_eq!(Value::Object(request), expected);
    }

    #[test]
    fn options_win_over_the_sidecar_and_examples_add_up() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("t.ts");
        let sidecar = json!({
            "description": "beside", "input_schema": {"type": "object"}, "env": ["a/b"],
            "error_schemas": [{"code": "X"}], "examples": [{"input": 1, "output": 2}], "kind": "query",
        });
        std::fs::write(dir.path().join("t.schema.json"), sidecar.to_string()).unwrap();
        let mut args = args(&file);
        args.description = Some("given".to_owned());
        args.env = Some(vec!["c/d".to_owned()]);
        args.examples = vec!["{\"input\":3,\"output\":4}".to_owned()];
        let request = Value::Object(request(&args, "").unwrap());
        assert_eq!(request["description"], "given");
        assert_eq!(request["env"], json!(["c/d"]));
        assert_eq!(request["kind"], "query");
        assert_eq!(request["input_schema"], json!({"type": "object"}));
        assert_eq!(request["examples"], json!([{"input": 1, "output": 2}, {"input": 3, "output": 4}]));

        args.examples = vec!["{".to_owned()];
        let error = super::request(&args, "").unwrap_err().to_text();
        assert!(error.starts_with("error: --example 1:1:1: not valid JSON"), "{error}");
        std::fs::write(dir.path().join("t.schema.json"), "{\"shema\": 1}").unwrap();
        let error = super::request(&args, "").unwrap_err().to_text();
        assert!(error.contains("t.schema.json: unknown field `shema`"), "{error}");
    }

    #[test]
    fn the_language_is_told_by_the_ending() {
        assert_eq!(Language::of(Path::new("a.ts")).unwrap(), Language::TypeScript);
        assert_eq!(Language::of(Path::new("a.mjs")).unwrap(), Language::JavaScript);
        assert_eq!(Language::of(Path::new("a.py")).unwrap_err().kind().code(), 2);
        assert!(Language::of(Path::new("a")).is_err());
    }

    #[test]
    fn complaints_point_into_the_source() {
        let details =
            json!({"diagnostics": [{"message": "expected `}`", "line": 1, "column": 3, "snippet": "ab"}]});
        let error = CallError::new("SOURCE_REJECTED", "1:3: expected `}`").with_details(details);
        let failure = source_error(error, "t.ts", "ab");
        assert_eq!(failure.to_text(), "t.ts:1:3: error: expected `}`\n   |\n 1 | ab\n   |   ^");
        assert_eq!(failure.to_json()["code"], "SOURCE_REJECTED");
        assert_eq!(failure.kind().code(), 1);
    }

    #[test]
    fn a_failed_example_is_shown_whole() {
        let details = json!({"index": 0, "expected": {"output": 4}, "actual": {"output": 5}});
        let error = CallError::new("EXAMPLE_FAILED", "example 0 gave something else").with_details(details);
        let request = json!({"examples": [{"input": {"n": 2}, "output": 4}]});
        let text = example_error(error, &request, explain).to_text();
        let expected = "\
error: EXAMPLE_FAILED: example 0 gave something else
  input     {\"n\":2}
  expected  {\"output\":4}
  actual    {\"output\":5}";
        assert_eq!(text, expected);
    }
}
