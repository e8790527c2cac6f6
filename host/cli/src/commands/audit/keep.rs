//! What keeps a log in order: how much is in it, its index, and what may go.

use alknet_audit::OpenError;
use alknet_core::{Clock as _, SystemClock};
use serde_json::{Value, json};

use super::{Context, filter};
use crate::args::{PruneArgs, ReindexArgs, StatsArgs};
use crate::connect::with_host;
use crate::failure::{CommandError, CommandResult, chain};
use crate::output::timestamp;
use crate::project::Project;

pub(super) async fn stats(args: &StatsArgs, context: &Context) -> CommandResult {
    let request = json!({ "filter": filter::of(&args.filter) });
    let answer =
        with_host(&args.client, context, async |host| Ok(host.call("audit/stats", &request).await?)).await?;
    if context.output.is_json() {
        return context.output.json(&answer);
    }
    context.output.text(&summary(&answer))
}

fn summary(stats: &Value) -> String {
    let number = |member: &str| stats.get(member).and_then(Value::as_u64).unwrap_or_default();
    let mut lines = vec![format!("records     {} of {} sessions", number("records"), number("sessions"))];
    if number("records") > 0 {
        let time = |member: &str| timestamp(stats.get(member).unwrap_or(&Value::Null));
        lines.push(format!("from        {} to {}", time("first_at"), time("last_at")));
    }
    for (title, member) in [("kinds", "kinds"), ("outcomes", "outcomes")] {
        let counts = stats.get(member).and_then(Value::as_object);
        let mut counts: Vec<(&str, u64)> = counts
            .into_iter()
            .flatten()
            .map(|(name, count)| (name.as_str(), count.as_u64().unwrap_or_default()))
            .collect();
        counts.sort_by_key(|(name, count)| (std::cmp::Reverse(*count), *name));
        lines.extend(list(title, counts));
    }
    for (title, member) in [("operations", "operations"), ("callers", "callers")] {
        let counts = stats.get(member).and_then(Value::as_array);
        let count = |entry: &Value| entry.get("count").and_then(Value::as_u64).unwrap_or_default();
        let name =
            |entry: &'_ Value| entry.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let counts: Vec<(String, u64)> =
            counts.into_iter().flatten().map(|entry| (name(entry), count(entry))).collect();
        lines.extend(list(title, counts.iter().map(|(name, count)| (name.as_str(), *count)).collect()));
    }
    lines.join("\n")
}

fn list(title: &str, counts: Vec<(&str, u64)>) -> impl Iterator<Item = String> {
    let lines = counts
        .into_iter()
        .enumerate()
        .map(|(at, (name, count))| format!("{:<11} {count:>9}  {name}", if at == 0 { title } else { "" }));
    lines.collect::<Vec<_>>().into_iter()
}

pub(super) async fn reindex(args: &ReindexArgs, context: &Context) -> CommandResult {
    let dir = match &args.dir {
        Some(dir) => dir.clone(),
        None => Project::find(context.config.as_deref())?.layout.audit_dir(),
    };
    if !dir.is_dir() {
        return Err(CommandError::configuration(format!("there is no folder {}", dir.display())));
    }
    let place = dir.clone();
    let made = tokio::task::spawn_blocking(move || alknet_audit::reindex(&place)).await;
    let records = match made {
        Ok(Ok(records)) => records,
        Ok(Err(error @ OpenError::Locked { .. })) => {
            return Err(CommandError::configuration(chain(&error)).hint("stop the host first"));
        }
        Ok(Err(error)) => return Err(CommandError::configuration(chain(&error))),
        Err(_) => return Err(CommandError::internal("the index was not made; this is a defect")),
    };
    if context.output.is_json() {
        return context.output.json(&json!({ "dir": dir, "records": records }));
    }
    context.output.text(&format!("{records} records are in the index of {}", dir.display()))
}

pub(super) async fn prune(args: &PruneArgs, context: &Context) -> CommandResult {
    let request = json!({ "before": args.before.unix_micros(SystemClock.unix_micros()) });
    let answer =
        with_host(&args.client, context, async |host| Ok(host.call("audit/prune", &request).await?)).await?;
    if context.output.is_json() {
        return context.output.json(&answer);
    }
    let number = |member: &str| answer.get(member).and_then(Value::as_u64).unwrap_or_default();
    context.output.text(&match number("records") {
        0 => "nothing is old enough to fill a whole bundle of 256 records: nothing was removed".to_owned(),
        records => format!(
            "{records} records and {} sources were removed; the first record kept is {}",
            number("sources"),
            number("first_kept")
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_has_the_most_frequent_first() {
        let stats = json!({
            "records": 3, "sessions": 1, "first_at": 1_700_000_000_000_000_u64, "last_at": 1_700_000_001_000_000_u64,
            "kinds": {"call.admitted": 1, "call.finished": 2}, "outcomes": {"OK": 2},
            "operations": [{"name": "fs/read", "count": 1}], "callers": [],
        });
        let expected = "\
records     3 of 1 sessions
from        2023-11-14T22:13:20.000Z to 2023-11-14T22:13:21.000Z
kinds               2  call.finished
                    1  call.admitted
outcomes            2  OK
operations          1  fs/read";
        assert_eq!(summary(&stats), expected);
    }
}
