//! Why a file operation fails, and how that is told: never with a path of the host, never with the input.

use std::io;

use alknet_call::{CallError, OperationSpec, SpecError};
use serde_json::json;

/// Why a file operation failed.
#[derive(Debug)]
pub(super) enum FsError {
    NotFound,
    NotAFile,
    NotADirectory,
    Denied,
    NotText,
    TooLarge { bytes_max: u64 },
    FileExists,
    ReadOnly,
    Invalid(&'static str),
    Cancelled,
    Io(io::Error),
}

/// The codes that depend on the path alone; every file operation declares them.
const PATH_CODES: &[(&str, &str)] = &[
    (
        "PATH_NOT_FOUND",
        "There is nothing at this path. With several roots, a path begins with a root's name.",
    ),
    (
        "PATH_DENIED",
        "The path leads outside of the roots (absolute, `..`, or by a symlink), or may not be accessed.",
    ),
    ("NOT_A_DIRECTORY", "The path, or a part of it that must be a directory, is something else."),
];

/// Declares the codes of [`PATH_CODES`] and some more.
pub(super) fn declare(spec: OperationSpec, more: &[(&str, &str)]) -> Result<OperationSpec, SpecError> {
    let all = PATH_CODES.iter().chain(more);
    all.copied().try_fold(spec, |spec, (code, description)| spec.raises(code, description))
}

/// The code for something that is no regular file.
pub(super) const NOT_A_FILE: (&str, &str) = (
    "NOT_A_FILE",
    "There is something else than a regular file at this path: a directory, pipe, socket or device.",
);

impl From<io::Error> for FsError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::InvalidFilename => Self::NotFound,
            io::ErrorKind::PermissionDenied => Self::Denied,
            io::ErrorKind::NotADirectory => Self::NotADirectory,
            io::ErrorKind::IsADirectory => Self::NotAFile,
            io::ErrorKind::AlreadyExists => Self::FileExists,
            io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly,
            _ if is_symlink_refusal(&error) => Self::Denied,
            _ => Self::Io(error),
        }
    }
}

/// A loop of symlinks, or a symlink where none is followed. The standard library has no stable kind for it.
fn is_symlink_refusal(error: &io::Error) -> bool {
    const ELOOP: i32 = if cfg!(target_os = "linux") { 40 } else { 62 };
    error.raw_os_error() == Some(ELOOP)
}

impl From<FsError> for CallError {
    fn from(error: FsError) -> Self {
        match error {
            FsError::NotFound => Self::new("PATH_NOT_FOUND", "there is nothing at this path"),
            FsError::NotAFile => Self::new("NOT_A_FILE", "this path is not a regular file"),
            FsError::NotADirectory => {
                Self::new("NOT_A_DIRECTORY", "this path, or a part of it, is no directory")
            }
            FsError::Denied => {
                Self::new("PATH_DENIED", "this path is outside of the roots or may not be accessed")
            }
            FsError::NotText => Self::new(
                "NOT_TEXT",
                "these bytes are not UTF-8; read them with encoding `base64`, or begin at another offset",
            ),
            FsError::TooLarge { bytes_max } => {
                Self::new("TOO_LARGE", format!("the limit is {bytes_max} bytes"))
                    .with_details(json!({ "bytes_max": bytes_max }))
            }
            FsError::FileExists => {
                Self::new("FILE_EXISTS", "there is something at this path; use mode `replace` or `append`")
            }
            FsError::ReadOnly => Self::new("READ_ONLY", "this root is read-only"),
            FsError::Invalid(reason) => Self::invalid_input(reason),
            FsError::Cancelled => Self::timeout(),
            FsError::Io(cause) => {
                // The kind alone: the text of an error may name paths of the host.
                tracing::warn!(kind = ?cause.kind(), "a file operation failed");
                Self::internal("the file system failed")
            }
        }
    }
}
