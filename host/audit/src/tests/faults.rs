//! Writes that fail: the log refuses, leaves nothing half written, and heals by itself.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use alknet_call::{AuditSink as _, Due, Recorded};
use serde_json::json;

use super::support::*;
use crate::record::write_event;
use crate::shared::Appended;
use crate::storage::{OsStorage, Storage};
use crate::*;

/// Fails the operations from `first` to `last`, counted over all kinds.
#[derive(Debug, Default)]
struct Faulty {
    done: AtomicU64,
    window: Mutex<Option<(u64, u64, Fault)>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// Nothing is written.
    Full,
    /// Seven bytes are written, then nothing.
    Short,
}

impl Faulty {
    fn fail(&self, first: u64, count: u64, fault: Fault) {
        self.done.store(0, Ordering::SeqCst);
        *self.window.lock().unwrap() = Some((first, first + count, fault));
    }

    fn heal(&self) -> u64 {
        *self.window.lock().unwrap() = None;
        self.done.swap(0, Ordering::SeqCst)
    }

    fn step(&self) -> io::Result<Option<Fault>> {
        let now = self.done.fetch_add(1, Ordering::SeqCst);
        match *self.window.lock().unwrap() {
            Some((first, last, fault)) if (first..last).contains(&now) => Ok(Some(fault)),
            _ => Ok(None),
        }
    }

    fn check(&self) -> io::Result<()> {
        self.step()?.map_or(Ok(()), |_| Err(io::ErrorKind::StorageFull.into()))
    }
}

impl Storage for Faulty {
    fn create(&self, path: &Path) -> io::Result<Arc<File>> {
        self.check()?;
        OsStorage.create(path)
    }
    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
        match self.step()? {
            None => OsStorage.write_at(file, bytes, offset),
            Some(Fault::Short) if bytes.len() > 7 => OsStorage.write_at(file, &bytes[..7], offset),
            Some(_) => Err(io::ErrorKind::StorageFull.into()),
        }
    }
    fn set_len(&self, file: &File, bytes: u64) -> io::Result<()> {
        self.check()?;
        OsStorage.set_len(file, bytes)
    }
    fn sync(&self, _: &File) -> io::Result<()> {
        self.check()
    }
    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        self.check()
    }
    fn sync_all(&self, _: &BTreeSet<PathBuf>, _: &BTreeSet<PathBuf>) -> io::Result<()> {
        self.check()
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.check()?;
        OsStorage.rename(from, to)
    }
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.check()?;
        OsStorage.create_dir(path)
    }
}

/// Runs calls over a rotation with a fault in the way; answers how many operations there were, and checks that the
/// log holds exactly what it acknowledged.
fn survive(base: &Path, way: Way, first: u64, count: u64, fault: Fault) -> u64 {
    let dir = image(base);
    let storage = Arc::new(Faulty::default());
    let durability = if way == Way::Synced { Durability::Disk } else { Durability::Os };
    let log =
        AuditLog::open_on(dir.path(), Options { durability, ..options() }, Arc::<Faulty>::clone(&storage))
            .unwrap();
    storage.fail(first, count, fault);
    let (mut acknowledged, mut gathered) = (vec![], vec![]);
    for at in 0..8 {
        let name = format!("during-{at}");
        if way == Way::Gathered {
            gathered.extend(gather(&log, &name).map(|through| (name, through)));
            if at % 3 == 2 {
                let mut flushed = std::mem::take(&mut gathered);
                flushed.retain(|(_, through)| log.flush(*through).is_ok());
                acknowledged.extend(flushed.into_iter().map(|(name, _)| name));
            }
        } else if append(&log, &name) {
            acknowledged.push(name);
        }
        if at == 5 {
            log.checkpoint().ok();
        }
    }
    let operations = storage.heal();
    assert!(append(&log, "after"), "the log heals by itself");
    acknowledged.push("after".to_owned());
    // A crash now finds a log that opens.
    let crashed = image(dir.path());
    drop(open(crashed.path()));
    check(crashed.path());
    log.close().unwrap();
    check(dir.path());
    let page = Page { limit: 1000, after: Some(252), ..Page::default() };
    let matches = AuditReader::open(dir.path()).unwrap().query(&Filter::default(), &page).unwrap();
    let mut recorded = matches.entries.iter().filter_map(|entry| entry.record["session"].as_str());
    for name in &acknowledged {
        match way {
            Way::Written => assert_eq!(recorded.next(), Some(name.as_str())),
            // What could not be synced or flushed was refused, and may still be there.
            Way::Gathered | Way::Synced => assert!(recorded.any(|found| found == name), "{name}"),
        }
    }
    assert_eq!(recorded.next(), None);
    operations
}

/// When a record counts as recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Written,
    Gathered,
    Synced,
}

fn append(log: &AuditLog, session: &str) -> bool {
    log.append(&session_opened(session)).is_ok()
}

