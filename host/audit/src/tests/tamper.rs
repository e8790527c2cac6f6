//! Tampered logs: each refused with its own reason.

use std::fs;
use std::path::{Path, PathBuf};

use alknet_core::Ed25519SecretKey;
use serde_json::json;

use super::support::*;
use crate::checkpoint::Checkpoint;
use crate::fault::*;
use crate::*;

/// A closed log of 601 records with a session and two sources.
fn make(dir: &Path) -> AuditLog {
    let log = open(dir);
    log.append(&session_opened("s")).unwrap();
    let source = log.store_source(SOURCE.as_bytes()).unwrap();
    log.append(&registered("s", "session/count", 1, source, None)).unwrap();
    fill(&log, 598);
    log.close().unwrap();
    log
}

fn check_refused(made: &Path, change: impl Fn(&Path), expected: impl Fn(&VerifyError) -> bool) {
    let image = image(made);
    change(image.path());
    let error = verify(image.path(), &signed()).unwrap_err();
    assert!(expected(&error), "{error:?}");
}

fn edit(path: PathBuf, from: &str, to: &str) {
    let bytes = fs::read(&path).unwrap();
    let at = bytes.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
    let mut edited = bytes;
    edited.splice(at..at + from.len(), to.bytes());
    fs::write(path, edited).unwrap();
}

/// Rewrites the records of a bundle.
fn reframe(path: PathBuf, change: impl Fn(&mut Vec<Vec<u8>>)) {
    let bundle = layout::Bundle::parse(fs::read(&path).unwrap(), 256);
    let mut records = bundle.records().map(<[u8]>::to_vec).collect();
    change(&mut records);
    let framed = records.iter().flat_map(|record| {
        let mut framed = u16::try_from(record.len()).unwrap().to_be_bytes().to_vec();
        framed.extend_from_slice(record);
        framed
    });
    fs::write(path, framed.collect::<Vec<_>>()).unwrap();
}

fn put(record: &str) -> impl Fn(&mut Vec<Vec<u8>>) {
    move |records| records[5] = record.as_bytes().to_vec()
}

fn is_record_fault(fault: RecordFault) -> impl Fn(&VerifyError) -> bool {
    move |error| matches!(error, VerifyError::Record { index: 5, fault: found } if *found == fault)
}

#[test]
fn entries() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path());
    let first = |dir: &Path| dir.join("tile/entries/000");
    check_refused(dir.path(), |dir| edit(first(dir), "time/now", "time/not"), |error| {
        matches!(error, VerifyError::Leaf { index: 2, path } if path.ends_with("tile/0/000"))
    });
    check_refused(dir.path(), |dir| edit(dir.join("tail"), "time/now", "time/not"), |error| {
        matches!(error, VerifyError::Leaf { index: 512, .. } | VerifyError::OtherTree { size: 601, .. })
    });
    check_refused(dir.path(), |dir| reframe(first(dir), |records| drop(records.remove(7))), |error| {
        matches!(error, VerifyError::Bundle { records: 255, trailing: 0, .. })
    });
    check_refused(dir.path(), |dir| reframe(first(dir), |records| records.insert(7, records[6].clone())), |error| {
        matches!(error, VerifyError::Bundle { records: 256, .. })
    });
    check_refused(dir.path(), |dir| reframe(first(dir), |records| records.swap(2, 4)), |error| {
        matches!(error, VerifyError::Leaf { index: 2, .. })
    });
    check_refused(dir.path(), |dir| reframe(first(dir), |records| records.swap(2, 3)), |error| {
        matches!(error, VerifyError::Leaf { index: 2, .. })
    });
    check_refused(
        dir.path(),
        |dir| {
            fs::rename(first(dir), dir.join("moved")).unwrap();
            fs::rename(dir.join("tile/entries/001"), first(dir)).unwrap();
            fs::rename(dir.join("moved"), dir.join("tile/entries/001")).unwrap();
        },
        |error| matches!(error, VerifyError::Leaf { index: 0, .. }),
    );
    check_refused(dir.path(), |dir| fs::remove_file(dir.join("tile/entries/001")).unwrap(), |error| {
        matches!(error, VerifyError::BundleMissing { path } if path.ends_with("tile/entries/001"))
    });
    check_refused(dir.path(), |dir| fs::remove_file(dir.join("tail")).unwrap(), |error| {
        matches!(error, VerifyError::BehindTheEnd { .. } | VerifyError::Truncated { covered: 601, found: 512, .. })
    });
}

