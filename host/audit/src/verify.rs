//! Proves a log's directory from the outside: every byte that counts is computed again.

mod facts;
mod tiles;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use alknet_core::PublicKey;
use tokio::time::Instant;

use crate::archive::{self, Piece, Pieces};
use crate::checkpoint::{Checkpoint, CheckpointFault, Which};
use crate::index::{self, IndexFault};
use crate::layout::{Bundle, Layout, place};
use crate::merkle::{Frontier, Hash, TILE_WIDTH};
use crate::note::NoteError;
use crate::record::{Record, RecordFault};
use crate::sources::{self, Kept};
use crate::tail_file::TailFile;

use facts::Facts;
use tiles::TilesOnDisk;

/// What a log is held against.
#[derive(Debug, Clone, Default)]
pub struct VerifyOptions {
    /// The key that must have signed the checkpoint. Without it no signature is checked.
    pub key: Option<PublicKey>,
    /// A checkpoint kept elsewhere, as a signed note: the log must still begin with what it covers.
    pub checkpoint: Option<String>,
}

/// What was proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyReport {
    /// The log's name, from its checkpoint.
    pub origin: String,
    /// Whether the checkpoint's signature was checked.
    pub signature: SignatureState,
    /// Records in the log.
    pub records: u64,
    /// Records that the checkpoint covers. Those behind it are whole, but nobody has signed them: normal while
    /// a host writes the log, or after it was killed.
    pub covered: u64,
    /// The root of the tree over all records.
    pub root: Hash,
    /// Bytes of all records with their framing.
    pub bytes: u64,
    /// Bytes of a record that is not whole, behind all others: normal after a crash.
    pub torn_bytes: u64,
    /// Calls that were admitted.
    pub admitted: u64,
    /// Calls that were refused.
    pub refused: u64,
    /// Calls that ended.
    pub finished: u64,
    /// Admitted calls whose end was not recorded, because the host was killed or they still run.
    pub unfinished: u64,
    /// Sources that were checked against their digests.
    pub sources: u64,
    /// Records that were pruned: their hashes are in the tree, and a record says that they were removed.
    pub pruned: u64,
    /// Records that the query index was held against; `None` when there is no index.
    pub indexed: Option<u64>,
    /// The times of the first and the last record, in microseconds since the Unix epoch.
    pub times: Option<(u64, u64)>,
    /// How long it took.
    pub elapsed: Duration,
}

/// What is known of the checkpoint's signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureState {
    /// It is by the key given.
    Valid,
    /// No key was given.
    Unchecked,
}

