//! Opens what an earlier run left: finds the end of the log and proves it against the last checkpoint.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use alknet_core::PublicKey;

use crate::archive;
use crate::checkpoint::Checkpoint;
use crate::event::Event;
use crate::layout::{Bundle, Layout, TileFile};
use crate::merkle::{Frontier, Hash, TILE_WIDTH};
use crate::note::NoteError;
use crate::reader::QueryError;
use crate::record::{Record, RecordFault};
use crate::tail_file::TailFile;
use crate::writer::FullBundle;

/// Why a log was not opened. Nothing on the disk was changed, but for a lock file.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A file could not be read or written.
    #[error("cannot use {path}: {source}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
    /// Another process writes this log.
    #[error("{dir} is in use by another process")]
    Locked {
        /// The log's directory.
        dir: PathBuf,
    },
    /// The origin cannot name a key.
    #[error("an origin has no spaces, no plus and at most 255 bytes")]
    Origin,
    /// The query index cannot be made.
    #[error("the query index cannot be made: {0}")]
    Index(#[source] QueryError),
    /// There are records but no checkpoint.
    #[error("the log has records but no checkpoint")]
    CheckpointMissing,
    /// The checkpoint is not ours.
    #[error("the checkpoint does not count: {0}")]
    Checkpoint(#[source] NoteError),
    /// The checkpoint is of another log.
    #[error("the checkpoint is of the log {found}, not of {expected}")]
    OtherLog {
        /// The origin in the checkpoint.
        found: String,
        /// The origin asked for.
        expected: String,
    },
    /// Records that the checkpoint covers are gone.
    #[error("the checkpoint covers {covered} records, but only {found} whole ones are there")]
    Truncated {
        /// Records that the checkpoint covers.
        covered: u64,
        /// Whole records found.
        found: u64,
    },
    /// A record that the checkpoint covers is none.
    #[error("record {index} is damaged: {fault}")]
    Damaged {
        /// The record's index.
        index: u64,
        /// What is wrong with it.
        fault: RecordFault,
    },
    /// The records are not those that the checkpoint covers.
    #[error("the checkpoint says that {size} records have the root {expected}, but they have {found}")]
    OtherTree {
        /// Records that the checkpoint covers.
        size: u64,
        /// The root in the checkpoint.
        expected: Hash,
        /// The root of the records found.
        found: Hash,
    },
}

/// The end of the log as it was found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) frontier: Frontier,
    /// Full bundles that may not be stored, or be torn.
    pub(crate) full: Vec<FullBundle>,
    /// The framed records right of the last full bundle.
    pub(crate) tail: Vec<u8>,
    pub(crate) checkpoint: Option<Checkpoint>,
    /// Bytes that are no whole record, behind everything that is.
    pub(crate) dropped_bytes: u64,
    /// Whether the log was closed in order.
    pub(crate) clean: bool,
    /// The time of the last record.
    pub(crate) time: u64,
    /// Files that stand behind the end of the log and must go.
    pub(crate) beyond: Vec<PathBuf>,
}

/// Reads the log; changes nothing.
pub(crate) fn find(layout: &Layout, origin: &str, key: &PublicKey) -> Result<Found, OpenError> {
    let path = layout.checkpoint();
    let text = archive::read_if_there(&path).map_err(at(&path))?;
    let Some(text) = text else {
        let piece = archive::read_piece(layout, 0).map_err(at(layout.dir()))?;
        let pruned = archive::first_bundle(layout).map_err(at(layout.dir()))? > 0;
        return if piece.bundle().bytes.is_empty() && !pruned {
            Ok(Found::new_log())
        } else {
            Err(OpenError::CheckpointMissing)
        };
    };
    let text = String::from_utf8(text).map_err(|_| OpenError::Checkpoint(NoteError::Malformed))?;
    let checkpoint = Checkpoint::open(&text, key).map_err(OpenError::Checkpoint)?;
    if checkpoint.origin != origin {
        return Err(OpenError::OtherLog { found: checkpoint.origin, expected: origin.to_owned() });
    }
    let edge = checkpoint.size / 256;
    let stored = first_unstored(layout, edge)?;
    let tail = TailFile::read(layout, stored).map_err(at(&layout.tail()))?;
    // Only what is not in the tail is known to be whole elsewhere.
    let frontier = load_frontier(layout, edge.min(tail.first()))?;
    Walk {
        layout,
        checkpoint: &checkpoint,
        file: tail,
        frontier,
        full: Vec::new(),
        last: None,
        dropped: 0,
        beyond: Vec::new(),
    }
    .walk()
    .map(|found| Found { checkpoint: Some(checkpoint.clone()), ..found })
}

