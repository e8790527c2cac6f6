//! Answers questions about a log's records, beside its writer or without one.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::archive;
use crate::index::{Index, Place};
use crate::layout::{Bundle, Layout};
use crate::merkle::Hash;
use crate::sources::{self, Kept};

/// Records that the index may be behind while the log is busy: well below a second's work for the next question.
const BEHIND_MAX: u64 = 400_000;

/// Reads a log: by question, by call tree, by provenance. It never changes a record.
///
/// Questions are answered from an index that is derived from the log and first brought up to its end. All methods
/// block on the disk; one question is answered at a time.
#[derive(Debug)]
pub struct AuditReader {
    layout: Layout,
    place: Place,
    index: Mutex<Option<Index>>,
}

/// A record with its place in the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Entry {
    /// The record's index: the first record has 0.
    pub index: u64,
    /// The record, as `schemas/audit/record.json` describes it.
    pub record: Value,
}

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// A file could not be read.
    #[error("cannot read {path}: {source}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The operating system's answer.
        source: std::io::Error,
    },
    /// The query index failed.
    #[error("the query index failed: {source}")]
    Index {
        /// The database's answer.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A record is damaged: the log must be verified.
    #[error("record {index} is damaged")]
    Damaged {
        /// The record's index.
        index: u64,
    },
    /// A tile is shorter than the tree needs: the log must be verified.
    #[error("the tile {tile} is too short")]
    TileTooShort {
        /// The tile's path below `tile/`.
        tile: String,
    },
    /// A record was removed by [`crate::AuditLog::prune`]; its hash is still in the tree.
    #[error("record {index} was pruned")]
    Pruned {
        /// The record's index.
        index: u64,
    },
    /// No checkpoint can be published at the moment.
    #[error("no checkpoint can be published at the moment")]
    Unpublished,
    /// There is no such record or tree size.
    #[error("there is no such record or tree size")]
    OutOfRange,
    /// The call tree has more records than one answer holds; they can be asked for page by page.
    #[error("the call tree has more than {max} records: ask for them by root, page by page")]
    TooLarge {
        /// The most records of one answer.
        max: usize,
    },
}

impl AuditReader {
    /// Reads the log in a directory, with an index in memory. No lock is taken: a host may write meanwhile.
    ///
    /// # Errors
    /// [`QueryError`] when the log cannot be read.
    pub fn open(dir: &Path) -> Result<Self, QueryError> {
        let layout = Layout::new(dir);
        let path = layout.checkpoint();
        path.metadata().map_err(|source| QueryError::io(&path, source))?;
        let reader = Self { layout, place: Place::Memory, index: Mutex::new(None) };
        drop(reader.caught_up()?);
        Ok(reader)
    }

    /// Reads beside the writer, with an index in the log's directory.
    pub(crate) fn beside(layout: Layout) -> Self {
        let place = Place::File(layout.index());
        Self { layout, place, index: Mutex::new(None) }
    }

    /// The record with this index.
    ///
    /// # Errors
    /// [`QueryError::OutOfRange`] when there is none.
    pub fn record(&self, index: u64) -> Result<Entry, QueryError> {
        self.entries([index])?.pop().ok_or(QueryError::OutOfRange)
    }

    /// The record with this index, and its hash as a leaf of the tree.
    ///
    /// # Errors
    /// [`QueryError::OutOfRange`] when there is none, [`QueryError::Pruned`] when there is none any more.
    pub fn leaf(&self, index: u64) -> Result<(Entry, Hash), QueryError> {
        let (_, bytes) = self.raw([index])?.pop().ok_or(QueryError::OutOfRange)?;
        let record = serde_json::from_slice(&bytes).map_err(|_| QueryError::Damaged { index })?;
        Ok((Entry { index, record }, Hash::of_leaf(&bytes)))
    }

    /// A kept source by its SHA-256; `None` when it is missing or was changed.
    ///
    /// # Errors
    /// [`QueryError::Io`] when it cannot be read.
    pub fn source(&self, digest: &Hash) -> Result<Option<String>, QueryError> {
        Ok(match self.kept(digest)? {
            Kept::Text(text) => Some(text),
            Kept::Missing | Kept::Changed => None,
        })
    }

    pub(crate) fn kept(&self, digest: &Hash) -> Result<Kept, QueryError> {
        let path = sources::path(&self.layout, digest);
        sources::load(&self.layout, digest).map_err(|source| QueryError::io(&path, source))
    }