/// The first thing found wrong.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// A file could not be read.
    #[error("cannot read {path}: {source}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
    /// There is no checkpoint.
    #[error("there is no checkpoint in {dir}")]
    CheckpointMissing {
        /// The log's directory.
        dir: PathBuf,
    },
    /// A checkpoint does not count.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointFault),
    /// Records that a checkpoint covers are gone.
    #[error("the {which} checkpoint covers {covered} records, but only {found} are there")]
    Truncated {
        /// Which checkpoint.
        which: Which,
        /// Records it covers.
        covered: u64,
        /// Records found.
        found: u64,
    },
    /// The records are not those that a checkpoint covers: the log was rewritten, or is a fork.
    #[error(
        "the {which} checkpoint says that {size} records have the root {expected}, but they have {found}"
    )]
    OtherTree {
        /// Which checkpoint.
        which: Which,
        /// Records it covers.
        size: u64,
        /// The root it names.
        expected: Hash,
        /// The root of the records found.
        found: Hash,
    },
    /// A record is no record.
    #[error("record {index}: {fault}")]
    Record {
        /// The record's index.
        index: u64,
        /// What is wrong with it.
        fault: RecordFault,
    },
    /// A bundle does not hold exactly 256 records.
    #[error("{path} holds {records} records and {trailing} other bytes, not 256 records")]
    Bundle {
        /// The bundle's file.
        path: PathBuf,
        /// Whole records in it.
        records: usize,
        /// Bytes behind them.
        trailing: usize,
    },
    /// A bundle is gone, although the log goes on behind it.
    #[error("{path} is missing")]
    BundleMissing {
        /// The bundle's file.
        path: PathBuf,
    },
    /// A record is not the one that its hash on disk is of: it was changed, moved or replaced, or the hash was.
    #[error("record {index} is not the one whose hash is in {path}")]
    Leaf {
        /// The record's index.
        index: u64,
        /// The tile's file.
        path: PathBuf,
    },
    /// A tile does not follow from the records.
    #[error("{path} does not follow from the records")]
    Tile {
        /// The tile's file.
        path: PathBuf,
    },
    /// A tile that the checkpoint's tree has is not there.
    #[error("{path} is missing")]
    TileMissing {
        /// The tile's file.
        path: PathBuf,
    },
    /// A tile stands behind the log's end: records were cut off.
    #[error("{path} stands behind the end of the log, which has {records} records")]
    BehindTheEnd {
        /// The tile's file.
        path: PathBuf,
        /// Records found.
        records: u64,
    },
    /// The tail holds a bundle that is stored as well, and not as it is stored: after a crash the tail counts.
    #[error("the tail does not hold what is stored in {path}")]
    TailDiffers {
        /// The bundle's file.
        path: PathBuf,
    },
    /// A file is no tile of any tree.
    #[error("{path} does not belong to a log")]
    Stray {
        /// The file.
        path: PathBuf,
    },
    /// A record is older than the one before.
    #[error("record {index} is older than the one before")]
    TimeWentBack {
        /// The record's index.
        index: u64,
    },
    /// A call is admitted that already runs.
    #[error("record {index} admits a call that already runs")]
    AdmittedTwice {
        /// The record's index.
        index: u64,
    },
    /// A call ends that was not admitted, or that already ended.
    #[error("record {index} ends a call that does not run")]
    NotAdmitted {
        /// The record's index.
        index: u64,
    },
    /// An event is of a session that was never opened.
    #[error("record {index} is of a session that was not opened")]
    UnknownSession {
        /// The record's index.
        index: u64,
    },
    /// The query index is not what follows from the log: `audit reindex` makes it again.
    #[error("the query index {path} does not follow from the log: {fault}")]
    Index {
        /// The index's file.
        path: PathBuf,
        /// What is wrong with it.
        fault: IndexFault,
    },
    /// A registered source is not kept.
    #[error("the source {digest} of record {index} is missing")]
    SourceMissing {
        /// The registration's index.
        index: u64,
        /// The source's SHA-256.
        digest: Hash,
    },
    /// A kept source is not the registered one.
    #[error("{path} is not the source that record {index} names")]
    SourceChanged {
        /// The registration's index.
        index: u64,
        /// The source's file.
        path: PathBuf,
    },
}

impl VerifyError {
    /// The kind of finding, in words that do not change: `tests/audit-corpus` names them.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Io { .. } => "unreadable",
            Self::CheckpointMissing { .. } => "checkpoint-missing",
            Self::Checkpoint(fault) => fault.reason(),
            Self::Truncated { which: Which::Published, .. } => "truncated",
            Self::Truncated { which: Which::Given, .. } => "rolled-back",
            Self::OtherTree { which: Which::Published, .. } => "root-differs",
            Self::OtherTree { which: Which::Given, .. } => "forked",
            Self::Record { fault, .. } => fault.reason(),
            Self::Bundle { .. } => "bundle-malformed",
            Self::BundleMissing { .. } => "bundle-missing",
            Self::Leaf { .. } => "record-differs",
            Self::Tile { .. } => "tile-differs",
            Self::TileMissing { .. } => "tile-missing",
            Self::BehindTheEnd { .. } => "behind-the-end",
            Self::TailDiffers { .. } => "tail-differs",
            Self::Stray { .. } => "stray-file",
            Self::TimeWentBack { .. } => "time-went-back",
            Self::AdmittedTwice { .. } => "admitted-twice",
            Self::NotAdmitted { .. } => "not-admitted",
            Self::UnknownSession { .. } => "session-unknown",
            Self::Index { .. } => "index-differs",
            Self::SourceMissing { .. } => "source-missing",
            Self::SourceChanged { .. } => "source-changed",
        }
    }
}

