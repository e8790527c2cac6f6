//! Crash images: whatever a crash leaves, the log opens with everything whole and nothing invented.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::support::*;
use crate::layout::Bundle;
use crate::tail_file::HEADER_BYTES;
use crate::*;

/// Records by index.
fn records(dir: &Path) -> Vec<Value> {
    let page = Page { limit: 1000, ..Page::default() };
    let matches = AuditReader::open(dir).unwrap().query(&Filter::default(), &page).unwrap();
    assert_eq!(matches.next, None);
    matches.entries.into_iter().map(|entry| entry.record).collect()
}

/// Opens the image, and checks that the first `whole` records of `before` are there with a note of the recovery.
fn check_recovery(image: &Path, before: &[Value], whole: usize, dropped_bytes: u64) {
    drop(open(image));
    let after = records(image);
    assert_eq!(after[..whole], before[..whole]);
    assert_eq!(after.len(), whole + 2, "{:?}", &after[whole..]);
    let recovered = &after[whole];
    assert_eq!(recovered["kind"], "host.recovered");
    assert_eq!(recovered["records"], u64::try_from(whole).unwrap());
    assert_eq!(recovered["dropped_bytes"], dropped_bytes);
    assert_eq!(after[whole + 1]["kind"], "host.stopped");
    let report = check(image);
    assert_eq!((report.covered, report.torn_bytes), (report.records, 0));
}

#[test]
fn the_tail_is_cut_at_every_byte() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    fill(&log, 2);
    log.checkpoint().unwrap();
    fill(&log, 3);
    let before = records(dir.path());
    let tail = fs::read(dir.path().join("tail")).unwrap();
    let ends = ends_of_records(&tail, HEADER_BYTES);
    assert_eq!(ends.len(), 5);
    for cut in 0..=tail.len() {
        let image = image(dir.path());
        fs::write(image.path().join("tail"), &tail[..cut]).unwrap();
        let whole = ends.iter().filter(|end| **end <= cut).count();
        if whole < 2 {
            // Below the checkpoint it is no crash: the log refuses to open, and changes nothing.
            match try_open(image.path()) {
                Err(OpenError::Truncated { covered: 2, found }) => {
                    assert_eq!(found, u64::try_from(whole).unwrap());
                }
                other => panic!("cut at {cut}: {other:?}"),
            }
            assert_eq!(fs::read(image.path().join("tail")).unwrap(), tail[..cut]);
            continue;
        }
        let torn = cut - ends[whole - 1];
        check_recovery(image.path(), &before, whole, u64::try_from(torn).unwrap());
    }
}

#[test]
fn what_a_power_cut_leaves_behind_the_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    fill(&log, 10);
    log.checkpoint().unwrap();
    fill(&log, 600);
    let before = records(dir.path());
    let tail = fs::read(dir.path().join("tail")).unwrap();
    let ends = ends_of_records(&tail, HEADER_BYTES);
    let torn_from = |at: usize| u64::try_from(tail.len() - ends[at - 1]).unwrap();

    let zeros = image(dir.path());
    fs::write(zeros.path().join("tail"), [tail.as_slice(), &[0; 4096]].concat()).unwrap();
    check_recovery(zeros.path(), &before, 610, 4096);

    // A page of the tail never reached the disk, what follows it did: in each bundle, in a record and in its length.
    for record in [10, 255, 256, 300, 511, 512, 609] {
        for hole in [ends[record - 1]..ends[record - 1] + 2, ends[record - 1] + 10..ends[record] - 10] {
            let image = image(dir.path());
            let mut torn = tail.clone();
            torn[hole].fill(0);
            fs::write(image.path().join("tail"), &torn).unwrap();
            check_recovery(image.path(), &before, record, torn_from(record));
        }
    }

    // Nothing at all is torn, but nobody closed the log.
    check_recovery(image(dir.path()).path(), &before, 610, 0);
}

#[test]
fn a_crash_between_any_two_steps_of_publishing() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    fill(&log, 10);
    log.checkpoint().unwrap();
    fill(&log, 600);
    let before = records(dir.path());
    let unpublished = image(dir.path());
    log.checkpoint().unwrap();
    let in_tail = image(dir.path());
    log.settle().unwrap();
    let published = image(dir.path());
    let changed = |from: &Path, change: &dyn Fn(&Path)| {
        let image = image(from);
        change(image.path());
        check_recovery(image.path(), &before, 610, 0);
    };
    let copy = |name: &str, to: &Path| {
        fs::create_dir_all(to.join(name).parent().unwrap()).unwrap();
        fs::copy(published.path().join(name), to.join(name)).unwrap();
    };

    // Some of the tiles are stored, whole or torn.
    changed(unpublished.path(), &|to| copy("tile/0/000", to));
    changed(unpublished.path(), &|to| {
        for name in ["tile/0/000", "tile/entries/000", "tile/0/001", "tile/entries/001"] {
            copy(name, to);
        }
    });
    changed(unpublished.path(), &|to| {
        copy("tile/entries/000", to);
        fs::write(to.join("tile/entries/000"), [0; 100]).unwrap();
        fs::write(to.join("tile/0/000"), [0; 100]).unwrap();
    });
    // All are, and the tail still holds them, so that any of them may be torn.
    changed(in_tail.path(), &|_| {});
    for name in ["tile/0/000", "tile/entries/000", "tile/0/001", "tile/entries/001"] {
        changed(in_tail.path(), &|to| fs::write(to.join(name), [0; 100]).unwrap());
        changed(in_tail.path(), &|to| fs::remove_file(to.join(name)).unwrap());
    }
    // The next tail is being written, or has its name before the checkpoint has its own.
    changed(published.path(), &|to| fs::write(to.join("tail.next"), [1; 50]).unwrap());
    changed(published.path(), &|to| {
        fs::copy(unpublished.path().join("checkpoint"), to.join("checkpoint")).unwrap();
    });
    changed(published.path(), &|_| {});
}

