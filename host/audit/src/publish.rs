//! Publishing: stores full bundles and tiles, signs checkpoints, and takes what is stored for good out of the tail.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use crate::checkpoint::Checkpoint;
use crate::layout::{Layout, TileFile, place};
use crate::shared::Shared;
use crate::writer::{FullBundle, Snapshot, tile_bytes};

/// The length from which a tail file is not gone on with: what has its bundles by then is stored for good.
const TAIL_BYTES: usize = 1 << 20;

/// What was stored, as far as the next publication needs to know.
#[derive(Debug, Default)]
pub(crate) struct Stored {
    /// The size of the tree that was published last, or tried to.
    tried: u64,
    /// Bundles from this one on have no file.
    bundles: u64,
    /// Files that a crash of the machine may take, or tear: their records are still in the tail.
    files: BTreeSet<PathBuf>,
    /// The folders of these.
    dirs: BTreeSet<PathBuf>,
}

/// What a publication leaves in the tail file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// What is there, unless it is much.
    Tail,
    /// No full bundle.
    Least,
}

impl Stored {
    /// Of a log whose published tree had `covered` records, and whose tail begins with the bundle `first`.
    pub(crate) fn new(covered: u64, first: u64) -> Self {
        Self { tried: covered, bundles: first, ..Self::default() }
    }
}

impl Shared {
    /// Signs and publishes a checkpoint of every record so far; answers the signed note.
    ///
    /// What it covers is on the disk first, whatever the durability, in the tail or in bundles: a checkpoint must
    /// never name what a power cut can still take.
    pub(crate) fn publish(&self, keep: Keep) -> io::Result<String> {
        let mut stored = self.publishing.lock().unwrap_or_else(PoisonError::into_inner);
        let published = self.publish_in_turn(&mut stored, keep);
        self.note_published(published.is_ok());
        published
    }

    fn publish_in_turn(&self, stored: &mut Stored, keep: Keep) -> io::Result<String> {
        let mut snapshot = self.written_snapshot()?;
        self.store_bundles(&snapshot, stored)?;
        // The writer uses the memory of those that it need not keep again.
        snapshot.full.clear();
        if keep == Keep::Least || snapshot.bytes > TAIL_BYTES {
            self.setup.storage.sync_all(&stored.files, &stored.dirs)?;
            (stored.files, stored.dirs) = Default::default();
            self.begin_tail(stored.bundles)?;
        } else {
            self.sync_tail()?;
        }
        let tried_before = std::mem::replace(&mut stored.tried, snapshot.size);
        self.store_partial_tiles(&snapshot)?;
        let checkpoint =
            Checkpoint { origin: self.setup.origin.clone(), size: snapshot.size, root: snapshot.root };
        let note = checkpoint.sign(&self.setup.key);
        self.setup.storage.replace_file(&self.setup.layout.checkpoint(), note.as_bytes())?;
        self.setup.storage.sync_dir(self.setup.layout.dir())?;
        let previous = std::mem::replace(&mut self.lock().published, snapshot.size);
        self.remove_outgrown_partials(previous, snapshot.size);
        self.remove_outgrown_partials(tried_before, snapshot.size);
        Ok(note)
    }

    /// Gives bundles and the tiles that they complete their files.
    fn store_bundles(&self, snapshot: &Snapshot, stored: &mut Stored) -> io::Result<()> {
        for FullBundle { index, bytes, tiles } in snapshot.full.iter().map(|bundle| &**bundle) {
            if *index < stored.bundles {
                continue;
            }
            for tile in tiles {
                let file = TileFile::hashes(tile.level, tile.index);
                self.store_tile(file, &tile_bytes(&tile.hashes), stored)?;
            }
            self.store_tile(TileFile::entries(*index), bytes, stored)?;
            stored.bundles = index + 1;
        }
        Ok(())
    }

    /// Stores a tile that the tail holds as well, until it is synced with others.
    fn store_tile(&self, tile: TileFile, bytes: &[u8], stored: &mut Stored) -> io::Result<()> {
        let path = self.setup.layout.tile(tile);
        self.setup.storage.write_file(&self.setup.layout.tile_in_the_making(), bytes)?;
        self.name_tile(&path)?;
        stored.dirs.extend(dirs_of(&self.setup.layout, &path).map(Path::to_owned));
        stored.files.insert(path);
        Ok(())
    }

