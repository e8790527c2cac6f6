//! The published schema is the one of the types, and describes what is written.

use std::fs;
use std::path::Path;

use alknet_call::ErrorCode;
use serde_json::{Value, json};

use super::support::*;
use crate::event::*;
use crate::*;

fn one_of_each() -> Vec<Event> {
    let digest = Hash::of(b"x");
    vec![
        session_opened("s"),
        session_closed("s"),
        registered("s", "session/count", 2, digest, None),
        Event::OperationRemoved(OperationRemoved {
            session: "s".to_owned(),
            operation: "session/count".to_owned(),
            version: 2,
            caller: None,
            call: None,
        }),
        Event::HostStarted(HostStarted {
            version: "0.1.0".to_owned(),
            config: digest,
            key: "ed25519:00".to_owned(),
            log_key: "ed25519:01".to_owned(),
        }),
        Event::HostStopped(HostStopped { records: 1 }),
        Event::HostRecovered(HostRecovered { records: 1, checkpoint: 1, dropped_bytes: u64::MAX }),
        Event::AuditPruned(AuditPruned {
            before: 7,
            first_kept: 256,
            records: 256,
            sources: 1,
            caller: Some("alice".to_owned()),
            call: None,
        }),
        Event::ConfigLoaded(ConfigLoaded { config: digest, outcome: ConfigOutcome::Refused }),
        Event::IdentityChanged(IdentityChanged { identity: "alice".to_owned(), change: Change::Added }),
        Event::KeyChanged(KeyChanged {
            fingerprint: "ed25519:00".to_owned(),
            purpose: "host".to_owned(),
            change: Change::Removed,
        }),
        Event::CredentialChanged(CredentialChanged {
            credential: "github".to_owned(),
            change: Change::Changed,
        }),
        Event::SecretScrubbed(SecretScrubbed {
            call: "0".repeat(32),
            operation: "http/fetch".to_owned(),
            credentials: vec!["github".to_owned()],
        }),
        Event::CredentialLoaded(CredentialLoaded {
            credential: "github".to_owned(),
            used_by: "http/fetch".to_owned(),
        }),
        Event::PeerAttached(PeerAttached {
            peer: "worker".to_owned(),
            operations: vec!["worker/echo".to_owned()],
            replaces: true,
        }),
        Event::PeerDetached(PeerDetached { peer: "worker".to_owned() }),
    ]
}

/// Set `UPDATE_SCHEMAS` to write it anew.
#[test]
fn the_file_is_up_to_date() {
    let path = Path::new("../../schemas/audit/record.json");
    let text = format!("{}\n", serde_json::to_string_pretty(&record_schema()).unwrap());
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, &text).unwrap();
    }
    assert!(fs::read_to_string(path).unwrap_or_default() == text, "run the tests with UPDATE_SCHEMAS=1");
}

#[test]
fn every_record_fits_the_schema() {
    let schema = jsonschema::validator_for(&record_schema()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let events = one_of_each();
    assert_eq!(events.len(), Event::KINDS.len());
    events.iter().for_each(|event| log.append(event).unwrap());
    assert_eq!(kinds(log.reader()), Event::KINDS);
    let call = Call::root("session/invoke").in_session("s", Some(&Hash::of(b"x")));
    drop(call.admit(&log));
    call.child("fs/list").run(&log, &json!({}));
    drop(call.child("a\"/\\\u{1}é").refuse(&log, "not \"named\"", &ErrorCode::NOT_FOUND));
    drop(call.finish(&log, Err(&ErrorCode::INTERNAL)));
    for index in 0..log.size() {
        let record = log.reader().record(index).unwrap().record;
        assert!(schema.is_valid(&record), "{record}");
        // Nothing may be added, left out or null.
        let members = record.as_object().unwrap();
        let mut more = members.clone();
        more.insert("more".to_owned(), json!(1));
        assert!(!schema.is_valid(&Value::Object(more)), "{record}");
        for name in ["v", "time", "kind"] {
            let mut less = members.clone();
            less.remove(name);
            assert!(!schema.is_valid(&Value::Object(less)), "{record} without {name}");
        }
        for name in members.keys() {
            let mut null = members.clone();
            null.insert(name.clone(), Value::Null);
            assert!(!schema.is_valid(&Value::Object(null)), "{record} with null {name}");
        }
    }
}

#[test]
fn events_read_back() {
    for event in one_of_each() {
        let mut bytes = Vec::new();
        record::write_event(&event, 7, &mut bytes);
        let parsed = record::Record::parse(&bytes, &mut Vec::new()).unwrap();
        let record::Record::Event(parsed, _) = parsed else { panic!("{parsed:?}") };
        let small = serde_json::to_string(&event).unwrap().replace(&u64::MAX.to_string(), "9007199254740991");
        assert_eq!(serde_json::to_string(&parsed).unwrap(), small);
    }
}

#[test]
fn call_records_are_small() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let invoke = Call::root("session/invoke");
    let tool = invoke
        .child("session/count_words")
        .in_session("f00dfeedf00dfeedf00dfeedf00dfeed", Some(&Hash::of(b"x")));
    tool.run(&log, &json!(1));
    let report = check(dir.path());
    assert_eq!(report.records, 2);
    assert!(report.bytes <= 2 * 600, "{} bytes", report.bytes);
}
