//! The log's handle: opens, appends, publishes, proves, closes.

use std::collections::VecDeque;
use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use alknet_call::{AuditSink as _, AuditUnavailable, Due, Recorded};
use alknet_core::{Clock, Ed25519SecretKey, PublicKey};
use serde_json::Value;

use crate::digest::{Digester, derive_digest_key};
use crate::event::{Event, HostRecovered, HostStopped};
use crate::layout::{Layout, TileFile, place};
use crate::merkle::Hash;
use crate::note;
use crate::proof::{self, ConsistencyProof, InclusionProof, Tiles};
use crate::publish::Keep;
use crate::reader::{AuditReader, QueryError};
use crate::record::write_event;
use crate::recover::{self, Found, OpenError, at, parse_tile};
use crate::shared::{Appended, Setup, Shared};
use crate::sink::recorded_as;
use crate::sources;
use crate::storage::{OsStorage, Storage};
use crate::threads;
use crate::wait::block_on;
use crate::writer::{Durability, Snapshot, Writer};

/// Stored sources that are remembered: more than registrations can be under way at once.
const STORED_REMEMBERED: usize = 4096;

/// How a log is written.
#[derive(Debug, Clone)]
pub struct Options {
    /// Signs checkpoints.
    pub key: Ed25519SecretKey,
    /// The log's unique name, and the name of its key (C2SP tlog-checkpoint).
    pub origin: String,
    /// When a record counts as written.
    pub durability: Durability,
    /// Keys the digests of inputs and outputs.
    pub digest_key: DigestKey,
    /// Tells the time of records.
    pub clock: Arc<dyn Clock>,
    /// Records after which a checkpoint is published.
    pub checkpoint_every: u64,
    /// Time after which a record is covered by a checkpoint, whatever their number.
    pub checkpoint_interval: Duration,
}

/// The key of the digests of inputs and outputs; never printed.
#[derive(Clone)]
pub struct DigestKey([u8; 32]);

/// An append-only, tamper-evident log in a directory. Cheap to clone; every clone is the same log.
///
/// It is one writer: a second one on the same directory is refused. [`AuditReader`] and [`crate::verify()`] read
/// beside it. The last clone closes the log when it is dropped.
#[derive(Debug, Clone)]
pub struct AuditLog(Arc<Owner>);

#[derive(Debug)]
struct Owner {
    shared: Arc<Shared>,
    reader: Arc<AuditReader>,
    digester: Digester,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// The sources stored last, whose registrations may not be recorded yet. Held while sources are stored or
    /// removed: two writers of the same one would be in each other's way.
    storing: Mutex<VecDeque<Hash>>,
    /// Records when the log was opened.
    opened_at: u64,
    /// Locked as long as the log is open.
    lock: Mutex<Option<File>>,
}

impl Options {
    /// The defaults: durability `Os`, a checkpoint every 32,768 records, at the latest after a second.
    #[must_use]
    pub fn new(key: Ed25519SecretKey, clock: Arc<dyn Clock>) -> Self {
        Self {
            origin: default_origin(&key.public()),
            digest_key: DigestKey(derive_digest_key(&key)),
            key,
            durability: Durability::default(),
            clock,
            checkpoint_every: 32_768,
            checkpoint_interval: Duration::from_secs(1),
        }
    }
}

impl DigestKey {
    /// A key of its own, for digests that outlive the signing key.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The key that belongs to a signing key: HMAC-SHA-256 over a fixed label, keyed with the seed.
    #[must_use]
    pub fn derive(key: &Ed25519SecretKey) -> Self {
        Self(derive_digest_key(key))
    }
}

/// The name of a log that has no other: `alknet-agent/` and the first 16 digits of its key.
fn default_origin(key: &PublicKey) -> String {
    format!("alknet-agent/{}", hex::encode(&key.as_bytes()[..8]))
}