impl Found {
    fn new_log() -> Self {
        Self {
            frontier: Frontier::default(),
            full: Vec::new(),
            tail: Vec::new(),
            checkpoint: None,
            dropped_bytes: 0,
            clean: true,
            time: 0,
            beyond: Vec::new(),
        }
    }
}

/// The edge of a tree of full bundles, from the tiles of hashes. The checkpoint's root proves it afterwards.
fn load_frontier(layout: &Layout, bundles: u64) -> Result<Frontier, OpenError> {
    let mut levels = vec![Vec::new()];
    let mut complete = bundles;
    for level in 0..u8::MAX {
        if complete == 0 {
            break;
        }
        let roots = (complete - complete % 256..complete).map(|index| {
            let path = layout.tile(TileFile::hashes(level, index));
            let bytes = fs::read(&path).map_err(at(&path))?;
            Ok(Hash::of_subtrees(&parse_tile(&bytes)))
        });
        levels.push(roots.collect::<Result<_, OpenError>>()?);
        complete /= 256;
    }
    Ok(Frontier::from_levels(bundles * 256, levels))
}

/// The first bundle from `index` on that has no file.
fn first_unstored(layout: &Layout, mut index: u64) -> Result<u64, OpenError> {
    loop {
        let path = layout.entries(index);
        if !path.try_exists().map_err(at(&path))? {
            return Ok(index);
        }
        index += 1;
    }
}

/// The hashes in a tile's file.
pub(crate) fn parse_tile(bytes: &[u8]) -> Vec<Hash> {
    let (hashes, _) = bytes.as_chunks::<32>();
    hashes.iter().copied().map(Hash).collect()
}

/// Goes through the entries from the first bundle of the tail or the last one of the checkpoint on.
struct Walk<'a> {
    layout: &'a Layout,
    checkpoint: &'a Checkpoint,
    file: TailFile,
    frontier: Frontier,
    full: Vec<FullBundle>,
    last: Option<(bool, u64)>,
    dropped: u64,
    beyond: Vec<PathBuf>,
}

