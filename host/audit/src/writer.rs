//! The one writer of a log: appends records to the tail file, and keeps what is to be stored as bundles and tiles.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::layout::Layout;
use crate::merkle::{Frontier, FullTile, Hash, TILE_WIDTH};
use crate::storage::Storage;
use crate::tail_file::{HEADER_BYTES, header};

/// The longest tail file: when so much is not stored as bundles, something is wrong with storing them.
const TAIL_BYTES_MAX: usize = 64 << 20;

/// Bundles whose memory is used again: as many as are stored together under load.
const SPARE_MAX: usize = 32;

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
    #[error("{TAIL_BYTES_MAX} bytes of records wait to be stored as bundles")]
    Unstored,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Appends records. A failed append leaves nothing behind: what was half written is cut off before the next one.
#[derive(Debug)]
pub(crate) struct Writer {
    layout: Layout,
    storage: Arc<dyn Storage>,
    frontier: Frontier,
    /// What the tail file begins with: full bundles that it may not lose yet, oldest first.
    full: VecDeque<Arc<FullBundle>>,
    /// What it goes on with: the records right of the last full bundle, framed.
    tail: Vec<u8>,
    /// The length of both.
    bytes: usize,
    /// How much of that, at the end of the tail, was gathered and is not in the file yet.
    gathered: Gathered,
    /// Memory of bundles that are stored, for those to come.
    spare: Vec<Vec<u8>>,
    file: TailState,
    /// Whether a crash of the machine may still lose its name.
    unnamed: bool,
}

/// Records that are only in memory, and their bytes.
#[derive(Debug, Clone, Copy, Default)]
struct Gathered {
    records: u64,
    bytes: usize,
}

/// What is known of the tail file.
#[derive(Debug)]
enum TailState {
    /// It holds the tail, up to what was gathered, and nothing else.
    Whole(Arc<File>),
    /// It may hold half a record behind the tail.
    Torn(Arc<File>),
    /// It is not there, or a failed sync may have lost any part of it.
    Suspect,
}

/// 256 records, framed, with the tiles that they complete.
#[derive(Debug)]
pub(crate) struct FullBundle {
    pub(crate) index: u64,
    pub(crate) bytes: Vec<u8>,
    pub(crate) tiles: Vec<FullTile>,
}

/// What a crash of the machine may still lose.
#[derive(Debug)]
pub(crate) struct Unsynced {
    file: Option<Arc<File>>,
    unnamed: bool,
}

/// The state of the log at one size, to sign and publish.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) size: u64,
    pub(crate) root: Hash,
    pub(crate) levels: Vec<Vec<Hash>>,
    /// Bundles that may not be stored yet.
    pub(crate) full: Vec<Arc<FullBundle>>,
    pub(crate) tail: Vec<u8>,
    /// The length of the tail file.
    pub(crate) bytes: usize,
}

/// What a tail file holds.
#[derive(Debug)]
pub(crate) struct Content {
    full: Vec<Arc<FullBundle>>,
    /// The bundle behind the full ones.
    next: u64,
    tail: Vec<u8>,
}

impl Writer {
    /// A writer that goes on behind these records, which are written to a new tail file before the next one.
    pub(crate) fn new(
        layout: Layout,
        storage: Arc<dyn Storage>,
        frontier: Frontier,
        full: Vec<FullBundle>,
        tail: Vec<u8>,
    ) -> Self {
        let full: VecDeque<_> = full.into_iter().map(Arc::new).collect();
        let mut writer = Self {
            layout,
            storage,
            frontier,
            full,
            tail,
            bytes: 0,
            gathered: Gathered::default(),
            spare: Vec::new(),
            file: TailState::Suspect,
            unnamed: false,
        };
        writer.bytes = writer.content_behind(0).bytes();
        writer
    }

    /// Records in the log, gathered ones included.
    pub(crate) fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// Records in the files of the log.
    pub(crate) fn written(&self) -> u64 {
        self.frontier.size() - self.gathered.records
    }

