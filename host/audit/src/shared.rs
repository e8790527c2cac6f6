//! What all handles of a log and its threads share, and the three things they do: append, commit, publish.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use alknet_call::AuditUnavailable;
use alknet_core::{Clock, Ed25519SecretKey};
use tokio::sync::oneshot;

use crate::canonical::INTEGER_MAX;
use crate::checkpoint::Checkpoint;
use crate::layout::{Layout, TileFile};
use crate::storage::Storage;
use crate::writer::{Durability, Snapshot, Unsynced, WriteError, Writer, tile_bytes};

/// Times that a commit lets others run before it begins.
const GATHER_TURNS: usize = 16;

/// Resolves when a record is on the disk, or will not be.
pub(crate) type Ticket = oneshot::Receiver<Result<(), AuditUnavailable>>;

/// The parts of a log that its handles and threads share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) layout: Layout,
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) key: Ed25519SecretKey,
    pub(crate) origin: String,
    pub(crate) durability: Durability,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) checkpoint_every: u64,
    pub(crate) checkpoint_interval: Duration,
    state: Mutex<State>,
    /// Wakes the thread that publishes.
    publish_wanted: Condvar,
    /// Wakes the thread that syncs.
    commit_wanted: Condvar,
    /// Held while records are synced: whoever acknowledges some must not overtake who still syncs them.
    syncing: Mutex<()>,
    /// Held while publishing, so that checkpoints appear in order; the size tried last.
    publishing: Mutex<u64>,
}

#[derive(Debug)]
struct State {
    writer: Writer,
    /// The time of the last record: records never go back in time.
    time: u64,
    waiters: VecDeque<Waiter>,
    /// Records since the last commit began.
    uncommitted: bool,
    /// Records covered by the published checkpoint.
    published: u64,
    publisher: Publisher,
    health: Health,
    phase: Phase,
}

#[derive(Debug)]
struct Waiter {
    /// Records that must be durable.
    size: u64,
    done: oneshot::Sender<Result<(), AuditUnavailable>>,
}

/// What the publishing thread waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Publisher {
    /// Any record.
    Idle,
    /// The interval to pass, or many records.
    Timing,
    /// Nothing: it is at work.
    Busy,
}

/// Whether the last write went well; only a change is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Health {
    Good,
    Failing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// The threads end; records are still taken.
    Stopping,
    /// No more records.
    Closed,
}

/// The fixed parts of a log.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) layout: Layout,
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) key: Ed25519SecretKey,
    pub(crate) origin: String,
    pub(crate) durability: Durability,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) checkpoint_every: u64,
    pub(crate) checkpoint_interval: Duration,
}

