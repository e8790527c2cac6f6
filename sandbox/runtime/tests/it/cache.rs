//! The cache directory: used when private, refused when not, repaired when damaged.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use alknet_sandbox::{Language, Sandbox, SandboxConfig, Source, SourceFile};

use crate::support::{Host, limits};

fn start(cache_dir: &Path) -> Sandbox {
    let config =
        SandboxConfig { cache_dir: Some(cache_dir.to_owned()), instances_max: 2, ..SandboxConfig::default() };
    Sandbox::new(config).unwrap()
}

fn files(directory: &Path) -> Vec<PathBuf> {
    fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect()
}

async fn works(sandbox: &Sandbox) {
    let files = [SourceFile { path: "tool", text: "export default (n) => n + 1" }];
    let source = Source { language: Language::JavaScript, files: &files };
    let tool = sandbox.register(source, &[], &limits()).await.unwrap();
    assert_eq!(tool.call("1", &Host::default(), &limits()).await.result.as_deref(), Ok("2"));
}

#[tokio::test]
async fn damaged_files_are_replaced() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("made/here");
    works(&start(&directory)).await;
    assert_eq!(fs::metadata(&directory).unwrap().permissions().mode() & 0o777, 0o700);
    let [file] = files(&directory).try_into().unwrap();
    let good = fs::read(&file).unwrap();
    let mut flipped = good.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    for damaged in [&good[..good.len() / 2], &[], b"not code at all", &flipped] {
        fs::write(&file, damaged).unwrap();
        works(&start(&directory)).await;
        assert!(fs::read(&file).unwrap() == good, "not repaired");
    }
    // Nothing else is left lying about, and an intact file is not written again.
    assert_eq!(files(&directory), std::slice::from_ref(&file));
    let written = fs::metadata(&file).unwrap().modified().unwrap();
    works(&start(&directory)).await;
    assert_eq!(fs::metadata(&file).unwrap().modified().unwrap(), written);
}

#[tokio::test]
async fn directories_open_to_others_are_not_used() {
    let root = tempfile::tempdir().unwrap();
    let open = root.path().join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o755)).unwrap();
    let private = root.path().join("private");
    fs::create_dir(&private).unwrap();
    fs::set_permissions(&private, fs::Permissions::from_mode(0o700)).unwrap();
    let link = root.path().join("link");
    symlink(&private, &link).unwrap();
    let file = root.path().join("file");
    fs::write(&file, "").unwrap();
    for directory in [&open, &link, &file] {
        works(&start(directory)).await;
    }
    assert!(files(&open).is_empty() && files(&private).is_empty());
}