/// Verifies the log in a directory; needs no lock and changes nothing, so a host may go on writing.
///
/// # Errors
/// [`VerifyError`]: the first thing found wrong.
pub fn verify(dir: &Path, options: &VerifyOptions) -> Result<VerifyReport, VerifyError> {
    let start = Instant::now();
    let layout = Layout::new(dir);
    // Listed before anything else is read: what is there now, the entries read later must account for.
    let tiles = TilesOnDisk::list(&layout)?;
    let (published, given) = checkpoints(&layout, options)?;
    let mut run = Run {
        layout: &layout,
        tiles,
        published: &published,
        given: given.as_ref(),
        frontier: Frontier::default(),
        facts: Facts::default(),
        bytes: 0,
        torn_bytes: 0,
        pruned: 0,
    };
    run.skip_pruned()?;
    run.pass()?;
    let records = run.frontier.size();
    run.tiles.finish(&layout, &run.frontier)?;
    let sources = check_sources(&layout, &run.facts)?;
    let indexed = index::check(&layout, run.facts.pruned)
        .map_err(|fault| VerifyError::Index { path: layout.index(), fault })?;
    Ok(VerifyReport {
        pruned: run.pruned,
        indexed,
        signature: options.key.map_or(SignatureState::Unchecked, |_| SignatureState::Valid),
        records,
        covered: published.size,
        root: run.frontier.root(),
        bytes: run.bytes,
        torn_bytes: run.torn_bytes,
        admitted: run.facts.admitted,
        refused: run.facts.refused,
        finished: run.facts.finished,
        unfinished: run.facts.unfinished(),
        sources,
        times: run.facts.times,
        elapsed: start.elapsed(),
        origin: published.origin,
    })
}

fn checkpoints(
    layout: &Layout,
    options: &VerifyOptions,
) -> Result<(Checkpoint, Option<Checkpoint>), VerifyError> {
    let open = |which: Which, text: &str| {
        let opened = match &options.key {
            Some(key) => Checkpoint::open(text, key),
            None => Checkpoint::open_unchecked(text),
        };
        opened.map_err(|fault| CheckpointFault::Note { which, fault })
    };
    let path = layout.checkpoint();
    let bytes = archive::read_if_there(&path).map_err(at(&path))?;
    let bytes = bytes.ok_or_else(|| VerifyError::CheckpointMissing { dir: layout.dir().to_owned() })?;
    let text = String::from_utf8(bytes)
        .map_err(|_| CheckpointFault::Note { which: Which::Published, fault: NoteError::Malformed })?;
    let published = open(Which::Published, &text)?;
    let given = options.checkpoint.as_deref().map(|text| open(Which::Given, text)).transpose()?;
    if let Some(given) = &given {
        given.check_same_log(&published)?;
    }
    Ok((published, given))
}

/// One pass over all entries.
struct Run<'a> {
    layout: &'a Layout,
    tiles: TilesOnDisk,
    published: &'a Checkpoint,
    given: Option<&'a Checkpoint>,
    frontier: Frontier,
    facts: Facts,
    bytes: u64,
    torn_bytes: u64,
    pruned: u64,
}

