//! Where everything is in a log's directory (C2SP tlog-tiles), and how entry bundles are framed.

use std::ops::Range;
use std::path::{Path, PathBuf};

/// The longest record, in bytes: its length is a big-endian `u16` in front of it.
pub(crate) const RECORD_BYTES_MAX: usize = 65_535;

/// The paths of one log.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    dir: PathBuf,
}

/// A file below `tile/`, by its place in the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TileFile {
    /// `None` is an entry bundle.
    pub(crate) level: Option<u8>,
    pub(crate) index: u64,
    /// `None` is a full tile.
    pub(crate) width: Option<u8>,
}

impl Layout {
    pub(crate) fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Held locked by the one writer.
    pub(crate) fn lock(&self) -> PathBuf {
        self.dir.join("lock")
    }

    /// The latest checkpoint.
    pub(crate) fn checkpoint(&self) -> PathBuf {
        self.dir.join("checkpoint")
    }

    /// The entries that are not stored as bundles yet.
    pub(crate) fn tail(&self) -> PathBuf {
        self.dir.join("tail")
    }

    /// Where a tile is written before it gets its name.
    pub(crate) fn tile_in_the_making(&self) -> PathBuf {
        self.dir.join("tile.new")
    }

    /// Where the next tail file is written before it gets its name.
    pub(crate) fn next_tail(&self) -> PathBuf {
        self.dir.join("tail.next")
    }

    /// The query index, which can be rebuilt from the log.
    pub(crate) fn index(&self) -> PathBuf {
        self.dir.join("index.sqlite")
    }

    /// Sources by their SHA-256.
    pub(crate) fn sources(&self) -> PathBuf {
        self.dir.join("sources")
    }

    pub(crate) fn tiles(&self) -> PathBuf {
        self.dir.join("tile")
    }

    /// Where the entry bundles are.
    pub(crate) fn bundles(&self) -> PathBuf {
        self.tiles().join("entries")
    }

    pub(crate) fn tile(&self, tile: TileFile) -> PathBuf {
        self.tiles().join(tile.path())
    }

    pub(crate) fn entries(&self, index: u64) -> PathBuf {
        self.tile(TileFile::entries(index))
    }
}

impl TileFile {
    /// The full bundle of entries with this index.
    pub(crate) fn entries(index: u64) -> Self {
        Self { level: None, index, width: None }
    }

    /// The full tile of hashes with this place.
    pub(crate) fn hashes(level: u8, index: u64) -> Self {
        Self { level: Some(level), index, width: None }
    }

    /// The same place, as wide as it was at a checkpoint.
    pub(crate) fn partial(self, width: u8) -> Self {
        Self { width: Some(width), ..self }
    }

    /// The path below `tile/`.
    pub(crate) fn path(self) -> String {
        let level = self.level.map_or_else(|| "entries".to_owned(), |level| level.to_string());
        let mut path = format!("{:03}", self.index % 1000);
        let mut rest = self.index / 1000;
        while rest > 0 {
            path = format!("x{:03}/{path}", rest % 1000);
            rest /= 1000;
        }
        let width = self.width.map_or_else(String::new, |width| format!(".p/{width}"));
        format!("{level}/{path}{width}")
    }

    /// The tile with this path below `tile/`, which must be written exactly as [`TileFile::path`] writes it.
    pub(crate) fn parse(path: &str) -> Option<Self> {
        let (level, rest) = path.split_once('/')?;
        let level = if level == "entries" { None } else { Some(level.parse().ok()?) };
        let (place, width) = match rest.split_once(".p/") {
            Some((place, width)) => (place, Some(width.parse().ok()?)),
            None => (rest, None),
        };
        let digits = place.replace(['x', '/'], "");
        let tile = Self { level, index: digits.parse().ok()?, width };
        (tile.path() == path && width != Some(0)).then_some(tile)
    }
}

/// The records of a bundle, each framed by its length.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bundle {
    pub(crate) bytes: Vec<u8>,
    pub(crate) entries: Vec<Range<usize>>,
}

impl Bundle {
    /// Finds the whole records at the front of the bytes, at most `max`.
    pub(crate) fn parse(bytes: Vec<u8>, max: usize) -> Self {
        let mut entries = Vec::with_capacity(max);
        let mut at = 0;
        while entries.len() < max
            && let Some(end) = Self::end_of_record(&bytes, at)
        {
            entries.push(at + 2..end);
            at = end;
        }
        Self { bytes, entries }
    }

    /// Where the record ends whose frame begins at `at`; `None` when no whole one is there.
    pub(crate) fn end_of_record(bytes: &[u8], at: usize) -> Option<usize> {
        let length = u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?);
        let end = at + 2 + usize::from(length);
        // No record is empty: zeros are what a torn write leaves.
        (length > 0 && end <= bytes.len()).then_some(end)
    }

    /// The bytes of one record.
    pub(crate) fn record(&self, at: usize) -> Option<&[u8]> {
        self.bytes.get(self.entries.get(at)?.clone())
    }

    /// All records.
    pub(crate) fn records(&self) -> impl DoubleEndedIterator<Item = &[u8]> + ExactSizeIterator {
        self.entries.iter().map(|range| &self.bytes[range.clone()])
    }

    /// Length of the whole records with their framing.
    pub(crate) fn whole_bytes(&self) -> usize {
        self.entries.last().map_or(0, |range| range.end)
    }

    /// Bytes behind the last whole record.
    pub(crate) fn torn_bytes(&self) -> usize {
        self.bytes.len() - self.whole_bytes()
    }
}

/// The index of the tile at the right edge of a level.
pub(crate) fn place(size: u64, level: u8) -> u64 {
    size.checked_shr(8 * (u32::from(level) + 1)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_specification() {
        let cases = [
            (TileFile::hashes(0, 0), "0/000"),
            (TileFile::hashes(1, 1_234_067), "1/x001/x234/067"),
            (TileFile::hashes(0, 273).partial(112), "0/273.p/112"),
            (TileFile::entries(1000), "entries/x001/000"),
            (TileFile::entries(5).partial(1), "entries/005.p/1"),
        ];
        for (tile, path) in cases {
            assert_eq!(tile.path(), path);
            assert_eq!(TileFile::parse(path), Some(tile));
        }
    }

    #[test]
    fn other_spellings_are_refused() {
        let cases = [
            "0",
            "0/",
            "0/0",
            "00/000",
            "0/0000",
            "0/x000/001",
            "0/001.p/0",
            "0/001.p/256",
            "0/001.p/01",
            "0/001.p",
            "x/000",
            "256/000",
            "0/001/x002",
            "0/+01",
            "entries/../000",
            "0/000.tmp",
        ];
        for path in cases {
            assert_eq!(TileFile::parse(path), None, "{path}");
        }
    }

    #[test]
    fn bundles_end_at_the_last_whole_record() {
        let bytes = b"\0\x02ab\0\x01c\0\x03de".to_vec();
        let bundle = Bundle::parse(bytes, 256);
        assert_eq!(bundle.records().collect::<Vec<_>>(), [b"ab".as_slice(), b"c"]);
        assert_eq!((bundle.whole_bytes(), bundle.torn_bytes()), (7, 4));
        assert_eq!(Bundle::parse(b"\0\0\0\x01c".to_vec(), 256).entries.len(), 0);
        assert_eq!(Bundle::parse(b"\0\x01a\0\x01b".to_vec(), 1).entries.len(), 1);
    }
}
