//! What the scripted agent does.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::story::{Did, Told, micros_since};
use super::tools::{FILE_KINDS, TREE_REPORT};
use crate::connect::RemoteHost;
use crate::failure::CommandError;
use crate::output::human_micros;

/// How often the tool is invoked, and how many invocations are under way at once.
const INVOCATIONS: usize = 1_000;
const AT_ONCE: usize = 4;
/// Calls that the script makes.
const SCRIPT_CALLS: usize = 20;
/// Lines of the declarations that are shown.
const DECLARATION_LINES: usize = 10;

/// Lists the operations, and asks what one of them takes.
pub(super) async fn discover(agent: &RemoteHost) -> Did<()> {
    let list = agent.call("services/list", &json!({})).await?;
    let operations = array(&list, "/operations");
    let names: Vec<&str> = operations.iter().map(|operation| text(operation, "/name")).collect();
    ensure(
        names.contains(&"fs/list") && names.contains(&"session/open"),
        "fs/list and session/open are offered",
    )?;
    ensure(!names.contains(&"host/status"), "an admin operation is not shown to an agent")?;
    let schema = agent.call("services/schema", &json!({ "name": "fs/list" })).await?;
    let members = schema.pointer("/input_schema/properties").and_then(Value::as_object);
    let members: Vec<&str> =
        members.map(|members| members.keys().map(String::as_str).collect()).unwrap_or_default();
    ensure(members.contains(&"path"), "services/schema of fs/list tells its input")?;
    let says = vec![
        format!("services/list     {} operations it may call", names.len()),
        format!("services/schema   fs/list takes {}", members.join(", ")),
    ];
    Ok(Told { value: (), says, detail: json!({ "operations": names, "fs_list_takes": members }) })
}

/// Opens a session; answers its id.
pub(super) async fn open(agent: &RemoteHost) -> Did<String> {
    let request = json!({
        "profile": "demo", "label": "demo", "ttl_seconds": 600,
        "env": ["fs/list", "fs/read", "fs/stat", "kv/put"],
    });
    let answer = agent.call("session/open", &request).await?;
    let session = text(&answer, "/session").to_owned();
    let granted: Vec<&str> = array(&answer, "/env").iter().map(|entry| text(entry, "/name")).collect();
    ensure(
        granted == ["fs/list", "fs/read", "fs/stat"],
        "granted is what was asked for, within the profile",
    )?;
    let declarations = text(&answer, "/declarations");
    ensure(declarations.contains("list"), "the granted operations are declared in TypeScript")?;
    let mut says = vec![
        format!("asked for fs/list, fs/read, fs/stat, kv/put; granted {}", granted.join(", ")),
        format!("{} lines of TypeScript declare what it may call:", declarations.lines().count()),
    ];
    says.extend(excerpt(declarations).map(|line| format!("| {line}")));
    let detail =
        json!({ "session": session, "granted": granted, "declaration_lines": declarations.lines().count() });
    Ok(Told { value: session, says, detail })
}

/// Registers the tool with examples that the host checks.
pub(super) async fn register(agent: &RemoteHost, session: &str) -> Did<()> {
    let request = Value::Object(TREE_REPORT.registration(session)?);
    let examples = array(&request, "/examples").len();
    let answer = agent.call("session/register", &request).await?;
    let passed = answer.pointer("/examples_passed").and_then(Value::as_u64);
    ensure(passed == u64::try_from(examples).ok(), "every example was checked")?;
    let lines = TREE_REPORT.source.lines().count();
    let digest: String = text(&answer, "/digest").chars().take(12).collect();
    let says = vec![format!(
        "{}: {lines} lines of TypeScript, {examples} examples checked, source sha256:{digest}…",
        text(&answer, "/operation")
    )];
    let detail = json!({
        "operation": answer.get("operation"), "version": answer.get("version"), "digest": answer.get("digest"),
        "examples_passed": passed,
    });
    Ok(Told { value: (), says, detail })
}

/// Runs the tool on the directory; answers a file for the runs that follow, if there is one.
pub(super) async fn invoke(agent: &RemoteHost, session: &str) -> Did<Vec<Value>> {
    let request = json!({ "session": session, "operation": TREE_REPORT.name, "input": { "path": "." } });
    let report = agent.call("session/invoke", &request).await?;
    let number = |name: &str| report.get(name).and_then(Value::as_u64).unwrap_or_default();
    ensure(number("directories") >= 1, "the directory itself is counted")?;
    let says = vec![format!(
        "files read {}, folders listed {}, lines {}, words {}{}",
        number("files"),
        number("directories"),
        number("lines"),
        number("words"),
        if report.get("truncated") == Some(&Value::Bool(true)) {
            "; the tool stopped at its own bounds"
        } else {
            ""
        }
    )];
    let sample = array(&report, "/sample").iter().take(1).cloned().collect();
    Ok(Told { value: sample, says, detail: report })
}

