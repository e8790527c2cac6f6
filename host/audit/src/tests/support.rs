//! Logs made by hand.

use std::collections::BTreeSet;
use std::fs;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use alknet_call::{
    Answered, AuditSink as _, CallFacts, CallId, Decision, Due, ErrorCode, LayerKind, Outcome, Provenance,
    Recorded,
};
use alknet_core::{Ed25519SecretKey, IdentityId, ManualClock};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::event::{
    Authority, CloseReason, ExampleResult, Examples, OperationRegistered, SessionClosed, SessionOpened,
};
use crate::storage::{OsStorage, Storage};
use crate::*;

pub(super) const SOURCE: &str =
    "export default async (input, env) => (await env.fs.list(input)).entries.length;";

pub(super) fn key() -> Ed25519SecretKey {
    Ed25519SecretKey::from_bytes(&[1; 32])
}

/// Checkpoints are published when the test says so.
pub(super) fn options() -> Options {
    Options {
        checkpoint_every: u64::MAX,
        checkpoint_interval: Duration::MAX,
        ..Options::new(key(), Arc::new(ManualClock::new(1_700_000_000_000_000)))
    }
}

pub(super) fn open(dir: &Path) -> AuditLog {
    AuditLog::open_on(dir, options(), Arc::new(Unsynced)).unwrap()
}

pub(super) fn try_open(dir: &Path) -> Result<AuditLog, OpenError> {
    AuditLog::open_on(dir, options(), Arc::new(Unsynced))
}

pub(super) fn signed() -> VerifyOptions {
    VerifyOptions { key: Some(key().public()), checkpoint: None }
}

pub(super) fn check(dir: &Path) -> VerifyReport {
    verify(dir, &signed()).unwrap()
}

/// The file system without waiting for the disk.
#[derive(Debug)]
pub(super) struct Unsynced;

impl Storage for Unsynced {
    fn create(&self, path: &Path) -> io::Result<Arc<File>> {
        OsStorage.create(path)
    }
    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
        OsStorage.write_at(file, bytes, offset)
    }
    fn set_len(&self, file: &File, bytes: u64) -> io::Result<()> {
        OsStorage.set_len(file, bytes)
    }
    fn sync(&self, _: &File) -> io::Result<()> {
        Ok(())
    }
    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
    fn sync_all(&self, _: &BTreeSet<PathBuf>, _: &BTreeSet<PathBuf>) -> io::Result<()> {
        Ok(())
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        OsStorage.rename(from, to)
    }
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        OsStorage.create_dir(path)
    }
}

/// One call, as the dispatcher would describe it.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) id: CallId,
    pub(super) parent: Option<CallId>,
    pub(super) root: CallId,
    pub(super) operation: String,
    pub(super) caller: IdentityId,
    pub(super) authority: IdentityId,
    pub(super) session: Option<Arc<str>>,
    pub(super) source: Option<Arc<str>>,
    pub(super) due: Due,
}

impl Call {
    pub(super) fn root(operation: &str) -> Self {
        let id = CallId::next();
        let alice = IdentityId::parse("alice").unwrap();
        Self {
            id,
            parent: None,
            root: id,
            operation: operation.to_owned(),
            caller: alice.clone(),
            authority: alice,
            session: None,
            source: None,
            due: Due::Now,
        }
    }

    pub(super) fn child(&self, operation: &str) -> Self {
        let authority = IdentityId::parse("composer").unwrap();
        let (id, operation) = (CallId::next(), operation.to_owned());
        Self { id, parent: Some(self.id), operation, authority, source: None, ..self.clone() }
    }

    pub(super) fn in_session(mut self, session: &str, source: Option<&Hash>) -> Self {
        self.session = Some(Arc::from(session));
        self.source = source.map(|digest| Arc::from(digest.to_string()));
        self
    }

