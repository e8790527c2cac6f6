//! Sources of session operations, kept beside the log under their SHA-256.

use std::fs;
use std::io;
use std::path::PathBuf;

use crate::archive;
use crate::layout::Layout;
use crate::merkle::Hash;
use crate::storage::Storage;

/// The longest source that is kept or read, in bytes.
pub(crate) const SOURCE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Where a source is kept: two digits, then the rest.
pub(crate) fn path(layout: &Layout, digest: &Hash) -> PathBuf {
    let digits = digest.to_string();
    let (first, rest) = digits.split_at(2);
    layout.sources().join(first).join(rest)
}

/// Keeps a source; it is on the disk when this returns.
pub(crate) fn store(layout: &Layout, storage: &dyn Storage, source: &[u8]) -> io::Result<Hash> {
    if source.len() > SOURCE_BYTES_MAX {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let digest = Hash::of(source);
    let path = path(layout, &digest);
    if archive::read_if_there(&path)?.is_some_and(|kept| kept == source) {
        return Ok(digest);
    }
    storage.replace_file(&path, source)?;
    path.ancestors().skip(1).take(3).try_for_each(|dir| storage.sync_dir(dir))?;
    Ok(digest)
}

/// What became of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kept {
    Text(String),
    Missing,
    /// The file holds something else.
    Changed,
}

/// Reads a source and checks that it is the one of this digest.
pub(crate) fn load(layout: &Layout, digest: &Hash) -> io::Result<Kept> {
    let path = path(layout, digest);
    match fs::metadata(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Kept::Missing),
        Ok(metadata) if usize::try_from(metadata.len()).is_ok_and(|bytes| bytes <= SOURCE_BYTES_MAX) => {}
        Ok(_) => return Ok(Kept::Changed),
        Err(error) => return Err(error),
    }
    let bytes = fs::read(&path)?;
    if Hash::of(&bytes) != *digest {
        return Ok(Kept::Changed);
    }
    Ok(String::from_utf8(bytes).map_or(Kept::Changed, Kept::Text))
}
