//! The tail file: the newest records, one behind the other, until they are stored as bundles.
//!
//! It begins with the index of the bundle that its first record begins. Records are only ever appended; once bundles
//! are stored and signed, a new file that begins behind them takes its place at once.

use std::io;

use crate::archive;
use crate::layout::{Bundle, Layout};
use crate::merkle::TILE_WIDTH;

/// What a header begins with: two bytes that no record begins with, and the format's letter and version.
const MAGIC: [u8; 4] = [0, 0, b'T', 1];
/// Bytes in front of the first record.
pub(crate) const HEADER_BYTES: usize = 12;

/// The header of a file whose first record begins the bundle `first`.
pub(crate) fn header(first: u64) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[..4].copy_from_slice(&MAGIC);
    header[4..].copy_from_slice(&first.to_be_bytes());
    header
}

/// What a tail file holds.
#[derive(Debug, Default)]
pub(crate) struct TailFile {
    first: u64,
    bytes: Vec<u8>,
    /// Where each bundle begins; the last one is not full.
    begins: Vec<usize>,
}

impl TailFile {
    /// Reads the tail file of a log; a missing one holds nothing.
    ///
    /// One without a header, as logs had before, begins at the bundle `headless`: the first that is not stored.
    pub(crate) fn read(layout: &Layout, headless: u64) -> io::Result<Self> {
        Ok(Self::parse(archive::read_if_there(&layout.tail())?.unwrap_or_default(), headless))
    }

    fn parse(bytes: Vec<u8>, headless: u64) -> Self {
        let header = bytes.first_chunk::<HEADER_BYTES>().filter(|header| header.starts_with(&MAGIC));
        let (first, mut at) = match header {
            Some([_, _, _, _, first @ ..]) => (u64::from_be_bytes(*first), HEADER_BYTES),
            None => (headless, 0),
        };
        let mut begins = vec![at];
        let mut records = 0;
        while let Some(end) = Bundle::end_of_record(&bytes, at) {
            at = end;
            records += 1;
            if records % TILE_WIDTH == 0 {
                begins.push(at);
            }
        }
        Self { first, bytes, begins }
    }

    /// The index of the bundle that the first record begins.
    pub(crate) fn first(&self) -> u64 {
        self.first
    }

    /// A bundle's records; the last one's with what is torn behind them. `None` for bundles before the first.
    pub(crate) fn bundle(&self, index: u64) -> Option<Bundle> {
        let nth = usize::try_from(index.checked_sub(self.first)?).unwrap_or(usize::MAX);
        let Some(begin) = self.begins.get(nth) else { return Some(Bundle::default()) };
        let end = self.begins.get(nth + 1).copied().unwrap_or(self.bytes.len());
        let bytes = self.bytes.get(*begin..end).unwrap_or_default();
        Some(Bundle::parse(bytes.to_vec(), TILE_WIDTH))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(count: usize) -> Vec<u8> {
        (0..count).flat_map(|_| *b"\0\x01r").collect()
    }

    #[test]
    fn bundles_are_found_by_their_index() {
        let torn = [&header(7)[..], &records(600), b"\0\x09r"].concat();
        let tail = TailFile::parse(torn, 0);
        assert_eq!(tail.first(), 7);
        assert!(tail.bundle(6).is_none());
        let found = [7, 8, 9, 10, u64::MAX].map(|index| {
            let bundle = tail.bundle(index).unwrap();
            (bundle.entries.len(), bundle.torn_bytes())
        });
        assert_eq!(found, [(256, 0), (256, 0), (88, 3), (0, 0), (0, 0)]);
    }

    #[test]
    fn a_file_without_a_whole_header_begins_where_the_bundles_end() {
        let cases =
            [(records(3), 3, 0), (vec![], 0, 0), (header(7)[..11].to_vec(), 0, 11), (vec![0; 50], 0, 50)];
        for (bytes, whole, torn) in cases {
            let tail = TailFile::parse(bytes, 4);
            let bundle = tail.bundle(4).unwrap();
            assert_eq!((tail.first(), bundle.entries.len(), bundle.torn_bytes()), (4, whole, torn));
        }
    }
}
