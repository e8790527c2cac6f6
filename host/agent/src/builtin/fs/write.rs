//! `fs/write`: makes, replaces or extends a file.

use std::io::Write as _;

use alknet_call::{CallScope, OperationSpec, Registration, SpecError, typed_handler};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cap_std::fs::Dir;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::path::RelativePath;
use super::roots::{Place, Root};
use super::{Fs, FsError, FsLimits, WRITE, Work, error, open};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// The file. Relative; no `..`. With several roots, it begins with a root's name.
    #[schemars(length(min = 1, max = 4096))]
    path: String,
    /// The content as text. Give this or `base64`.
    text: Option<String>,
    /// The content as base64 (standard alphabet, padded). Give this or `text`.
    base64: Option<String>,
    /// What to do when there is a file already, and when there is none.
    #[serde(default)]
    mode: Mode,
    /// Whether to make the directories that are missing on the way.
    #[serde(default)]
    make_directories: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Mode {
    /// Makes a new file; fails with FILE_EXISTS if there is something already.
    #[default]
    Create,
    /// Makes the file or replaces its whole content at once: a reader sees the old content or the new.
    Replace,
    /// Adds to the end of the file, or makes it.
    Append,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Output {
    /// The path in its plain form.
    path: String,
    /// How many bytes were written.
    bytes: u64,
    /// The size of the whole file in bytes.
    bytes_total: u64,
    /// Whether there was no such file before.
    created: bool,
}

pub(crate) fn registration(fs: &Fs) -> Result<Registration, SpecError> {
    let spec = OperationSpec::mutation::<Input, Output>("fs/write")?
        .describe(
            "Writes a file below a writable root: makes a new one, replaces one at once, or appends to it.",
        )
        .requires(crate::builtin::scope(WRITE));
    let more = [
        error::NOT_A_FILE,
        ("FILE_EXISTS", "The mode is `create` and there is something at this path."),
        ("READ_ONLY", "The root of this path is not writable."),
        ("TOO_LARGE", "The content, or the file with what is appended, is above the host's limit."),
    ];
    let spec = error::declare(spec, &more)?;
    let fs = fs.clone();
    let handler = typed_handler(move |input: Input, _: CallScope| {
        let fs = fs.clone();
        async move { fs.run(move |work| write(work, input)).await }
    });
    Ok(Registration::local(spec, handler))
}

fn write(work: &Work<'_>, input: Input) -> Result<Output, FsError> {
    let content = content(input.text, input.base64, work.limits)?;
    let (place, shown) = work.roots.locate(&input.path, work.limits)?;
    let Place::In(root, path) = place else {
        return Err(FsError::NotAFile);
    };
    if !root.writable {
        return Err(FsError::ReadOnly);
    }
    let Some((parent, name)) = path.split_last() else {
        return Err(FsError::NotAFile);
    };
    let dir = directory(root, &parent, input.make_directories)?;
    let bytes = u64::try_from(content.len()).unwrap_or(u64::MAX);
    let (created, bytes_total) = match input.mode {
        Mode::Create => (create(&dir, name, &content).map(|()| true)?, bytes),
        Mode::Replace => (replace(&dir, name, &content)?, bytes),
        Mode::Append => append(&dir, name, &content, work.limits)?,
    };
    Ok(Output { path: shown, bytes, bytes_total, created })
}

fn content(text: Option<String>, base64: Option<String>, limits: &FsLimits) -> Result<Vec<u8>, FsError> {
    let bytes_max = limits.write_bytes_max;
    let too_large = || FsError::TooLarge { bytes_max: u64::try_from(bytes_max).unwrap_or(u64::MAX) };
    let content = match (text, base64) {
        (Some(text), None) => text.into_bytes(),
        (None, Some(encoded)) if encoded.len() / 4 > bytes_max / 3 + 1 => return Err(too_large()),
        (None, Some(encoded)) => {
            STANDARD.decode(encoded).map_err(|_| FsError::Invalid("`base64` is not valid base64"))?
        }
        (Some(_), Some(_)) | (None, None) => return Err(FsError::Invalid("give either `text` or `base64`")),
    };
    if content.len() > bytes_max { Err(too_large()) } else { Ok(content) }
}

fn directory(root: &Root, parent: &RelativePath, make: bool) -> Result<Dir, FsError> {
    if make && !parent.is_top() {
        match root.dir.create_dir_all(parent.as_str()).map_err(FsError::from) {
            // Something is in the way; opening it tells what.
            Ok(()) | Err(FsError::FileExists) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(root.dir.open_dir(parent.as_str())?)
}

fn create(dir: &Dir, name: &str, content: &[u8]) -> Result<(), FsError> {
    let mut file = open::new_entry(dir, name)?;
    let written = file.write_all(content);
    if written.is_err() {
        // Nothing half-written stays behind; the first error is the one that matters.
        dir.remove_file(name).ok();
    }
    Ok(written?)
}

/// Writes beside the file and moves the result over it. Whether there was none before.
fn replace(dir: &Dir, name: &str, content: &[u8]) -> Result<bool, FsError> {
    let before = match dir.symlink_metadata(name).map_err(FsError::from) {
        Ok(metadata) => Some(metadata),
        Err(FsError::NotFound) => None,
        Err(error) => return Err(error),
    };
    before.as_ref().map(open::regular).transpose()?;
    let random = getrandom::u64().map_err(|error| FsError::Io(error.into()))?;
    let beside = format!(".{random:016x}.tmp");
    let mut file = open::new_entry(dir, &beside)?;
    let done = (|| {
        file.write_all(content)?;
        if let Some(before) = &before {
            file.set_permissions(before.permissions())?;
        }
        file.sync_all()?;
        dir.rename(&beside, dir, name)
    })();
    if done.is_err() {
        dir.remove_file(&beside).ok();
    }
    done?;
    Ok(before.is_none())
}

/// Whether there was no file before, and how large it is now, in bytes.
fn append(dir: &Dir, name: &str, content: &[u8], limits: &FsLimits) -> Result<(bool, u64), FsError> {
    let bytes = u64::try_from(content.len()).unwrap_or(u64::MAX);
    let (mut file, before) = match open::entry_for_appending(dir, name) {
        Ok(opened) => opened,
        Err(FsError::NotFound) => return create(dir, name, content).map(|()| (true, bytes)),
        Err(error) => return Err(error),
    };
    let bytes_total = before.len().saturating_add(bytes);
    if bytes_total > limits.file_bytes_max {
        return Err(FsError::TooLarge { bytes_max: limits.file_bytes_max });
    }
    file.write_all(content)?;
    Ok((false, bytes_total))
}
