//! The store's owner: one thread with one connection, fed by a bounded queue.

use std::fs::{OpenOptions, Permissions};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use alknet_call::CallError;
use serde_json::json;
use tokio::sync::{mpsc, oneshot};

use super::KvLimits;
use super::database::Database;

/// An open key-value store. Cheap to clone; the last clone to be dropped closes the file.
///
/// What was acknowledged survives a crash of the process; the last moments before a power failure may be lost,
/// but the file stays whole.
#[derive(Debug, Clone)]
pub struct KvStore(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limits: KvLimits,
    /// `None` only while the store is being dropped.
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

type Job = Box<dyn FnOnce(&mut Database) + Send>;

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum KvOpenError {
    /// The file cannot be made or its mode not be set.
    #[error("{}: {cause}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        #[source]
        cause: std::io::Error,
    },
    /// The file is no key-value store, or damaged.
    #[error("{} is no intact key-value store: {reason}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file was written by a later version of this program.
    #[error("{} has format {found}, this program knows up to {known}", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The newest format this program knows.
        known: i64,
    },
}

/// Why a key-value operation failed.
#[derive(Debug)]
pub(super) enum KvError {
    /// The key has this version; 0 if there is none.
    Version(u64),
    /// A bound would be exceeded.
    Limit(&'static str, u64),
    Database(rusqlite::Error),
}

const FILE_MODE: u32 = 0o600;

impl KvStore {
    /// Opens the store in a file, which is made if it is not there, with mode 0600.
    ///
    /// # Errors
    /// [`KvOpenError`] naming the file: it cannot be made, is damaged, or is none of ours.
    pub fn open(path: &Path, limits: KvLimits) -> Result<Self, KvOpenError> {
        let failed = |cause| KvOpenError::File { path: path.to_owned(), cause };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(FILE_MODE);
        let file = options.open(path).map_err(failed)?;
        file.set_permissions(Permissions::from_mode(FILE_MODE)).map_err(failed)?;
        drop(file);
        let database = Database::open(path, limits.clone())?;
        let (jobs, queue) = mpsc::channel(limits.queue_max);
        let thread = std::thread::Builder::new().name("alknet-kv".to_owned());
        let thread = thread.spawn(move || serve(database, queue)).map_err(failed)?;
        Ok(Self(Arc::new(Inner { limits, jobs: Some(jobs), thread: Some(thread) })))
    }

    pub(super) fn limits(&self) -> &KvLimits {
        &self.0.limits
    }

    /// Runs work on the store's thread; work whose caller is gone before its turn is not begun.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Database) -> Result<T, KvError> + Send + 'static,
    ) -> Result<T, CallError> {
        let stopped = || CallError::internal("the key-value store has stopped");
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |database| {
            if !reply.is_closed() {
                // Nobody may wait any more by now, which is no failure.
                reply.send(work(database)).ok();
            }
        });
        self.0.jobs.as_ref().ok_or_else(stopped)?.send(job).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?.map_err(CallError::from)
    }
}

impl Drop for Inner {
    /// Closes the queue, lets the thread finish what is in it, and waits for the file to be closed.
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(Err(_panic)) = self.thread.take().map(JoinHandle::join) {
            tracing::error!("the key-value store's thread panicked");
        }
    }
}

fn serve(mut database: Database, mut queue: mpsc::Receiver<Job>) {
    while let Some(job) = queue.blocking_recv() {
        job(&mut database);
    }
}

impl From<rusqlite::Error> for KvError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

impl From<KvError> for CallError {
    fn from(error: KvError) -> Self {
        match error {
            KvError::Version(current) => {
                Self::new("VERSION_MISMATCH", format!("the key has version {current}"))
                    .with_details(json!({ "version": current }))
            }
            KvError::Limit(limit, max) => Self::new("LIMIT_EXCEEDED", format!("{limit} is at most {max}"))
                .with_details(json!({ "limit": limit, "max": max })),
            KvError::Database(cause) => {
                // The code alone: the text of an error may quote what is stored.
                tracing::error!(code = ?cause.sqlite_error_code(), "the key-value store failed");
                Self::internal("the key-value store failed")
            }
        }
    }
}
