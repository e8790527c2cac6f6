//! Tampered logs: each refused with its own reason.

use std::fs;
use std::path::{Path, PathBuf};

use alknet_call::Due;
use alknet_core::Ed25519SecretKey;
use serde_json::json;

use super::support::*;
use crate::checkpoint::Checkpoint;
use crate::fault::*;
use crate::*;

/// Changes a copy of a log and expects the error that matches.
macro_rules! refused {
    ($made:expr, $change:expr, $expected:pat $(,)?) => {{
        let image = image($made);
        let change: &dyn Fn(&Path) = &$change;
        change(image.path());
        let error = verify(image.path(), &signed()).unwrap_err();
        assert!(matches!(error, $expected), "{error:?}");
        error
    }};
}

/// A closed log of 601 records with a session and a source.
fn make(dir: &Path) -> AuditLog {
    let log = open(dir);
    log.append(&session_opened("s")).unwrap();
    let source = log.store_source(SOURCE.as_bytes()).unwrap();
    log.append(&registered("s", "session/count", 1, source, None)).unwrap();
    fill(&log, 598);
    log.close().unwrap();
    log
}

fn first(dir: &Path) -> PathBuf {
    dir.join("tile/entries/000")
}

fn edit(path: PathBuf, from: &str, to: &str) {
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
    bytes.splice(at..at + from.len(), to.bytes());
    fs::write(path, bytes).unwrap();
}

/// Rewrites the records of a bundle.
fn reframe(path: PathBuf, change: impl Fn(&mut Vec<Vec<u8>>)) {
    let bundle = layout::Bundle::parse(fs::read(&path).unwrap(), 256);
    let mut records = bundle.records().map(<[u8]>::to_vec).collect();
    change(&mut records);
    let mut framed = vec![];
    for record in records {
        framed.extend_from_slice(&u16::try_from(record.len()).unwrap().to_be_bytes());
        framed.extend_from_slice(&record);
    }
    fs::write(path, framed).unwrap();
}

/// Expects the fault of record 5, which is put in place of another.
fn check_record(made: &Path, record: &[u8], fault: &RecordFault) {
    let put = |dir: &Path| reframe(first(dir), |records| records[5] = record.to_vec());
    let error = refused!(made, put, VerifyError::Record { index: 5, .. });
    let VerifyError::Record { fault: found, .. } = error else { unreachable!() };
    assert_eq!(found, *fault, "{}", String::from_utf8_lossy(record));
}

#[test]
fn records() {
    let made = tempfile::tempdir().unwrap();
    make(made.path());
    let made = made.path();
    let error =
        refused!(made, |dir| edit(first(dir), "time/now", "time/not"), VerifyError::Leaf { index: 2, .. });
    assert!(error.to_string().ends_with("tile/0/000"), "{error}");
    let in_tail = |dir: &Path| edit(dir.join("tail"), "time/now", "time/not");
    refused!(made, in_tail, VerifyError::Leaf { index: 512, .. });
    let drop_one = |dir: &Path| reframe(first(dir), |records| drop(records.remove(7)));
    refused!(made, drop_one, VerifyError::Bundle { records: 255, trailing: 0, .. });
    let repeat_one = |dir: &Path| reframe(first(dir), |records| records.insert(7, records[6].clone()));
    refused!(made, repeat_one, VerifyError::Bundle { records: 256, trailing: 1.., .. });
    let swap = |a, b| move |dir: &Path| reframe(first(dir), |records| records.swap(a, b));
    refused!(made, swap(2, 4), VerifyError::Leaf { index: 2, .. });
    refused!(made, swap(2, 3), VerifyError::Leaf { index: 2, .. });
}

#[test]
fn bundles() {
    let made = tempfile::tempdir().unwrap();
    make(made.path());
    let made = made.path();
    let swap = |dir: &Path| {
        fs::rename(first(dir), dir.join("moved")).unwrap();
        fs::rename(dir.join("tile/entries/001"), first(dir)).unwrap();
        fs::rename(dir.join("moved"), dir.join("tile/entries/001")).unwrap();
    };
    refused!(made, swap, VerifyError::Leaf { index: 0, .. });
    let remove = |name: &'static str| move |dir: &Path| fs::remove_file(dir.join(name)).unwrap();
    let error = refused!(made, remove("tile/entries/001"), VerifyError::BundleMissing { .. });
    assert!(error.to_string().contains("tile/entries/001"), "{error}");
    refused!(made, remove("tail"), VerifyError::BehindTheEnd { .. });
    let cut = |dir: &Path| {
        let tail = fs::read(dir.join("tail")).unwrap();
        fs::write(dir.join("tail"), &tail[..tail.len() - 1]).unwrap();
    };
    refused!(made, cut, VerifyError::BehindTheEnd { records: 600, .. });
    let cut_with_its_tiles = |dir: &Path| {
        cut(dir);
        fs::remove_file(dir.join("tile/0/002.p/89")).unwrap();
        fs::remove_file(dir.join("tile/entries/002.p/89")).unwrap();
    };
    refused!(made, cut_with_its_tiles, VerifyError::Truncated { covered: 601, found: 600, .. });
}