#[test]
fn spellings() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path());
    let first = |dir: &Path| dir.join("tile/entries/000");
    let good = r#"{"config":"HASH","kind":"config.loaded","outcome":"accepted","time":1700000000000000,"v":1}"#;
    let good = good.replace("HASH", &Hash::of(b"x").to_string());
    let spell = |from: &str, to: &str, fault: RecordFault| {
        assert!(good.contains(from), "{from}");
        let record = good.replace(from, to);
        check_refused(dir.path(), |dir| reframe(first(dir), put(&record)), is_record_fault(fault));
    };
    spell("\"v\":1", "\"v\":2", RecordFault::UnknownVersion);
    spell(",\"v\":1", "", RecordFault::UnknownVersion);
    spell("config.loaded", "config.loader", RecordFault::UnknownKind);
    spell("\"v\":1", "\"v\":1,\"v\":1", RecordFault::DuplicateMember);
    spell("\"v\":1", "\"v\":1.0", RecordFault::UnknownVersion);
    spell("1700000000000000", "1.7e15", RecordFault::NotCanonical);
    spell("1700000000000000", "1700000000000000.0", RecordFault::NotCanonical);
    spell(",", ", ", RecordFault::NotCanonical);
    spell("accepted", "accept\\u0065d", RecordFault::NotCanonical);
    spell("\"v\":1}", "\"v\":1,\"w\":null}", RecordFault::WrongShape);
    spell("1700000000000000", "-1", RecordFault::WrongShape);
    spell("accepted", "perhaps", RecordFault::WrongShape);
    spell("}", "", RecordFault::NotJson);
    spell("}", "} ", RecordFault::NotCanonical);
    spell("accepted", "accepted\u{7f}", RecordFault::WrongShape);
    check_refused(dir.path(), |dir| reframe(first(dir), put("[1]")), is_record_fault(RecordFault::NotJson));
    check_refused(
        dir.path(),
        |dir| reframe(first(dir), |records| records[5] = b"{\"a\":\"\xff\"}".to_vec()),
        is_record_fault(RecordFault::NotJson),
    );
    // The same tricks with the record of a call.
    let call = |from: &'static str, to: &'static str, fault: RecordFault| {
        let change = move |records: &mut Vec<Vec<u8>>| {
            let text = String::from_utf8(records[5].clone()).unwrap();
            assert!(text.contains(from), "{text}");
            records[5] = text.replace(from, to).into_bytes();
        };
        check_refused(dir.path(), |dir| reframe(first(dir), change), is_record_fault(fault));
    };
    call("\"v\":1", "\"v\":2", RecordFault::UnknownVersion);
    call("\"v\":1", "\"v\":1,\"x\":1", RecordFault::WrongShape);
    call("\"caller\":\"alice\"", "\"caller\":\"alice\",\"caller\":\"alice\"", RecordFault::DuplicateMember);
    call("alice", "\\u0061lice", RecordFault::NotCanonical);
    call("time/now", "time\\/now", RecordFault::NotCanonical);
    call("\"code\":\"OK\",", "", RecordFault::WrongShape);
    call("\"code\":\"OK\"", "\"code\":\"INTERNAL\"", RecordFault::WrongShape);
    call("\"micros\":26", "\"micros\":9007199254740993", RecordFault::WrongShape);
    call("\"micros\":26", "\"micros\":2.6e1", RecordFault::NotCanonical);
    call("\"caller\":\"alice\"", "\"caller\":null", RecordFault::NotCanonical);
}

