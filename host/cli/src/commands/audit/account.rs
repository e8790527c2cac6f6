//! The provenance of a tool as an account that people can read.

use serde_json::{Map, Value};

use super::view::text;
use crate::output::{Style, human_micros, timestamp};

/// Who wrote it, when, in which session, under which grant, from which source, checked how, and what it did: the
/// answer of `audit/provenance`.
pub(crate) fn account(answer: &Value, style: Style) -> String {
    let null = Value::Null;
    let registered = answer.pointer("/registration/record").unwrap_or(&null);
    let version = registered.get("version").and_then(Value::as_u64).unwrap_or_default();
    let versions = answer.get("versions").and_then(Value::as_array).map_or(0, Vec::len);
    let mut lines =
        vec![format!("{} version {version} of {versions}", style.bold(text(answer, "operation")))];
    let mut line = |name: &str, value: String| lines.push(format!("{name:<9} {value}"));
    line("written", format!("by {} at {}", who(answer), timestamp(registered.get("time").unwrap_or(&null))));
    line("session", session(answer));
    line(
        "grant",
        format!(
            "{}; runs as {}",
            list(registered, "/env", "may call nothing", "may call "),
            authority(registered)
        ),
    );
    line("examples", examples(registered));
    line("spec", format!("sha256:{}", text(registered, "spec")));
    line("source", format!("sha256:{}, {}", text(registered, "source"), source_state(answer)));
    if let Some(guest) = registered.get("guest").and_then(Value::as_str) {
        line("runs in", format!("sandbox sha256:{guest}"));
    }
    line("record", record(answer.get("registration").unwrap_or(&null)));
    line("served", served(answer));
    line("made", counts(answer, "made", "no calls"));
    if answer.get("refused").and_then(Value::as_object).is_some_and(|refused| !refused.is_empty()) {
        line("refused", counts(answer, "refused", ""));
    }
    if let Some(source) = answer.pointer("/source/text").and_then(Value::as_str) {
        lines.push(style.dim(&numbered(source)));
    }
    lines.join("\n")
}

fn who(answer: &Value) -> &str {
    match text(answer, "who") {
        "" => "the host",
        who => who,
    }
}

fn session(answer: &Value) -> String {
    let id = text(answer, "session");
    let Some(opened) = answer.pointer("/opened/record") else {
        return id.to_owned();
    };
    let label = match text(opened, "label") {
        "" => String::new(),
        label => format!(" \"{label}\""),
    };
    let since = timestamp(opened.get("time").unwrap_or(&Value::Null));
    let end = answer.pointer("/closed/record").map(|closed| {
        let at = timestamp(closed.get("time").unwrap_or(&Value::Null));
        format!(", ended at {at} ({})", text(closed, "reason"))
    });
    let profile = text(opened, "profile");
    format!("{id}{label}, profile {profile}, opened at {since}{}", end.unwrap_or_default())
}

fn authority(registered: &Value) -> String {
    let label = registered.pointer("/authority/label").and_then(Value::as_str).unwrap_or("nobody");
    format!("{label} {}", list(registered, "/authority/scopes", "without scopes", "with "))
}

fn examples(registered: &Value) -> String {
    let number = |name: &str| registered.pointer(&format!("/examples/{name}")).and_then(Value::as_u64);
    match (number("count").unwrap_or_default(), number("passed")) {
        (0, _) => "none".to_owned(),
        (given, Some(passed)) => format!("{passed} of {given} passed, before it could be called"),
        (given, None) => format!("{given} given"),
    }
}

fn source_state(answer: &Value) -> &'static str {
    match answer.pointer("/source/state").and_then(Value::as_str) {
        Some("intact") => "kept, and what was registered",
        Some("missing") => "not kept any more",
        Some("changed") => "CHANGED since it was registered",
        _ => "unknown",
    }
}

fn record(entry: &Value) -> String {
    let index = entry.get("index").and_then(Value::as_u64);
    index.map_or_else(|| "unknown".to_owned(), |index| format!("{index} of the audit log"))
}

fn served(answer: &Value) -> String {
    let finished = answer.pointer("/served/finished").and_then(Value::as_u64).unwrap_or_default();
    let outcomes = answer.get("served").map(|served| counts(served, "outcomes", "")).unwrap_or_default();
    let last = answer.pointer("/served/last/0/record/micros").and_then(Value::as_u64);
    let last = last.map(|micros| format!("; the last took {}", human_micros(micros))).unwrap_or_default();
    if finished == 0 { "no calls".to_owned() } else { format!("{finished} calls: {outcomes}{last}") }
}

/// Counts by name as `12 fs/read, 1 fs/list`, the most first.
fn counts(value: &Value, member: &str, none: &str) -> String {
    let empty = Map::new();
    let members = value.get(member).and_then(Value::as_object).unwrap_or(&empty);
    let mut counts: Vec<(u64, &String)> =
        members.iter().map(|(name, count)| (count.as_u64().unwrap_or_default(), name)).collect();
    counts.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    let counts: Vec<String> = counts.iter().map(|(count, name)| format!("{count} {name}")).collect();
    if counts.is_empty() { none.to_owned() } else { counts.join(", ") }
}

fn list(value: &Value, pointer: &str, none: &str, before: &str) -> String {
    let names = value.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let names: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
    if names.is_empty() { none.to_owned() } else { format!("{before}{}", names.join(", ")) }
}

fn numbered(source: &str) -> String {
    let width = source.lines().count().to_string().len();
    let lines: Vec<String> =
        source.lines().enumerate().map(|(index, line)| format!("  {:>width$} | {line}", index + 1)).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_account_of_a_tool() {
        let answer = json!({
            "operation": "session/x", "session": "0f", "who": "agent",
            "registration": {"index": 9, "record": {
                "version": 2, "time": 1_700_000_000_000_000_u64, "env": ["fs/list", "fs/read"],
                "authority": {"label": "session:0f", "scopes": ["fs:read"]}, "spec": "cd", "source": "ab",
                "guest": "ef", "examples": {"count": 2, "passed": 2},
            }},
            "versions": [{}, {}],
            "source": {"digest": "ab", "text": "a\nb\n", "state": "intact"},
            "opened": {"index": 3, "record": {"time": 1_699_999_999_000_000_u64, "profile": "default", "label": "l"}},
            "closed": null,
            "served": {"finished": 3, "outcomes": {"OK": 2, "TIMEOUT": 1}, "last": [{"record": {"micros": 1_500}}]},
            "made": {"fs/list": 1, "fs/read": 12}, "refused": {"fs/write": 1},
        });
        let expected = "\
session/x version 2 of 2
written   by agent at 2023-11-14T22:13:20.000Z
session   0f \"l\", profile default, opened at 2023-11-14T22:13:19.000Z
grant     may call fs/list, fs/read; runs as session:0f with fs:read
examples  2 of 2 passed, before it could be called
spec      sha256:cd
source    sha256:ab, kept, and what was registered
runs in   sandbox sha256:ef
record    9 of the audit log
served    3 calls: 2 OK, 1 TIMEOUT; the last took 1.5 ms
made      12 fs/read, 1 fs/list
refused   1 fs/write
  1 | a
  2 | b";
        assert_eq!(account(&answer, Style::new(false)), expected);
    }

    #[test]
    fn missing_members_do_not_hide_the_rest() {
        let text = account(&json!({"operation": "session/x"}), Style::new(false));
        assert!(text.contains("written   by the host at unknown"), "{text}");
        assert!(text.contains("made      no calls"), "{text}");
    }
}
