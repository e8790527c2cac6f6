//! Reads a log's directory without a lock, also while a host appends to it.

use std::fs;
use std::io;
use std::path::Path;

use crate::layout::{Bundle, Layout, TileFile};
use crate::merkle::TILE_WIDTH;
use crate::tail_file::TailFile;

/// The entries found for one bundle index.
#[derive(Debug)]
pub(crate) enum Piece {
    /// A full bundle's file.
    Full(Bundle),
    /// A part of the tail: the log ends here unless it has 256 records.
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

    /// Whether the log ends here.
    pub(crate) fn is_last(&self) -> bool {
        matches!(self, Self::Tail(bundle) if bundle.entries.len() < TILE_WIDTH)
    }
}

/// Reads one bundle after the other, and the tail file no more often than it takes.
#[derive(Debug)]
pub(crate) struct Pieces<'a> {
    layout: &'a Layout,
    tail: Option<TailFile>,
}

impl<'a> Pieces<'a> {
    pub(crate) fn new(layout: &'a Layout) -> Self {
        Self { layout, tail: None }
    }

    /// The entries with this index. All bundles before it must be full.
    pub(crate) fn read(&mut self, index: u64) -> io::Result<Piece> {
        loop {
            if let Some(bytes) = read_if_there(&self.layout.entries(index))? {
                return Ok(Piece::Full(Bundle::parse(bytes, TILE_WIDTH)));
            }
            let known = self.tail.as_ref().and_then(|tail| tail.bundle(index));
            if let Some(bundle) = known.filter(|bundle| bundle.entries.len() == TILE_WIDTH) {
                return Ok(Piece::Tail(bundle));
            }
            let tail = self.tail.insert(TailFile::read(self.layout, index)?);
            match tail.bundle(index) {
                Some(bundle) => return Ok(Piece::Tail(bundle)),
                // The writer stores bundles before it takes them out of the tail.
                None if self.layout.entries(index).try_exists()? => {}
                None => return Ok(Piece::Tail(Bundle::default())),
            }
        }
    }
}

/// The entries with this index. All bundles before it must be full.
pub(crate) fn read_piece(layout: &Layout, index: u64) -> io::Result<Piece> {
    Pieces::new(layout).read(index)
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
    let mut pieces = Pieces::new(layout);
    loop {
        let piece = pieces.read(next)?;
        if piece.is_last() {
            return Ok(next * 256 + u64::try_from(piece.bundle().entries.len()).unwrap_or_default());
        }
        next += 1;
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
