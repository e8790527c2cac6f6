//! A record that was changed is found out, by whoever has the folder and the host's public key.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::support::{Project, Ran, files_below};

/// A stopped host's log of two runs: 500 records or so, the first 256 of them in a full bundle. Beside it `early`,
/// the log as it was after the first run.
async fn recorded() -> Project {
    let project = Project::new().await;
    for run in ["first", "second"] {
        let host = project.serve().await;
        let peer = host.client(Some(project.operator_key())).await;
        let session = peer.open_session().await;
        peer.register(&session, "tool", &format!("export default () => '{run}'")).await.unwrap();
        for _ in 0..150 {
            peer.call("time/now", json!({})).await.unwrap();
        }
        host.stop().await;
        if run == "first" {
            copy(&project.data("audit"), &project.file("early"));
        }
    }
    project
}

fn copy(from: &Path, to: &Path) {
    for file in files_below(from) {
        let place = to.join(file.strip_prefix(from).unwrap());
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::copy(file, place).unwrap();
    }
}

/// Changes bytes of a file.
fn change(file: PathBuf, with: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(&file).unwrap();
    with(&mut bytes);
    fs::write(file, bytes).unwrap();
}

fn flip(bytes: &mut [u8], at: usize) {
    bytes[at] ^= 1;
}

/// Puts one text for another of the same length, at its last place.
fn replace(bytes: &mut Vec<u8>, old: &str, new: &str) {
    assert_eq!(old.len(), new.len());
    let at = bytes.windows(old.len()).rposition(|part| part == old.as_bytes()).unwrap();
    bytes.splice(at..at + old.len(), new.bytes());
}

async fn verify(project: &Project, dir: &Path, more: &[&str]) -> Ran {
    let shown = project.run(["key", "show", "--json"]).await.json();
    let key = shown["audit"]["fingerprint"].as_str().unwrap();
    let args = ["audit", "verify", "--json", "--dir", dir.to_str().unwrap(), "--key", key];
    project.run(args.iter().chain(more)).await
}