impl AuditLog {
    /// Opens the log in a directory, which is created where it is missing (0700, files 0600).
    ///
    /// After a crash the torn end is dropped, the rest proved against the last checkpoint, and what was found is
    /// recorded as `host.recovered`.
    ///
    /// # Errors
    /// [`OpenError`]: what is in the way, or what differs from the checkpoint. Nothing was changed then.
    pub fn open(dir: &Path, options: Options) -> Result<Self, OpenError> {
        Self::open_on(dir, options, Arc::new(OsStorage))
    }

    pub(crate) fn open_on(
        dir: &Path,
        options: Options,
        storage: Arc<dyn Storage>,
    ) -> Result<Self, OpenError> {
        if !note::is_key_name(&options.origin) {
            return Err(OpenError::Origin);
        }
        let layout = Layout::new(dir);
        storage.create_dir(dir).map_err(at(dir))?;
        let lock = lock(&layout)?;
        let found = recover::find(&layout, &options.origin, &options.key.public())?;
        let digester = Digester::new(&options.digest_key.0);
        let opened_at = found.frontier.size();
        let shared = Arc::new(restore(layout.clone(), storage, options, found)?);
        let reader = Arc::new(AuditReader::beside(layout));
        let threads = threads::spawn(&shared, &reader).map_err(at(dir))?;
        let (threads, storing, lock) = (Mutex::new(threads), Mutex::default(), Mutex::new(Some(lock)));
        let owner = Owner { shared, reader, digester, threads, storing, opened_at, lock };
        Ok(Self(Arc::new(owner)))
    }

    /// Records an event, and waits until it is as durable as the log promises.
    ///
    /// # Errors
    /// [`AuditUnavailable`] when it could not be written; what it tells of must not happen then.
    pub fn append(&self, event: &Event) -> Result<(), AuditUnavailable> {
        block_on(self.append_async(event))
    }

    /// Records an event; the future resolves when it is as durable as the log promises. It is in the log even
    /// when the future is dropped.
    ///
    /// # Errors
    /// [`AuditUnavailable`] when it could not be written; what it tells of must not happen then.
    pub async fn append_async(&self, event: &Event) -> Result<(), AuditUnavailable> {
        match self.append_event(event)? {
            Appended::Written => Ok(()),
            Appended::Gathered { through } => self.flush(through),
            Appended::Committing(ticket) => ticket.await.unwrap_or(Err(AuditUnavailable)),
        }
    }

    /// Records an event as part of a call, which waits until it is as durable as the log promises.
    #[must_use]
    pub fn append_in_call(&self, event: &Event) -> Recorded {
        recorded_as(self.append_event(event))
    }