impl Walk<'_> {
    fn walk(mut self) -> Result<Found, OpenError> {
        self.remember_last_before_tail()?;
        self.check_root()?;
        let tail = loop {
            let index = self.frontier.size() / 256;
            // Of a bundle that is also in the tail, the file may be torn.
            let bundle = match self.file.bundle(index) {
                Some(bundle) => bundle,
                None => self.stored_bundle(index)?,
            };
            let whole = self.push_records(&bundle)?;
            let end = whole.map_or(0, |at| bundle.entries[at].end);
            let torn = bundle.bytes.len() - end;
            let mut bytes = bundle.bytes;
            bytes.truncate(end);
            if self.frontier.width() == TILE_WIDTH {
                let tiles = self.frontier.carry();
                self.full.push(FullBundle { index, bytes: std::mem::take(&mut bytes), tiles });
            }
            if self.frontier.size() / 256 == index || torn > 0 {
                // The log ends here, maybe inside of a bundle that a power cut tore.
                self.dropped += count(torn);
                self.drop_behind(index);
                break bytes;
            }
        };
        let (covered, found) = (self.checkpoint.size, self.frontier.size());
        if found < covered {
            return Err(OpenError::Truncated { covered, found });
        }
        self.stale_tiles()?;
        let (stopped, time) = self.last.unwrap_or((true, 0));
        Ok(Found {
            frontier: self.frontier,
            full: self.full,
            tail,
            checkpoint: None,
            dropped_bytes: self.dropped,
            clean: stopped && self.dropped == 0,
            time,
            beyond: self.beyond,
        })
    }

    /// Adds the bundle's records to the tree; answers the last one's place in the bundle.
    fn push_records(&mut self, bundle: &Bundle) -> Result<Option<usize>, OpenError> {
        let mut scratch = Vec::new();
        let mut last = None;
        for (place, bytes) in bundle.records().enumerate() {
            match Record::parse(bytes, &mut scratch) {
                Ok(record) => self.last = Some(stop_and_time(&record)),
                Err(fault) if self.frontier.size() < self.checkpoint.size => {
                    return Err(OpenError::Damaged { index: self.frontier.size(), fault });
                }
                // Behind the checkpoint, what is no record was torn by a crash of the machine.
                Err(_) => break,
            }
            self.frontier.push(Hash::of_leaf(bytes));
            last = Some(place);
            self.check_root()?;
        }
        Ok(last)
    }

    fn check_root(&self) -> Result<(), OpenError> {
        let (size, expected) = (self.checkpoint.size, self.checkpoint.root);
        if self.frontier.size() != size {
            return Ok(());
        }
        let found = self.frontier.root();
        if found == expected { Ok(()) } else { Err(OpenError::OtherTree { size, expected, found }) }
    }

    /// The last record may be the last of a full bundle.
    fn remember_last_before_tail(&mut self) -> Result<(), OpenError> {
        let Some(index) = (self.frontier.size() / 256).checked_sub(1) else {
            return Ok(());
        };
        let path = self.layout.entries(index);
        let bundle = Bundle::parse(fs::read(&path).map_err(at(&path))?, TILE_WIDTH);
        let last = bundle.records().next_back().unwrap_or_default();
        let record = Record::parse(last, &mut Vec::new())
            .map_err(|fault| OpenError::Damaged { index: self.frontier.size() - 1, fault })?;
        self.last = Some(stop_and_time(&record));
        Ok(())
    }

    /// A bundle that the tail does not go back to.
    fn stored_bundle(&self, index: u64) -> Result<Bundle, OpenError> {
        let path = self.layout.entries(index);
        let bytes = archive::read_if_there(&path).map_err(at(&path))?.unwrap_or_default();
        Ok(Bundle::parse(bytes, TILE_WIDTH))
    }

    /// Everything behind the bundle `index`, in which the log ends, goes; the tail is written anew.
    fn drop_behind(&mut self, index: u64) {
        let tail = &self.file;
        let in_tail = (tail.first().max(index + 1)..).map_while(|index| tail.bundle(index));
        let in_tail = in_tail.take_while(|bundle| !bundle.bytes.is_empty());
        self.dropped += in_tail.map(|bundle| count(bundle.bytes.len())).sum::<u64>();
        for stored in index.. {
            let path = self.layout.entries(stored);
            let Ok(metadata) = fs::metadata(&path) else { break };
            if stored > index && stored < tail.first() {
                self.dropped += metadata.len();
            }
            if stored >= self.frontier.size() / 256 {
                self.beyond.push(path);
            }
        }
    }

    /// Tiles that a lost bundle left behind.
    fn stale_tiles(&mut self) -> Result<(), OpenError> {
        let mut complete = self.frontier.size() / 256;
        for level in 0..u8::MAX {
            let mut index = complete;
            loop {
                let path = self.layout.tile(TileFile::hashes(level, index));
                if !path.try_exists().map_err(at(&path))? {
                    break;
                }
                self.beyond.push(path);
                index += 1;
            }
            complete /= 256;
            if complete == 0 && index == 0 {
                break;
            }
        }
        Ok(())
    }
}

fn stop_and_time(record: &Record<'_>) -> (bool, u64) {
    let stopped = matches!(record, Record::Event(Event::HostStopped(_), _));
    (stopped, record.facets().time)
}

fn count(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

/// Names the path in an I/O error.
pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> OpenError {
    move |source| OpenError::Io { path: path.to_owned(), source }
}
