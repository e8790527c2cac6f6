//! `fs/list`: what is in a directory.

use alknet_call::{CallScope, OperationSpec, Registration, SpecError, typed_handler};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::glob::Chooser;
use super::open::EntryKind;
use super::walk::Walk;
use super::{Fs, FsError, READ, Work, error};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// The directory; `.` is the top. Relative; no `..`. With several roots, `.` lists the roots, and every other
    /// path begins with a root's name.
    #[serde(default = "top")]
    #[schemars(length(min = 1, max = 4096))]
    path: String,
    /// Whether to list what is in its directories too, at every depth. Symlinks are not followed.
    #[serde(default)]
    recursive: bool,
    /// Lists only what matches. Without a `/`, it is matched with names (`*.rs`); with one, with paths below
    /// the directory (`src/**/*.rs`). Knows `*`, `**`, `?`, `[a-z]` and `{a,b}`.
    #[schemars(length(min = 1, max = 512))]
    glob: Option<String>,
    /// The most entries to answer; the host has a limit of its own (10,000).
    #[schemars(range(min = 1))]
    limit: Option<usize>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Output {
    /// The entries, sorted by path, part by part; a directory comes before what is in it.
    entries: Vec<Entry>,
    /// How many entries were left out because their names are not UTF-8 or they cannot be looked at.
    skipped: u64,
    /// Whether there may be more than was answered.
    truncated: bool,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Entry {
    /// The last part of the path.
    name: String,
    /// The path to use with the other `fs` operations.
    path: String,
    /// What it is.
    kind: EntryKind,
    /// Its size in bytes; 0 for anything but a file.
    bytes: u64,
}

pub(super) fn top() -> String {
    ".".to_owned()
}

pub(crate) fn registration(fs: &Fs) -> Result<Registration, SpecError> {
    let spec = OperationSpec::query::<Input, Output>("fs/list")?
        .describe(
            "Lists a directory, optionally with everything below it, optionally only what matches a glob.",
        )
        .requires(crate::builtin::scope(READ));
    let spec = error::declare(spec, &[])?;
    let fs = fs.clone();
    let handler = typed_handler(move |input: Input, _: CallScope| {
        let fs = fs.clone();
        async move { fs.run(move |work| list(work, &input)).await }
    });
    Ok(Registration::local(spec, handler))
}

fn list(work: &Work<'_>, input: &Input) -> Result<Output, FsError> {
    let chooser = Chooser::new(input.glob.as_deref(), work.limits)?;
    let limit = input.limit.unwrap_or(usize::MAX).min(work.limits.list_entries_max);
    let (place, shown) = work.roots.locate(&input.path, work.limits)?;
    let mut walk = Walk::new(work, &place, &shown, input.recursive)?;
    let (mut entries, mut full) = (Vec::new(), false);
    while let Some(found) = walk.next() {
        let found = found?;
        if !chooser.chooses(&found.name, walk.below(&found)) {
            continue;
        }
        if entries.len() >= limit {
            full = true;
            break;
        }
        entries.push(Entry { name: found.name, path: found.path, kind: found.kind, bytes: found.bytes });
    }
    Ok(Output { entries, skipped: walk.skipped, truncated: full || walk.truncated })
}