    /// The index, at the end of the log. A damaged one is rebuilt once.
    pub(crate) fn caught_up(&self) -> Result<CaughtUp<'_>, QueryError> {
        // A panic leaves at worst an index that is behind.
        let mut guard = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        self.catch_up(&mut guard)?;
        Ok(CaughtUp(guard))
    }

    /// Brings the index closer to the log's end, unless somebody uses it: all the way while the log is quiet,
    /// otherwise only as far as keeps the next question from waiting long. True if it is still behind `size`.
    pub(crate) fn catch_up_aside(&self, size: u64, quiet: bool) -> bool {
        let mut guard = match self.index.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return true,
        };
        let behind = size - guard.as_ref().map_or(0, Index::records).min(size);
        let result = match guard.as_mut() {
            _ if quiet => self.catch_up(&mut guard),
            Some(index) if behind > BEHIND_MAX => index.read_bundles(&self.layout).map(drop),
            None if behind > BEHIND_MAX => {
                Index::open(&self.place, &self.layout).map(|index| *guard = Some(index))
            }
            Some(_) | None => Ok(()),
        };
        if let Err(error) = result {
            tracing::warn!(%error, "the audit index is behind");
            return false;
        }
        guard.as_ref().is_none_or(|index| index.records() < size)
    }

    /// The index with its tables, at the end of the log, to change.
    pub(crate) fn with_index<T>(
        &self,
        work: impl FnOnce(&mut Index) -> Result<T, QueryError>,
    ) -> Result<T, QueryError> {
        let CaughtUp(mut guard) = self.caught_up()?;
        work(guard.as_mut().ok_or(QueryError::OutOfRange)?)
    }

    /// Brings the index up to the end of the log if anybody has used it.
    pub(crate) fn catch_up_if_open(&self, size: u64) {
        if self.index.try_lock().is_ok_and(|slot| slot.is_some()) {
            self.catch_up_aside(size, true);
        }
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Records in the index.
    #[cfg(test)]
    pub(crate) fn indexed(&self) -> u64 {
        let slot = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        slot.as_ref().map_or(0, Index::records)
    }

    fn catch_up(&self, slot: &mut Option<Index>) -> Result<(), QueryError> {
        let attempt = |slot: &mut Option<Index>| match slot {
            Some(index) => index.catch_up(&self.layout),
            None => slot.insert(Index::open(&self.place, &self.layout)?).catch_up(&self.layout),
        };
        match attempt(slot) {
            Err(QueryError::Index { source }) => {
                tracing::warn!(error = %source, "the audit index is rebuilt");
                *slot = None;
                self.place.remove();
                attempt(slot)
            }
            other => other,
        }
    }

    /// The records with these indexes, in the order asked for.
    pub(crate) fn entries(&self, indexes: impl IntoIterator<Item = u64>) -> Result<Vec<Entry>, QueryError> {
        let parse = |(index, bytes): (u64, Vec<u8>)| {
            let record = serde_json::from_slice(&bytes).map_err(|_| QueryError::Damaged { index })?;
            Ok(Entry { index, record })
        };
        self.raw(indexes)?.into_iter().map(parse).collect()
    }

    /// The bytes of the records with these indexes, in the order asked for.
    pub(crate) fn raw(
        &self,
        indexes: impl IntoIterator<Item = u64>,
    ) -> Result<Vec<(u64, Vec<u8>)>, QueryError> {
        let mut at = None;
        let mut bundle = Bundle::default();
        let mut records = Vec::new();
        for index in indexes {
            if at != Some(index / 256) {
                bundle = self.bundle(index)?;
                at = Some(index / 256);
            }
            let place = usize::try_from(index % 256).unwrap_or_default();
            let bytes = bundle.record(place).ok_or(QueryError::OutOfRange)?;
            records.push((index, bytes.to_vec()));
        }
        Ok(records)
    }

    /// The bundle that a record is in.
    fn bundle(&self, index: u64) -> Result<Bundle, QueryError> {
        let io = |source| QueryError::io(self.layout.dir(), source);
        let gone = !self.layout.entries(index / 256).try_exists().map_err(io)?;
        if gone && index / 256 < archive::first_bundle(&self.layout).map_err(io)? {
            return Err(QueryError::Pruned { index });
        }
        Ok(archive::read_piece(&self.layout, index / 256).map_err(io)?.into_bundle())
    }
}

/// The index while a question is answered.
#[derive(Debug)]
pub(crate) struct CaughtUp<'a>(MutexGuard<'a, Option<Index>>);

impl CaughtUp<'_> {
    /// The index.
    pub(crate) fn get(&self) -> Result<&Index, QueryError> {
        self.0.as_ref().ok_or(QueryError::OutOfRange)
    }
}

impl QueryError {
    pub(crate) fn io(path: &Path, source: std::io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }
}

impl From<rusqlite::Error> for QueryError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Index { source: Box::new(error) }
    }
}
