//! `fs/stat`: what is at a path.

use alknet_call::{CallScope, OperationSpec, Registration, SpecError, typed_handler};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::open::EntryKind;
use super::roots::Place;
use super::{Fs, FsError, READ, Work, error};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// The file or directory. Relative; no `..`. With several roots, it begins with a root's name.
    #[schemars(length(min = 1, max = 4096))]
    path: String,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Output {
    /// The path in its plain form.
    path: String,
    /// What it is. A symlink is not followed.
    kind: EntryKind,
    /// Its size in bytes; 0 for anything but a file.
    bytes: u64,
    /// When it was last changed, in milliseconds since 1970-01-01T00:00:00Z, where the file system knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    modified_unix_ms: Option<u64>,
    /// Whether `fs/write` is allowed below this path's root.
    writable: bool,
}

pub(crate) fn registration(fs: &Fs) -> Result<Registration, SpecError> {
    let spec = OperationSpec::query::<Input, Output>("fs/stat")?
        .describe("Tells what is at a path: its kind, size and time of change. Cheaper than reading it.")
        .requires(crate::builtin::scope(READ));
    let spec = error::declare(spec, &[])?;
    let fs = fs.clone();
    let handler = typed_handler(move |input: Input, _: CallScope| {
        let fs = fs.clone();
        async move { fs.run(move |work| stat(work, &input)).await }
    });
    Ok(Registration::local(spec, handler))
}

fn stat(work: &Work<'_>, input: &Input) -> Result<Output, FsError> {
    let (place, path) = work.roots.locate(&input.path, work.limits)?;
    let Place::In(root, relative) = place else {
        let kind = EntryKind::Directory;
        return Ok(Output { path, kind, bytes: 0, modified_unix_ms: None, writable: false });
    };
    let metadata = root.dir.symlink_metadata(relative.as_str())?;
    let kind = EntryKind::from(metadata.file_type());
    let since_epoch =
        metadata.modified().ok().and_then(|time| time.into_std().duration_since(std::time::UNIX_EPOCH).ok());
    let modified_unix_ms = since_epoch.and_then(|since| u64::try_from(since.as_millis()).ok());
    let bytes = if kind == EntryKind::File { metadata.len() } else { 0 };
    Ok(Output { path, kind, bytes, modified_unix_ms, writable: root.writable })
}
