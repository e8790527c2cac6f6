//! The compiled base module on disk, so that only the first start compiles.
//!
//! What is loaded here runs as native code. So the directory must belong to this user alone, and every file carries
//! the digest of its content: a file that was cut short or damaged is compiled again, not run.

use std::fs;
use std::hash::{Hash as _, Hasher};
use std::io::{self, Write as _};
use std::path::Path;

use sha2::{Digest as _, Sha256};
use wasmtime::{Engine, Module};

use crate::{SandboxError, trusted};

/// The module `make` returns, compiled; from `directory` when it is there already. `guest` is what it is made of.
///
/// A directory that cannot be used, or must not be, costs time only: it is reported as a warning.
pub(crate) fn module(
    engine: &Engine,
    directory: Option<&Path>,
    guest: &[u8],
    make: impl FnOnce() -> Result<Vec<u8>, SandboxError>,
) -> Result<Module, SandboxError> {
    let compile = |wasm: Vec<u8>| engine.precompile_module(&wasm).map_err(SandboxError::engine);
    let Some(directory) = directory else {
        return trusted::load(engine, &compile(make()?)?);
    };
    if let Err(error) = make_private(directory) {
        tracing::warn!(%error, "the sandbox cache directory is not usable; compiling without it");
        return trusted::load(engine, &compile(make()?)?);
    }
    let path = directory.join(format!("{}.cwasm", key(engine, guest)));
    if let Some(code) = read(&path)
        && let Ok(module) = trusted::load(engine, &code)
    {
        return Ok(module);
    }
    let code = compile(make()?)?;
    if let Err(error) = write(directory, &path, &code) {
        tracing::warn!(%error, "cannot write the sandbox cache");
    }
    trusted::load(engine, &code)
}

/// Everything that decides whether compiled code fits: guest, wasmtime's version and settings, this format.
fn key(engine: &Engine, guest: &[u8]) -> String {
    let mut hasher = Sha256Hasher(Sha256::new());
    hasher.write(FORMAT);
    hasher.write(&Sha256::digest(guest));
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hex::encode(hasher.0.finalize())
}

struct Sha256Hasher(Sha256);

impl Hasher for Sha256Hasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}

/// The code in `path`, if its digest is right.
fn read(path: &Path) -> Option<Vec<u8>> {
    if !fs::symlink_metadata(path).ok()?.is_file() {
        return None;
    }
    let mut file = fs::read(path).ok()?;
    let code = file.split_off(file.len().min(DIGEST_BYTES));
    (*Sha256::digest(&code) == *file).then_some(code)
}

/// Replaces `path` in one step, so that no reader ever sees half a file.
fn write(directory: &Path, path: &Path, code: &[u8]) -> io::Result<()> {
    let mut salt = [0; 8];
    getrandom::fill(&mut salt).map_err(io::Error::other)?;
    let temporary = directory.join(format!(".{}.tmp", hex::encode(salt)));
    let written = create_private(&temporary).and_then(|mut file| {
        file.write_all(&Sha256::digest(code))?;
        file.write_all(code)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    });
    if written.is_err() {
        drop(fs::remove_file(&temporary));
    }
    written
}

#[cfg(unix)]
fn create_private(path: &Path) -> io::Result<fs::File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Creates the directory if need be, and refuses one that others can enter or that others own.
#[cfg(unix)]
fn make_private(directory: &Path) -> io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
    if !directory.exists() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    }
    let metadata = fs::symlink_metadata(directory)?;
    if !metadata.is_dir() {
        return Err(io::Error::other("it is not a directory"));
    }
    if metadata.permissions().mode() & 0o077 != 0 {
        return Err(io::Error::other("others than its owner may use it; its mode must be 0700"));
    }
    // A file made now belongs to the user this process acts as.
    let mut salt = [0; 8];
    getrandom::fill(&mut salt).map_err(io::Error::other)?;
    let probe = directory.join(format!(".{}.probe", hex::encode(salt)));
    let owner = create_private(&probe)?.metadata()?.uid();
    fs::remove_file(&probe)?;
    if owner == metadata.uid() { Ok(()) } else { Err(io::Error::other("it belongs to another user")) }
}

#[cfg(not(unix))]
fn create_private(path: &Path) -> io::Result<fs::File> {
    fs::OpenOptions::new().write(true).create_new(true).open(path)
}

#[cfg(not(unix))]
fn make_private(_: &Path) -> io::Result<()> {
    Err(io::Error::other("private directories are only known on Unix"))
}

const FORMAT: &[u8] = b"alknet-sandbox base 1";
const DIGEST_BYTES: usize = 32;