/// Runs the tool again and again on the same file, each time in a fresh sandbox.
pub(super) async fn invoke_many(agent: &RemoteHost, session: &str, sample: &[Value]) -> Did<()> {
    let request = json!({ "session": session, "operation": TREE_REPORT.name, "input": { "files": sample } });
    let begun = Instant::now();
    let calls = (0..INVOCATIONS).map(|_| async {
        let begun = Instant::now();
        let report = agent.call("session/invoke", &request).await?;
        let number = |name: &str| report.get(name).and_then(Value::as_u64).unwrap_or_default();
        let seen = number("files") + number("skipped");
        ensure(Some(seen) == u64::try_from(sample.len()).ok(), "every run reads the files it was given")?;
        Ok::<u64, CommandError>(micros_since(begun))
    });
    let mut micros: Vec<u64> = stream::iter(calls).buffer_unordered(AT_ONCE).try_collect().await?;
    let all = micros_since(begun).max(1);
    micros.sort_unstable();
    let (p50, p99) = (percentile(&micros, 50), percentile(&micros, 99));
    let per_second = u64::try_from(INVOCATIONS).unwrap_or_default().saturating_mul(1_000_000) / all;
    let says = vec![format!(
        "p50 {}, p99 {}, {per_second} calls a second, {AT_ONCE} at a time; each in a fresh sandbox, reading {}",
        human_micros(p50),
        human_micros(p99),
        sample.first().and_then(Value::as_str).unwrap_or("nothing: there is no file"),
    )];
    let detail = json!({
        "calls": INVOCATIONS, "at_once": AT_ONCE, "files_each": sample.len(),
        "p50_micros": p50, "p99_micros": p99, "calls_per_second": per_second,
    });
    Ok(Told { value: (), says, detail })
}

/// One script, many operations, one round trip.
pub(super) async fn run_script(agent: &RemoteHost, session: &str) -> Did<()> {
    let request = json!({
        "session": session, "language": FILE_KINDS.language, "source": FILE_KINDS.source, "input": {},
        "env": ["fs/list"],
    });
    let begun = Instant::now();
    let answer = agent.call("session/run", &request).await?;
    let all = micros_since(begun);
    let calls = array(&answer, "/calls");
    ensure(calls.len() == SCRIPT_CALLS, "the script makes 20 calls")?;
    ensure(calls.iter().all(|call| text(call, "/outcome") == "OK"), "every call of the script succeeds")?;
    let each: u64 = calls.iter().filter_map(|call| call.get("micros").and_then(Value::as_u64)).sum();
    let kinds = answer.get("output").and_then(Value::as_object);
    let kinds: Vec<String> = kinds
        .map(|kinds| kinds.iter().map(|(ending, count)| format!("{count} .{ending}")).collect())
        .unwrap_or_default();
    let kinds = if kinds.is_empty() { "none of those it looked for".to_owned() } else { kinds.join(", ") };
    let says = vec![
        format!(
            "{} calls of fs/list took {} together, the script {}",
            calls.len(),
            human_micros(each),
            human_micros(all)
        ),
        format!("files at the top: {kinds}"),
    ];
    let detail = json!({ "calls": calls.len(), "micros_of_calls": each, "output": answer.get("output") });
    Ok(Told { value: (), says, detail })
}

/// Fails the step unless what it says is so.
pub(super) fn ensure(holds: bool, claim: &str) -> Result<(), CommandError> {
    if holds { Ok(()) } else { Err(CommandError::operation(format!("this does not hold: {claim}"))) }
}

/// A member as text, empty where it is missing.
pub(super) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn array<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// The signature of the first granted operation, without its comments.
fn excerpt(declarations: &str) -> impl Iterator<Item = String> {
    let is_code = |line: &&str| !line.trim_start().starts_with(['/', '*']);
    let code = declarations.lines().filter(is_code).skip_while(|line| !line.contains('('));
    let lines: Vec<String> = code
        .take(DECLARATION_LINES)
        .map(|line| line.strip_prefix("    ").unwrap_or(line).chars().take(100).collect())
        .collect();
    lines.into_iter()
}

/// The value below which so many percent lie; the values are sorted.
fn percentile(sorted: &[u64], percent: usize) -> u64 {
    let rank = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(rank).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles() {
        let values: Vec<u64> = (1..=100).collect();
        assert_eq!(
            (percentile(&values, 50), percentile(&values, 99), percentile(&values, 100)),
            (50, 99, 100)
        );
        assert_eq!(percentile(&[7], 50), 7);
        assert_eq!(percentile(&[], 50), 0);
    }

    #[test]
    fn an_excerpt_shows_an_operation() {
        let declarations = "interface Env {\n  fs: {\n    /**\n     * Lists (all).\n     */\n    list(input: {\n      path?: string;\n    }): Promise<void>;\n";
        let shown: Vec<String> = excerpt(declarations).collect();
        assert_eq!(shown, ["list(input: {", "  path?: string;", "}): Promise<void>;"]);
    }
}
