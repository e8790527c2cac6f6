//! Reads a log's directory without a lock, also while a host appends to it.

use std::fs;
use std::io;
use std::path::Path;

use crate::layout::{Bundle, Layout, TileFile};
use crate::merkle::TILE_WIDTH;

/// The entries found for one bundle index.
#[derive(Debug)]
pub(crate) enum Piece {
    /// A full bundle's file.
    Full(Bundle),
    /// The live tail: the log ends here.
    Tail(Bundle),
}

impl Piece {
    pub(crate) fn bundle(&self) -> &Bundle {
        match self {
            Self::Full(bundle) | Self::Tail(bundle) => bundle,
        }
    }

    pub(crate) fn into_bundle(self) -> Bundle {
        match self {
            Self::Full(bundle) | Self::Tail(bundle) => bundle,
        }
    }
}

/// The entries with this index. All bundles before it must be full.
pub(crate) fn read_piece(layout: &Layout, index: u64) -> io::Result<Piece> {
    loop {
        if let Some(bytes) = read_if_there(&layout.entries(index))? {
            return Ok(Piece::Full(Bundle::parse(bytes, TILE_WIDTH)));
        }
        let tail = read_if_there(&layout.tail())?.unwrap_or_default();
        // The writer renames a full tail: if that happened meanwhile, the tail read may be of the next bundle.
        if !layout.entries(index).try_exists()? {
            return Ok(Piece::Tail(Bundle::parse(tail, TILE_WIDTH)));
        }
    }
}

/// The first bundle whose entries are there: those before it were pruned.
pub(crate) fn first_bundle(layout: &Layout) -> io::Result<u64> {
    if layout.entries(0).try_exists()? {
        return Ok(0);
    }
    Ok(full_bundles(layout)?.map_or(0, |(first, _)| first))
}

/// Records in the log: those of its full bundles and those of the tail.
pub(crate) fn size(layout: &Layout) -> io::Result<u64> {
    let mut next = full_bundles(layout)?.map_or(0, |(_, last)| last + 1);
    loop {
        match read_piece(layout, next)? {
            Piece::Full(_) => next += 1,
            Piece::Tail(tail) => {
                return Ok(next * 256 + u64::try_from(tail.entries.len()).unwrap_or_default());
            }
        }
    }
}

/// The first and the last full bundle whose entries are there.
fn full_bundles(layout: &Layout) -> io::Result<Option<(u64, u64)>> {
    let mut found: Option<(u64, u64)> = None;
    let mut folders = vec![layout.bundles()];
    while let Some(folder) = folders.pop() {
        let files = match fs::read_dir(&folder) {
            Ok(files) => files,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        for file in files {
            let file = file?;
            // Partial bundles are in folders of their own, and always behind a full one.
            if file.file_type()?.is_dir() {
                folders.push(file.path());
                continue;
            }
            let path = file.path();
            let name = path.strip_prefix(layout.tiles()).ok().and_then(Path::to_str);
            if let Some(tile) = name.and_then(TileFile::parse).filter(|tile| tile.width.is_none()) {
                let (first, last) = found.unwrap_or((tile.index, tile.index));
                found = Some((first.min(tile.index), last.max(tile.index)));
            }
        }
    }
    Ok(found)
}

/// A file's content; `None` when there is no such file.
pub(crate) fn read_if_there(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
