//! Answers of the `session/*` operations, for people.

use serde_json::Value;

use super::text;
use crate::output::{Align, Style, Table, human_micros, timestamp};

/// A session that was just opened: `session/open`.
pub(super) fn opened(answer: &Value, wanted: Option<&[String]>, now: u64, style: Style) -> String {
    let granted = entries(answer, "/env");
    let mut lines = vec![
        format!("session  {}", style.bold(text(answer, "/session"))),
        format!("expires  {}", expiry(answer.pointer("/expires_at").unwrap_or(&Value::Null), now)),
        format!("runs as  {}", authority(answer)),
        format!("limits   {}", limits(answer)),
    ];
    if granted.is_empty() {
        lines.push("granted  nothing".to_owned());
    } else {
        lines.push(format!("granted  {}", count(granted.len(), "operation")));
        lines.push(operations(granted).render("  "));
    }
    let refused = not_granted(granted, wanted.unwrap_or_default());
    if !refused.is_empty() {
        lines.push(format!("refused  {}: outside the profile", refused.join(", ")));
    }
    lines.join("\n")
}

/// A tool that was just registered: `session/register`.
pub(super) fn registered(answer: &Value, style: Style) -> String {
    let version = answer.pointer("/version").and_then(Value::as_u64).unwrap_or_default();
    let examples = answer.pointer("/examples_passed").and_then(Value::as_u64).unwrap_or_default();
    let passed = match examples {
        0 => "no examples given".to_owned(),
        1 => "1 example passed".to_owned(),
        more => format!("{more} examples passed"),
    };
    let operation = style.bold(text(answer, "/operation"));
    format!("{operation} version {version}, {passed}\nsource   sha256:{}", text(answer, "/digest"))
}

/// Sessions with their tools: `session/list`.
pub(super) fn listed(answer: &Value, current: Option<&str>, now: u64, style: Style) -> String {
    let sessions: Vec<String> =
        entries(answer, "/sessions").iter().map(|session| listed_one(session, current, now, style)).collect();
    if sessions.is_empty() {
        return "no sessions are open; `alknet-agent session open` opens one".to_owned();
    }
    sessions.join("\n\n")
}

fn listed_one(session: &Value, current: Option<&str>, now: u64, style: Style) -> String {
    let id = text(session, "/session");
    let mark = if current == Some(id) { " (used when --session is left out)" } else { "" };
    let label = match text(session, "/label") {
        "" => String::new(),
        label => format!(" \"{label}\""),
    };
    let env: Vec<&str> = entries(session, "/env").iter().filter_map(Value::as_str).collect();
    let mut lines = vec![
        format!("session  {}{label}{mark}", style.bold(id)),
        format!("expires  {}", expiry(session.pointer("/expires_at").unwrap_or(&Value::Null), now)),
        format!(
            "profile  {}, may call {}",
            text(session, "/profile"),
            if env.is_empty() { "nothing".to_owned() } else { env.join(", ") }
        ),
    ];
    let tools = entries(session, "/operations");
    if tools.is_empty() {
        lines.push("tools    none".to_owned());
        return lines.join("\n");
    }
    let mut table = Table::new(&[
        ("tool", Align::Left),
        ("version", Align::Right),
        ("source", Align::Left),
        ("description", Align::Left),
    ]);
    for tool in tools {
        let version = tool.pointer("/version").and_then(Value::as_u64).unwrap_or_default();
        let digest: String = text(tool, "/digest").chars().take(12).collect();
        table.row([
            text(tool, "/name").to_owned(),
            version.to_string(),
            digest,
            shortened(text(tool, "/description"), 60),
        ]);
    }
    lines.push(format!("tools    {}", tools.len()));
    lines.push(table.render("  "));
    lines.join("\n")
}

/// What a script logged and called, for standard error: `session/run`.
pub(super) fn ran(answer: &Value, style: Style) -> String {
    let mut lines: Vec<String> = entries(answer, "/logs")
        .iter()
        .map(|line| format!("{:>5}: {}", text(line, "/level"), text(line, "/text")))
        .collect();
    if answer.pointer("/log_truncated") == Some(&Value::Bool(true)) {
        lines.push("  (the log was cut at its limit)".to_owned());
    }
    let calls = entries(answer, "/calls");
    if calls.is_empty() {
        return lines.join("\n");
    }
    let mut table = Table::new(&[("call", Align::Left), ("outcome", Align::Left), ("time", Align::Right)]);
    for call in calls.iter().take(CALLS_SHOWN_MAX) {
        let micros = call.pointer("/micros").and_then(Value::as_u64).unwrap_or_default();
        table.row([
            text(call, "/operation").to_owned(),
            text(call, "/outcome").to_owned(),
            human_micros(micros),
        ]);
    }
    lines.push(style.dim(&table.render("")));
    if calls.len() > CALLS_SHOWN_MAX {
        lines.push(format!("… and {} more; --json has them all", calls.len() - CALLS_SHOWN_MAX));
    }
    lines.join("\n")
}

/// Operations with what they do: entries of `services/list` and of a session's env.
pub(super) fn operations(entries: &[Value]) -> Table {
    let mut table =
        Table::new(&[("operation", Align::Left), ("kind", Align::Left), ("description", Align::Left)]);
    for entry in entries {
        table.row([
            text(entry, "/name").to_owned(),
            text(entry, "/kind").to_owned(),
            shortened(text(entry, "/description"), 70),
        ]);
    }
    table
}

