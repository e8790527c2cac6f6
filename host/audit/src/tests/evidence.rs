//! Records that leave the log: what proves them, and what does not.

use alknet_core::Ed25519SecretKey;
use serde_json::json;

use super::support::*;
use crate::evidence::EvidencePage;
use crate::*;

/// A log with a session, a tool of two versions, and a call of it that called another operation.
pub(super) fn make(dir: &std::path::Path) -> AuditLog {
    let log = open(dir);
    log.append(&session_opened("s")).unwrap();
    for (version, source) in [(1, SOURCE), (2, "export default () => 2;")] {
        let digest = log.store_source(source.as_bytes()).unwrap();
        log.append(&registered("s", "session/count", version, digest, None)).unwrap();
    }
    let invoke = Call::root("session/invoke");
    assert!(matches!(invoke.admit(&log), alknet_call::Recorded::Done));
    let tool = invoke.child("session/count").in_session("s", Some(&Hash::of(SOURCE.as_bytes())));
    assert!(matches!(tool.admit(&log), alknet_call::Recorded::Done));
    tool.child("fs/list").run(&log, &json!({ "entries": [] }));
    drop(tool.finish(&log, Ok(&json!(0))));
    drop(invoke.finish(&log, Ok(&json!(0))));
    fill(&log, 300);
    log
}

fn export(log: &AuditLog, filter: &Filter, options: EvidenceOptions) -> EvidencePage {
    log.evidence(filter, &Page { limit: 1000, ..Page::default() }, options).unwrap()
}

#[test]
fn evidence_proves_itself() {
    let dir = tempfile::tempdir().unwrap();
    let log = make(dir.path());
    let kept = log.checkpoint().unwrap();
    fill(&log, 300);
    let from = Some(Checkpoint::open(&kept, &key().public()).unwrap().size);
    let EvidencePage { evidence, next } =
        export(&log, &Filter::default(), EvidenceOptions { from, attest: true });
    assert_eq!(next, None);
    // What is written and read again is the same.
    let evidence = Evidence::parse(&serde_json::to_string_pretty(&evidence).unwrap()).unwrap();
    let report = evidence.verify(&key().public(), Some(&kept)).unwrap();
    assert_eq!((report.records, report.size, report.sources, report.consistent), (609, 609, 2, true));
    // Two registrations, three calls around the tool, and all the others that ended.
    assert_eq!(report.attestations, 2 + 3 + 300);
    assert!(evidence.verify(&key().public(), None).is_ok());
    let other = Ed25519SecretKey::from_bytes(&[2; 32]).public();
    assert_eq!(evidence.verify(&other, None).unwrap_err().reason(), "checkpoint-other-key");
}

#[test]
fn a_page_of_outcomes_brings_its_decisions() {
    let dir = tempfile::tempdir().unwrap();
    let log = make(dir.path());
    let filter = Filter {
        kind: Some("call.finished".to_owned()),
        operation: Some("session/count".to_owned()),
        ..Filter::default()
    };
    let page = export(&log, &filter, EvidenceOptions { from: None, attest: true });
    let report = page.evidence.verify(&key().public(), None).unwrap();
    assert_eq!((report.records, report.attestations), (2, 1));
    let unattested = export(&log, &filter, EvidenceOptions::default());
    assert_eq!((unattested.evidence.records.len(), unattested.evidence.attestations.len()), (1, 0));
    let ahead = log.evidence(&filter, &Page::default(), EvidenceOptions { from: Some(9_999), attest: false });
    assert!(matches!(ahead, Err(QueryError::OutOfRange)));
}

#[test]
fn statements_say_what_the_records_say() {
    let dir = tempfile::tempdir().unwrap();
    let log = make(dir.path());
    let filter = Filter { operation: Some("session/count".to_owned()), ..Filter::default() };
    let page = export(&log, &filter, EvidenceOptions { from: None, attest: true });
    let statements: Vec<serde_json::Value> = page
        .evidence
        .attestations
        .iter()
        .map(|envelope| serde_json::from_slice(&envelope.payload().unwrap()).unwrap())
        .collect();
    let [first, second, call] = statements.as_slice() else { panic!("{statements:#?}") };
    assert_eq!(first["_type"], "https://in-toto.io/Statement/v1");
    assert_eq!(first["predicateType"], "https://slsa.dev/provenance/v1");
    assert_eq!(first["subject"][0]["digest"]["sha256"], Hash::of(SOURCE.as_bytes()).to_string());
    assert_eq!(second["predicate"]["buildDefinition"]["externalParameters"]["version"], 2);
    assert_eq!(first["predicate"]["runDetails"]["metadata"]["startedOn"], "2023-11-14T22:13:20Z");
    assert_eq!(call["predicate"]["call"]["operation"], "session/count");
    assert_eq!(call["subject"][1]["digest"]["hmac-sha256"], log.digest(&json!(0)).to_string());
    for envelope in &page.evidence.attestations {
        assert!(envelope.is_signed_by(&key().public()));
        let mut twice = envelope.clone();
        twice.signatures.push(twice.signatures[0].clone());
        assert!(!twice.is_signed_by(&key().public()), "one signature, of one key");
    }
}
