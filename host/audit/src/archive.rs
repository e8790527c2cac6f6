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
    let mut first = None;
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
            let full = name.and_then(TileFile::parse).filter(|tile| tile.width.is_none());
            let index = full.map(|tile| tile.index);
            first = [first, index].into_iter().flatten().min();
        }
    }
    Ok(first.unwrap_or_default())
}

/// A file's content; `None` when there is no such file.
pub(crate) fn read_if_there(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
