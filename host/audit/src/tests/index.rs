//! The query index is held against the log, and made again from it.

use std::path::Path;

use rusqlite::Connection;

use super::support::*;
use crate::*;

/// A closed log whose index somebody has used.
fn make(dir: &Path) {
    let log = open(dir);
    log.append(&session_opened("s")).unwrap();
    fill(&log, 300);
    log.reader().query(&Filter::default(), &Page::default()).unwrap();
    log.close().unwrap();
}

fn change(dir: &Path, sql: &str) {
    let index = Connection::open(dir.join("index.sqlite")).unwrap();
    assert!(index.execute(sql, []).unwrap() > 0, "{sql}");
}

#[test]
fn an_index_that_says_something_else_is_found_out_and_made_again() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path());
    assert_eq!(check(dir.path()).indexed, Some(302));
    let changes = [
        "UPDATE bundles SET last = last + 1 WHERE bundle = 0",
        "UPDATE bundles SET first = first - 1 WHERE bundle = 1",
        "UPDATE bundles SET records = 255 WHERE bundle = 0",
        "UPDATE bundles SET outputs = zeroblob(1024) WHERE bundle = 0",
        "DELETE FROM bundles WHERE bundle = 0",
        "UPDATE bundles SET bundle = 5000 WHERE bundle = 1",
        "UPDATE combinations SET outcome = NULL WHERE outcome IS NOT NULL AND bundle = 1",
        "UPDATE combinations SET caller = (SELECT id FROM names WHERE text = 'OK') WHERE bundle = 1",
        "UPDATE combinations SET records = zeroblob(32) WHERE bundle = 0",
        "DELETE FROM combinations WHERE bundle = 1",
        "INSERT INTO combinations SELECT * FROM combinations WHERE bundle = 1",
        "INSERT INTO combinations SELECT 9, kind, session, caller, authority, operation, outcome, source, records
         FROM combinations WHERE bundle = 1",
        "UPDATE names SET text = 'FORBIDDEN' WHERE text = 'OK'",
        "UPDATE ids SET last = last + 1 WHERE bundle = 0",
        "DELETE FROM ids WHERE bundle = 1 AND role = 0",
        "UPDATE ids SET role = 2 WHERE bundle = 0 AND role = 1",
        "INSERT INTO ids VALUES (1, 1, 7, 7, 0)",
        "INSERT INTO ids VALUES (0, 1, 7, 7, 9)",
        "UPDATE position SET records = 301",
    ];
    for sql in changes {
        let image = image(dir.path());
        change(image.path(), sql);
        let error = verify(image.path(), &signed()).expect_err(sql);
        assert_eq!(error.reason(), "index-differs", "{sql}: {error}");
        assert_eq!(reindex(image.path()).unwrap(), 302);
        assert_eq!(check(image.path()).indexed, Some(302), "{sql}");
    }
}

#[test]
fn no_index_is_no_finding_and_a_log_in_use_is_not_reindexed() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path());
    std::fs::remove_file(dir.path().join("index.sqlite")).unwrap();
    assert_eq!(check(dir.path()).indexed, None);
    let log = open(dir.path());
    assert!(matches!(reindex(dir.path()), Err(OpenError::Locked { .. })));
    log.reader().query(&Filter::default(), &Page::default()).unwrap();
    // Beside a host that writes, an index may be behind, and is right as far as it goes.
    fill(&log, 10);
    assert_eq!(check(dir.path()).indexed, Some(302));
    assert!(matches!(reindex(&dir.path().join("none")), Err(OpenError::Io { .. })));
}

#[test]
fn records_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    log.append(&session_opened("s")).unwrap();
    fill(&log, 5);
    let stats = log.reader().stats(&Filter::default()).unwrap();
    assert_eq!((stats.records, stats.sessions), (6, 1));
    assert_eq!(stats.kinds["call.finished"], 2);
    assert_eq!((stats.outcomes["OK"], stats.outcomes["FORBIDDEN"]), (2, 1));
    let first = &stats.operations[0];
    assert_eq!((first.name.as_str(), first.count), ("time/now", 2));
    assert_eq!((stats.callers.len(), stats.callers[0].count), (1, 3));
    let nobody = Filter { caller: Some("bob".to_owned()), ..Filter::default() };
    assert_eq!(log.reader().stats(&nobody).unwrap(), Stats::default());
}

#[test]
fn the_tail_is_read_as_it_grows() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    fill(&log, 300);
    let mut tail = Tail::open(dir.path(), 50).unwrap();
    let read = |tail: &mut Tail| -> Vec<u64> {
        let mut indexes = Vec::new();
        loop {
            let entries = tail.read().unwrap();
            if entries.is_empty() {
                return indexes;
            }
            indexes.extend(entries.iter().map(|entry| entry.index));
        }
    };
    assert_eq!(read(&mut tail), (250..300).collect::<Vec<_>>());
    assert!(read(&mut tail).is_empty());
    fill(&log, 300);
    assert_eq!(read(&mut tail), (300..600).collect::<Vec<_>>());
    assert!(read(&mut Tail::open(dir.path(), 0).unwrap()).is_empty());
    assert_eq!(read(&mut Tail::open(dir.path(), u64::MAX).unwrap()).len(), 600);
}