impl Shared {
    /// A log that goes on where `writer` stands; `time` is that of the last record.
    pub(crate) fn new(setup: Setup, writer: Writer, time: u64, published: u64) -> Self {
        let state = State {
            writer,
            time,
            waiters: VecDeque::new(),
            uncommitted: false,
            published,
            publisher: Publisher::Busy,
            health: Health::Good,
            phase: Phase::Open,
        };
        Self {
            layout: setup.layout,
            storage: setup.storage,
            key: setup.key,
            origin: setup.origin,
            durability: setup.durability,
            clock: setup.clock,
            checkpoint_every: setup.checkpoint_every.max(1),
            checkpoint_interval: setup.checkpoint_interval,
            state: Mutex::new(state),
            publish_wanted: Condvar::new(),
            commit_wanted: Condvar::new(),
            syncing: Mutex::new(()),
            publishing: Mutex::new(published),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic cannot leave the state half changed in a way that `repair` does not find.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records in the log.
    pub(crate) fn size(&self) -> u64 {
        self.lock().writer.size()
    }

    /// Appends what `write` puts behind the buffer's content, given the record's time. The ticket is there
    /// when durability is `Disk`.
    pub(crate) fn append(
        &self,
        write: impl FnOnce(u64, &mut Vec<u8>),
    ) -> Result<Option<Ticket>, AuditUnavailable> {
        let mut state = self.lock();
        if state.phase == Phase::Closed {
            return Err(AuditUnavailable);
        }
        self.append_locked(&mut state, write)
    }

    /// Appends the last record; there will be no other.
    pub(crate) fn append_last(&self, write: impl FnOnce(u64, &mut Vec<u8>)) -> Result<(), AuditUnavailable> {
        let mut state = self.lock();
        let result = self.append_locked(&mut state, write);
        state.phase = Phase::Closed;
        result.map(drop)
    }

    fn append_locked(
        &self,
        state: &mut State,
        write: impl FnOnce(u64, &mut Vec<u8>),
    ) -> Result<Option<Ticket>, AuditUnavailable> {
        let time = self.clock.unix_micros().clamp(state.time, INTEGER_MAX);
        let result = state.writer.append(|buffer| write(time, buffer));
        state.note_health(result.as_ref().err());
        result.map_err(|_| AuditUnavailable)?;
        state.time = time;
        let size = state.writer.size();
        let many = size - state.published >= self.checkpoint_every;
        let next = if many { Publisher::Busy } else { Publisher::Timing };
        if state.publisher == Publisher::Idle || (state.publisher == Publisher::Timing && many) {
            // Noted here already, so that the next records need not wake the thread again.
            state.publisher = next;
            self.publish_wanted.notify_one();
        }
        if self.durability == Durability::Os {
            return Ok(None);
        }
        let (done, ticket) = oneshot::channel();
        state.waiters.push_back(Waiter { size, done });
        if !state.uncommitted {
            state.uncommitted = true;
            self.commit_wanted.notify_one();
        }
        Ok(Some(ticket))
    }

    /// Waits for records to commit; false once the log stops.
    pub(crate) fn wait_to_commit(&self) -> bool {
        let idle = |state: &mut State| !state.uncommitted && state.phase == Phase::Open;
        let state = self.commit_wanted.wait_while(self.lock(), idle);
        state.unwrap_or_else(PoisonError::into_inner).phase == Phase::Open
    }

    /// Lets those append who are about to, as long as more come: what one commit has told, the next one takes along.
    pub(crate) fn gather(&self) {
        let mut seen = 0;
        for _ in 0..GATHER_TURNS {
            let waiting = self.lock().waiters.len();
            if waiting == seen {
                return;
            }
            seen = waiting;
            thread::yield_now();
        }
    }

    /// Syncs every record appended so far and tells those who wait for one. What is appended meanwhile is
    /// the next commit's.
    pub(crate) fn commit(&self) {
        let turn = self.syncing.lock().unwrap_or_else(PoisonError::into_inner);
        let (size, taken) = {
            let mut state = self.lock();
            state.uncommitted = false;
            (state.writer.size(), state.writer.take_unsynced_tail())
        };
        let result = taken.and_then(|unsynced| self.sync(unsynced));
        drop(turn);
        let (waiters, answer) = {
            let mut state = self.lock();
            match result {
                Ok(()) => {
                    let durable = state.waiters.partition_point(|waiter| waiter.size <= size);
                    (state.waiters.drain(..durable).collect::<Vec<_>>(), Ok(()))
                }
                Err(error) => {
                    state.note_health(Some(&error.into()));
                    (state.waiters.drain(..).collect(), Err(AuditUnavailable))
                }
            }
        };
        for waiter in waiters {
            // Who no longer waits does not need the answer.
            waiter.done.send(answer).ok();
        }
    }

    /// Waits until a checkpoint is due; false once the log stops.
    pub(crate) fn wait_to_publish(&self) -> bool {
        let mut state = self.lock();
        state.publisher = Publisher::Idle;
        let idle = |state: &mut State| state.unpublished() == 0 && state.phase == Phase::Open;
        let waited = self.publish_wanted.wait_while(state, idle);
        state = waited.unwrap_or_else(PoisonError::into_inner);
        if state.phase == Phase::Open {
            state.publisher = Publisher::Timing;
            let few =
                |state: &mut State| state.unpublished() < self.checkpoint_every && state.phase == Phase::Open;
            let waited = self.publish_wanted.wait_timeout_while(state, self.checkpoint_interval, few);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
        state.publisher = Publisher::Busy;
        state.phase == Phase::Open
    }

    /// Waits an interval after a failure, or until the log stops.
    pub(crate) fn wait_to_retry(&self) {
        let open = |state: &mut State| state.phase == Phase::Open;
        let waited = self.publish_wanted.wait_timeout_while(self.lock(), self.checkpoint_interval, open);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    /// Signs and publishes a checkpoint of every record so far; answers the signed note.
    ///
    /// What it covers is synced first, whatever the durability: a checkpoint must never name what a power
    /// cut can still take.
    pub(crate) fn publish(&self) -> io::Result<String> {
        let mut tried = self.publishing.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = self.syncing.lock().unwrap_or_else(PoisonError::into_inner);
        let (snapshot, unsynced, tiles) = {
            let mut state = self.lock();
            let snapshot = state.writer.snapshot()?;
            (snapshot, state.writer.take_unsynced_tail()?, state.writer.take_unsynced_tiles())
        };
        let synced = self.sync(unsynced);
        // Commits need not wait for the tiles.
        drop(turn);
        self.sync(tiles)?;
        synced?;
        let tried_before = std::mem::replace(&mut *tried, snapshot.size);
        self.store_partial_tiles(&snapshot)?;
        let checkpoint = Checkpoint { origin: self.origin.clone(), size: snapshot.size, root: snapshot.root };
        let note = checkpoint.sign(&self.key);
        self.storage.replace_file(&self.layout.checkpoint(), note.as_bytes())?;
        if self.durability == Durability::Disk {
            self.storage.sync_dir(self.layout.dir())?;
        }
        let previous = std::mem::replace(&mut self.lock().published, snapshot.size);
        self.remove_outgrown_partials(previous, snapshot.size);
        self.remove_outgrown_partials(tried_before, snapshot.size);
        Ok(note)
    }

    /// Syncs some files; the writer distrusts what cannot be synced.
    fn sync(&self, unsynced: Unsynced) -> io::Result<()> {
        unsynced.sync(&*self.storage).inspect_err(|_| self.lock().writer.distrust(unsynced))
    }

    /// The state that proofs are made from.
    pub(crate) fn snapshot(&self) -> io::Result<Snapshot> {
        self.lock().writer.snapshot()
    }

    /// Tells the threads to end.
    pub(crate) fn stop(&self) {
        let mut state = self.lock();
        if state.phase == Phase::Open {
            state.phase = Phase::Stopping;
        }
        self.publish_wanted.notify_all();
        self.commit_wanted.notify_all();
    }

    /// Refuses all further records; false if they already were.
    pub(crate) fn close(&self) {
        self.lock().phase = Phase::Closed;
    }

    /// Whether records are no longer taken.
    pub(crate) fn is_closed(&self) -> bool {
        self.lock().phase == Phase::Closed
    }

    fn store_partial_tiles(&self, snapshot: &Snapshot) -> io::Result<()> {
        for (level, hashes) in (0..u8::MAX).zip(&snapshot.levels) {
            let Some(width) = partial_width(hashes.len()) else {
                continue;
            };
            let tile = TileFile::hashes(level, place(snapshot.size, level)).partial(width);
            self.store_partial(tile, &tile_bytes(hashes))?;
            if level == 0 {
                self.store_partial(
                    TileFile::entries(place(snapshot.size, 0)).partial(width),
                    &snapshot.tail,
                )?;
            }
        }
        Ok(())
    }

    /// Stores a partial tile so that readers never see half of it.
    fn store_partial(&self, tile: TileFile, bytes: &[u8]) -> io::Result<()> {
        let temporary = self.layout.partial_in_the_making();
        self.storage.write_file(&temporary, bytes)?;
        let path = self.layout.tile(tile);
        self.storage.create_dir(path.parent().unwrap_or(&path))?;
        self.storage.rename(&temporary, &path)
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

impl State {
    fn unpublished(&self) -> u64 {
        self.writer.size() - self.published
    }

    fn note_health(&mut self, error: Option<&WriteError>) {
        match (self.health, error) {
            (Health::Good, Some(WriteError::Io(error))) => {
                self.health = Health::Failing;
                tracing::error!(%error, "the audit log cannot be written: calls are refused");
            }
            (Health::Failing, None) => {
                self.health = Health::Good;
                tracing::info!("the audit log can be written again");
            }
            (_, Some(WriteError::TooLong)) => tracing::error!("an audit record is too long"),
            (Health::Good, None) | (Health::Failing, Some(WriteError::Io(_))) => {}
        }
    }
}

/// The index of the tile at the right edge of a level.
pub(crate) fn place(size: u64, level: u8) -> u64 {
    size.checked_shr(8 * (u32::from(level) + 1)).unwrap_or(0)
}

fn partial_width(hashes: usize) -> Option<u8> {
    u8::try_from(hashes).ok().filter(|width| *width > 0)
}