    fn facts(&self) -> CallFacts<'_> {
        let (layer, provenance) = match self.source {
            Some(_) => (LayerKind::Session, Provenance::Session),
            None => (LayerKind::Curated, Provenance::Local),
        };
        CallFacts {
            id: self.id,
            parent: self.parent,
            root: self.root,
            operation: &self.operation,
            caller: Some(&self.caller),
            authority: Some(&self.authority),
            session: self.session.as_ref(),
            layer: Some(layer),
            peer: None,
            provenance: Some(provenance),
            source_digest: self.source.as_ref(),
            due: self.due,
        }
    }

    pub(super) fn admit(&self, log: &AuditLog) -> Recorded {
        log.decided(&self.facts(), &Decision::Admitted { input: &json!({ "path": "." }) })
    }

    pub(super) fn refuse(&self, log: &AuditLog, reason: &'static str, code: &ErrorCode) -> Recorded {
        log.decided(&self.facts(), &Decision::Refused { reason, code })
    }

    pub(super) fn finish(&self, log: &AuditLog, result: Result<&Value, &ErrorCode>) -> Recorded {
        let result = result.map(Answered::Value);
        log.finished(&self.facts(), &Outcome { result, duration: Duration::from_micros(26) })
    }

    pub(super) fn run(&self, log: &AuditLog, output: &Value) {
        assert!(matches!(self.admit(log), Recorded::Done));
        assert!(matches!(self.finish(log, Ok(output)), Recorded::Done));
    }
}

/// Appends `count` records of calls.
pub(super) fn fill(log: &AuditLog, count: u64) {
    for at in 0..count / 2 {
        Call::root("time/now").run(log, &json!({ "unix_seconds": at }));
    }
    if count % 2 == 1 {
        let refused = Call::root("admin/stop").refuse(log, "scope", &ErrorCode::FORBIDDEN);
        assert!(matches!(refused, Recorded::Done));
    }
}

pub(super) fn session_opened(session: &str) -> Event {
    Event::SessionOpened(SessionOpened {
        session: session.to_owned(),
        caller: Some("alice".to_owned()),
        label: None,
        profile: "default".to_owned(),
        env: vec!["fs/list".to_owned()],
        authority: Authority { label: "composer".to_owned(), scopes: vec!["fs:read".to_owned()] },
        limits: [("calls_max".to_owned(), u64::MAX)].into(),
        expires: 1_700_000_600_000_000,
        call: None,
    })
}

pub(super) fn session_closed(session: &str) -> Event {
    let session = session.to_owned();
    Event::SessionClosed(SessionClosed { session, reason: CloseReason::Closed, caller: None, call: None })
}

pub(super) fn registered(
    session: &str,
    name: &str,
    version: u64,
    source: Hash,
    call: Option<CallId>,
) -> Event {
    Event::OperationRegistered(Box::new(OperationRegistered {
        session: session.to_owned(),
        operation: name.to_owned(),
        version,
        operation_kind: "mutation".to_owned(),
        language: "typescript".to_owned(),
        source,
        spec: Hash::of(b"spec"),
        env: vec!["fs/list".to_owned()],
        authority: Authority { label: "composer".to_owned(), scopes: vec!["fs:read".to_owned()] },
        limits: [("cpu_ms_max".to_owned(), 50)].into(),
        guest: Some(Hash::of(b"guest")),
        compiler: None,
        examples: Examples {
            count: 2,
            passed: 2,
            results: vec![
                ExampleResult { input: Hash::of(b"a"), output: Some(Hash::of(b"b")), error: None },
                ExampleResult { input: Hash::of(b"c"), output: None, error: Some("TOO_BIG".to_owned()) },
            ],
        },
        replaces: version.checked_sub(1).filter(|version| *version > 0),
        caller: Some("alice".to_owned()),
        call: call.map(|call| call.to_string()),
    }))
}

/// A copy of the directory as it is now: what a crash at this moment leaves.
pub(super) fn image(dir: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    copy_into(dir, copy.path());
    copy
}

pub(super) fn copy_into(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        let target = to.join(file.file_name());
        if file.file_type().unwrap().is_dir() {
            copy_into(&file.path(), &target);
        } else {
            fs::copy(file.path(), target).unwrap();
        }
    }
}

/// The kinds of all records, in order.
pub(super) fn kinds(reader: &AuditReader) -> Vec<String> {
    let page = Page { limit: 1000, ..Page::default() };
    let matches = reader.query(&Filter::default(), &page).unwrap();
    assert_eq!(matches.next, None);
    matches.entries.iter().map(|entry| entry.record["kind"].as_str().unwrap().to_owned()).collect()
}

/// Numbers without end, from a seed that is not zero.
#[derive(Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % end.max(1)
    }
}