#[test]
fn tiles() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path());
    let flip = |path: PathBuf| {
        let mut bytes = fs::read(&path).unwrap();
        bytes[40] ^= 1;
        fs::write(path, bytes).unwrap();
    };
    check_refused(dir.path(), |dir| flip(dir.join("tile/0/001")), |error| {
        matches!(error, VerifyError::Leaf { index: 257, .. })
    });
    check_refused(dir.path(), |dir| flip(dir.join("tile/0/002.p/89")), |error| {
        matches!(error, VerifyError::Tile { path } if path.ends_with("tile/0/002.p/89"))
    });
    check_refused(dir.path(), |dir| flip(dir.join("tile/1/000.p/2")), |error| {
        matches!(error, VerifyError::Tile { path } if path.ends_with("tile/1/000.p/2"))
    });
    check_refused(dir.path(), |dir| flip(dir.join("tile/entries/002.p/89")), |error| {
        matches!(error, VerifyError::Tile { path } if path.ends_with("tile/entries/002.p/89"))
    });
    check_refused(
        dir.path(),
        |dir| assert!(fs::copy(dir.join("tile/0/001"), dir.join("tile/0/000")).is_ok()),
        |error| matches!(error, VerifyError::Leaf { index: 0, .. }),
    );
    check_refused(dir.path(), |dir| fs::write(dir.join("tile/0/001"), [1; 31]).unwrap(), |error| {
        matches!(error, VerifyError::Tile { .. })
    });
    check_refused(dir.path(), |dir| fs::remove_file(dir.join("tile/0/001")).unwrap(), |error| {
        matches!(error, VerifyError::TileMissing { .. })
    });
    check_refused(dir.path(), |dir| fs::write(dir.join("tile/0/007"), [0; 8192]).unwrap(), |error| {
        matches!(error, VerifyError::BehindTheEnd { records: 601, .. })
    });
    check_refused(dir.path(), |dir| fs::write(dir.join("tile/0/notes.txt"), "").unwrap(), |error| {
        matches!(error, VerifyError::Stray { .. })
    });
}

#[test]
fn checkpoints() {
    let dir = tempfile::tempdir().unwrap();
    let log = make(dir.path());
    let checkpoint = |dir: &Path| dir.join("checkpoint");
    let origin = Checkpoint::open_unchecked(&fs::read_to_string(checkpoint(dir.path())).unwrap()).unwrap().origin;
    let root = Hash::of(b"another tree");
    let other_key = Ed25519SecretKey::from_bytes(&[9; 32]);
    let forge = |size: u64, key: &Ed25519SecretKey| Checkpoint { origin: origin.clone(), size, root }.sign(key);
    let is_fault = |fault: NoteError| {
        move |error: &VerifyError| {
            matches!(error, VerifyError::Checkpoint { which: Which::Published, fault: found } if *found == fault)
        }
    };
    check_refused(dir.path(), |dir| fs::remove_file(checkpoint(dir)).unwrap(), |error| {
        matches!(error, VerifyError::CheckpointMissing { .. })
    });
    check_refused(dir.path(), |dir| fs::write(checkpoint(dir), "601").unwrap(), is_fault(NoteError::Malformed));
    check_refused(dir.path(), |dir| edit(checkpoint(dir), "\n601\n", "\n600\n"), is_fault(NoteError::WrongSignature));
    let forged = forge(601, &other_key);
    check_refused(dir.path(), |dir| fs::write(checkpoint(dir), &forged).unwrap(), is_fault(NoteError::UnknownKey));
    // Signed with the right key: a host that rewrote its own log.
    let fork = forge(600, &key());
    check_refused(dir.path(), |dir| fs::write(checkpoint(dir), &fork).unwrap(), |error| {
        matches!(error, VerifyError::OtherTree { which: Which::Published, size: 600, .. })
    });
    let ahead = forge(700, &key());
    check_refused(dir.path(), |dir| fs::write(checkpoint(dir), &ahead).unwrap(), |error| {
        matches!(error, VerifyError::Truncated { which: Which::Published, covered: 700, found: 601 })
    });

    let given = |note: String| VerifyOptions { checkpoint: Some(note), ..signed() };
    let error = verify(dir.path(), &given(fork)).unwrap_err();
    assert!(matches!(error, VerifyError::OtherTree { which: Which::Given, size: 600, .. }), "{error:?}");
    let error = verify(dir.path(), &given(ahead)).unwrap_err();
    assert!(matches!(error, VerifyError::Truncated { which: Which::Given, .. }), "{error:?}");
    let error = verify(dir.path(), &given(forged)).unwrap_err();
    assert!(matches!(error, VerifyError::Checkpoint { which: Which::Given, .. }), "{error:?}");
    let other = Checkpoint { origin: "host/other".to_owned(), size: 0, root }.sign(&key());
    assert!(matches!(verify(dir.path(), &given(other)).unwrap_err(), VerifyError::OtherLog { .. }));

    // An older checkpoint of the same log holds.
    let older = fs::read_to_string(checkpoint(dir.path())).unwrap();
    drop(log);
    let log = open(dir.path());
    fill(&log, 10);
    log.close().unwrap();
    assert_eq!(verify(dir.path(), &given(older)).unwrap().records, 612);
    let unsigned = verify(dir.path(), &VerifyOptions::default()).unwrap();
    assert_eq!(unsigned.signature, SignatureState::Unchecked);
    let wrong = VerifyOptions { key: Some(other_key.public()), checkpoint: None };
    assert!(verify(dir.path(), &wrong).is_err());
}