    /// The number of records.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.0.shared.size()
    }

    /// Publishes a checkpoint of every record so far and answers it as a signed note. It blocks on the disk.
    ///
    /// # Errors
    /// [`AuditUnavailable`] when it could not be written.
    pub fn checkpoint(&self) -> Result<String, AuditUnavailable> {
        self.publish(Keep::Tail)
    }

    /// Publishes a checkpoint, and leaves as little in the tail as can be: bundles are nowhere else then.
    pub(crate) fn settle(&self) -> Result<String, AuditUnavailable> {
        self.publish(Keep::Least)
    }

    fn publish(&self, keep: Keep) -> Result<String, AuditUnavailable> {
        self.0.shared.publish(keep).map_err(|error| {
            tracing::error!(%error, "no checkpoint could be published");
            AuditUnavailable
        })
    }

    /// The log's name and key in the form other verifiers take (`name+id+key`, C2SP signed-note).
    #[must_use]
    pub fn verifier_key(&self) -> String {
        note::verifier_key(&self.0.shared.setup.origin, &self.0.shared.setup.key.public())
    }

    /// The key that signs checkpoints.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        self.0.shared.setup.key.public()
    }

    /// The keyed digest that records show for this input or output.
    #[must_use]
    pub fn digest(&self, value: &Value) -> Hash {
        self.0.digester.digest(value)
    }

    /// Keeps a source beside the log, and answers the SHA-256 that records name it by. It blocks on the disk.
    ///
    /// # Errors
    /// [`AuditUnavailable`] when it could not be written.
    pub fn store_source(&self, source: &[u8]) -> Result<Hash, AuditUnavailable> {
        let shared = &self.0.shared;
        let mut stored = self.storing();
        let digest =
            sources::store(&shared.setup.layout, &*shared.setup.storage, source).map_err(|error| {
                tracing::error!(%error, "a source could not be kept beside the audit log");
                AuditUnavailable
            })?;
        stored.push_back(digest);
        if stored.len() > STORED_REMEMBERED {
            stored.pop_front();
        }
        Ok(digest)
    }

    /// Answers questions about the records, up to the latest.
    #[must_use]
    pub fn reader(&self) -> &AuditReader {
        &self.0.reader
    }

    /// Proves that a record is in the tree of the first `size` records.
    ///
    /// # Errors
    /// [`QueryError::OutOfRange`] unless `index < size <= self.size()`.
    pub fn prove_inclusion(&self, index: u64, size: u64) -> Result<InclusionProof, QueryError> {
        let mut tiles = self.tiles();
        if index >= size || size > tiles.snapshot.size {
            return Err(QueryError::OutOfRange);
        }
        proof::inclusion(&mut tiles, index, size)
    }

    /// Proves that the first `from` records are the beginning of the first `to`.
    ///
    /// # Errors
    /// [`QueryError::OutOfRange`] unless `from <= to <= self.size()`.
    pub fn prove_consistency(&self, from: u64, to: u64) -> Result<ConsistencyProof, QueryError> {
        let mut tiles = self.tiles();
        if from > to || to > tiles.snapshot.size {
            return Err(QueryError::OutOfRange);
        }
        proof::consistency(&mut tiles, from, to)
    }

    /// The root of the tree of the first `size` records.
    ///
    /// # Errors
    /// [`QueryError::OutOfRange`] unless `size <= self.size()`.
    pub fn root(&self, size: u64) -> Result<Hash, QueryError> {
        let mut tiles = self.tiles();
        if size > tiles.snapshot.size {
            return Err(QueryError::OutOfRange);
        }
        proof::root(&mut tiles, size)
    }

    /// Records `host.stopped`, publishes the last checkpoint and refuses further records. It blocks on the disk.
    ///
    /// # Errors
    /// [`AuditUnavailable`] when the end could not be recorded; the log is closed all the same.
    pub fn close(&self) -> Result<(), AuditUnavailable> {
        self.0.close()
    }

    /// Hands a record to the log.
    pub(crate) fn append_event(&self, event: &Event) -> Result<Appended, AuditUnavailable> {
        self.0.shared.append(Due::Now, |time, out| write_event(event, time, out))
    }

    /// The sources stored last; nobody stores or removes any while this is held.
    pub(crate) fn storing(&self) -> MutexGuard<'_, VecDeque<Hash>> {
        self.0.storing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.0.shared
    }

    /// The tree as it is now.
    pub(crate) fn tiles(&self) -> LiveTiles<'_> {
        let shared = &self.0.shared;
        LiveTiles { layout: &shared.setup.layout, snapshot: shared.snapshot() }
    }
}

