//! `session register`: a source file, and beside it what the host needs to know of it.

use std::path::{Path, PathBuf};

use alknet_call::CallError;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::source::Sources;
use super::{Context, session_id, view};
use crate::args::RegisterArgs;
use crate::connect::with_host;
use crate::failure::{CommandError, CommandResult};
use crate::input::{parse_json, read_json, read_text};

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
    let sources = Sources::read(&args.file, &args.with)?;
    let mut request = request(args, &sources)?;
    let answer = with_host(&args.client, context, async |host| {
        request.insert("session".to_owned(), json!(session_id(&args.session, host)?));
        let request = Value::Object(request);
        let answer = host.call("session/register", &request).await;
        answer.map_err(|error| example_error(error, &request, |error| sources.explain(error)))
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
fn request(args: &RegisterArgs, sources: &Sources) -> CommandResult<Map<String, Value>> {
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
    sources.put(&mut request);
    let mut set = |key: &str, value: Value| request.insert(key.to_owned(), value);
    set("name", json!(name));
    set("description", json!(description.unwrap_or_else(|| name.to_owned())));
    set("input_schema", schema(args.input_schema.as_deref(), sidecar.input_schema)?);
    set("output_schema", schema(args.output_schema.as_deref(), sidecar.output_schema)?);
    set("examples", Value::Array(examples));
    set("replace", json!(args.replace));
    if let Some(kind) = args.kind.map(|kind| kind.name().to_owned()).or(sidecar.kind) {
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

#[cfg(test)]
mod tests {
    use super::super::explain;
    use super::*;
    use crate::args::{ClientArgs, SessionRef};

    fn args(file: &Path) -> RegisterArgs {
        RegisterArgs {
            file: file.to_owned(),
            with: Vec::new(),
            kind: None,
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
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("twice.js");
        std::fs::write(&file, "src").unwrap();
        let sources = Sources::read(&file, &[]).unwrap();
        let request = request(&args(&file), &sources).unwrap();
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
        std::fs::write(&file, "").unwrap();
        let sources = Sources::read(&file, &[]).unwrap();
        let sidecar = json!({
            "description": "beside", "input_schema": {"type": "object"}, "env": ["a/b"],
            "error_schemas": [{"code": "X"}], "examples": [{"input": 1, "output": 2}], "kind": "query",
        });
        std::fs::write(dir.path().join("t.schema.json"), sidecar.to_string()).unwrap();
        let mut args = args(&file);
        args.description = Some("given".to_owned());
        args.env = Some(vec!["c/d".to_owned()]);
        args.examples = vec!["{\"input\":3,\"output\":4}".to_owned()];
        let request = Value::Object(request(&args, &sources).unwrap());
        assert_eq!(request["description"], "given");
        assert_eq!(request["env"], json!(["c/d"]));
        assert_eq!(request["kind"], "query");
        assert_eq!(request["input_schema"], json!({"type": "object"}));
        assert_eq!(request["examples"], json!([{"input": 1, "output": 2}, {"input": 3, "output": 4}]));

        args.examples = vec!["{".to_owned()];
        let error = super::request(&args, &sources).unwrap_err().to_text();
        assert!(error.starts_with("error: --example 1:1:1: not valid JSON"), "{error}");
        std::fs::write(dir.path().join("t.schema.json"), "{\"shema\": 1}").unwrap();
        let error = super::request(&args, &sources).unwrap_err().to_text();
        assert!(error.contains("t.schema.json: unknown field `shema`"), "{error}");
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
