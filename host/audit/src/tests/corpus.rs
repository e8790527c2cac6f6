//! The must-reject corpus in `tests/audit-corpus`: every case is refused, for its own reason.
//!
//! What the cases are made of (logs, evidence, checkpoints) is written by the log itself from fixed keys, times and
//! ids. Set `UPDATE_CORPUS` to write it anew; `cases.json` is written by hand.

mod edit;
mod make;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use alknet_core::{Fingerprint, PublicKey};
use serde::Deserialize;

use super::support::image;
use crate::*;

use edit::Edit;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    cases: Vec<Case>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    /// What is wrong, for people.
    #[serde(rename = "what")]
    _what: String,
    /// The folder of a log, or the file with evidence, that the edits are made to.
    subject: String,
    #[serde(default)]
    edits: Vec<Edit>,
    /// A file with a checkpoint that is given to the verifier.
    checkpoint: Option<String>,
    /// What the verifier must say.
    reason: String,
}

fn corpus() -> PathBuf {
    PathBuf::from("../../tests/audit-corpus")
}

fn cases() -> Vec<Case> {
    let text = fs::read_to_string(corpus().join("cases.json")).unwrap();
    serde_json::from_str::<Cases>(&text).unwrap().cases
}

fn log_key() -> PublicKey {
    let text = fs::read_to_string(corpus().join("log.pub")).unwrap();
    match text.trim().parse().unwrap() {
        Fingerprint::Ed25519(bytes) => PublicKey::from_bytes(bytes),
        Fingerprint::Sha256(_) => panic!("a log's key is Ed25519"),
    }
}

/// What the verifier says of a subject below this folder: `None` when it is accepted.
fn verdict(top: &Path, subject: &str, checkpoint: Option<&str>) -> Option<&'static str> {
    let checkpoint = checkpoint.map(|name| fs::read_to_string(corpus().join(name)).unwrap());
    let place = top.join(subject);
    if place.is_dir() {
        let options = VerifyOptions { key: Some(log_key()), checkpoint };
        return verify(&place, &options).err().map(|error| error.reason());
    }
    // What is no text is no evidence.
    let text = String::from_utf8_lossy(&fs::read(place).unwrap()).into_owned();
    let verified =
        Evidence::parse(&text).and_then(|evidence| evidence.verify(&log_key(), checkpoint.as_deref()));
    verified.err().map(|error| error.reason())
}

#[test]
fn the_corpus_is_what_the_log_writes() {
    let made = tempfile::tempdir().unwrap();
    make::corpus(made.path());
    if std::env::var_os("UPDATE_CORPUS").is_some() {
        for part in make::PARTS {
            let place = corpus().join(part);
            drop(fs::remove_dir_all(&place).or_else(|_| fs::remove_file(&place)));
            let from = made.path().join(part);
            if from.is_dir() {
                super::support::copy_into(&from, &place);
            } else {
                fs::copy(from, place).unwrap();
            }
        }
    }
    for part in make::PARTS {
        let (expected, found) = (files(&made.path().join(part)), files(&corpus().join(part)));
        assert_eq!(expected.keys().collect::<Vec<_>>(), found.keys().collect::<Vec<_>>(), "{part}");
        for (name, bytes) in expected {
            assert!(found[&name] == bytes, "{part}/{name} differs: run the tests with UPDATE_CORPUS=1");
        }
    }
}

/// The files of a folder, or the file itself, with their content.
fn files(at: &Path) -> BTreeMap<String, Vec<u8>> {
    if at.is_file() {
        return BTreeMap::from([(String::new(), fs::read(at).unwrap())]);
    }
    let mut all = BTreeMap::new();
    for file in fs::read_dir(at).unwrap_or_else(|error| panic!("{}: {error}", at.display())) {
        let file = file.unwrap();
        let name = file.file_name().into_string().unwrap();
        for (below, bytes) in files(&file.path()) {
            all.insert(if below.is_empty() { name.clone() } else { format!("{name}/{below}") }, bytes);
        }
    }
    all
}

#[test]
fn what_nobody_touched_is_accepted() {
    for (subject, checkpoint) in [
        ("log", None),
        ("log", Some("checkpoints/early")),
        ("log", Some("checkpoints/late")),
        ("evidence.json", None),
        ("evidence.json", Some("checkpoints/early")),
    ] {
        assert_eq!(verdict(&corpus(), subject, checkpoint), None, "{subject} {checkpoint:?}");
    }
}

#[test]
fn every_case_is_refused_for_its_own_reason() {
    let cases = cases();
    assert!(cases.len() >= 40, "{} cases", cases.len());
    let names: BTreeSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names.len(), cases.len(), "every case has a name of its own");
    let mut wrong = Vec::new();
    for case in &cases {
        let copy = tempfile::tempdir().unwrap();
        let (from, to) = (corpus().join(&case.subject), copy.path().join(&case.subject));
        if from.is_dir() {
            super::support::copy_into(&from, &to);
        } else {
            fs::copy(&from, &to).unwrap();
        }
        for edit in &case.edits {
            edit.apply(&to, &corpus()).unwrap_or_else(|error| panic!("{}: {edit:?}: {error}", case.name));
        }
        let found = verdict(copy.path(), &case.subject, case.checkpoint.as_deref());
        if found != Some(case.reason.as_str()) {
            wrong.push(format!("{}: {found:?}, not {}", case.name, case.reason));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_reason_has_a_case() {
    let found: BTreeSet<String> = cases().into_iter().map(|case| case.reason).collect();
    let readme = fs::read_to_string(corpus().join("README.md")).unwrap();
    let reasons = readme.split_once("## Reasons").unwrap().1;
    let listed: BTreeSet<String> = reasons
        .lines()
        .filter_map(|line| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned()))
        .collect();
    assert_eq!(found, listed, "README.md explains every reason");
}

#[test]
fn a_tampered_log_is_not_opened_or_loses_nothing() {
    // Whatever a start makes of it: it never builds on a log whose signed part is not what was signed.
    for case in cases().iter().filter(|case| case.subject == "log" && case.checkpoint.is_none()) {
        let copy = image(&corpus().join("log"));
        for edit in &case.edits {
            edit.apply(copy.path(), &corpus()).unwrap();
        }
        if let Ok(log) = AuditLog::open(copy.path(), make::fixed()) {
            let early = fs::read_to_string(corpus().join("checkpoints/early")).unwrap();
            let early = Checkpoint::open(&early, &log_key()).unwrap();
            assert!(log.size() >= early.size, "{}", case.name);
        }
    }
}
