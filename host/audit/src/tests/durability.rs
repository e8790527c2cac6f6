//! Group commit and appends from many threads.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use alknet_call::Recorded;
use serde_json::json;

use super::support::*;
use crate::storage::Storage;
use crate::wait::block_on;
use crate::*;

/// A disk whose syncs wait for the test.
#[derive(Debug)]
struct Gated {
    entered: Mutex<Sender<()>>,
    leave: Mutex<Receiver<io::Result<()>>>,
}

impl Storage for Gated {
    fn create(&self, path: &Path) -> io::Result<Arc<File>> {
        Unsynced.create(path)
    }
    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
        Unsynced.write_at(file, bytes, offset)
    }
    fn set_len(&self, file: &File, bytes: u64) -> io::Result<()> {
        Unsynced.set_len(file, bytes)
    }
    fn sync(&self, _: &File) -> io::Result<()> {
        // Until the test holds the other ends, nothing waits; nor does anything once they are gone.
        if self.entered.lock().unwrap().send(()).is_err() {
            return Ok(());
        }
        self.leave.lock().unwrap().recv().unwrap_or(Ok(()))
    }
    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
    fn sync_all(&self, _: &BTreeSet<PathBuf>, _: &BTreeSet<PathBuf>) -> io::Result<()> {
        Ok(())
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        Unsynced.rename(from, to)
    }
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        Unsynced.create_dir(path)
    }
}

fn pending(recorded: Recorded) -> impl Future<Output = Result<(), alknet_call::AuditUnavailable>> {
    match recorded {
        Recorded::Pending(pending) => pending,
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_sync_commits_all_that_queued_while_the_last_one_ran() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    let (entered, entries) = channel();
    let (leave, leaves) = channel();
    // Syncs of the opening pass at once.
    (0..8).for_each(|_| leave.send(Ok(())).unwrap());
    let storage = Arc::new(Gated { entered: Mutex::new(entered), leave: Mutex::new(leaves) });
    let options = Options { durability: Durability::Disk, ..options() };
    let log = AuditLog::open_on(dir.path(), options, Arc::<Gated>::clone(&storage)).unwrap();
    while storage.leave.lock().unwrap().try_recv().is_ok() {}
    while entries.try_recv().is_ok() {}

    let first = pending(Call::root("fs/list").admit(&log));
    entries.recv().unwrap();
    // The first sync runs: these queue.
    let queued = (0..64).map(|_| pending(Call::root("fs/list").admit(&log))).collect::<Vec<_>>();
    leave.send(Ok(())).unwrap();
    assert_eq!(block_on(first), Ok(()));
    entries.recv().unwrap();
    leave.send(Ok(())).unwrap();
    queued.into_iter().for_each(|pending| assert_eq!(block_on(pending), Ok(())));
    assert!(entries.try_recv().is_err(), "65 records took two syncs");

    // A sync that fails refuses everybody who waits for it, and the log goes on.
    let lost = pending(Call::root("fs/list").admit(&log));
    entries.recv().unwrap();
    leave.send(Err(io::ErrorKind::Other.into())).unwrap();
    assert!(block_on(lost).is_err());
    drop(leave);
    drop(entries);
    assert_eq!(block_on(pending(Call::root("fs/list").admit(&log))), Ok(()));
    log.append(&session_opened("s")).unwrap();
    log.close().unwrap();
    check(dir.path());
}

#[test]
fn dropping_the_future_keeps_the_record() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { durability: Durability::Disk, ..options() };
    let log = AuditLog::open_on(dir.path(), options, Arc::new(Unsynced)).unwrap();
    let event = session_opened("s");
    drop(pending(Call::root("fs/list").admit(&log)));
    block_on(log.append_async(&event)).unwrap();
    assert_eq!(log.size(), 2);
    log.close().unwrap();
    assert_eq!(check(dir.path()).records, 3);
}

#[test]
fn threads_append_together() {
    for durability in [Durability::Os, Durability::Disk] {
        let dir = tempfile::tempdir().unwrap();
        // Checkpoints are published all the while.
        let options = Options { durability, checkpoint_every: 50, ..options() };
        let log = AuditLog::open_on(dir.path(), options, Arc::new(Unsynced)).unwrap();
        thread::scope(|scope| {
            for thread in 0..4 {
                let log = &log;
                scope.spawn(move || {
                    for at in 0..200 {
                        if durability == Durability::Os {
                            Call::root(&format!("thread/{thread}")).run(log, &json!(at));
                        } else {
                            log.append(&session_opened(&format!("thread/{thread}/{at}"))).unwrap();
                        }
                    }
                });
            }
            // Whoever reads meanwhile sees a consistent log.
            for _ in 0..20 {
                check(dir.path());
            }
        });
        log.close().unwrap();
        let report = check(dir.path());
        let expected = if durability == Durability::Os { 1601 } else { 801 };
        assert_eq!((report.records, report.covered), (expected, expected));
    }
}

#[test]
fn checkpoints_are_published_by_count() {
    let dir = tempfile::tempdir().unwrap();
    let log =
        AuditLog::open_on(dir.path(), Options { checkpoint_every: 10, ..options() }, Arc::new(Unsynced))
            .unwrap();
    fill(&log, 10);
    while check(dir.path()).covered < 10 {
        thread::yield_now();
    }
}

#[test]
fn checkpoints_are_published_by_time() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { checkpoint_interval: std::time::Duration::from_millis(1), ..options() };
    let log = AuditLog::open_on(dir.path(), options, Arc::new(Unsynced)).unwrap();
    fill(&log, 3);
    while check(dir.path()).covered < 3 {
        thread::yield_now();
    }
}

#[test]
fn the_index_follows_when_the_log_is_quiet() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { checkpoint_interval: std::time::Duration::from_millis(1), ..options() };
    let log = AuditLog::open_on(dir.path(), options, Arc::new(Unsynced)).unwrap();
    fill(&log, 3);
    while log.reader().indexed() < 3 {
        thread::yield_now();
    }
}