#[tokio::test]
async fn every_change_of_the_record_shows() {
    type Change = (&'static str, &'static str, fn(&Path));
    let changes: [Change; 13] = [
        ("a byte of a bundle", "record", |dir| change(dir.join("tile/entries/000"), |b| flip(b, 9_000))),
        ("another identity", "record", |dir| {
            change(dir.join("tile/entries/000"), |b| replace(b, "operator", "0perator"));
        }),
        ("a bundle cut short", "", |dir| change(dir.join("tile/entries/000"), |b| b.truncate(b.len() / 2))),
        ("a bundle taken away", "", |dir| fs::remove_file(dir.join("tile/entries/000")).unwrap()),
        ("a byte of a tile of hashes", "", |dir| change(dir.join("tile/0/000"), |b| flip(b, 40))),
        ("the last records cut off", "", |dir| change(dir.join("tail"), |b| b.truncate(b.len() / 2))),
        ("another outcome", "", |dir| {
            change(dir.join("tail"), |b| replace(b, r#""code":"OK""#, r#""code":"KO""#));
        }),
        ("the size in the checkpoint", "checkpoint", |dir| {
            change(dir.join("checkpoint"), |b| {
                let line = b.iter().position(|byte| *byte == b'\n').unwrap() + 1;
                b[line] = if b[line] == b'9' { b'8' } else { b[line] + 1 };
            });
        }),
        ("the root in the checkpoint", "checkpoint", |dir| {
            change(dir.join("checkpoint"), |b| {
                let line = b.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(1).unwrap().0 + 5;
                b[line] = if b[line] == b'A' { b'B' } else { b'A' };
            });
        }),
        ("a signature that is an older one", "checkpoint", |dir| {
            let early = fs::read_to_string(dir.parent().unwrap().join("early/checkpoint")).unwrap();
            let signature = early.lines().last().unwrap().to_owned();
            change(dir.join("checkpoint"), |b| {
                let text = String::from_utf8(b.clone()).unwrap();
                let body = &text[..text.find('—').unwrap()];
                *b = format!("{body}{signature}\n").into_bytes();
            });
        }),
        ("no checkpoint", "checkpoint", |dir| fs::remove_file(dir.join("checkpoint")).unwrap()),
        ("a changed source", "source", |dir| {
            let source = files_below(&dir.join("sources")).pop().unwrap();
            change(source, |b| flip(b, 0));
        }),
        ("a source taken away", "source", |dir| {
            fs::remove_file(files_below(&dir.join("sources")).pop().unwrap()).unwrap();
        }),
    ];
    let project = recorded().await;
    let copied = project.file("copied");
    for (name, part, tamper) in changes {
        copy(&project.data("audit"), &copied);
        verify(&project, &copied, &[]).await.succeeds();
        tamper(&copied);
        let found = verify(&project, &copied, &[]).await.fails(5);
        assert_eq!(found.error_code(), "VERIFICATION_FAILED", "{name}");
        let message = found.error()["message"].as_str().unwrap().to_owned();
        assert!(message.contains("does not verify: ") && message.contains(part), "{name}: {message}");
        fs::remove_dir_all(&copied).unwrap();
    }
}

#[tokio::test]
async fn a_log_is_held_against_what_is_known_of_it() {
    let project = recorded().await;
    let (early, late) = (project.file("early"), project.data("audit"));
    let (old, new) = (early.join("checkpoint"), late.join("checkpoint"));
    let given = |checkpoint: &Path| checkpoint.to_str().unwrap().to_owned();
    verify(&project, &late, &["--checkpoint", &given(&old)]).await.succeeds();
    let rolled_back = verify(&project, &early, &["--checkpoint", &given(&new)]).await.fails(5);
    assert!(rolled_back.stderr.contains("the given checkpoint covers"), "{}", rolled_back.stderr);

    // A log of another host is another host's, also when all in it is in order.
    let other = recorded().await;
    verify(&other, &late, &[]).await.fails(5);
    let foreign = given(&other.data("audit").join("checkpoint"));
    verify(&project, &late, &["--checkpoint", &foreign]).await.fails(5);

    // What is not the record does not count: bytes of a record that was never whole, and the index.
    change(late.join("tail"), |bytes| bytes.extend([0, 200, b'{', b'"']));
    let torn = verify(&project, &late, &[]).await.succeeds().json();
    assert_eq!(torn["torn_bytes"], 4);
    for file in files_below(&late).iter().filter(|file| file.to_string_lossy().contains("index.sqlite")) {
        fs::remove_file(file).unwrap();
    }
    let host = project.serve().await;
    let shown = project.run(["audit", "show", "--operation", "time/now", "--limit", "1000", "--json"]).await;
    assert_eq!(shown.succeeds().json()["entries"].as_array().unwrap().len(), 600);
    host.stop().await;
    let whole =
        verify(&project, &late, &["--checkpoint", &given(&early.join("checkpoint"))]).await.succeeds();
    assert_eq!(whole.json()["torn_bytes"], 0);
}

#[tokio::test]
async fn a_host_does_not_build_on_a_changed_record() {
    let project = recorded().await;
    let (audit, kept) = (project.data("audit"), project.file("kept"));
    copy(&audit, &kept);
    let changes: [fn(&Path); 4] = [
        |dir| change(dir.join("tail"), |bytes| bytes.truncate(100)),
        |dir| change(dir.join("tail"), |bytes| replace(bytes, "operator", "0perator")),
        |dir| fs::remove_file(dir.join("checkpoint")).unwrap(),
        |dir| change(dir.join("checkpoint"), |bytes| bytes.truncate(20)),
    ];
    for tamper in changes {
        tamper(&audit);
        let refused = project.run(["serve"]).await.fails(3);
        assert!(refused.stderr.contains("the audit log cannot be used"), "{}", refused.stderr);
        verify(&project, &audit, &[]).await.fails(5);
        fs::remove_dir_all(&audit).unwrap();
        copy(&kept, &audit);
    }
    // Nor does a host with another key build on a log that is not its own.
    let key = fs::read_to_string(project.data("host.key")).unwrap();
    fs::copy(project.data("operator.key"), project.data("host.key")).unwrap();
    project.run(["serve"]).await.fails(3);
    fs::write(project.data("host.key"), key).unwrap();
    // A log begun anew is in order, and is not the one whose checkpoint somebody kept.
    fs::remove_dir_all(&audit).unwrap();
    project.serve().await.stop().await;
    verify(&project, &audit, &[]).await.succeeds();
    let checkpoint = kept.join("checkpoint");
    verify(&project, &audit, &["--checkpoint", checkpoint.to_str().unwrap()]).await.fails(5);
}