impl Run<'_> {
    /// Takes the hashes of pruned records from their tiles: the checkpoint's root proves them.
    fn skip_pruned(&mut self) -> Result<(), VerifyError> {
        self.check_roots()?;
        let bundles = self.layout.bundles();
        let first = archive::first_bundle(self.layout).map_err(at(&bundles))?;
        for index in 0..first {
            for leaf in self.tiles.pruned_hashes(self.layout, index)? {
                self.frontier.push(leaf);
                self.check_roots()?;
            }
            self.check_full_tiles()?;
        }
        self.pruned = first * 256;
        // What they said is not known any more: sessions and calls may have begun in them.
        self.facts.blind = first > 0;
        Ok(())
    }

    fn pass(&mut self) -> Result<(), VerifyError> {
        let mut scratch = Vec::new();
        let mut pieces = Pieces::new(self.layout);
        let tail = TailFile::read(self.layout, u64::MAX).map_err(at(&self.layout.tail()))?;
        loop {
            let index = self.frontier.size() / 256;
            let path = self.layout.entries(index);
            let piece = pieces.read(index).map_err(at(&path))?;
            let bundle = piece.bundle();
            match piece {
                Piece::Full(_) => {
                    check_full(bundle, &path)?;
                    check_copy(bundle, &tail, index, &path)?;
                }
                Piece::Tail(_) if bundle.entries.len() < TILE_WIDTH && self.was_full(index) => {
                    return Err(VerifyError::BundleMissing { path });
                }
                Piece::Tail(_) => {}
            }
            for bytes in bundle.records() {
                let index = self.frontier.size();
                let record = Record::parse(bytes, &mut scratch)
                    .map_err(|fault| VerifyError::Record { index, fault })?;
                self.frontier.push(Hash::of_leaf(bytes));
                // Records that contradict each other because one was moved: the moved one is the finding.
                self.facts.note(index, &record).map_err(|error| self.other_leaf().unwrap_or(error))?;
                if index < self.published.size {
                    self.facts.note_pruning(&record);
                }
                self.check_roots()?;
            }
            self.bytes += count(bundle.whole_bytes());
            self.tiles.check_bundle(self.layout, index, bundle, &self.frontier)?;
            if bundle.entries.len() == TILE_WIDTH {
                self.check_full_tiles()?;
            }
            if piece.is_last() {
                self.torn_bytes = count(bundle.torn_bytes());
                self.check_sizes()?;
                return self.check_pruning();
            }
        }
    }

    /// Whether the tree goes on behind this bundle: then what the tail holds is not this bundle.
    fn was_full(&self, index: u64) -> bool {
        self.tiles.is_full(index) || self.published.size / 256 > index
    }

    /// Bundles may only be gone from the front, and only if the log says so where the checkpoint covers it.
    fn check_pruning(&self) -> Result<(), VerifyError> {
        if self.pruned <= self.facts.pruned {
            return Ok(());
        }
        Err(VerifyError::BundleMissing { path: self.layout.entries(self.facts.pruned / 256) })
    }

    fn check_full_tiles(&mut self) -> Result<(), VerifyError> {
        for tile in self.frontier.carry() {
            let required = tile.index < place(self.published.size, tile.level);
            self.tiles.check_tile(self.layout, &tile, required)?;
        }
        Ok(())
    }

    fn check_roots(&self) -> Result<(), VerifyError> {
        self.each_checkpoint(|which, checkpoint| {
            let (size, expected) = (checkpoint.size, checkpoint.root);
            if size != self.frontier.size() {
                return Ok(());
            }
            let found = self.frontier.root();
            if found == expected {
                return Ok(());
            }
            Err(self.other_leaf().unwrap_or(VerifyError::OtherTree { which, size, expected, found }))
        })
    }

    /// The record of the current bundle that differs from its hash on disk: it says more than what follows from it.
    fn other_leaf(&self) -> Option<VerifyError> {
        let (index, path) = self.tiles.first_other_leaf(self.layout, &self.frontier)?;
        Some(VerifyError::Leaf { index, path })
    }

    fn check_sizes(&self) -> Result<(), VerifyError> {
        let found = self.frontier.size();
        self.each_checkpoint(|which, checkpoint| {
            let covered = checkpoint.size;
            if found < covered { Err(VerifyError::Truncated { which, covered, found }) } else { Ok(()) }
        })
    }

    fn each_checkpoint(
        &self,
        check: impl Fn(Which, &Checkpoint) -> Result<(), VerifyError>,
    ) -> Result<(), VerifyError> {
        check(Which::Published, self.published)?;
        self.given.map_or(Ok(()), |given| check(Which::Given, given))
    }
}

fn check_full(bundle: &Bundle, path: &Path) -> Result<(), VerifyError> {
    let (records, trailing) = (bundle.entries.len(), bundle.torn_bytes());
    if records == TILE_WIDTH && trailing == 0 {
        return Ok(());
    }
    Err(VerifyError::Bundle { path: path.to_owned(), records, trailing })
}

/// A bundle stays in the tail until it is stored for good.
fn check_copy(bundle: &Bundle, tail: &TailFile, index: u64, path: &Path) -> Result<(), VerifyError> {
    // The tail was read before: a live log may have filled and stored its last bundle meanwhile.
    let same = tail.bundle(index).is_none_or(|copy| bundle.bytes.starts_with(&copy.bytes));
    if same { Ok(()) } else { Err(VerifyError::TailDiffers { path: path.to_owned() }) }
}

/// Checks every source once, and answers how many there are.
fn check_sources(layout: &Layout, facts: &Facts) -> Result<u64, VerifyError> {
    for (digest, &index) in &facts.sources {
        let path = sources::path(layout, digest);
        match sources::load(layout, digest).map_err(at(&path))? {
            Kept::Text(_) => {}
            Kept::Missing => {
                return Err(VerifyError::SourceMissing { index, digest: *digest });
            }
            Kept::Changed => return Err(VerifyError::SourceChanged { index, path }),
        }
    }
    Ok(count(facts.sources.len()))
}

fn count(items: usize) -> u64 {
    u64::try_from(items).unwrap_or(u64::MAX)
}

/// Names the path in an I/O error.
fn at(path: &Path) -> impl FnOnce(io::Error) -> VerifyError {
    move |source| VerifyError::Io { path: path.to_owned(), source }
}

/// A file's content; `None` when it is gone, as partial tiles of a live log go.
fn read(path: &Path) -> Result<Option<Vec<u8>>, VerifyError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(at(path)(error)),
    }
}