    /// The bundle that the tail file begins with.
    pub(crate) fn first_bundle(&self) -> u64 {
        self.frontier.size() / 256 - length(self.full.len())
    }

    /// The length of the tail file, with what is gathered for it.
    pub(crate) fn tail_bytes(&self) -> usize {
        self.bytes
    }

    /// Whether the tail is so long that it takes no more records until some are stored.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes > TAIL_BYTES_MAX
    }

    /// Appends the record that `write` puts behind what the buffer holds, and writes it with all that was gathered.
    pub(crate) fn append(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), WriteError> {
        self.push(write, |writer, _| writer.flush())
    }

    /// Appends a record that may be written later. It is written at once where that is the time to find out that
    /// nothing can be written, and where it fills a bundle.
    pub(crate) fn gather(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), WriteError> {
        self.push(write, |writer, fills| match writer.file {
            TailState::Whole(_) if !fills => Ok(()),
            _ => writer.flush(),
        })
    }

    fn push(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>),
        settle: impl FnOnce(&mut Self, bool) -> io::Result<()>,
    ) -> Result<(), WriteError> {
        if self.is_full() {
            return Err(WriteError::Unstored);
        }
        let (start, before) = (self.tail.len(), (self.bytes, self.gathered));
        self.tail.extend_from_slice(&[0, 0]);
        write(&mut self.tail);
        let length = u16::try_from(self.tail.len() - start - 2).ok().filter(|length| *length > 0);
        let Some(length) = length else {
            self.tail.truncate(start);
            return Err(WriteError::TooLong);
        };
        self.tail[start..start + 2].copy_from_slice(&length.to_be_bytes());
        let bytes = self.tail.len() - start;
        self.bytes += bytes;
        self.gathered.records += 1;
        self.gathered.bytes += bytes;
        if let Err(error) = settle(self, self.frontier.width() + 1 == TILE_WIDTH) {
            self.tail.truncate(start);
            (self.bytes, self.gathered) = before;
            // Tried again before the next record; only a reader of the live tail gains by doing it now.
            self.repair().ok();
            return Err(error.into());
        }
        self.frontier.push(Hash::of_leaf(&self.tail[start + 2..]));
        if self.frontier.width() == TILE_WIDTH {
            self.fill_bundle();
        }
        Ok(())
    }

    /// Writes what was gathered. What cannot be written is tried again with the next record.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.repair()?;
        let TailState::Whole(file) = &self.file else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let gathered = &self.tail[self.tail.len() - self.gathered.bytes..];
        let begin = length(self.bytes - gathered.len());
        if let Err(error) = self.storage.write_all_at(file, gathered, begin) {
            self.file = TailState::Torn(Arc::clone(file));
            return Err(error);
        }
        self.gathered = Gathered::default();
        Ok(())
    }

    /// Makes the tail file hold the tail, up to what was gathered, and nothing else.
    pub(crate) fn repair(&mut self) -> io::Result<()> {
        let file = match &self.file {
            TailState::Whole(_) => return Ok(()),
            TailState::Torn(file) => {
                self.storage.set_len(file, length(self.bytes - self.gathered.bytes))?;
                Arc::clone(file)
            }
            TailState::Suspect => {
                // Not under the name of the one that may be in the making beside this.
                let (path, new) = (self.layout.tail(), self.layout.tail().with_extension("new"));
                let file = self.content_behind(0).write(&*self.storage, &new)?;
                self.storage.sync(&file)?;
                self.storage.rename(&new, &path)?;
                self.unnamed = true;
                self.gathered = Gathered::default();
                file
            }
        };
        self.file = TailState::Whole(file);
        Ok(())
    }

    /// The log as it is now.
    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot {
            size: self.size(),
            root: self.frontier.root(),
            levels: self.frontier.levels().to_vec(),
            full: self.full.iter().cloned().collect(),
            tail: self.tail.clone(),
            bytes: self.bytes,
        }
    }

    /// Hands over the tail file to sync for the records so far to be durable.
    pub(crate) fn take_unsynced(&mut self) -> io::Result<Unsynced> {
        self.flush()?;
        let file = match &self.file {
            TailState::Whole(file) => Some(Arc::clone(file)),
            TailState::Torn(_) | TailState::Suspect => None,
        };
        Ok(Unsynced { file, unnamed: std::mem::take(&mut self.unnamed) })
    }

    /// Takes back what could not be synced: all that is in the tail is written again before the next record.
    pub(crate) fn distrust(&mut self, unsynced: &Unsynced) {
        self.unnamed |= unsynced.unnamed;
        self.file = TailState::Suspect;
    }

    /// What a tail file would hold that begins behind the `stored` first bundles of the log.
    pub(crate) fn content_behind(&self, stored: u64) -> Content {
        let full = self.full.iter().filter(|bundle| bundle.index >= stored).cloned().collect();
        Content { full, next: self.frontier.size() / 256, tail: self.tail.clone() }
    }

    /// Puts a new tail file in the place of the one in use, with what was appended since it was made. All that is
    /// durable in the old one must be so in the new one.
    pub(crate) fn switch(&mut self, new: &Content, file: Arc<File>) -> io::Result<()> {
        let mut end = new.bytes();
        let mut skip = new.tail.len();
        let filled = self.full.iter().filter(|bundle| bundle.index >= new.next).map(|bundle| &bundle.bytes);
        for bytes in filled.chain([&self.tail]) {
            let since = bytes.get(skip..).unwrap_or_default();
            self.storage.write_all_at(&file, since, length(end))?;
            end += since.len();
            skip = 0;
        }
        self.storage.rename(&self.layout.next_tail(), &self.layout.tail())?;
        let first = new.first();
        while let Some(stored) = self.full.pop_front_if(|bundle| bundle.index < first) {
            if self.spare.len() < SPARE_MAX
                && let Some(stored) = Arc::into_inner(stored)
            {
                self.spare.push(stored.bytes);
            }
        }
        self.bytes = end;
        self.gathered = Gathered::default();
        self.file = TailState::Whole(file);
        self.unnamed = true;
        Ok(())
    }

    /// Puts the records of a bundle that has become full aside, to be stored.
    fn fill_bundle(&mut self) {
        let index = self.frontier.size() / 256 - 1;
        let mut room = self.spare.pop().unwrap_or_else(|| Vec::with_capacity(self.tail.len()));
        room.clear();
        let bytes = std::mem::replace(&mut self.tail, room);
        let tiles = self.frontier.carry();
        self.full.push_back(Arc::new(FullBundle { index, bytes, tiles }));
    }
}

impl Content {
    /// The bundle that it begins with.
    fn first(&self) -> u64 {
        self.next - length(self.full.len())
    }

    /// Its length.
    fn bytes(&self) -> usize {
        HEADER_BYTES + self.full.iter().map(|bundle| bundle.bytes.len()).sum::<usize>() + self.tail.len()
    }

    /// Writes it to a file, which is not synced.
    pub(crate) fn write(&self, storage: &dyn Storage, path: &Path) -> io::Result<Arc<File>> {
        let file = storage.write_file(path, &header(self.first()))?;
        let mut end = HEADER_BYTES;
        for bytes in self.full.iter().map(|bundle| &bundle.bytes).chain([&self.tail]) {
            storage.write_all_at(&file, bytes, length(end))?;
            end += bytes.len();
        }
        Ok(file)
    }
}

impl Unsynced {
    /// Waits until it is on the disk.
    pub(crate) fn sync(&self, storage: &dyn Storage, layout: &Layout) -> io::Result<()> {
        self.file.iter().try_for_each(|file| storage.sync(file))?;
        if self.unnamed { storage.sync_dir(layout.dir()) } else { Ok(()) }
    }
}

/// The content of a tile's file.
pub(crate) fn tile_bytes(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

fn length(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
