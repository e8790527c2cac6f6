//! Opens regular files, and nothing that could block or act when it is opened.

use cap_fs_ext::{FollowSymlinks, OpenOptionsFollowExt as _, OpenOptionsSyncExt as _};
use cap_std::fs::{Dir, File, FileType, Metadata, OpenOptions};

use super::FsError;

/// Opens a regular file for reading, following symlinks that stay below `dir`.
///
/// The type is looked at before, so that no device is opened, and again on the handle, because the entry may
/// have been replaced in between; the handle is non-blocking, so that a pipe put there cannot hold the thread.
pub(super) fn for_reading(dir: &Dir, path: &str) -> Result<(File, Metadata), FsError> {
    regular(&dir.metadata(path)?)?;
    checked(dir.open_with(path, OpenOptions::new().read(true).nonblock(true))?)
}

/// Opens an entry of a directory for reading, if it is a regular file itself.
pub(super) fn entry_for_reading(dir: &Dir, name: &str) -> Result<(File, Metadata), FsError> {
    let mut options = OpenOptions::new();
    checked(dir.open_with(name, options.read(true).nonblock(true).follow(FollowSymlinks::No))?)
}

/// Opens an entry of a directory for appending, if it is a regular file itself.
pub(super) fn entry_for_appending(dir: &Dir, name: &str) -> Result<(File, Metadata), FsError> {
    regular(&dir.symlink_metadata(name)?)?;
    let mut options = OpenOptions::new();
    checked(dir.open_with(name, options.append(true).nonblock(true).follow(FollowSymlinks::No))?)
}

/// Makes an entry of a directory that was not there.
pub(super) fn new_entry(dir: &Dir, name: &str) -> Result<File, FsError> {
    Ok(dir.open_with(name, OpenOptions::new().write(true).create_new(true))?)
}

fn checked(file: File) -> Result<(File, Metadata), FsError> {
    let metadata = file.metadata()?;
    regular(&metadata)?;
    Ok((file, metadata))
}

/// Refuses everything but regular files.
pub(super) fn regular(metadata: &Metadata) -> Result<(), FsError> {
    if metadata.is_file() { Ok(()) } else { Err(FsError::NotAFile) }
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum EntryKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link; it can be read through if it leads to something below the root.
    Symlink,
    /// A pipe, socket or device; it cannot be read.
    Other,
}

impl From<FileType> for EntryKind {
    fn from(kind: FileType) -> Self {
        if kind.is_file() {
            Self::File
        } else if kind.is_dir() {
            Self::Directory
        } else if kind.is_symlink() {
            Self::Symlink
        } else {
            Self::Other
        }
    }
}
