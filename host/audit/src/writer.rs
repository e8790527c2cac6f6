//! The one writer of a log: appends records to the tail, turns full tails into bundles and tiles.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::layout::{Layout, TileFile};
use crate::merkle::{Frontier, FullTile, Hash, TILE_WIDTH};
use crate::storage::Storage;

/// When a record counts as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// When the operating system has it: it survives the end of the process, not a power cut.
    #[default]
    Os,
    /// When the disk has it (`fdatasync`).
    Disk,
}

/// Why a record was not appended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    #[error("the record is longer than 65535 bytes")]
    TooLong,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Appends records. A failed append leaves nothing behind: what was half written is cut off before the next one.
#[derive(Debug)]
pub(crate) struct Writer {
    layout: Layout,
    storage: Arc<dyn Storage>,
    durability: Durability,
    frontier: Frontier,
    /// What the tail file holds, framed; kept to publish it and to write it again after an I/O error.
    tail: Vec<u8>,
    file: TailFile,
    unsynced: Unsynced,
    /// Bundles that a failed sync may have lost any part of.
    suspect: Vec<FullTail>,
}

/// What is known of the tail file.
#[derive(Debug)]
enum TailFile {
    /// It holds the tail and nothing else.
    Whole(Arc<File>),
    /// It may hold half a record behind the tail.
    Torn(Arc<File>),
    /// It is not there, or a failed sync may have lost any part of it.
    Suspect,
}

/// Files and names that a crash of the machine may still lose.
#[derive(Debug, Default)]
pub(crate) struct Unsynced {
    tail: Option<Arc<File>>,
    /// Full tails, for durability `Disk`: records in them may not be acknowledged yet.
    bundles: Vec<FullTail>,
    /// Names that records are found by.
    dirs: BTreeSet<PathBuf>,
    /// Tiles and their names, which follow from the records: only a checkpoint relies on them.
    tiles: Vec<Arc<File>>,
    tile_dirs: BTreeSet<PathBuf>,
}

/// A tail that became a bundle, with what it holds, to be written again after an I/O error.
#[derive(Debug)]
struct FullTail {
    file: Arc<File>,
    path: PathBuf,
    bytes: Vec<u8>,
}

/// The state of the log at one size, to sign and publish.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) size: u64,
    pub(crate) root: Hash,
    pub(crate) levels: Vec<Vec<Hash>>,
    pub(crate) tail: Vec<u8>,
}

impl Writer {
    /// A writer that goes on behind `tail`, which the tail file holds exactly, or which is written at once.
    pub(crate) fn new(
        layout: Layout,
        storage: Arc<dyn Storage>,
        durability: Durability,
        frontier: Frontier,
        tail: Vec<u8>,
    ) -> Self {
        let (file, unsynced) = (TailFile::Suspect, Unsynced::default());
        Self { layout, storage, durability, frontier, tail, file, unsynced, suspect: Vec::new() }
    }

    /// Records in the log.
    pub(crate) fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// Appends the record that `write` puts behind what the buffer holds.
    pub(crate) fn append(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), WriteError> {
        self.repair()?;
        if self.frontier.width() == TILE_WIDTH {
            self.rotate()?;
            self.repair()?;
        }
        let start = self.tail.len();
        self.tail.extend_from_slice(&[0, 0]);
        write(&mut self.tail);
        let length = u16::try_from(self.tail.len() - start - 2).ok().filter(|length| *length > 0);
        let Some(length) = length else {
            self.tail.truncate(start);
            return Err(WriteError::TooLong);
        };
        self.tail[start..start + 2].copy_from_slice(&length.to_be_bytes());
        if let Err(error) = self.write_tail_from(start) {
            self.tail.truncate(start);
            // Tried again before the next record; only a reader of the live tail gains by doing it now.
            self.repair().ok();
            return Err(error.into());
        }
        self.frontier.push(Hash::of_leaf(&self.tail[start + 2..]));
        Ok(())
    }

    /// Makes the tail file hold the tail and nothing else.
    pub(crate) fn repair(&mut self) -> io::Result<()> {
        while let Some(bundle) = self.suspect.last() {
            // It replaces the file only when it is whole and on the disk.
            self.storage.replace_file(&bundle.path, &bundle.bytes)?;
            self.suspect.pop();
        }
        let file = match &self.file {
            TailFile::Whole(_) => return Ok(()),
            TailFile::Torn(file) => {
                self.storage.set_len(file, length(&self.tail))?;
                Arc::clone(file)
            }
            TailFile::Suspect => {
                let file = self.storage.replace_file(&self.layout.tail(), &self.tail)?;
                self.unsynced.dirs.insert(self.layout.dir().to_owned());
                file
            }
        };
        self.file = TailFile::Whole(file);
        Ok(())
    }

    /// The log as it is now, with a full tail made a bundle first.
    pub(crate) fn snapshot(&mut self) -> io::Result<Snapshot> {
        self.repair()?;
        if self.frontier.width() == TILE_WIDTH {
            self.rotate()?;
        }
        let levels = self.frontier.levels().to_vec();
        Ok(Snapshot { size: self.size(), root: self.frontier.root(), levels, tail: self.tail.clone() })
    }

