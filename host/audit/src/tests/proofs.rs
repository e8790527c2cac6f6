//! Proofs and checkpoints of a live log.

use super::support::*;
use crate::*;

#[test]
fn a_live_log_proves_itself() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let mut checkpoints = vec![];
    for size in [3, 256, 300, 700, 1024] {
        fill(&log, size - log.size());
        let checkpoint = Checkpoint::open(&log.checkpoint().unwrap(), &key().public()).unwrap();
        assert_eq!(checkpoint.size, size);
        checkpoints.push(checkpoint);
    }
    for (at, to) in checkpoints.iter().enumerate() {
        for from in &checkpoints[..=at] {
            let proof = log.prove_consistency(from.size, to.size).unwrap();
            assert!(proof.verify(&from.root, &to.root));
        }
        for index in [0, to.size / 2, to.size - 1] {
            let entry = log.reader().record(index).unwrap();
            let leaf = Hash::of_leaf(&serde_json_canonicalizer::to_vec(&entry.record).unwrap());
            assert!(log.prove_inclusion(index, to.size).unwrap().verify(&leaf, &to.root));
        }
    }
    assert!(matches!(log.prove_inclusion(5, 5), Err(QueryError::OutOfRange)));
    assert!(matches!(log.prove_inclusion(0, 1025), Err(QueryError::OutOfRange)));
    assert!(matches!(log.prove_consistency(1024, 3), Err(QueryError::OutOfRange)));
    assert!(matches!(log.reader().record(1024), Err(QueryError::OutOfRange)));
}

#[test]
fn the_directory_is_that_of_the_specification() {
    use std::os::unix::fs::PermissionsExt as _;

    let dir = tempfile::tempdir().unwrap();
    let log = open(&dir.path().join("log"));
    fill(&log, 300);
    log.checkpoint().unwrap();
    let has = |name: &str| dir.path().join("log").join(name).exists();
    for name in ["checkpoint", "tail", "tile/0/000", "tile/entries/000", "tile/1/000.p/1", "tile/0/001.p/44"]
    {
        assert!(has(name), "{name}");
    }
    assert!(has("tile/entries/001.p/44"));
    // Partial tiles stay until the tile is full.
    fill(&log, 100);
    log.checkpoint().unwrap();
    assert!(has("tile/entries/001.p/44") && has("tile/entries/001.p/144"));
    fill(&log, 112);
    log.checkpoint().unwrap();
    assert!(has("tile/0/001") && !has("tile/0/001.p") && !has("tile/entries/001.p"));
    let mode =
        |name: &str| dir.path().join("log").join(name).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(""), mode("tile/0"), mode("tail"), mode("checkpoint")), (0o700, 0o700, 0o600, 0o600));
    assert!(log.verifier_key().starts_with("alknet-agent/"));
    check(&dir.path().join("log"));
}

#[test]
fn one_writer_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path());
    assert!(matches!(try_open(dir.path()), Err(OpenError::Locked { .. })));
    let clone = first.clone();
    drop(first);
    assert!(matches!(try_open(dir.path()), Err(OpenError::Locked { .. })));
    drop(clone);
    drop(open(dir.path()));
}

#[test]
fn a_closed_log_refuses_and_reopens_clean() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    log.append(&session_opened("s")).unwrap();
    log.close().unwrap();
    log.close().unwrap();
    assert!(log.append(&session_opened("t")).is_err());
    drop(open(dir.path()));
    assert!(matches!(Call::root("a/b").admit(&log), alknet_call::Recorded::Failed(_)));
    drop(log);
    let report = check(dir.path());
    assert_eq!((report.records, report.covered, report.torn_bytes), (2, 2, 0));
    // Opening and closing without a record leaves the log as it is.
    drop(open(dir.path()));
    assert_eq!(check(dir.path()).records, 2);
    assert_eq!(kinds(open(dir.path()).reader()), ["session.opened", "host.stopped"]);
}

#[test]
fn sources_are_kept_by_digest() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let digest = log.store_source(SOURCE.as_bytes()).unwrap();
    assert_eq!(log.store_source(SOURCE.as_bytes()).unwrap(), digest);
    assert_eq!(log.reader().source(&digest).unwrap().as_deref(), Some(SOURCE));
    let digits = digest.to_string();
    let path = dir.path().join("sources").join(&digits[..2]).join(&digits[2..]);
    std::fs::write(&path, "something else").unwrap();
    assert_eq!(log.reader().source(&digest).unwrap(), None);
    // Storing it again heals what was changed.
    log.store_source(SOURCE.as_bytes()).unwrap();
    assert_eq!(log.reader().source(&digest).unwrap().as_deref(), Some(SOURCE));
    assert_eq!(log.reader().source(&Hash::of(b"unknown")).unwrap(), None);
}