impl Owner {
    fn close(&self) -> Result<(), AuditUnavailable> {
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        if self.shared.is_closed() {
            return Ok(());
        }
        self.shared.stop();
        for thread in threads.drain(..) {
            // A thread that panicked has nothing left to do.
            thread.join().ok();
        }
        // What nobody waits for any more: a failure shows when the end is recorded.
        self.shared.flush(u64::MAX).ok();
        let records = self.shared.size();
        let stopped = if records == self.opened_at {
            self.shared.close();
            Ok(())
        } else {
            let event = Event::HostStopped(HostStopped { records });
            self.shared.append_last(|time, out| write_event(&event, time, out))
        };
        if self.shared.setup.durability == Durability::Disk {
            self.shared.commit();
        }
        let published = self.shared.publish(Keep::Least).map(drop).map_err(|error| {
            tracing::error!(%error, "the last checkpoint could not be published");
            AuditUnavailable
        });
        self.reader.catch_up_if_open(self.shared.size());
        // Whoever opens the log next need not wait for the last handle to go.
        drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner).take());
        stopped.and(published)
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        // Failures are logged; the next start recovers.
        self.close().ok();
    }
}

/// Takes the directory's lock, which ends with the returned file.
pub(crate) fn lock(layout: &Layout) -> Result<File, OpenError> {
    let path = layout.lock();
    let mut options = File::options();
    let file = options.write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(at(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked { dir: layout.dir().to_owned() }),
        Err(TryLockError::Error(error)) => Err(at(&path)(error)),
    }
}

/// Puts the directory in order and goes on behind the last whole record.
fn restore(
    layout: Layout,
    storage: Arc<dyn Storage>,
    options: Options,
    found: Found,
) -> Result<Shared, OpenError> {
    let Found { frontier, full, tail, checkpoint, dropped_bytes, clean, time, beyond } = found;
    let (dir, records) = (layout.dir().to_owned(), frontier.size());
    let covered = checkpoint.map(|checkpoint| checkpoint.size);
    let mut writer = Writer::new(layout.clone(), Arc::clone(&storage), frontier, full, tail);
    if covered.is_some() {
        writer.repair().map_err(at(&dir))?;
    }
    // From the end, so that a crash in between leaves no gap.
    for path in beyond.iter().rev() {
        fs::remove_file(path).map_err(at(path))?;
    }
    let setup = Setup {
        layout,
        storage,
        key: options.key,
        origin: options.origin,
        durability: options.durability,
        clock: options.clock,
        checkpoint_every: options.checkpoint_every.max(1),
        checkpoint_interval: options.checkpoint_interval,
    };
    let shared = Shared::new(setup, writer, time, covered.unwrap_or_default());
    if !clean {
        shared.remove_partials_from(covered.unwrap_or_default());
        let checkpoint = covered.unwrap_or_default();
        let event = Event::HostRecovered(HostRecovered { records, checkpoint, dropped_bytes });
        let appended = shared.append(Due::Now, |time, out| write_event(&event, time, out));
        drop(appended.map_err(|error| at(&dir)(io::Error::other(error)))?);
    }
    shared.publish(Keep::Least).map_err(at(&dir))?;
    Ok(shared)
}

/// Tiles of the live log: what is stored from the disk, the rest from memory.
pub(crate) struct LiveTiles<'a> {
    layout: &'a Layout,
    pub(crate) snapshot: Snapshot,
}

impl Tiles for LiveTiles<'_> {
    type Error = QueryError;

    fn tile(&mut self, level: u8, index: u64) -> Result<Vec<Hash>, QueryError> {
        if index == place(self.snapshot.size, level) {
            return Ok(self.snapshot.levels.get(usize::from(level)).cloned().unwrap_or_default());
        }
        let mut unstored = self.snapshot.full.iter().flat_map(|bundle| &bundle.tiles);
        if let Some(tile) = unstored.find(|tile| (tile.level, tile.index) == (level, index)) {
            return Ok(tile.hashes.clone());
        }
        let path = self.layout.tile(TileFile::hashes(level, index));
        let bytes = fs::read(&path).map_err(|source| QueryError::io(&path, source))?;
        Ok(parse_tile(&bytes))
    }

    fn missing(level: u8, index: u64) -> QueryError {
        QueryError::TileTooShort { tile: TileFile::hashes(level, index).path() }
    }
}

impl std::fmt::Debug for DigestKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DigestKey([REDACTED])")
    }
}