#[test]
fn bundles_that_are_in_the_tail_too() {
    let made = tempfile::tempdir().unwrap();
    let log = open(made.path());
    fill(&log, 300);
    log.checkpoint().unwrap();
    let made = made.path();
    assert_eq!(check(made).records, 300);
    let in_tail = |dir: &Path| edit(dir.join("tail"), "time/now", "time/not");
    let error = refused!(made, in_tail, VerifyError::TailDiffers { .. });
    assert!(error.to_string().contains("tile/entries/000"), "{error}");
    refused!(made, |dir| edit(first(dir), "time/now", "time/not"), VerifyError::TailDiffers { .. });
    let in_both = |dir: &Path| {
        in_tail(dir);
        edit(first(dir), "time/now", "time/not");
    };
    refused!(made, in_both, VerifyError::Leaf { index: 0, .. });
}

#[test]
fn spellings_of_events() {
    let made = tempfile::tempdir().unwrap();
    make(made.path());
    let good =
        r#"{"config":"HASH","kind":"config.loaded","outcome":"accepted","time":1700000000000000,"v":1}"#;
    let good = good.replace("HASH", &Hash::of(b"x").to_string());
    let cases = [
        ("\"v\":1", "\"v\":2", RecordFault::UnknownVersion),
        (",\"v\":1", "", RecordFault::UnknownVersion),
        ("\"v\":1", "\"v\":1.0", RecordFault::UnknownVersion),
        ("config.loaded", "config.loader", RecordFault::UnknownKind),
        ("\"v\":1", "\"v\":1,\"v\":1", RecordFault::DuplicateMember),
        ("1700000000000000", "1.7e15", RecordFault::NotCanonical),
        ("1700000000000000", "1700000000000000.0", RecordFault::NotCanonical),
        ("1700000000000000", "01700000000000000", RecordFault::NotJson),
        ("1700000000000000", "-0", RecordFault::NotCanonical),
        (",", ", ", RecordFault::NotCanonical),
        ("accepted", "accept\\u0065d", RecordFault::NotCanonical),
        ("}", "} ", RecordFault::NotCanonical),
        ("\"v\":1}", "\"v\":1,\"w\":null}", RecordFault::WrongShape),
        ("1700000000000000", "-1", RecordFault::WrongShape),
        ("1700000000000000", "9007199254740992", RecordFault::WrongShape),
        ("accepted", "perhaps", RecordFault::WrongShape),
        ("}", "", RecordFault::NotJson),
        ("}", "}}", RecordFault::NotJson),
    ];
    for (from, to, fault) in cases {
        assert!(good.contains(from), "{from}");
        check_record(made.path(), good.replace(from, to).as_bytes(), &fault);
    }
    check_record(made.path(), b"[1]", &RecordFault::NotJson);
    check_record(made.path(), b"{\"v\":\"\xff\"}", &RecordFault::NotJson);
    check_record(made.path(), b"\xef\xbb\xbf{}", &RecordFault::NotJson);
}

#[test]
fn spellings_of_calls() {
    let made = tempfile::tempdir().unwrap();
    let log = make(made.path());
    let good = serde_json_canonicalizer::to_string(&log.reader().record(5).unwrap().record).unwrap();
    let cases = [
        ("\"v\":1", "\"v\":2", RecordFault::UnknownVersion),
        ("\"v\":1", "\"v\":1,\"x\":1", RecordFault::WrongShape),
        ("\"code\":", "\"call\":\"\",\"code\":", RecordFault::DuplicateMember),
        ("alice", "\\u0061lice", RecordFault::NotCanonical),
        ("time/now", "time\\/now", RecordFault::NotCanonical),
        ("\"code\":\"OK\",", "", RecordFault::WrongShape),
        ("\"code\":\"OK\"", "\"code\":\"INTERNAL\"", RecordFault::WrongShape),
        ("\"micros\":26", "\"micros\":9007199254740993", RecordFault::WrongShape),
        ("\"micros\":26", "\"micros\":2.6e1", RecordFault::NotCanonical),
        ("\"micros\":26", "\"micros\":\"26\"", RecordFault::WrongShape),
        ("\"caller\":\"alice\"", "\"caller\":null", RecordFault::NotCanonical),
        ("call.finished", "call.ended", RecordFault::UnknownKind),
        ("call.finished", "call.admitted", RecordFault::WrongShape),
    ];
    for (from, to, fault) in cases {
        assert!(good.contains(from), "{from}");
        check_record(made.path(), good.replace(from, to).as_bytes(), &fault);
    }
    let upper = good.replacen("\"output\":\"", "\"output\":\"A", 1);
    check_record(made.path(), upper.as_bytes(), &RecordFault::WrongShape);
}

