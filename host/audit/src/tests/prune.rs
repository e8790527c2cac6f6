//! What is old may go; that it was there, and that it went, stays provable.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use alknet_core::ManualClock;

use super::support::*;
use crate::prune::PrunedBy;
use crate::*;

const START: u64 = 1_700_000_000_000_000;

/// A log of a first hour (600 records, a closed session with a source) and a second one (600 records, another).
fn make(dir: &std::path::Path) -> (AuditLog, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(START));
    let log = AuditLog::open_on(
        dir,
        Options { clock: Arc::<ManualClock>::clone(&clock), ..options() },
        Arc::new(Unsynced),
    )
    .unwrap();
    for session in ["old", "new"] {
        log.append(&session_opened(session)).unwrap();
        let source = log.store_source(format!("{SOURCE} // {session}").as_bytes()).unwrap();
        log.append(&registered(session, "session/count", 1, source, None)).unwrap();
        if session == "old" {
            log.append(&session_closed(session)).unwrap();
        }
        fill(&log, 597);
        clock.advance(Duration::from_secs(3600));
    }
    (log, clock)
}

/// The log, opened again: what was stored in this run is not pruned in this run.
fn reopened(dir: &std::path::Path) -> AuditLog {
    let (log, clock) = make(dir);
    log.close().unwrap();
    AuditLog::open_on(dir, Options { clock, ..options() }, Arc::new(Unsynced)).unwrap()
}

#[test]
fn old_bundles_go_and_everything_stays_provable() {
    let dir = tempfile::tempdir().unwrap();
    let log = reopened(dir.path());
    let all = log.evidence(
        &Filter::default(),
        &Page { limit: 1000, ..Page::default() },
        EvidenceOptions::default(),
    );
    let kept = all.unwrap().evidence;
    let before = log.checkpoint().unwrap();
    let by = PrunedBy { caller: Some("operator".to_owned()), call: None };
    let pruned = log.prune(START + 1, by).unwrap();
    assert_eq!((pruned.records, pruned.first_kept, pruned.sources), (512, 512, 1));
    assert_eq!(log.prune(START + 1, PrunedBy::default()).unwrap().records, 0, "nothing more is that old");

    let report = check(dir.path());
    assert_eq!((report.pruned, report.records), (512, 1201));
    let given = VerifyOptions { checkpoint: Some(before.clone()), ..signed() };
    assert_eq!(verify(dir.path(), &given).unwrap().records, 1201, "the log goes on from what it was");
    assert_eq!(report.indexed, Some(1201 - 512), "rows are gone too");

    // Proofs of what is gone still can be made, and what was kept elsewhere still can be shown to have been there.
    let leaf = Hash::of_leaf(kept.records[7].record.as_bytes());
    assert!(log.prove_inclusion(7, 1201).unwrap().verify(&leaf, &log.root(1201).unwrap()));
    kept.verify(&key().public(), None).unwrap();
    assert!(matches!(log.reader().record(7), Err(QueryError::Pruned { index: 7 })));
    assert_eq!(log.reader().record(512).unwrap().index, 512);
    let filter = Filter { kind: Some("audit.pruned".to_owned()), ..Filter::default() };
    let found = log.reader().query(&filter, &Page::default()).unwrap().entries;
    assert_eq!((found.len(), &found[0].record["caller"]), (1, &"operator".into()));

    // The next start, readers without an index, and a new index begin where the log now begins.
    log.close().unwrap();
    drop(open(dir.path()));
    assert_eq!(kinds(&AuditReader::open(dir.path()).unwrap()).len(), 1202 - 512);
    assert_eq!(reindex(dir.path()).unwrap(), 1202);
    assert_eq!(check(dir.path()).indexed, Some(1202 - 512));
}

#[test]
fn what_is_gone_without_a_record_is_missed() {
    let dir = tempfile::tempdir().unwrap();
    let log = reopened(dir.path());
    log.prune(START + 1, PrunedBy::default()).unwrap();
    log.close().unwrap();
    let one_more = image(dir.path());
    fs::remove_file(one_more.path().join("tile/entries/002")).unwrap();
    assert_eq!(verify(one_more.path(), &signed()).unwrap_err().reason(), "bundle-missing");
    let hashes_too = image(dir.path());
    fs::remove_file(hashes_too.path().join("tile/0/001")).unwrap();
    assert_eq!(verify(hashes_too.path(), &signed()).unwrap_err().reason(), "bundle-missing");
    let other_hash = image(dir.path());
    let tile = other_hash.path().join("tile/0/001");
    let mut bytes = fs::read(&tile).unwrap();
    bytes[0] ^= 1;
    fs::write(&tile, bytes).unwrap();
    assert_eq!(verify(other_hash.path(), &signed()).unwrap_err().reason(), "root-differs");

    // A note of a pruning that nobody signed does not count.
    let unsigned = tempfile::tempdir().unwrap();
    let log = reopened(unsigned.path());
    log.append(&Event::AuditPruned(event::AuditPruned {
        before: 0,
        first_kept: 512,
        records: 512,
        sources: 0,
        caller: None,
        call: None,
    }))
    .unwrap();
    for bundle in ["000", "001"] {
        fs::remove_file(unsigned.path().join("tile/entries").join(bundle)).unwrap();
    }
    assert_eq!(verify(unsigned.path(), &signed()).unwrap_err().reason(), "bundle-missing");
}

#[test]
fn a_pruning_that_was_cut_short_verifies_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let log = reopened(dir.path());
    let first = fs::read(dir.path().join("tile/entries/001")).unwrap();
    log.prune(START + 1, PrunedBy::default()).unwrap();
    fs::write(dir.path().join("tile/entries/001"), first).unwrap();
    assert_eq!(check(dir.path()).pruned, 256);
    log.prune(START + 1, PrunedBy::default()).unwrap();
    assert_eq!(check(dir.path()).pruned, 512);
}

#[test]
fn sources_that_are_in_use_stay() {
    let dir = tempfile::tempdir().unwrap();
    let (log, clock) = make(dir.path());
    // Everything is old, but one session is open, and what was stored now may be registered next.
    clock.advance(Duration::from_secs(3600));
    let pruned = log.prune(u64::MAX, PrunedBy::default()).unwrap();
    assert_eq!((pruned.sources, pruned.first_kept), (0, 768), "the last full bundle stays");
    log.close().unwrap();
    let log = AuditLog::open_on(dir.path(), Options { clock, ..options() }, Arc::new(Unsynced)).unwrap();
    fill(&log, 512);
    let pruned = log.prune(u64::MAX, PrunedBy::default()).unwrap();
    assert_eq!(pruned.first_kept, 1280);
    assert_eq!(check(dir.path()).pruned, 1280);
}
