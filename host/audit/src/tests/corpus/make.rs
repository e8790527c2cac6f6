//! Writes what the cases are made of, always the same.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use alknet_call::Due;
use alknet_call::{CallId, ErrorCode};
use alknet_core::{Ed25519SecretKey, Fingerprint, ManualClock};
use serde_json::json;

use crate::checkpoint::Checkpoint;
use crate::record::write_event;
use crate::tests::support::*;
use crate::*;

/// The parts of the corpus that are made here.
pub(super) const PARTS: [&str; 5] = ["log", "lies", "evidence.json", "checkpoints", "log.pub"];

const START: u64 = 1_700_000_000_000_000;
const TOOL: &str = "export default (input) => input.length;\n";

pub(super) fn fixed() -> Options {
    let clock = ManualClock::new(START);
    Options { origin: "corpus.example/log".to_owned(), clock: Arc::new(clock), ..options() }
}

fn open(dir: &Path) -> AuditLog {
    AuditLog::open_on(dir, fixed(), Arc::new(Unsynced)).unwrap()
}

/// A call with an id of its own.
fn call(number: u64, operation: &str) -> Call {
    let id: CallId = format!("{:016x}{number:016x}", 0xa1c0_u64).parse().unwrap();
    Call { id, root: id, ..Call::root(operation) }
}

pub(super) fn corpus(top: &Path) {
    fs::write(top.join("log.pub"), format!("{}\n", Fingerprint::from(&key().public()))).unwrap();
    let (early, evidence) = log(&top.join("log"));
    fs::write(top.join("evidence.json"), evidence).unwrap();
    checkpoints(top, &early);
    lies(&top.join("lies"));
}

/// A closed log of one full bundle and a few records more; answers an early checkpoint and evidence.
fn log(dir: &Path) -> (String, String) {
    let log = open(dir);
    let mut opened = session_opened("s");
    if let Event::SessionOpened(opened) = &mut opened {
        opened.label = Some("caf\u{e9}".to_owned());
    }
    log.append(&opened).unwrap();
    let source = log.store_source(TOOL.as_bytes()).unwrap();
    log.append(&registered("s", "session/length", 1, source, None)).unwrap();
    let invoke = call(1, "session/invoke");
    drop(invoke.admit(&log));
    let tool = Call { id: call(2, "").id, ..invoke.child("session/length") }.in_session("s", Some(&source));
    drop(tool.admit(&log));
    drop(tool.finish(&log, Ok(&json!(4))));
    drop(invoke.finish(&log, Ok(&json!(4))));
    drop(call(3, "fs/write").refuse(&log, "scope", &ErrorCode::FORBIDDEN));
    let early = log.checkpoint().unwrap();
    for number in 10..136 {
        call(number, "t/n").run(&log, &json!(number));
    }
    let page = Page { limit: 7, ..Page::default() };
    let options = EvidenceOptions { from: Some(7), attest: true };
    let evidence = log.evidence(&Filter::default(), &page, options).unwrap().evidence;
    log.close().unwrap();
    // Who takes the lock, and who asks, does not matter to a verifier.
    for file in ["lock", "index.sqlite", "index.sqlite-shm", "index.sqlite-wal", "partial.new"] {
        drop(fs::remove_file(dir.join(file)));
    }
    (early, serde_json::to_string_pretty(&evidence).unwrap() + "\n")
}

fn checkpoints(top: &Path, early: &str) {
    let dir = top.join("checkpoints");
    fs::create_dir(&dir).unwrap();
    let late = fs::read_to_string(top.join("log/checkpoint")).unwrap();
    let Checkpoint { origin, size, root } = Checkpoint::open_unchecked(&late).unwrap();
    let small = Checkpoint::open_unchecked(early).unwrap();
    let other_key = Ed25519SecretKey::from_bytes(&[9; 32]);
    let other = Hash::of(b"another tree");
    let sign = |origin: &str, size, root, key: &Ed25519SecretKey| {
        Checkpoint { origin: origin.to_owned(), size, root }.sign(key)
    };
    let notes = [
        ("early", early.to_owned()),
        ("late", late.clone()),
        ("early-other-tree", sign(&origin, small.size, other, &key())),
        ("late-other-tree", sign(&origin, size, other, &key())),
        ("ahead", sign(&origin, size + 100, other, &key())),
        ("other-origin", sign("corpus.example/other", size, root, &key())),
        ("other-key", sign(&origin, size, root, &other_key)),
        ("early-other-key", sign(&origin, small.size, small.root, &other_key)),
        ("forged", late.replace(&format!("\n{size}\n"), &format!("\n{}\n", size - 1))),
        ("no-note", "corpus.example/log\n".to_owned()),
    ];
    for (name, note) in notes {
        fs::write(dir.join(name), note).unwrap();
    }
}

/// Logs that their own host wrote, in order in every byte, that say what cannot have been.
fn lies(top: &Path) {
    let lie = |name: &str, tell: &dyn Fn(&AuditLog)| {
        let log = open(&top.join(name));
        tell(&log);
        log.close().unwrap();
        drop(fs::remove_file(top.join(name).join("lock")));
    };
    let one = || call(1, "t/n");
    lie("finished-without-a-decision", &|log| drop(one().finish(log, Ok(&json!(1)))));
    lie("finished-twice", &|log| {
        one().run(log, &json!(1));
        drop(one().finish(log, Ok(&json!(1))));
    });
    lie("admitted-twice", &|log| {
        drop(one().admit(log));
        drop(one().admit(log));
    });
    lie("finished-after-refusal", &|log| {
        drop(one().refuse(log, "scope", &ErrorCode::FORBIDDEN));
        drop(one().finish(log, Ok(&json!(1))));
    });
    lie("closed-without-opening", &|log| log.append(&session_closed("s")).unwrap());
    lie("registered-in-no-session", &|log| {
        let source = log.store_source(TOOL.as_bytes()).unwrap();
        log.append(&registered("s", "session/x", 1, source, None)).unwrap();
    });
    lie("time-goes-back", &|log| {
        log.append(&session_opened("s")).unwrap();
        let early = |_, out: &mut Vec<u8>| write_event(&session_opened("t"), 7, out);
        drop(log.shared().append(Due::Now, early).unwrap());
    });
    let raw = |text: &'static str| {
        move |log: &AuditLog| {
            drop(log.shared().append(Due::Now, |_, out| out.extend_from_slice(text.as_bytes())).unwrap());
        }
    };
    lie(
        "signed-but-not-canonical",
        &raw(r#"{"records":0, "kind":"host.stopped","time":1700000000000000,"v":1}"#),
    );
    lie("signed-but-unknown", &raw(r#"{"kind":"host.confessed","time":1700000000000000,"v":1}"#));
    lie("signed-but-no-json", &raw("nothing happened"));
    lie("source-never-kept", &|log| {
        log.append(&session_opened("s")).unwrap();
        log.append(&registered("s", "session/x", 1, Hash::of(b"never kept"), None)).unwrap();
    });
}
