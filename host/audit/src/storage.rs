//! The file operations of the writer, behind a seam where tests make them fail.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Files that are synced each by itself: for more, a sync of the whole file system costs less.
#[cfg(target_os = "linux")]
const SYNCED_ONE_BY_ONE_MAX: usize = 16;

/// What the writer asks of a file system.
pub(crate) trait Storage: Send + Sync + fmt::Debug + 'static {
    /// Creates a file, or empties it, readable by its owner only.
    fn create(&self, path: &Path) -> io::Result<Arc<File>>;

    /// Writes some of the bytes at an offset and says how many.
    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<usize>;

    /// Cuts or extends a file.
    fn set_len(&self, file: &File, bytes: u64) -> io::Result<()>;

    /// Waits until the file's content is on the disk.
    fn sync(&self, file: &File) -> io::Result<()>;

    /// Waits until a directory's names are on the disk.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;

    /// Waits until files and the folders they are in, all of one file system, are on the disk.
    fn sync_all(&self, files: &BTreeSet<PathBuf>, dirs: &BTreeSet<PathBuf>) -> io::Result<()>;

    /// Gives a file another name, replacing what had it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Creates a directory and those above it, accessible to the owner only.
    fn create_dir(&self, path: &Path) -> io::Result<()>;
}

/// The operating system's file system.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct OsStorage;

impl Storage for OsStorage {
    fn create(&self, path: &Path) -> io::Result<Arc<File>> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true).mode(0o600).open(path).map(Arc::new)
    }

    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
        file.write_at(bytes, offset)
    }

    fn set_len(&self, file: &File, bytes: u64) -> io::Result<()> {
        file.set_len(bytes)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn sync_all(&self, files: &BTreeSet<PathBuf>, dirs: &BTreeSet<PathBuf>) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        if let Some(dir) = dirs.first().filter(|_| files.len() > SYNCED_ONE_BY_ONE_MAX) {
            return Ok(rustix::fs::syncfs(File::open(dir)?)?);
        }
        files.iter().try_for_each(|file| File::open(file)?.sync_data())?;
        dirs.iter().try_for_each(|dir| self.sync_dir(dir))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)
    }
}

impl dyn Storage {
    /// Writes all the bytes at an offset.
    pub(crate) fn write_all_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut done = 0;
        while done < bytes.len() {
            let at = offset + u64::try_from(done).unwrap_or(u64::MAX);
            match self.write_at(file, &bytes[done..], at) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => done += written,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Creates a file with this content, and its directory where that is missing.
    pub(crate) fn write_file(&self, path: &Path, bytes: &[u8]) -> io::Result<Arc<File>> {
        let created = match self.create(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.create_dir(path.parent().unwrap_or(path))?;
                self.create(path)
            }
            other => other,
        };
        let file = created?;
        self.write_all_at(&file, bytes, 0)?;
        Ok(file)
    }

    /// Gives a path this content at once: readers see the old file or the new one, whole, also after a crash.
    pub(crate) fn replace_file(&self, path: &Path, bytes: &[u8]) -> io::Result<Arc<File>> {
        let temporary = path.with_extension("new");
        let file = self.write_file(&temporary, bytes)?;
        self.sync(&file)?;
        self.rename(&temporary, path)?;
        Ok(file)
    }
}
