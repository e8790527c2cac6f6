//! `session run`: one script, many operations, one round trip.

use alknet_call::CallError;
use serde_json::{Map, Value, json};

use super::source::Sources;
use super::{Context, session_id, view};
use crate::args::RunArgs;
use crate::connect::with_host;
use crate::failure::{CommandError, CommandResult};
use crate::input::InputSource;
use crate::output::Diagnostic;

pub(super) async fn run(args: &RunArgs, context: &Context) -> CommandResult {
    let sources = Sources::read(&args.file, &args.with)?;
    let mut request = Map::new();
    sources.put(&mut request);
    request.insert("input".to_owned(), InputSource::of(args.input.as_deref()).beside(&args.client)?.read()?);
    if let Some(env) = &args.env {
        request.insert("env".to_owned(), json!(env));
    }
    let answer = with_host(&args.client, context, async |host| {
        request.insert("session".to_owned(), json!(session_id(&args.session, host)?));
        let answer = host.call("session/run", &Value::Object(request)).await;
        answer.map_err(|error| explain(error, &sources))
    })
    .await?;
    let output = context.output;
    if output.is_json() {
        return output.json(&answer);
    }
    let account = view::ran(&answer, output.style());
    if !account.is_empty() {
        output.note(&account);
    }
    output.value(answer.get("output").unwrap_or(&Value::Null))
}

/// An error that has a place in the script is shown there.
fn explain(error: CallError, sources: &Sources) -> CommandError {
    let at = error.details().and_then(|details| details.get("at"));
    let Some(place) = at.and_then(Place::deserialize_from) else {
        return sources.explain(error);
    };
    let logs = error.details().and_then(|details| details.get("logs")).and_then(Value::as_array).cloned();
    let Place { file, line, column } = place;
    let message = format!("{}: {}", error.code(), error.message());
    let diagnostic = Diagnostic { message, file, line: Some(line), column: Some(column) };
    let mut rendered = sources.render(&[diagnostic]);
    for line in logs.iter().flatten().filter_map(Value::as_str) {
        rendered.push_str("\n  log: ");
        rendered.push_str(line);
    }
    CommandError::from(error).rendered(rendered)
}

#[derive(Debug, serde::Deserialize)]
struct Place {
    file: Option<String>,
    line: usize,
    column: usize,
}

impl Place {
    fn deserialize_from(value: &Value) -> Option<Self> {
        serde_json::from_value(value.clone()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thrown_error_is_shown_where_it_was_thrown() {
        let details =
            json!({"error": "TypeError", "at": {"line": 2, "column": 3}, "stack": [], "logs": ["almost"]});
        let error = CallError::internal("uncaught TypeError: no").with_details(details);
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("s.ts");
        std::fs::write(&file, "a\n  b()\n").unwrap();
        let sources = Sources::read(&file, &[]).unwrap();
        let text = explain(error, &sources).to_text();
        let expected = format!(
            "{}:2:3: error: INTERNAL: uncaught TypeError: no\n   |\n 2 |   b()\n   |   ^\n  log: almost",
            file.display()
        );
        assert_eq!(text, expected);
    }

    #[test]
    fn other_errors_stay_as_they_are() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("s.ts");
        std::fs::write(&file, "").unwrap();
        let text = explain(CallError::timeout(), &Sources::read(&file, &[]).unwrap()).to_text();
        assert_eq!(text, "error: TIMEOUT: the deadline passed");
    }
}
