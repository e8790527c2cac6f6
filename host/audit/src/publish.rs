//! Publishing: stores full bundles and tiles, signs a checkpoint, and takes what is stored out of the tail.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use crate::checkpoint::Checkpoint;
use crate::layout::{Layout, TileFile, place};
use crate::shared::Shared;
use crate::writer::{FullBundle, Snapshot, tile_bytes};

impl Shared {
    /// Signs and publishes a checkpoint of every record so far; answers the signed note.
    ///
    /// What it covers is on the disk first, whatever the durability, in bundles or in the tail: a checkpoint must
    /// never name what a power cut can still take.
    pub(crate) fn publish(&self) -> io::Result<String> {
        let mut tried = self.publishing.lock().unwrap_or_else(PoisonError::into_inner);
        let published = self.publish_in_turn(&mut tried);
        self.note_published(published.is_ok());
        published
    }

    fn publish_in_turn(&self, tried: &mut u64) -> io::Result<String> {
        let snapshot = self.snapshot();
        match snapshot.full.last() {
            Some(last) => {
                self.store_bundles(&snapshot)?;
                self.begin_tail(last.index + 1)?;
            }
            None => self.sync_tail()?,
        }
        let tried_before = std::mem::replace(tried, snapshot.size);
        self.store_partial_tiles(&snapshot)?;
        let checkpoint = Checkpoint { origin: self.origin.clone(), size: snapshot.size, root: snapshot.root };
        let note = checkpoint.sign(&self.key);
        self.storage.replace_file(&self.layout.checkpoint(), note.as_bytes())?;
        self.storage.sync_dir(self.layout.dir())?;
        let previous = std::mem::replace(&mut self.lock().published, snapshot.size);
        self.remove_outgrown_partials(previous, snapshot.size);
        self.remove_outgrown_partials(tried_before, snapshot.size);
        Ok(note)
    }

    /// Gives bundles and the tiles that they complete their files, and sees them to the disk.
    fn store_bundles(&self, snapshot: &Snapshot) -> io::Result<()> {
        let mut dirs = BTreeSet::new();
        let mut note = |path: PathBuf| dirs.extend(dirs_of(&self.layout, &path).map(Path::to_owned));
        for FullBundle { index, bytes, tiles } in snapshot.full.iter().map(|bundle| &**bundle) {
            for tile in tiles {
                let file = TileFile::hashes(tile.level, tile.index);
                note(self.store_tile(file, &tile_bytes(&tile.hashes))?);
            }
            note(self.store_tile(TileFile::entries(*index), bytes)?);
        }
        dirs.iter().try_for_each(|dir| self.storage.sync_dir(dir))
    }

    /// Stores the tiles at the right edge, which are outgrown by the next checkpoint.
    fn store_partial_tiles(&self, snapshot: &Snapshot) -> io::Result<()> {
        for (level, hashes) in (0..u8::MAX).zip(&snapshot.levels) {
            let Some(width) = partial_width(hashes.len()) else {
                continue;
            };
            let index = place(snapshot.size, level);
            self.store_tile(TileFile::hashes(level, index).partial(width), &tile_bytes(hashes))?;
            if level == 0 {
                self.store_tile(TileFile::entries(index).partial(width), &snapshot.tail)?;
            }
        }
        Ok(())
    }

    /// Stores one tile, which is there whole or not at all, also after a crash; answers its path.
    fn store_tile(&self, tile: TileFile, bytes: &[u8]) -> io::Result<PathBuf> {
        let temporary = self.layout.tile_in_the_making();
        let file = self.storage.write_file(&temporary, bytes)?;
        self.storage.sync(&file)?;
        let path = self.layout.tile(tile);
        self.rename_tile(&temporary, &path)?;
        Ok(path)
    }

    fn rename_tile(&self, from: &Path, to: &Path) -> io::Result<()> {
        match self.storage.rename(from, to) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.storage.create_dir(to.parent().unwrap_or(to))?;
                self.storage.rename(from, to)
            }
            other => other,
        }
    }

    /// Begins a new tail file behind the `stored` first bundles, and sees it to the disk with all that it takes over.
    ///
    /// Records are appended meanwhile, but none is acknowledged as durable: what is, must be so in the new file too.
    fn begin_tail(&self, stored: u64) -> io::Result<()> {
        let turn = self.syncing.lock().unwrap_or_else(PoisonError::into_inner);
        let next = self.lock().writer.next_tail(stored);
        let file = self.storage.write_file(&self.layout.next_tail(), &next.bytes)?;
        self.storage.sync(&file)?;
        self.lock().writer.switch(&next, file)?;
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
        let path = PathBuf::from(format!("{}.p", self.layout.tile(tile).display()));
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
