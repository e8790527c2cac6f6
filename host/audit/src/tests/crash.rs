//! Crash images: whatever a crash leaves, the log opens with everything whole and nothing invented.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::support::*;
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
    let mut ends = vec![];
    let mut at = 0;
    while at < tail.len() {
        at += 2 + usize::from(u16::from_be_bytes([tail[at], tail[at + 1]]));
        ends.push(at);
    }
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
        let torn = cut - ends[..whole].last().unwrap();
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
    let bundle = fs::read(dir.path().join("tile/entries/001")).unwrap();
    let first = 2 + usize::from(u16::from_be_bytes([bundle[0], bundle[1]]));

    let zeros = image(dir.path());
    fs::write(zeros.path().join("tail"), [tail.as_slice(), &[0; 4096]].concat()).unwrap();
    check_recovery(zeros.path(), &before, 610, 4096);

    // A page of the tail never reached the disk, what follows it did.
    let hole = image(dir.path());
    let mut torn = tail.clone();
    torn[first + 10..first + 60].fill(0);
    fs::write(hole.path().join("tail"), &torn).unwrap();
    let kept = 2 + usize::from(u16::from_be_bytes([tail[0], tail[1]]));
    check_recovery(hole.path(), &before, 513, u64::try_from(tail.len() - kept).unwrap());

    // A bundle was renamed before its content reached the disk.
    let bundle_torn = image(dir.path());
    fs::write(bundle_torn.path().join("tile/entries/001"), &bundle[..first + 1]).unwrap();
    check_recovery(bundle_torn.path(), &before, 257, u64::try_from(1 + tail.len()).unwrap());
    assert!(!bundle_torn.path().join("tile/0/001").exists());

    // Tiles are computed again from the entries.
    let tiles = image(dir.path());
    fs::write(tiles.path().join("tile/0/000"), [0; 100]).unwrap();
    fs::remove_file(tiles.path().join("tile/0/001")).unwrap();
    check_recovery(tiles.path(), &before, 610, 0);

    // Nothing at all is torn, but nobody closed the log.
    check_recovery(image(dir.path()).path(), &before, 610, 0);
}

#[test]
fn a_crash_between_any_two_steps_of_a_rotation() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    fill(&log, 256);
    let before = records(dir.path());
    // The tail is full, no tile is written yet.
    let full_tail = image(dir.path());
    assert!(!full_tail.path().join("tile").exists());
    fill(&log, 1);
    let rotated = image(dir.path());
    check_recovery(full_tail.path(), &before, 256, 0);

    // The tile is written, the tail not renamed.
    let tile_only = image(rotated.path());
    fs::rename(tile_only.path().join("tile/entries/000"), tile_only.path().join("tail")).unwrap();
    check_recovery(tile_only.path(), &before, 256, 0);

    // The tail is renamed, no new one made.
    fs::remove_file(rotated.path().join("tail")).unwrap();
    check_recovery(rotated.path(), &before, 256, 0);
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
