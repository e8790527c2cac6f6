//! Records of the audit log, for people.

use serde_json::Value;

use crate::output::{Align, Style, Table, human_micros, timestamp};

/// Records as a table, in their order: entries are `{index, record}`.
pub(super) fn records(entries: &[Value]) -> String {
    if entries.is_empty() {
        return "no records match".to_owned();
    }
    let mut table = Table::new(&[
        ("record", Align::Right),
        ("time", Align::Left),
        ("what", Align::Left),
        ("caller", Align::Left),
        ("about", Align::Left),
        ("outcome", Align::Left),
        ("took", Align::Right),
        ("call", Align::Left),
    ]);
    for entry in entries {
        let record = entry.get("record").unwrap_or(&Value::Null);
        let took = record.get("micros").and_then(Value::as_u64).map(human_micros);
        table.row([
            entry.get("index").and_then(Value::as_u64).unwrap_or_default().to_string(),
            timestamp(record.get("time").unwrap_or(&Value::Null)),
            text(record, "kind").to_owned(),
            text(record, "caller").to_owned(),
            about(record).to_owned(),
            outcome(record),
            took.unwrap_or_default(),
            text(record, "call").to_owned(),
        ]);
    }
    table.render("")
}

/// A record on one line.
pub(super) fn line(index: u64, record: &Value) -> String {
    let took = record.get("micros").and_then(Value::as_u64).map(human_micros).unwrap_or_default();
    let parts = [
        index.to_string(),
        timestamp(record.get("time").unwrap_or(&Value::Null)),
        text(record, "kind").to_owned(),
        text(record, "caller").to_owned(),
        about(record).to_owned(),
        outcome(record),
        took,
        text(record, "call").to_owned(),
    ];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("  ")
}

/// A call with everything it called, as a tree: nodes are `{call, entries, calls}`.
pub(super) fn tree(trace: &Value, asked: &str, style: Style) -> String {
    let mut lines = Vec::new();
    branch(trace, &Place { asked, style, first: "", rest: "" }, &mut lines);
    lines.join("\n")
}

struct Place<'a> {
    asked: &'a str,
    style: Style,
    /// In front of the node itself.
    first: &'a str,
    /// In front of what hangs below it.
    rest: &'a str,
}

fn branch(node: &Value, place: &Place<'_>, lines: &mut Vec<String>) {
    lines.push(format!("{}{}", place.first, headline(node, place)));
    let children = node.get("calls").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for (index, child) in children.iter().enumerate() {
        let last = index + 1 == children.len();
        let first = format!("{}{}", place.rest, if last { "└─ " } else { "├─ " });
        let rest = format!("{}{}", place.rest, if last { "   " } else { "│  " });
        branch(child, &Place { first: &first, rest: &rest, ..*place }, lines);
    }
}

/// One call: what it called, on whose authority, how it ended, how long it took.
fn headline(node: &Value, place: &Place<'_>) -> String {
    let entries = node.get("entries").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let records: Vec<&Value> = entries.iter().filter_map(|entry| entry.get("record")).collect();
    let of_kind = |kind: &str| records.iter().copied().find(|record| text(record, "kind") == kind);
    let decided = of_kind("call.admitted").or_else(|| of_kind("call.refused")).unwrap_or(&Value::Null);
    let ended = of_kind("call.finished").or_else(|| of_kind("call.refused"));
    let code = ended.map_or_else(|| "still running, or lost".to_owned(), outcome);
    let code = if code == "OK" { place.style.green(&code) } else { place.style.red(&code) };
    let took = ended.and_then(|record| record.get("micros")).and_then(Value::as_u64).map(human_micros);
    let authority = match text(decided, "authority") {
        "" => "anonymous",
        label => label,
    };
    let call = text(node, "call");
    let mark = if call == place.asked { " ←" } else { "" };
    let events: Vec<&str> =
        records.iter().map(|record| text(record, "kind")).filter(|kind| !kind.starts_with("call.")).collect();
    let events = if events.is_empty() { String::new() } else { format!("  [{}]", events.join(", ")) };
    format!(
        "{}  as {authority}  {code}{}{events}  {}{mark}",
        place.style.bold(text(decided, "operation")),
        took.map(|took| format!("  {took}")).unwrap_or_default(),
        place.style.dim(call),
    )
}

/// The code a call ended with, and for a refusal the class of its reason.
fn outcome(record: &Value) -> String {
    match (text(record, "code"), text(record, "reason")) {
        (code, reason) if !reason.is_empty() => format!("{code} ({reason})"),
        (code, _) => code.to_owned(),
    }
}

/// What a record is about: an operation, else a session.
fn about(record: &Value) -> &str {
    match text(record, "operation") {
        "" => text(record, "session"),
        operation => operation,
    }
}

/// A member as text, empty where it is missing or no text.
pub(super) fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value.get(member).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn admitted(operation: &str, authority: &str) -> Value {
        json!({"index": 1, "record": {"kind": "call.admitted", "operation": operation, "authority": authority}})
    }

    fn finished(code: &str, micros: u64) -> Value {
        json!({"index": 2, "record": {"kind": "call.finished", "code": code, "micros": micros}})
    }

    #[test]
    fn records_are_rows() {
        let entries = [
            json!({"index": 7, "record": {"kind": "call.refused", "time": 1_700_000_000_000_000_u64, "caller": "ci",
                   "operation": "fs/write", "code": "FORBIDDEN", "reason": "scope", "call": "0a"}}),
            json!({"index": 12, "record": {"kind": "session.closed", "time": 1_700_000_001_000_000_u64, "session": "ff"}}),
        ];
        let expected = "\
record  time                      what            caller  about     outcome            took  call
     7  2023-11-14T22:13:20.000Z  call.refused    ci      fs/write  FORBIDDEN (scope)        0a
    12  2023-11-14T22:13:21.000Z  session.closed          ff";
        assert_eq!(records(&entries), expected);
        assert_eq!(records(&[]), "no records match");
    }

    #[test]
    fn a_trace_is_a_tree() {
        let leaf = |call: &str, code: &str| json!({"call": call, "entries": [admitted("fs/read", "session:1"), finished(code, 900)], "calls": []});
        let opened = json!({"index": 3, "record": {"kind": "session.opened"}});
        let trace = json!({
            "call": "a", "entries": [admitted("session/invoke", "ci"), opened, finished("OK", 2_500)],
            "calls": [
                {"call": "b", "entries": [admitted("session/x", "session:1"), finished("OK", 2_000)],
                 "calls": [leaf("c", "OK"), leaf("d", "NOT_FOUND")]},
                {"call": "e", "entries": [admitted("time/now", "session:1")], "calls": []},
            ],
        });
        let expected = "\
session/invoke  as ci  OK  2.5 ms  [session.opened]  a
├─ session/x  as session:1  OK  2.0 ms  b
│  ├─ fs/read  as session:1  OK  900 µs  c ←
│  └─ fs/read  as session:1  NOT_FOUND  900 µs  d
└─ time/now  as session:1  still running, or lost  e";
        assert_eq!(tree(&trace, "c", Style::new(false)), expected);
    }
}
