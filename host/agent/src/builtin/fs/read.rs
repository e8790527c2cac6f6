//! `fs/read`: a file, or a part of it.

use std::io::{Read as _, Seek as _, SeekFrom};

use alknet_call::{CallScope, OperationSpec, Registration, SpecError, typed_handler};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::roots::Place;
use super::{Fs, FsError, READ, Work, error, open};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// The file, such as `src/main.rs`. Relative; no `..`. With several roots, it begins with a root's name
    /// (`fs/list` of `.` shows them).
    #[schemars(length(min = 1, max = 4096))]
    path: String,
    /// The byte to begin at. To read on after a truncated answer, add `bytes` to the offset used before.
    #[serde(default)]
    offset: u64,
    /// The most bytes to read, at least 4; the host has a limit of its own (1 MiB).
    #[schemars(range(min = 4))]
    bytes_max: Option<u64>,
    /// How the content is answered.
    #[serde(default)]
    encoding: Encoding,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Encoding {
    /// As `text`; bytes that are not UTF-8 fail with NOT_TEXT.
    #[default]
    Utf8,
    /// As `base64`; for any bytes.
    Base64,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Output {
    /// The path in its plain form.
    path: String,
    /// The content, unless `base64` was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// The content, if it was asked for like this.
    #[serde(skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
    /// How many bytes of the file were read (before any encoding).
    bytes: u64,
    /// The size of the whole file in bytes.
    bytes_total: u64,
    /// Whether the file goes on after what was read.
    truncated: bool,
}

pub(crate) fn registration(fs: &Fs) -> Result<Registration, SpecError> {
    let spec = OperationSpec::query::<Input, Output>("fs/read")?
        .describe(
            "Reads a file, as text or base64. A long file is answered in parts: see `truncated` and `offset`.",
        )
        .requires(crate::builtin::scope(READ));
    let more = [error::NOT_A_FILE, ("NOT_TEXT", "What was read is not UTF-8; use the encoding `base64`.")];
    let spec = error::declare(spec, &more)?;
    let fs = fs.clone();
    let handler = typed_handler(move |input: Input, _: CallScope| {
        let fs = fs.clone();
        async move { fs.run(move |work| read(work, &input)).await }
    });
    Ok(Registration::local(spec, handler))
}

fn read(work: &Work<'_>, input: &Input) -> Result<Output, FsError> {
    let (place, path) = work.roots.locate(&input.path, work.limits)?;
    let Place::In(root, relative) = place else {
        return Err(FsError::NotAFile);
    };
    let (mut file, metadata) = open::for_reading(&root.dir, relative.as_str())?;
    let wanted = input.bytes_max.unwrap_or(u64::MAX).clamp(4, work.limits.read_bytes_max.max(4));
    if input.offset > 0 {
        let offset = SeekFrom::Start(input.offset.min(metadata.len()));
        file.seek(offset)?;
    }
    // One byte more than wanted tells whether the file goes on, also for files without a size.
    let mut content = Vec::new();
    file.take(wanted + 1).read_to_end(&mut content)?;
    let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
    let mut truncated = content.len() > wanted;
    content.truncate(wanted);
    let offset = input.offset.min(metadata.len());
    let (text, base64, bytes) = match input.encoding {
        Encoding::Utf8 => {
            let text = into_text(content, truncated)?;
            let bytes = text.len();
            (Some(text), None, bytes)
        }
        Encoding::Base64 => (None, Some(STANDARD.encode(&content)), content.len()),
    };
    let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
    let end = offset.saturating_add(bytes);
    truncated |= end < metadata.len();
    Ok(Output { path, text, base64, bytes, bytes_total: metadata.len().max(end), truncated })
}

/// Text, without the character that the end of a truncated read may have cut.
fn into_text(content: Vec<u8>, truncated: bool) -> Result<String, FsError> {
    let error = match String::from_utf8(content) {
        Ok(text) => return Ok(text),
        Err(error) => error,
    };
    let cut_at_end = error.utf8_error().error_len().is_none();
    let whole = error.utf8_error().valid_up_to();
    let mut content = error.into_bytes();
    if !truncated || !cut_at_end || whole == 0 {
        return Err(FsError::NotText);
    }
    content.truncate(whole);
    String::from_utf8(content).map_err(|_| FsError::NotText)
}