fn not_granted<'a>(granted: &[Value], wanted: &'a [String]) -> Vec<&'a str> {
    let has = |name: &str| granted.iter().any(|entry| text(entry, "/name") == name);
    wanted.iter().map(String::as_str).filter(|name| !has(name)).collect()
}

fn expiry(at: &Value, now: u64) -> String {
    match at.as_u64().and_then(|at| at.checked_sub(now)) {
        Some(left) => format!("{}, in {}", timestamp(at), human_micros(left.saturating_mul(1_000_000))),
        None => timestamp(at),
    }
}

fn authority(answer: &Value) -> String {
    let scopes: Vec<&str> = entries(answer, "/authority/scopes").iter().filter_map(Value::as_str).collect();
    let label = text(answer, "/authority/label");
    if scopes.is_empty() {
        format!("{label}, without scopes")
    } else {
        format!("{label} with {}", scopes.join(", "))
    }
}

fn limits(answer: &Value) -> String {
    let limit = |name: &str| answer.pointer(&format!("/limits/{name}")).and_then(Value::as_u64);
    let mut parts = Vec::new();
    if let Some(millis) = limit("cpu_ms") {
        parts.push(format!("{} CPU a call", human_micros(millis.saturating_mul(1_000))));
    }
    if let Some(millis) = limit("wall_ms") {
        parts.push(format!("{} in all", human_micros(millis.saturating_mul(1_000))));
    }
    if let Some(bytes) = limit("memory_bytes") {
        parts.push(format!("{} MiB", bytes >> 20));
    }
    if let Some(tools) = limit("operations") {
        parts.push(count(usize::try_from(tools).unwrap_or(usize::MAX), "tool"));
    }
    if parts.is_empty() { "the host's".to_owned() } else { parts.join(", ") }
}

fn entries<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// The text, cut to a number of characters.
fn shortened(text: &str, chars_max: usize) -> String {
    if text.chars().count() <= chars_max {
        return text.to_owned();
    }
    let cut: String = text.chars().take(chars_max.saturating_sub(1)).collect();
    format!("{}…", cut.trim_end())
}

/// Rows of a table of calls; a script may make thousands.
const CALLS_SHOWN_MAX: usize = 50;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const PLAIN: fn() -> Style = || Style::new(false);

    #[test]
    fn an_opened_session() {
        let answer = json!({
            "session": "0f", "expires_at": 1_700_003_600,
            "env": [{"name": "fs/list", "kind": "query", "description": "Lists a folder."}],
            "authority": {"label": "session:0f", "scopes": ["fs:read"]},
            "limits": {"cpu_ms": 5000, "wall_ms": 30000, "memory_bytes": 67_108_864, "operations": 64},
        });
        let wanted = ["fs/list".to_owned(), "fs/write".to_owned()];
        let expected = "\
session  0f
expires  2023-11-14T23:13:20Z, in 60 min
runs as  session:0f with fs:read
limits   5.0 s CPU a call, 30.0 s in all, 64 MiB, 64 tools
granted  1 operation
  operation  kind   description
  fs/list    query  Lists a folder.
refused  fs/write: outside the profile";
        assert_eq!(opened(&answer, Some(&wanted), 1_700_000_000, PLAIN()), expected);
        assert!(opened(&json!({}), None, 0, PLAIN()).contains("granted  nothing"));
    }

    #[test]
    fn a_registered_tool() {
        let answer = json!({"operation": "session/x", "version": 2, "digest": "ab", "examples_passed": 1});
        assert_eq!(registered(&answer, PLAIN()), "session/x version 2, 1 example passed\nsource   sha256:ab");
    }

    #[test]
    fn sessions_and_their_tools() {
        let answer = json!({"sessions": [
            {"session": "aa", "label": "l", "profile": "default", "expires_at": 1_700_000_060, "env": ["fs/list"],
             "operations": [{"name": "session/x", "version": 1, "digest": "0123456789abcdef", "description": "d"}]},
            {"session": "bb", "profile": "default", "expires_at": 1_700_000_060, "env": [], "operations": []},
        ]});
        let expected = "\
session  aa \"l\" (used when --session is left out)
expires  2023-11-14T22:14:20Z, in 60.0 s
profile  default, may call fs/list
tools    1
  tool       version  source        description
  session/x        1  0123456789ab  d

session  bb
expires  2023-11-14T22:14:20Z, in 60.0 s
profile  default, may call nothing
tools    none";
        assert_eq!(listed(&answer, Some("aa"), 1_700_000_000, PLAIN()), expected);
        assert!(listed(&json!({"sessions": []}), None, 0, PLAIN()).starts_with("no sessions"));
    }

    #[test]
    fn a_script_that_ran() {
        let answer = json!({
            "logs": [{"level": "info", "text": "hello"}], "log_truncated": true,
            "calls": [{"operation": "fs/list", "outcome": "OK", "micros": 1500}],
        });
        let expected = " info: hello
  (the log was cut at its limit)
call     outcome    time
fs/list  OK       1.5 ms";
        assert_eq!(ran(&answer, PLAIN()), expected);
        assert_eq!(ran(&json!({}), PLAIN()), "");
        let many: Vec<Value> =
            (0..60).map(|_| json!({"operation": "a/b", "outcome": "OK", "micros": 1})).collect();
        assert!(ran(&json!({"calls": many}), PLAIN()).ends_with("… and 10 more; --json has them all"));
    }
}