#[test]
fn tiles() {
    let made = tempfile::tempdir().unwrap();
    make(made.path());
    let made = made.path();
    let flip = |name: &'static str| {
        move |dir: &Path| {
            let mut bytes = fs::read(dir.join(name)).unwrap();
            bytes[40] ^= 1;
            fs::write(dir.join(name), bytes).unwrap();
        }
    };
    refused!(made, flip("tile/0/001"), VerifyError::Leaf { index: 257, .. });
    for name in ["tile/1/000.p/2", "tile/entries/002.p/89"] {
        let error = refused!(made, flip(name), VerifyError::Tile { .. });
        assert!(error.to_string().contains(name), "{error}");
    }
    let error = refused!(made, flip("tile/0/002.p/89"), VerifyError::Tile { .. });
    assert!(error.to_string().contains("tile/0/002.p/89"), "{error}");
    let swap = |dir: &Path| assert!(fs::copy(dir.join("tile/0/001"), dir.join("tile/0/000")).is_ok());
    refused!(made, swap, VerifyError::Leaf { index: 0, .. });
    let write = |name: &'static str, bytes: &'static [u8]| {
        move |dir: &Path| fs::write(dir.join(name), bytes).unwrap()
    };
    refused!(made, write("tile/0/001", &[1; 31]), VerifyError::Tile { .. });
    refused!(made, write("tile/0/007", &[1; 8192]), VerifyError::BehindTheEnd { records: 601, .. });
    refused!(made, write("tile/0/notes.txt", b""), VerifyError::Stray { .. });
    let remove = |dir: &Path| fs::remove_file(dir.join("tile/0/001")).unwrap();
    refused!(made, remove, VerifyError::TileMissing { .. });
}

/// Checkpoints of the log made above, signed by whoever.
fn forge(size: u64, key: &Ed25519SecretKey) -> String {
    let origin = options().origin;
    Checkpoint { origin, size, root: Hash::of(b"another tree") }.sign(key)
}

fn other_key() -> Ed25519SecretKey {
    Ed25519SecretKey::from_bytes(&[9; 32])
}

#[test]
fn published_checkpoints() {
    let made = tempfile::tempdir().unwrap();
    make(made.path());
    let made = made.path();
    let checkpoint = |dir: &Path| dir.join("checkpoint");
    let put = |note: String| move |dir: &Path| fs::write(checkpoint(dir), &note).unwrap();
    refused!(made, |dir| fs::remove_file(checkpoint(dir)).unwrap(), VerifyError::CheckpointMissing { .. });
    refused!(
        made,
        put("601".to_owned()),
        VerifyError::Checkpoint(CheckpointFault::Note {
            which: Which::Published,
            fault: NoteError::Malformed
        }),
    );
    refused!(
        made,
        |dir| edit(checkpoint(dir), "\n601\n", "\n600\n"),
        VerifyError::Checkpoint(CheckpointFault::Note {
            which: Which::Published,
            fault: NoteError::WrongSignature
        }),
    );
    refused!(
        made,
        put(forge(601, &other_key())),
        VerifyError::Checkpoint(CheckpointFault::Note {
            which: Which::Published,
            fault: NoteError::UnknownKey
        }),
    );
    // Signed with the right key: a host that rewrote its own log.
    refused!(
        made,
        put(forge(600, &key())),
        VerifyError::OtherTree { which: Which::Published, size: 600, .. }
    );
    refused!(
        made,
        put(forge(700, &key())),
        VerifyError::Truncated { which: Which::Published, covered: 700, found: 601 },
    );
}

