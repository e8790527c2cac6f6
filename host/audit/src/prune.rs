//! Retention: what is old may go, and everything that was ever recorded stays provable.
//!
//! Whole entry bundles, the sources that only they name, and their rows in the index are removed. Every hash of the
//! tree and the checkpoint stay, so the log still verifies, proofs still can be made, and a record kept elsewhere
//! still can be shown to have been in the log. The pruning is a record itself, and signed before anything goes.

use std::fs;
use std::io;
use std::path::Path;

use alknet_call::AuditUnavailable;
use rusqlite::params;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::archive;
use crate::checkpoint::Checkpoint;
use crate::event::{AuditPruned, Event};
use crate::index::Index;
use crate::log::AuditLog;
use crate::merkle::Hash;
use crate::reader::QueryError;
use crate::sources;

/// Who asked for a pruning, for its record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PrunedBy {
    /// The identity; `None` for the host itself.
    pub caller: Option<String>,
    /// The call, as 32 hexadecimal digits.
    pub call: Option<String>,
}

/// What a pruning removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Pruned {
    /// Records removed now.
    pub records: u64,
    /// Sources removed now.
    pub sources: u64,
    /// The index of the first record that is kept.
    pub first_kept: u64,
}

/// Why nothing, or not everything, was pruned. Repeating it goes on where it ended.
#[derive(Debug, thiserror::Error)]
pub enum PruneError {
    /// The log cannot be read.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// The pruning cannot be recorded: nothing was removed.
    #[error(transparent)]
    Unavailable(#[from] AuditUnavailable),
    /// A file cannot be removed.
    #[error("cannot remove {path}: {source}")]
    Io {
        /// The file.
        path: std::path::PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
}

impl AuditLog {
    /// Removes what is only about records before `before` (microseconds since the Unix epoch), in whole bundles of
    /// 256 records. Sources of operations whose session is still open are kept. It blocks on the disk.
    ///
    /// # Errors
    /// [`PruneError`]. Nothing is removed before its removal is recorded and signed.
    pub fn prune(&self, before: u64, by: PrunedBy) -> Result<Pruned, PruneError> {
        let stored = self.storing();
        let layout = &self.shared().setup.layout;
        let covered = self.covered()?;
        let io = |source| QueryError::io(layout.dir(), source);
        let first = archive::first_bundle(layout).map_err(io)?;
        let old = self.reader().with_index(|index| index.first_since(layout, before))? / 256;
        // The last full bundle tells a recovery how the log ended.
        let end = old.min((covered / 256).saturating_sub(1));
        if end <= first {
            return Ok(Pruned { first_kept: first * 256, ..Pruned::default() });
        }
        let mut sources = self.reader().with_index(|index| unneeded_sources(index, end * 256))?;
        // The registration of one stored just now may follow.
        sources.retain(|digest| !stored.contains(digest));
        let done = Pruned {
            records: (end - first) * 256,
            sources: u64::try_from(sources.len()).unwrap_or(u64::MAX),
            first_kept: end * 256,
        };
        self.append(&Event::AuditPruned(AuditPruned {
            before,
            first_kept: done.first_kept,
            records: done.records,
            sources: done.sources,
            caller: by.caller,
            call: by.call,
        }))?;
        self.settle()?;
        self.reader().with_index(|index| index.forget_before(done.first_kept))?;
        for digest in &sources {
            remove(&sources::path(layout, digest))?;
        }
        // From the front, so that a crash in between leaves no gap.
        for bundle in first..end {
            remove(&layout.entries(bundle))?;
        }
        Ok(done)
    }

    /// Records that a published checkpoint covers now.
    fn covered(&self) -> Result<u64, PruneError> {
        let note = self.checkpoint()?;
        Ok(Checkpoint::open_unchecked(&note).map_err(|_| AuditUnavailable)?.size)
    }
}

/// Sources that only records before `end` name, and no operation of an open session.
fn unneeded_sources(index: &mut Index, end: u64) -> Result<Vec<Hash>, QueryError> {
    let mut statement = index.connection().prepare(
        "SELECT DISTINCT source FROM combinations WHERE source IS NOT NULL AND bundle < ?1
         EXCEPT SELECT source FROM combinations WHERE source IS NOT NULL AND bundle >= ?1
         EXCEPT SELECT source FROM combinations WHERE source IS NOT NULL AND session NOT IN
             (SELECT session FROM combinations WHERE session IS NOT NULL
              AND kind = (SELECT id FROM names WHERE text = 'session.closed'))",
    )?;
    let digests = statement.query_map(params![end / 256], |row| Ok(Hash(row.get(0)?)))?;
    Ok(digests.collect::<Result<_, _>>()?)
}

/// Removes a file; what is not there is removed already.
fn remove(path: &Path) -> Result<(), PruneError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(PruneError::Io { path: path.to_owned(), source: error })
        }
        Ok(()) | Err(_) => Ok(()),
    }
}