#[test]
fn sources() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path());
    let digits = Hash::of(SOURCE.as_bytes()).to_string();
    let path = |dir: &Path| dir.join("sources").join(&digits[..2]).join(&digits[2..]);
    check_refused(dir.path(), |dir| fs::write(path(dir), "return 0").unwrap(), |error| {
        matches!(error, VerifyError::SourceChanged { index: 1, .. })
    });
    check_refused(dir.path(), |dir| fs::remove_file(path(dir)).unwrap(), |error| {
        matches!(error, VerifyError::SourceMissing { index: 1, .. })
    });
}

/// What the log would never write, written by somebody who holds the key.
#[test]
fn records_that_contradict_each_other() {
    let check_said = |write: &dyn Fn(&AuditLog), expected: &dyn Fn(&VerifyError) -> bool| {
        let dir = tempfile::tempdir().unwrap();
        let log = open(dir.path());
        write(&log);
        log.close().unwrap();
        let error = verify(dir.path(), &signed()).unwrap_err();
        assert!(expected(&error), "{error:?}");
    };
    let call = Call::root("a/b");
    check_said(&|log| drop(call.finish(log, Ok(&json!(1)))), &|error| {
        matches!(error, VerifyError::NotAdmitted { index: 0 })
    });
    check_said(
        &|log| {
            call.run(log, &json!(1));
            drop(call.finish(log, Ok(&json!(1))));
        },
        &|error| matches!(error, VerifyError::NotAdmitted { index: 2 }),
    );
    check_said(
        &|log| {
            drop(call.admit(log));
            drop(call.admit(log));
        },
        &|error| matches!(error, VerifyError::AdmittedTwice { index: 1 }),
    );
    check_said(&|log| log.append(&session_closed("s")).unwrap(), &|error| {
        matches!(error, VerifyError::UnknownSession { index: 0 })
    });
    check_said(
        &|log| {
            let late = |_, out: &mut Vec<u8>| record::write_event(&session_opened("s"), 7, out);
            log.append(&session_opened("s")).unwrap();
            drop(log.append_with(late).unwrap());
        },
        &|error| matches!(error, VerifyError::TimeWentBack { index: 1 }),
    );
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
