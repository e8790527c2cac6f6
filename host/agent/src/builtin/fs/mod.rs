//! `fs/read`, `fs/list`, `fs/stat`, `fs/search` and `fs/write`: files below configured roots.
//!
//! Paths are resolved against directory handles that were opened at start ([`FsRoots`]): neither `..`, an
//! absolute path nor a symlink leads out of a root, also when the tree changes meanwhile. Only regular files are
//! opened. File input and output runs on the runtime's blocking threads, [`FsLimits::parallel_max`] calls at a
//! time; a dropped call stops a walk at the next entry or line.

mod error;
mod glob;
mod limits;
mod list;
mod open;
mod path;
mod read;
mod roots;
mod search;
mod stat;
mod walk;
mod write;

use std::sync::Arc;

use alknet_call::{CallError, Registration, SpecError};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use error::FsError;
pub use limits::FsLimits;
pub use roots::{FsRoot, FsRootError, FsRoots};

/// The scopes these operations demand: `fs:write` for `fs/write`, `fs:read` for all others.
pub const SCOPES: &[&str] = &[READ, WRITE];

const READ: &str = "fs:read";
const WRITE: &str = "fs:write";

/// The registrations of all file operations.
///
/// # Errors
/// [`SpecError`] when a specification is not valid, which is a defect of this crate.
pub fn registrations(roots: FsRoots, limits: FsLimits) -> Result<Vec<Registration>, SpecError> {
    let permits = Arc::new(Semaphore::new(limits.parallel_max));
    let fs = Fs(Arc::new(Inner { roots, limits, permits }));
    Ok(vec![
        read::registration(&fs)?,
        list::registration(&fs)?,
        stat::registration(&fs)?,
        search::registration(&fs)?,
        write::registration(&fs)?,
    ])
}

/// What the file operations share. Cheap to clone.
#[derive(Debug, Clone)]
struct Fs(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    roots: FsRoots,
    limits: FsLimits,
    permits: Arc<Semaphore>,
}

/// One call's view, on a blocking thread.
struct Work<'a> {
    roots: &'a FsRoots,
    limits: &'a FsLimits,
    cancel: &'a CancellationToken,
}

impl Work<'_> {
    /// Fails once nobody waits for the result any more.
    fn check(&self) -> Result<(), FsError> {
        if self.cancel.is_cancelled() { Err(FsError::Cancelled) } else { Ok(()) }
    }
}

impl Fs {
    /// Runs blocking work. Dropping the future cancels it: it is not begun, or it sees `Work::cancel`.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Work<'_>) -> Result<T, FsError> + Send + 'static,
    ) -> Result<T, CallError> {
        let stopped = |_| CallError::internal("file operations have stopped");
        let permit = Arc::clone(&self.0.permits).acquire_owned().await.map_err(stopped)?;
        let (inner, cancel) = (Arc::clone(&self.0), CancellationToken::new());
        let _cancel_on_drop = cancel.clone().drop_guard();
        let running = tokio::task::spawn_blocking(move || {
            // Held until the work ends, also when nobody waits for it: the bound is on threads.
            let _permit = permit;
            let work_of_call = Work { roots: &inner.roots, limits: &inner.limits, cancel: &cancel };
            work_of_call.check()?;
            work(&work_of_call)
        });
        let ended = running.await.map_err(|_| CallError::internal("a file operation broke off"))?;
        ended.map_err(CallError::from)
    }
}

#[cfg(test)]
mod tests;
