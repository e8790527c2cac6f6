//! `audit tail`: the latest records, from the log's files.

use std::path::Path;
use std::time::Duration;

use alknet_audit::{QueryError, Tail};
use serde_json::json;

use super::{Context, filter, view};
use crate::args::TailArgs;
use crate::failure::{CommandError, CommandResult, chain};
use crate::project::Project;

/// How long nothing may be seen of a new record.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);

pub(super) async fn run(args: &TailArgs, context: &Context) -> CommandResult {
    let dir = match &args.dir {
        Some(dir) => dir.clone(),
        None => Project::find(context.config.as_deref())?.layout.audit_dir(),
    };
    let filter = filter::of(&args.filter);
    let mut tail = Tail::open(&dir, args.last).map_err(|error| failure(&error, &dir))?;
    loop {
        let entries = tail.read().map_err(|error| failure(&error, &dir))?;
        let ended = entries.is_empty();
        for entry in entries.iter().filter(|entry| filter::matches(&entry.record, &filter)) {
            if context.output.is_json() {
                context.output.json(&json!({ "index": entry.index, "record": entry.record }))?;
            } else {
                context.output.text(&view::line(entry.index, &entry.record))?;
            }
        }
        match (ended, args.follow) {
            (true, false) => return Ok(()),
            (true, true) => tokio::time::sleep(LOOK_INTERVAL).await,
            (false, _) => tokio::task::yield_now().await,
        }
    }
}

fn failure(error: &QueryError, dir: &Path) -> CommandError {
    match error {
        QueryError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            CommandError::configuration(format!("there is no log in {}", dir.display()))
                .hint("a host writes one once it runs: `alknet-agent serve`")
        }
        _ => CommandError::configuration(chain(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_a_log_is_said_to_have_none() {
        let dir = tempfile::tempdir().unwrap();
        let error = Tail::open(dir.path(), 1).unwrap_err();
        let error = failure(&error, dir.path());
        assert_eq!(error.kind().code(), 3);
        assert!(error.to_string().contains("there is no log in"), "{error}");
    }

    #[test]
    fn a_line_has_what_a_row_has() {
        let record = json!({"kind": "call.refused", "time": 1_700_000_000_000_000_u64, "caller": "ci",
            "operation": "fs/write", "code": "FORBIDDEN", "reason": "scope", "call": "0a"});
        assert_eq!(
            view::line(7, &record),
            "7  2023-11-14T22:13:20.000Z  call.refused  ci  fs/write  FORBIDDEN (scope)  0a"
        );
    }
}