#[test]
fn given_checkpoints() {
    let dir = tempfile::tempdir().unwrap();
    drop(make(dir.path()));
    let older = fs::read_to_string(dir.path().join("checkpoint")).unwrap();
    let log = open(dir.path());
    fill(&log, 10);
    log.close().unwrap();
    let verify_with =
        |note: String| verify(dir.path(), &VerifyOptions { checkpoint: Some(note), ..signed() });
    assert_eq!(verify_with(older).unwrap().records, 612);

    let error = verify_with(forge(600, &key())).unwrap_err();
    assert!(matches!(error, VerifyError::OtherTree { which: Which::Given, size: 600, .. }), "{error:?}");
    let error = verify_with(forge(700, &key())).unwrap_err();
    assert!(matches!(error, VerifyError::Truncated { which: Which::Given, .. }), "{error:?}");
    let error = verify_with(forge(600, &other_key())).unwrap_err();
    assert!(
        matches!(error, VerifyError::Checkpoint(CheckpointFault::Note { which: Which::Given, .. })),
        "{error:?}"
    );
    let origin = "host/other".to_owned();
    let other = Checkpoint { origin, size: 0, root: Hash::of(b"") }.sign(&key());
    let error = verify_with(other).unwrap_err();
    assert!(matches!(error, VerifyError::Checkpoint(_)), "{error:?}");
}

#[test]
fn keys() {
    let dir = tempfile::tempdir().unwrap();
    drop(make(dir.path()));
    let unsigned = verify(dir.path(), &VerifyOptions::default()).unwrap();
    assert_eq!(unsigned.signature, SignatureState::Unchecked);
    let wrong = VerifyOptions { key: Some(other_key().public()), checkpoint: None };
    assert!(verify(dir.path(), &wrong).is_err());
}

#[test]
fn sources() {
    let made = tempfile::tempdir().unwrap();
    make(made.path());
    let made = made.path();
    let digits = Hash::of(SOURCE.as_bytes()).to_string();
    let path = |dir: &Path| dir.join("sources").join(&digits[..2]).join(&digits[2..]);
    let change = |dir: &Path| fs::write(path(dir), "return 0").unwrap();
    refused!(made, change, VerifyError::SourceChanged { index: 1, .. });
    refused!(made, |dir| fs::remove_file(path(dir)).unwrap(), VerifyError::SourceMissing { index: 1, .. });
}

/// What the log would never write, written by somebody who holds the key.
fn contradict(write: impl Fn(&AuditLog)) -> VerifyError {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    write(&log);
    log.close().unwrap();
    verify(dir.path(), &signed()).unwrap_err()
}

#[test]
fn records_that_contradict_each_other() {
    let call = Call::root("a/b");
    let error = contradict(|log| drop(call.finish(log, Ok(&json!(1)))));
    assert!(matches!(error, VerifyError::NotAdmitted { index: 0 }), "{error:?}");
    let error = contradict(|log| {
        call.run(log, &json!(1));
        drop(call.finish(log, Ok(&json!(1))));
    });
    assert!(matches!(error, VerifyError::NotAdmitted { index: 2 }), "{error:?}");
    let error = contradict(|log| {
        drop(call.admit(log));
        drop(call.admit(log));
    });
    assert!(matches!(error, VerifyError::AdmittedTwice { index: 1 }), "{error:?}");
    let error = contradict(|log| log.append(&session_closed("s")).unwrap());
    assert!(matches!(error, VerifyError::UnknownSession { index: 0 }), "{error:?}");
    let error = contradict(|log| {
        log.append(&session_opened("s")).unwrap();
        let early = |_, out: &mut Vec<u8>| record::write_event(&session_opened("s"), 7, out);
        drop(log.shared().append(Due::Now, early).unwrap());
    });
    assert!(matches!(error, VerifyError::TimeWentBack { index: 1 }), "{error:?}");
}

#[test]
fn a_killed_host_leaves_a_log_that_verifies() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    fill(&log, 300);
    log.checkpoint().unwrap();
    let running = Call::root("fs/list");
    assert!(matches!(running.admit(&log), alknet_call::Recorded::Done));
    let image = image(dir.path());
    let mut tail = fs::read(image.path().join("tail")).unwrap();
    tail.extend_from_slice(b"\x01\x00half a record");
    fs::write(image.path().join("tail"), tail).unwrap();
    let report = check(image.path());
    assert_eq!((report.records, report.covered, report.torn_bytes, report.unfinished), (301, 300, 15, 1));
    drop(open(image.path()));
    let report = check(image.path());
    assert_eq!((report.records, report.covered, report.torn_bytes, report.unfinished), (303, 303, 0, 1));
    assert_eq!((report.admitted, report.finished, report.refused), (151, 150, 0));
}