    /// Stores the tiles at the right edge, which are outgrown by the next checkpoint.
    fn store_partial_tiles(&self, snapshot: &Snapshot) -> io::Result<()> {
        for (level, hashes) in (0..u8::MAX).zip(&snapshot.levels) {
            let Some(width) = partial_width(hashes.len()) else {
                continue;
            };
            let index = place(snapshot.size, level);
            self.store_partial(TileFile::hashes(level, index).partial(width), &tile_bytes(hashes))?;
            if level == 0 {
                self.store_partial(TileFile::entries(index).partial(width), &snapshot.tail)?;
            }
        }
        Ok(())
    }

    /// Stores a partial tile, which no recovery makes again.
    fn store_partial(&self, tile: TileFile, bytes: &[u8]) -> io::Result<()> {
        let file = self.setup.storage.write_file(&self.setup.layout.tile_in_the_making(), bytes)?;
        self.setup.storage.sync(&file)?;
        self.name_tile(&self.setup.layout.tile(tile))
    }

    /// Gives the tile in the making its name, so that readers never see half of it.
    fn name_tile(&self, path: &Path) -> io::Result<()> {
        let from = self.setup.layout.tile_in_the_making();
        match self.setup.storage.rename(&from, path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.setup.storage.create_dir(path.parent().unwrap_or(path))?;
                self.setup.storage.rename(&from, path)
            }
            other => other,
        }
    }

    /// Begins a new tail file behind the `stored` first bundles, and sees it to the disk with all that it takes over.
    ///
    /// Records are appended meanwhile, but none is acknowledged as durable: what is, must be so in the new file too.
    fn begin_tail(&self, stored: u64) -> io::Result<()> {
        let turn = self.syncing.lock().unwrap_or_else(PoisonError::into_inner);
        let content = self.lock().writer.content_behind(stored);
        let file = content.write(&*self.setup.storage, &self.setup.layout.next_tail())?;
        self.setup.storage.sync(&file)?;
        self.lock().writer.switch(&content, file)?;
        let synced = self.sync_taken();
        drop(turn);
        synced
    }

    fn sync_tail(&self) -> io::Result<()> {
        let turn = self.syncing.lock().unwrap_or_else(PoisonError::into_inner);
        let synced = self.sync_taken();
        drop(turn);
        synced
    }

    fn sync_taken(&self) -> io::Result<()> {
        let unsynced = self.lock().writer.take_unsynced()?;
        self.sync(&unsynced)
    }

    /// Removes the partial tiles of tiles that have become full (C2SP tlog-tiles allows it).
    fn remove_outgrown_partials(&self, previous: u64, size: u64) {
        for level in 0..8 {
            let index = place(previous, level);
            if place(size, level) > index {
                self.remove_partials(TileFile::hashes(level, index));
                if level == 0 {
                    self.remove_partials(TileFile::entries(index));
                }
            }
        }
    }

    /// Removes the partial tiles that a power cut may have torn: those at and behind the last checkpoint's edge.
    pub(crate) fn remove_partials_from(&self, covered: u64) {
        let size = self.size();
        for level in 0..8 {
            for index in place(covered, level)..=place(size, level) {
                self.remove_partials(TileFile::hashes(level, index));
                if level == 0 {
                    self.remove_partials(TileFile::entries(index));
                }
            }
        }
    }

    fn remove_partials(&self, tile: TileFile) {
        let path = PathBuf::from(format!("{}.p", self.setup.layout.tile(tile).display()));
        // What is not there need not be removed, and what cannot be does no harm.
        fs::remove_dir_all(path).ok();
    }
}

/// The directories between a file and the log's own, the innermost first.
fn dirs_of<'a>(layout: &'a Layout, path: &'a Path) -> impl Iterator<Item = &'a Path> {
    path.ancestors().skip(1).take_while(|dir| dir.starts_with(layout.dir()))
}

fn partial_width(hashes: usize) -> Option<u8> {
    u8::try_from(hashes).ok().filter(|width| *width > 0)
}