    /// Hands over the tail file and the names to sync for the records so far to be durable.
    ///
    /// Of the tiles, which follow from the records, nothing is among them.
    pub(crate) fn take_unsynced_tail(&mut self) -> io::Result<Unsynced> {
        self.repair()?;
        let tail = match &self.file {
            TailFile::Whole(file) => Some(Arc::clone(file)),
            TailFile::Torn(_) | TailFile::Suspect => None,
        };
        let bundles = std::mem::take(&mut self.unsynced.bundles);
        let dirs = std::mem::take(&mut self.unsynced.dirs);
        Ok(Unsynced { tail, bundles, dirs, ..Unsynced::default() })
    }

    /// Hands over what else a published checkpoint relies on.
    pub(crate) fn take_unsynced_tiles(&mut self) -> Unsynced {
        let tiles = std::mem::take(&mut self.unsynced.tiles);
        let tile_dirs = std::mem::take(&mut self.unsynced.tile_dirs);
        Unsynced { tiles, tile_dirs, ..Unsynced::default() }
    }

    /// Takes back what could not be synced; tail and bundles are written again before the next record.
    pub(crate) fn distrust(&mut self, unsynced: Unsynced) {
        self.suspect.extend(unsynced.bundles);
        self.unsynced.dirs.extend(unsynced.dirs);
        self.unsynced.tiles.extend(unsynced.tiles);
        self.unsynced.tile_dirs.extend(unsynced.tile_dirs);
        if unsynced.tail.is_some() {
            self.file = TailFile::Suspect;
        }
    }

    fn write_tail_from(&mut self, start: usize) -> io::Result<()> {
        let TailFile::Whole(file) = &self.file else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let offset = u64::try_from(start).unwrap_or(u64::MAX);
        let result = self.storage.write_all_at(file, &self.tail[start..], offset);
        if result.is_err() {
            self.file = TailFile::Torn(Arc::clone(file));
        }
        result
    }

    /// Stores the tiles that the full tail completes, and gives the tail its place among the bundles.
    ///
    /// Safe to repeat after any failure: nothing in memory changes before the tail has its new name.
    fn rotate(&mut self) -> io::Result<()> {
        let TailFile::Whole(file) = &self.file else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let file = Arc::clone(file);
        self.store_full_tiles()?;
        let bundle = self.frontier.size() / 256 - 1;
        let path = self.layout.entries(bundle);
        self.storage.create_dir(path.parent().unwrap_or(&path))?;
        self.storage.rename(&self.layout.tail(), &path)?;
        self.frontier.carry();
        let bytes = std::mem::take(&mut self.tail);
        self.file = TailFile::Suspect;
        if self.durability == Durability::Disk {
            self.unsynced.dirs.extend(dirs_of(&self.layout, &path).map(Path::to_owned));
            self.unsynced.bundles.push(FullTail { file, path: path.clone(), bytes });
            // The next tail must not reach the disk before this one has its name there: its folder is new at most
            // once in a thousand times, and then so are those above.
            let new = if bundle.is_multiple_of(1000) { usize::MAX } else { 1 };
            dirs_of(&self.layout, &path).take(new).try_for_each(|dir| self.storage.sync_dir(dir))?;
        } else {
            self.tail = bytes;
            self.tail.clear();
            self.unsynced.tiles.push(file);
            self.unsynced.tile_dirs.extend(dirs_of(&self.layout, &path).map(Path::to_owned));
        }
        self.file = TailFile::Whole(self.storage.create(&self.layout.tail())?);
        self.unsynced.dirs.insert(self.layout.dir().to_owned());
        Ok(())
    }

    fn store_full_tiles(&mut self) -> io::Result<()> {
        self.frontier.full_tiles().iter().try_for_each(|tile| self.store_tile(tile))
    }

    /// Stores one full tile.
    pub(crate) fn store_tile(&mut self, tile: &FullTile) -> io::Result<()> {
        let path = self.layout.tile(TileFile::hashes(tile.level, tile.index));
        let file = self.storage.write_file(&path, &tile_bytes(&tile.hashes))?;
        self.unsynced.tiles.push(file);
        self.unsynced.tile_dirs.extend(dirs_of(&self.layout, &path).map(Path::to_owned));
        Ok(())
    }
}

/// The directories between a file and the log's own, the innermost first.
fn dirs_of<'a>(layout: &'a Layout, path: &'a Path) -> impl Iterator<Item = &'a Path> {
    path.ancestors().skip(1).take_while(|dir| dir.starts_with(layout.dir()))
}

impl Unsynced {
    /// Waits until everything in it is on the disk.
    pub(crate) fn sync(&self, storage: &dyn Storage) -> io::Result<()> {
        let bundles = self.bundles.iter().map(|bundle| &bundle.file);
        self.tiles.iter().chain(bundles).chain(&self.tail).try_for_each(|file| storage.sync(file))?;
        self.dirs.union(&self.tile_dirs).try_for_each(|dir| storage.sync_dir(dir))
    }
}

/// The content of a tile's file.
pub(crate) fn tile_bytes(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}
