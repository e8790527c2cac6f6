//! The latest records, as they come: read from the log's files, without a lock, an index or a trace in the log.

use std::path::Path;

use crate::archive::{self, Piece};
use crate::layout::Layout;
use crate::reader::{Entry, QueryError};

/// Reads a log from somewhere near its end, also while a host writes it.
#[derive(Debug)]
pub struct Tail {
    layout: Layout,
    next: u64,
}

impl Tail {
    /// Begins with the last `count` records of the log in a directory.
    ///
    /// # Errors
    /// [`QueryError::Io`] when there is no log, or it cannot be read.
    pub fn open(dir: &Path, count: u64) -> Result<Self, QueryError> {
        let layout = Layout::new(dir);
        let path = layout.checkpoint();
        path.metadata().map_err(|source| QueryError::io(&path, source))?;
        let io = |source| QueryError::io(dir, source);
        let first = archive::first_bundle(&layout).map_err(io)? * 256;
        let next = archive::size(&layout).map_err(io)?.saturating_sub(count).max(first);
        Ok(Self { layout, next })
    }

    /// The records since the last time, at most a bundle of them; none when there is nothing new.
    ///
    /// # Errors
    /// [`QueryError`] when the log cannot be read; [`QueryError::Pruned`] when what follows is gone.
    pub fn read(&mut self) -> Result<Vec<Entry>, QueryError> {
        let io = |source| QueryError::io(self.layout.dir(), source);
        let piece = archive::read_piece(&self.layout, self.next / 256).map_err(io)?;
        let overtaken = matches!(piece, Piece::Tail(_))
            && archive::first_bundle(&self.layout).map_err(io)? > self.next / 256;
        if overtaken {
            return Err(QueryError::Pruned { index: self.next });
        }
        let known = usize::try_from(self.next % 256).unwrap_or_default();
        let mut entries = Vec::new();
        for bytes in piece.bundle().records().skip(known) {
            let index = self.next;
            // Half a record at the very end, or one that a crash tore: it will be whole, or gone.
            let Ok(record) = serde_json::from_slice(bytes) else { break };
            entries.push(Entry { index, record });
            self.next += 1;
        }
        Ok(entries)
    }
}
