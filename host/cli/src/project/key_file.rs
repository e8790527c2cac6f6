//! Files with secrets: made private, and refused when they are not.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use alknet_core::Ed25519SecretKey;
use zeroize::Zeroizing;

/// Why a file with a secret is refused. The content is never shown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyFileError {
    /// It cannot be read.
    #[error("cannot read {}: {source}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Others than its owner may read or change it.
    #[error("{} is open to other users (mode {mode:04o}); run: chmod {fix} '{}'", file.display(), file.display())]
    Exposed {
        /// The file or folder.
        file: PathBuf,
        /// Its mode.
        mode: u32,
        /// The mode it should have.
        fix: &'static str,
    },
    /// It is no key.
    #[error("{} is not a key file: expected one line of 64 hexadecimal digits", file.display())]
    Malformed {
        /// The file.
        file: PathBuf,
    },
    /// It is no regular file, or larger than a secret can be.
    #[error("{} is not a regular file of 1 to {SECRET_BYTES_MAX} bytes", file.display())]
    Unfit {
        /// The file.
        file: PathBuf,
    },
}

/// Reads an Ed25519 key: one line of 64 hexadecimal digits in a file only its owner can read.
///
/// # Errors
/// [`KeyFileError`].
pub(crate) fn read_key(file: &Path) -> Result<Ed25519SecretKey, KeyFileError> {
    let text = read_secret(file)?;
    let mut seed = Zeroizing::new([0; 32]);
    let decoded = hex::decode_to_slice(text.trim_end(), &mut *seed);
    decoded.map_err(|_| KeyFileError::Malformed { file: file.to_owned() })?;
    Ok(Ed25519SecretKey::from_bytes(&seed))
}

/// Makes a key file; it must not exist.
pub(crate) fn create_key(file: &Path, key: &Ed25519SecretKey) -> io::Result<()> {
    let mut text = Zeroizing::new(hex::encode(*key.to_bytes()));
    text.push('\n');
    create_private_file(file, text.as_bytes())
}

/// Reads a secret text from a file only its owner can read.
///
/// # Errors
/// [`KeyFileError`].
pub(crate) fn read_secret(file: &Path) -> Result<Zeroizing<String>, KeyFileError> {
    let failed = |source| KeyFileError::Read { file: file.to_owned(), source };
    // A FIFO must not block the open; anything but a regular file is refused below.
    let mut open = OpenOptions::new().read(true).custom_flags(O_NONBLOCK).open(file).map_err(failed)?;
    let metadata = open.metadata().map_err(failed)?;
    if !metadata.is_file() || metadata.len() == 0 || metadata.len() > SECRET_BYTES_MAX {
        return Err(KeyFileError::Unfit { file: file.to_owned() });
    }
    private(file, metadata.mode(), "600")?;
    let mut text =
        Zeroizing::new(String::with_capacity(usize::try_from(SECRET_BYTES_MAX).unwrap_or_default()));
    (&mut open).take(SECRET_BYTES_MAX).read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}

/// Refuses a folder that other users can look into.
///
/// # Errors
/// [`KeyFileError`].
pub(crate) fn check_private_dir(dir: &Path) -> Result<(), KeyFileError> {
    let failed = |source| KeyFileError::Read { file: dir.to_owned(), source };
    let metadata = std::fs::metadata(dir).map_err(failed)?;
    if !metadata.is_dir() {
        return Err(failed(io::ErrorKind::NotADirectory.into()));
    }
    private(dir, metadata.mode(), "700")
}

/// Makes a folder for its owner alone; it must not exist.
pub(crate) fn create_private_dir(dir: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(dir)
}

/// Makes a file for its owner alone, on the disk when this returns; it must not exist.
pub(crate) fn create_private_file(file: &Path, content: &[u8]) -> io::Result<()> {
    let mut open: File = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
    open.write_all(content)?;
    open.sync_all()
}

/// Makes a file for its owner alone, or replaces it in one step; on the disk when this returns.
pub(crate) fn replace_private_file(file: &Path, content: &[u8]) -> io::Result<()> {
    let mut temporary = file.as_os_str().to_owned();
    temporary.push(".new");
    let temporary = Path::new(&temporary);
    // An earlier attempt may have been broken off.
    match std::fs::remove_file(temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    create_private_file(temporary, content)?;
    std::fs::rename(temporary, file)?;
    file.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

fn private(file: &Path, mode: u32, fix: &'static str) -> Result<(), KeyFileError> {
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(KeyFileError::Exposed { file: file.to_owned(), mode: mode & 0o7777, fix })
}

const SECRET_BYTES_MAX: u64 = 4096;
#[cfg(any(target_os = "linux", target_os = "android"))]
const O_NONBLOCK: i32 = 0o4000;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const O_NONBLOCK: i32 = 0x4;