/// Logs of earlier versions kept full bundles outside of the tail, which had no header.
#[test]
fn a_log_whose_tail_has_no_header() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    fill(&log, 10);
    log.checkpoint().unwrap();
    let checkpoint = fs::read(dir.path().join("checkpoint")).unwrap();
    fill(&log, 600);
    let before = records(dir.path());
    log.settle().unwrap();
    fs::write(dir.path().join("checkpoint"), checkpoint).unwrap();
    for partial in ["tile/0/002.p", "tile/entries/002.p"] {
        fs::remove_dir_all(dir.path().join(partial)).unwrap();
    }
    let tail = fs::read(dir.path().join("tail")).unwrap().split_off(HEADER_BYTES);
    fs::write(dir.path().join("tail"), &tail).unwrap();
    let bundle = fs::read(dir.path().join("tile/entries/001")).unwrap();
    let first = ends_of_records(&bundle, 0)[0];

    check_recovery(image(dir.path()).path(), &before, 610, 0);

    // Tiles are computed again from the entries.
    let tiles = image(dir.path());
    fs::write(tiles.path().join("tile/0/000"), [0; 100]).unwrap();
    fs::remove_file(tiles.path().join("tile/0/001")).unwrap();
    check_recovery(tiles.path(), &before, 610, 0);

    // A bundle was renamed before its content reached the disk.
    let bundle_torn = image(dir.path());
    fs::write(bundle_torn.path().join("tile/entries/001"), &bundle[..first + 1]).unwrap();
    check_recovery(bundle_torn.path(), &before, 257, u64::try_from(1 + tail.len()).unwrap());
    assert!(!bundle_torn.path().join("tile/0/001").exists());

    // The tail became a bundle, and no new one was made.
    let rotated = image(dir.path());
    fs::remove_file(rotated.path().join("tail")).unwrap();
    check_recovery(rotated.path(), &before[..512], 512, 0);
}

/// Where records end, the first of which begins at `at`.
fn ends_of_records(bytes: &[u8], mut at: usize) -> Vec<usize> {
    let mut ends = vec![];
    while let Some(end) = Bundle::end_of_record(bytes, at) {
        at = end;
        ends.push(at);
    }
    ends
}

#[test]
fn a_first_start_that_was_cut_short() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    fs::remove_file(dir.path().join("checkpoint")).unwrap();
    drop(open(dir.path()));
    assert_eq!(check(dir.path()).records, 0);
}

#[test]
fn a_log_that_is_not_what_its_checkpoint_says_is_not_opened() {
    type Change<'a> = &'a dyn Fn(&Path);
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    fill(&log, 600);
    log.close().unwrap();
    let refused = |change: Change<'_>| {
        let image = image(dir.path());
        change(image.path());
        try_open(image.path()).unwrap_err().to_string()
    };
    let edit = |path: &Path, from: &str, to: &str| {
        let bytes = fs::read(path).unwrap();
        let at = bytes.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
        let mut edited = bytes.clone();
        edited.splice(at..at + from.len(), to.bytes());
        fs::write(path, edited).unwrap();
    };
    let cases: [(Change<'_>, &str); 7] = [
        (&|dir| edit(&dir.join("tail"), "alice", "mally"), "have"),
        (
            &|dir| edit(&dir.join("tail"), "\"v\":1", "\"v\":2"),
            "record 512 is damaged: its version is unknown",
        ),
        (&|dir| fs::remove_file(dir.join("tail")).unwrap(), "covers 601 records, but only 512"),
        (&|dir| fs::remove_file(dir.join("checkpoint")).unwrap(), "records but no checkpoint"),
        (&|dir| edit(&dir.join("checkpoint"), "\n601\n", "\n512\n"), "its signature is wrong"),
        (&|dir| fs::remove_file(dir.join("tile/0/001")).unwrap(), "tile/0/001"),
        (&|dir| fs::write(dir.join("tile/0/001"), [0; 8192]).unwrap(), "have"),
    ];
    for (change, expected) in cases {
        let error = refused(change);
        assert!(error.contains(expected), "{error} does not say {expected}");
    }
}

#[test]
fn a_log_is_opened_by_its_own_key_and_name_only() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    let other_key = Options { key: alknet_core::Ed25519SecretKey::from_bytes(&[2; 32]), ..options() };
    let error = AuditLog::open(dir.path(), other_key).unwrap_err().to_string();
    assert!(error.contains("not signed by the expected key"), "{error}");
    let other_name = Options { origin: "host/other".to_owned(), ..options() };
    assert!(matches!(AuditLog::open(dir.path(), other_name), Err(OpenError::OtherLog { .. })));
    let no_name = Options { origin: "host other".to_owned(), ..options() };
    assert!(matches!(AuditLog::open(dir.path(), no_name), Err(OpenError::Origin)));
    drop(open(dir.path()));
}