/// Appends a record that may be written with others; what to flush through.
fn gather(log: &AuditLog, session: &str) -> Option<u64> {
    let event = session_opened(session);
    match log.shared().append(Due::Flush, |time, out| write_event(&event, time, out)) {
        Ok(Appended::Gathered { through }) => Some(through),
        Ok(Appended::Written | Appended::Committing(_)) => Some(0),
        Err(_) => None,
    }
}

#[test]
fn any_operation_may_fail() {
    // A rotation is near.
    let base = tempfile::tempdir().unwrap();
    fill(&open(base.path()), 252);
    for (way, operations_min) in [(Way::Written, 15), (Way::Gathered, 12), (Way::Synced, 15)] {
        let survive = |first, count, fault| survive(base.path(), way, first, count, fault);
        let operations = survive(u64::MAX - 1000, 1, Fault::Full);
        assert!(operations > operations_min, "{way:?}: {operations}");
        for first in 0..operations {
            survive(first, 1, Fault::Full);
            survive(first, 1, Fault::Short);
            survive(first, 3, Fault::Short);
            survive(first, 1000, Fault::Full);
        }
    }
}

#[test]
fn gathered_records_are_written_together() {
    let dir = tempfile::tempdir().unwrap();
    let storage = Arc::new(Faulty::default());
    let log = AuditLog::open_on(dir.path(), options(), Arc::<Faulty>::clone(&storage)).unwrap();
    assert_eq!(["a", "b", "c"].map(|name| gather(&log, name)), [Some(1), Some(2), Some(3)]);
    assert!(log.size() == 0 && log.reader().record(0).is_err());
    storage.heal();
    log.flush(1).unwrap();
    log.flush(3).unwrap();
    assert_eq!(storage.heal(), 1, "one write");
    assert!(log.size() == 3 && log.reader().record(2).is_ok());
    // A record that is due at once takes those before it along, and so does a checkpoint.
    gather(&log, "d");
    assert!(append(&log, "e"));
    assert_eq!(log.size(), 5);
    gather(&log, "f");
    log.checkpoint().unwrap();
    assert_eq!(log.size(), 6);
    // A bundle is written when it is full.
    (0..300).for_each(|_| assert!(gather(&log, "g").is_some()));
    assert_eq!(log.size(), 256);
    log.close().unwrap();
    assert_eq!(check(dir.path()).records, 307);
}

#[test]
fn a_flush_that_fails_is_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let storage = Arc::new(Faulty::default());
    let log = AuditLog::open_on(dir.path(), options(), Arc::<Faulty>::clone(&storage)).unwrap();
    let through = gather(&log, "a").unwrap();
    storage.fail(0, u64::MAX / 2, Fault::Short);
    assert!(log.flush(through).is_err());
    // What nobody can write is not gathered either, and what was gathered before is not lost by it.
    assert_eq!(gather(&log, "refused"), None);
    assert_eq!(log.size(), 0);
    storage.heal();
    log.flush(through).unwrap();
    log.close().unwrap();
    let report = check(dir.path());
    assert_eq!(report.records, 2);
}

#[test]
fn calls_are_refused_while_the_disk_is_full() {
    let dir = tempfile::tempdir().unwrap();
    let storage = Arc::new(Faulty::default());
    let log = AuditLog::open_on(dir.path(), options(), Arc::<Faulty>::clone(&storage)).unwrap();
    let call = Call::root("fs/list");
    call.run(&log, &json!(1));
    storage.fail(0, u64::MAX / 2, Fault::Full);
    for _ in 0..3 {
        assert!(matches!(Call::root("fs/list").admit(&log), Recorded::Failed(_)));
    }
    assert!(log.checkpoint().is_err());
    assert!(log.store_source(b"source").is_err());
    assert_eq!(log.size(), 2);
    storage.heal();
    Call::root("fs/list").run(&log, &json!(2));
    log.close().unwrap();
    assert_eq!(check(dir.path()).records, 5);
}

#[test]
fn a_record_that_is_too_long_is_refused_alone() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    assert!(!append(&log, &"x".repeat(66_000)));
    assert!(append(&log, &"x".repeat(60_000)));
    assert_eq!(log.size(), 1);
    log.close().unwrap();
    check(dir.path());
}

#[test]
fn a_tail_that_cannot_be_stored_ends() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    // A file is in the way of the folder of tiles; the tail can be written.
    let in_the_way = dir.path().join("tile");
    std::fs::write(&in_the_way, "").unwrap();
    let long = "x".repeat(60_000);
    (0..300).for_each(|_| assert!(append(&log, &long)));
    assert!(log.checkpoint().is_err());
    let rest = (0..2000).take_while(|_| append(&log, &long)).count();
    assert!((800..900).contains(&rest), "{rest}");
    std::fs::remove_file(in_the_way).unwrap();
    assert!(!append(&log, "refused until it is stored"));
    log.checkpoint().unwrap();
    assert!(append(&log, "after"));
    log.close().unwrap();
    assert_eq!(check(dir.path()).records, u64::try_from(300 + rest + 2).unwrap());
}
