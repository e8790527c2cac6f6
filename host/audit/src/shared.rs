//! What all handles of a log and its threads share, and how they append and commit; `publish.rs` has the rest.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use alknet_call::{AuditUnavailable, Due};
use alknet_core::{Clock, Ed25519SecretKey};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::canonical::INTEGER_MAX;
use crate::layout::Layout;
use crate::publish::Stored;
use crate::storage::Storage;
use crate::writer::{Durability, Snapshot, Unsynced, WriteError, Writer};

/// The length from which a tail is stored before its time.
const TAIL_BYTES_DUE: usize = 16 << 20;
/// How long an append waits for the tail to become shorter.
const ROOM_PATIENCE: Duration = Duration::from_secs(1);

/// Resolves when a record is on the disk, or will not be.
pub(crate) type Ticket = oneshot::Receiver<Result<(), AuditUnavailable>>;

/// What became of a record.
#[derive(Debug)]
pub(crate) enum Appended {
    /// The operating system has it.
    Written,
    /// It is in memory, and written with all before it by [`Shared::flush`] through this one.
    Gathered { through: u64 },
    /// The operating system has it, and the disk will.
    Committing(Ticket),
}

/// The parts of a log that its handles and threads share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) setup: Setup,
    state: Mutex<State>,
    /// Wakes the thread that publishes.
    publish_wanted: Condvar,
    /// Wakes the thread that syncs.
    commit_wanted: Condvar,
    /// Wakes those who wait for the tail to become shorter.
    stored: Condvar,
    /// Held while records are synced: whoever acknowledges some must not overtake who still syncs them.
    pub(crate) syncing: Mutex<()>,
    /// Held while publishing, so that checkpoints appear in order.
    pub(crate) publishing: Mutex<Stored>,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) writer: Writer,
    /// The time of the last record: records never go back in time.
    time: u64,
    waiters: VecDeque<Waiter>,
    /// Records since the last commit began.
    uncommitted: bool,
    /// Who waited for the last commit, or for the next one when it ended.
    expected: usize,
    /// How long the last sync took.
    sync_time: Duration,
    /// Records covered by the published checkpoint.
    pub(crate) published: u64,
    publisher: Publisher,
    /// Of appending.
    health: Health,
    /// Of publishing.
    storing: Health,
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
        let stored = Stored::new(published, writer.first_bundle());
        let state = State {
            writer,
            time,
            waiters: VecDeque::new(),
            uncommitted: false,
            expected: 0,
            sync_time: Duration::ZERO,
            published,
            publisher: Publisher::Busy,
            health: Health::Good,
            storing: Health::Good,
            phase: Phase::Open,
        };
        Self {
            setup,
            state: Mutex::new(state),
            publish_wanted: Condvar::new(),
            commit_wanted: Condvar::new(),
            stored: Condvar::new(),
            syncing: Mutex::new(()),
            publishing: Mutex::new(stored),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // A panic cannot leave the state half changed in a way that `repair` does not find.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records in the log, but for those that are only gathered.
    pub(crate) fn size(&self) -> u64 {
        self.lock().writer.written()
    }

    /// Appends what `write` puts behind the buffer's content, given the record's time.
    pub(crate) fn append(
        &self,
        due: Due,
        write: impl FnOnce(u64, &mut Vec<u8>),
    ) -> Result<Appended, AuditUnavailable> {
        let mut state = self.lock();
        if state.writer.is_full() {
            state = self.wait_for_room(state);
        }
        if state.phase == Phase::Closed {
            return Err(AuditUnavailable);
        }
        self.append_locked(&mut state, due, write)
    }

    /// Writes what was gathered, unless the first `through` records are written already.
    pub(crate) fn flush(&self, through: u64) -> Result<(), AuditUnavailable> {
        let mut state = self.lock();
        if through.min(state.writer.size()) <= state.writer.written() {
            return Ok(());
        }
        let result = state.writer.flush().map_err(WriteError::from);
        state.note_health(result.as_ref().err());
        result.map_err(|_| AuditUnavailable)
    }

    /// Holds who appends back while the tail is longer than it may be, as long as it is being stored.
    fn wait_for_room<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let full = |state: &mut State| {
            state.writer.is_full() && state.storing == Health::Good && state.phase == Phase::Open
        };
        let waited = self.stored.wait_timeout_while(state, ROOM_PATIENCE, full);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Appends the last record; there will be no other.
    pub(crate) fn append_last(&self, write: impl FnOnce(u64, &mut Vec<u8>)) -> Result<(), AuditUnavailable> {
        let mut state = self.lock();
        let result = self.append_locked(&mut state, Due::Now, write);
        state.phase = Phase::Closed;
        result.map(drop)
    }

    fn append_locked(
        &self,
        state: &mut State,
        due: Due,
        write: impl FnOnce(u64, &mut Vec<u8>),
    ) -> Result<Appended, AuditUnavailable> {
        let time = self.setup.clock.unix_micros().clamp(state.time, INTEGER_MAX);
        // A sync takes much longer than a write, and those who wait for it are told together.
        let gathers = due == Due::Flush && self.setup.durability == Durability::Os;
        let write = |buffer: &mut Vec<u8>| write(time, buffer);
        let result = if gathers { state.writer.gather(write) } else { state.writer.append(write) };
        state.note_health(result.as_ref().err());
        result.map_err(|_| AuditUnavailable)?;
        state.time = time;
        let size = state.writer.size();
        let many = state.is_much(self.setup.checkpoint_every);
        let next = if many { Publisher::Busy } else { Publisher::Timing };
        if state.publisher == Publisher::Idle || (state.publisher == Publisher::Timing && many) {
            // Noted here already, so that the next records need not wake the thread again.
            state.publisher = next;
            self.publish_wanted.notify_one();
        }
        if size > state.writer.written() {
            return Ok(Appended::Gathered { through: size });
        }
        if self.setup.durability == Durability::Os {
            return Ok(Appended::Written);
        }
        let (done, ticket) = oneshot::channel();
        state.waiters.push_back(Waiter { size, done });
        if !state.uncommitted || state.waiters.len() == state.expected {
            state.uncommitted = true;
            self.commit_wanted.notify_one();
        }
        Ok(Appended::Committing(ticket))
    }

    /// Waits for records to commit; false once the log stops.
    pub(crate) fn wait_to_commit(&self) -> bool {
        let idle = |state: &mut State| !state.uncommitted && state.phase == Phase::Open;
        let state = self.commit_wanted.wait_while(self.lock(), idle);
        state.unwrap_or_else(PoisonError::into_inner).phase == Phase::Open
    }

    /// Lets those append who are about to: as many as the last commit has told, each of whom may have another record.
    /// It waits for no more than half the time that a sync takes.
    pub(crate) fn gather(&self) {
        let state = self.lock();
        let patience = state.sync_time / 2;
        let few = |state: &mut State| state.waiters.len() < state.expected && state.phase == Phase::Open;
        let waited = self.commit_wanted.wait_timeout_while(state, patience, few);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    /// Syncs every record appended so far and tells those who wait for one. What is appended meanwhile is
    /// the next commit's.
    pub(crate) fn commit(&self) {
        let turn = self.syncing.lock().unwrap_or_else(PoisonError::into_inner);
        let (size, taken) = {
            let mut state = self.lock();
            state.uncommitted = false;
            (state.writer.size(), state.writer.take_unsynced())
        };
        let begin = Instant::now();
        let result = taken.and_then(|unsynced| self.sync(&unsynced));
        let sync_time = begin.elapsed();
        drop(turn);
        let (waiters, answer) = {
            let mut state = self.lock();
            state.sync_time = sync_time;
            state.expected = state.waiters.len();
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
                |state: &mut State| !state.is_much(self.setup.checkpoint_every) && state.phase == Phase::Open;
            let waited = self.publish_wanted.wait_timeout_while(state, self.setup.checkpoint_interval, few);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
        state.publisher = Publisher::Busy;
        state.phase == Phase::Open
    }

    /// Waits an interval after a failure, or until the log stops.
    pub(crate) fn wait_to_retry(&self) {
        let open = |state: &mut State| state.phase == Phase::Open;
        let waited =
            self.publish_wanted.wait_timeout_while(self.lock(), self.setup.checkpoint_interval, open);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    /// Syncs the tail file; the writer distrusts what cannot be synced.
    pub(crate) fn sync(&self, unsynced: &Unsynced) -> io::Result<()> {
        let synced = unsynced.sync(&*self.setup.storage, &self.setup.layout);
        synced.inspect_err(|_| self.lock().writer.distrust(unsynced))
    }

    /// The state that proofs are made from.
    pub(crate) fn snapshot(&self) -> Snapshot {
        self.lock().writer.snapshot()
    }

    /// The state that is published: all of it is written.
    pub(crate) fn written_snapshot(&self) -> io::Result<Snapshot> {
        let mut state = self.lock();
        state.writer.flush()?;
        Ok(state.writer.snapshot())
    }

    /// Notes how publishing went, for those who wait for it.
    pub(crate) fn note_published(&self, went_well: bool) {
        self.lock().storing = if went_well { Health::Good } else { Health::Failing };
        self.stored.notify_all();
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
}

impl State {
    fn unpublished(&self) -> u64 {
        self.writer.size() - self.published
    }

    /// Whether a checkpoint is due before its time.
    fn is_much(&self, records: u64) -> bool {
        self.unpublished() >= records || self.writer.tail_bytes() >= TAIL_BYTES_DUE
    }

    fn note_health(&mut self, error: Option<&WriteError>) {
        match (self.health, error) {
            (Health::Good, Some(error @ (WriteError::Io(_) | WriteError::Unstored))) => {
                self.health = Health::Failing;
                tracing::error!(%error, "the audit log cannot be written: calls are refused");
            }
            (Health::Failing, None) => {
                self.health = Health::Good;
                tracing::info!("the audit log can be written again");
            }
            (_, Some(WriteError::TooLong)) => tracing::error!("an audit record is too long"),
            (Health::Good, None) | (Health::Failing, Some(WriteError::Io(_) | WriteError::Unstored)) => {}
        }
    }
}
