//! `audit export`: evidence in a file.

use std::io::{self, Write as _};
use std::path::Path;

use alknet_audit::{Checkpoint, Evidence};
use serde_json::{Value, json};

use super::{Context, filter};
use crate::args::ExportArgs;
use crate::connect::with_host;
use crate::failure::{CommandError, CommandResult, chain};
use crate::input::read_text;

pub(super) async fn run(args: &ExportArgs, context: &Context) -> CommandResult {
    let from = args.checkpoint.as_deref().map(size_of).transpose()?;
    let request = json!({
        "filter": filter::of(&args.filter), "after": args.after, "limit": args.limit, "from": from, "attest": true,
    });
    let answer =
        with_host(&args.client, context, async |host| Ok(host.call("audit/export", &request).await?)).await?;
    let evidence: Evidence = answer
        .get("evidence")
        .cloned()
        .and_then(|evidence| serde_json::from_value(evidence).ok())
        .ok_or_else(|| CommandError::internal("the host's evidence is not what this program understands"))?;
    let next = answer.get("next").and_then(Value::as_u64);
    let text = if args.in_toto { statements(&evidence) } else { pretty(&evidence)? };
    let output = context.output;
    let Some(file) = &args.out else {
        // What is printed is the evidence itself, as `audit verify --bundle` reads it.
        output.raw(&text)?;
        return more(next, context);
    };
    write_new(file, &text)?;
    if output.is_json() {
        return output.json(&json!({
            "file": file, "records": evidence.records.len(), "sources": evidence.sources.len(),
            "attestations": evidence.attestations.len(), "next": next,
        }));
    }
    output.text(&format!(
        "{} records, {} sources, {} attestations: {}",
        evidence.records.len(),
        evidence.sources.len(),
        evidence.attestations.len(),
        file.display()
    ))?;
    more(next, context)
}

fn more(next: Option<u64>, context: &Context) -> CommandResult {
    if let Some(next) = next {
        context.output.note(&format!("There are more records that match: go on with --after {next}."));
    }
    Ok(())
}

fn pretty(evidence: &Evidence) -> CommandResult<String> {
    let text = serde_json::to_string_pretty(evidence);
    text.map_err(|error| CommandError::internal(format!("the evidence cannot be written: {error}")))
}

/// One envelope a line, as in-toto bundles are (`*.intoto.jsonl`).
fn statements(evidence: &Evidence) -> String {
    let lines = evidence.attestations.iter().filter_map(|envelope| serde_json::to_string(envelope).ok());
    lines.map(|line| line + "\n").collect()
}

/// How many records a kept checkpoint covers. Its signature is checked by who checks the evidence.
fn size_of(file: &Path) -> CommandResult<u64> {
    let checkpoint = Checkpoint::open_unchecked(&read_text(file)?);
    checkpoint
        .map(|checkpoint| checkpoint.size)
        .map_err(|error| CommandError::usage(format!("{}: {}", file.display(), chain(&error))))
}

/// Writes a new file, whole or not at all, readable by its owner only.
pub(super) fn write_new(file: &Path, text: &str) -> CommandResult {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let written = tempfile::NamedTempFile::new_in(folder).and_then(|mut new| {
        new.write_all(text.as_bytes())?;
        new.as_file().sync_all()?;
        new.persist_noclobber(file).map_err(|error| error.error)?;
        Ok(())
    });
    written.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            CommandError::usage(format!("{} is there already, and is not written over", file.display()))
        }
        io::ErrorKind::NotFound => CommandError::usage(format!("there is no folder {}", folder.display())),
        _ => CommandError::usage(format!("cannot write {}: {error}", file.display())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_file_is_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("evidence.json");
        write_new(&file, "one").unwrap();
        assert_eq!(write_new(&file, "two").unwrap_err().kind().code(), 2);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "one");
        assert_eq!(write_new(&dir.path().join("no/file"), "x").unwrap_err().kind().code(), 2);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left behind");
    }
}
