//! The tiles on disk, each to be found exactly where and as the records say.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{VerifyError, at, read};
use crate::layout::{Bundle, Layout, TileFile, place};
use crate::merkle::{Frontier, FullTile, Hash, TILE_WIDTH};
use crate::recover::parse_tile;
use crate::writer::tile_bytes;

/// The files below `tile/` that no record has accounted for yet.
#[derive(Debug, Default)]
pub(super) struct TilesOnDisk(BTreeSet<TileFile>);

impl TilesOnDisk {
    /// Lists them all.
    pub(super) fn list(layout: &Layout) -> Result<Self, VerifyError> {
        let root = layout.tiles();
        let mut found = Self::default();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            let files = match fs::read_dir(&folder) {
                Ok(files) => files,
                // A new log has no tiles, and a live one removes those it has outgrown.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(at(&folder)(error)),
            };
            for file in files {
                let path = file.map_err(at(&folder))?.path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let name = path.strip_prefix(&root).ok().and_then(Path::to_str);
                let tile = name.and_then(TileFile::parse).ok_or(VerifyError::Stray { path })?;
                found.0.insert(tile);
            }
        }
        Ok(found)
    }

    /// Whether the hashes of a full bundle are there.
    pub(super) fn is_full(&self, index: u64) -> bool {
        self.0.contains(&TileFile::hashes(0, index))
    }

    /// The hashes of pruned records, whose full tile must be there.
    pub(super) fn pruned_hashes(&self, layout: &Layout, index: u64) -> Result<Vec<Hash>, VerifyError> {
        let path = layout.tile(TileFile::hashes(0, index));
        match read(&path)? {
            Some(bytes) if bytes.len() == TILE_WIDTH * 32 => Ok(parse_tile(&bytes)),
            Some(_) => Err(VerifyError::Tile { path }),
            // Where not even the hashes are left, nobody pruned: pruning leaves them.
            None => Err(VerifyError::BundleMissing { path: layout.entries(index) }),
        }
    }

    /// Checks the bundle's own files: its place among the entries, its partial versions, its partial hashes.
    pub(super) fn check_bundle(
        &mut self,
        layout: &Layout,
        index: u64,
        bundle: &Bundle,
        frontier: &Frontier,
    ) -> Result<(), VerifyError> {
        self.0.remove(&TileFile::entries(index));
        for (width, tile) in self.take_partials(TileFile::entries(index)) {
            let expected = bundle.entries.get(width - 1).map(|last| &bundle.bytes[..last.end]);
            check_file(&layout.tile(tile), expected, frontier.size())?;
        }
        let hashes = frontier.levels().first().map_or(&[][..], Vec::as_slice);
        self.check_partial_hashes(layout, TileFile::hashes(0, index), hashes, frontier.size())
    }

    /// Checks a full tile; one that the checkpoint's tree has must be there.
    pub(super) fn check_tile(
        &mut self,
        layout: &Layout,
        tile: &FullTile,
        required: bool,
    ) -> Result<(), VerifyError> {
        let file = TileFile::hashes(tile.level, tile.index);
        if tile.level > 0 {
            self.check_partial_hashes(layout, file, &tile.hashes, u64::MAX)?;
        }
        let path = layout.tile(file);
        self.0.remove(&file);
        match read(&path)? {
            None if required => Err(VerifyError::TileMissing { path }),
            None => Ok(()),
            Some(bytes) if bytes == tile_bytes(&tile.hashes) => Ok(()),
            Some(bytes) if tile.level == 0 && bytes.len() == 8192 => {
                let place = first_difference(&parse_tile(&bytes), &tile.hashes);
                Err(VerifyError::Leaf { index: tile.index * 256 + place, path })
            }
            Some(_) => Err(VerifyError::Tile { path }),
        }
    }

    /// Checks what is left at the end of the log.
    pub(super) fn finish(mut self, layout: &Layout, frontier: &Frontier) -> Result<(), VerifyError> {
        for (level, hashes) in (0..u8::MAX).zip(frontier.levels()) {
            let tile = TileFile::hashes(level, place(frontier.size(), level));
            self.check_partial_hashes(layout, tile, hashes, frontier.size())?;
        }
        match self.0.first() {
            None => Ok(()),
            Some(tile) => {
                Err(VerifyError::BehindTheEnd { path: layout.tile(*tile), records: frontier.size() })
            }
        }
    }

    /// The first record of the current bundle that differs from its hash on disk.
    pub(super) fn first_other_leaf(&self, layout: &Layout, frontier: &Frontier) -> Option<(u64, PathBuf)> {
        let hashes = frontier.levels().first()?;
        let index = frontier.size().checked_sub(1)? / 256;
        let full = TileFile::hashes(0, index);
        let partials = self.0.range(full.partial(0)..=full.partial(u8::MAX)).copied();
        for tile in [full].into_iter().chain(partials) {
            let path = layout.tile(tile);
            let Ok(bytes) = fs::read(&path) else { continue };
            let on_disk = parse_tile(&bytes);
            if let Some(place) = hashes.iter().zip(&on_disk).position(|(ours, theirs)| ours != theirs) {
                return Some((index * 256 + super::count(place), path));
            }
        }
        None
    }

    fn check_partial_hashes(
        &mut self,
        layout: &Layout,
        full: TileFile,
        hashes: &[Hash],
        records: u64,
    ) -> Result<(), VerifyError> {
        for (width, tile) in self.take_partials(full) {
            let expected = hashes.get(..width).map(tile_bytes);
            check_file(&layout.tile(tile), expected.as_deref(), records)?;
        }
        Ok(())
    }

    /// Takes the partial versions of a tile out of the list.
    fn take_partials(&mut self, full: TileFile) -> Vec<(usize, TileFile)> {
        let range = full.partial(0)..=full.partial(u8::MAX);
        let partials = self.0.range(range).copied().collect::<Vec<_>>();
        partials
            .into_iter()
            .filter(|tile| self.0.remove(tile))
            .filter_map(|tile| tile.width.map(|width| (usize::from(width), tile)))
            .collect()
    }
}

/// Compares a partial tile with what it should hold; `None` when the log ends before it does.
fn check_file(path: &Path, expected: Option<&[u8]>, records: u64) -> Result<(), VerifyError> {
    let Some(expected) = expected else {
        return Err(VerifyError::BehindTheEnd { path: path.to_owned(), records });
    };
    match read(path)? {
        Some(bytes) if bytes != expected => Err(VerifyError::Tile { path: path.to_owned() }),
        Some(_) | None => Ok(()),
    }
}

fn first_difference(a: &[Hash], b: &[Hash]) -> u64 {
    super::count(a.iter().zip(b).take_while(|(a, b)| a == b).count())
}
