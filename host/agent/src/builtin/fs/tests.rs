mod escape;
mod search;
mod walk;
mod write;

use std::path::Path;

use alknet_core::Identity;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{FsError, FsLimits, FsRoot, FsRootError, FsRoots};
use crate::builtin::testing::{Host, code, identity};

/// A host that shares one writable directory, beside which lies a file that nobody may reach.
struct Shared {
    outer: TempDir,
    host: Host,
    who: Identity,
}

impl Shared {
    fn new() -> Self {
        Self::with(|_| {}, FsLimits::default())
    }

    /// `prepare` fills the shared directory.
    fn with(prepare: impl FnOnce(&Path), limits: FsLimits) -> Self {
        let outer = TempDir::new().unwrap();
        let inside = outer.path().join("inside");
        std::fs::create_dir(&inside).unwrap();
        std::fs::create_dir(outer.path().join("private")).unwrap();
        std::fs::write(outer.path().join("secret.txt"), "top secret").unwrap();
        std::fs::write(outer.path().join("private/secret.txt"), "top secret").unwrap();
        prepare(&inside);
        let roots = FsRoots::new(vec![root("main", &inside, true)]).unwrap();
        let host = Host::new(super::registrations(roots, limits).unwrap());
        Self { outer, host, who: identity("alice", super::SCOPES) }
    }

    fn path(&self, below: &str) -> std::path::PathBuf {
        self.outer.path().join("inside").join(below)
    }

    async fn call(&self, name: &str, input: Value) -> Result<Value, alknet_call::CallError> {
        self.host.call(&self.who, name, input).await
    }

    async fn check(&self, name: &str, input: Value, expected: Value) {
        assert_eq!(self.call(name, input.clone()).await, Ok(expected), "{name} {input}");
    }

    async fn fails(&self, name: &str, input: Value, expected: &str) {
        let result = self.call(name, input.clone()).await;
        assert_eq!(code(&result), expected, "{name} {input}");
        let text = format!("{result:?}");
        assert!(!text.contains(self.outer.path().to_str().unwrap()), "{text}");
    }
}

fn root(name: &str, path: &Path, writable: bool) -> FsRoot {
    FsRoot { name: name.to_owned(), path: path.to_owned(), writable }
}

fn files(base: &Path, contents: &[(&str, &[u8])]) {
    for (path, content) in contents {
        let path = base.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
}

fn paths(output: &Value) -> Vec<&str> {
    output["entries"].as_array().unwrap().iter().map(|entry| entry["path"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn files_are_read_whole_and_in_parts() {
    let long = "é".repeat(10);
    let shared = Shared::with(
        |dir| {
            let (long, bin): (&[u8], &[u8]) = (long.as_bytes(), b"\xff\x00\xfe");
            files(dir, &[("a.txt", b"hello"), ("long.txt", long), ("bin", bin), ("none", b"")]);
        },
        FsLimits::default(),
    );
    for (input, expected) in [
        (
            json!({"path": "a.txt"}),
            json!({"text": "hello", "bytes": 5, "bytes_total": 5, "truncated": false}),
        ),
        (json!({"path": "none"}), json!({"text": "", "bytes": 0, "bytes_total": 0, "truncated": false})),
        (
            json!({"path": "a.txt", "offset": 1, "bytes_max": 4}),
            json!({"text": "ello", "bytes": 4, "bytes_total": 5, "truncated": false}),
        ),
        (
            json!({"path": "a.txt", "bytes_max": 4}),
            json!({"text": "hell", "bytes": 4, "bytes_total": 5, "truncated": true}),
        ),
        (
            json!({"path": "a.txt", "offset": 99}),
            json!({"text": "", "bytes": 0, "bytes_total": 5, "truncated": false}),
        ),
        // The character that the limit would cut is left for the next part.
        (
            json!({"path": "long.txt", "bytes_max": 5}),
            json!({"text": "éé", "bytes": 4, "bytes_total": 20, "truncated": true}),
        ),
        (
            json!({"path": "long.txt", "offset": 16}),
            json!({"text": "éé", "bytes": 4, "bytes_total": 20, "truncated": false}),
        ),
        (
            json!({"path": "bin", "encoding": "base64"}),
            json!({"base64": "/wD+", "bytes": 3, "bytes_total": 3, "truncated": false}),
        ),
    ] {
        let mut expected = expected;
        expected["path"] = input["path"].clone();
        shared.check("fs/read", input, expected).await;
    }
    shared.fails("fs/read", json!({"path": "bin"}), "NOT_TEXT").await;
    shared.fails("fs/read", json!({"path": "long.txt", "offset": 1}), "NOT_TEXT").await;
    shared.fails("fs/read", json!({"path": "."}), "NOT_A_FILE").await;
    shared.fails("fs/read", json!({"path": "b.txt"}), "PATH_NOT_FOUND").await;
    shared.fails("fs/read", json!({"path": "a.txt/b"}), "NOT_A_DIRECTORY").await;
}

#[tokio::test]
async fn a_big_file_is_cut_at_the_hosts_limit_and_read_on_from_there() {
    let limits = FsLimits { read_bytes_max: 100, ..FsLimits::default() };
    let shared = Shared::with(|dir| files(dir, &[("big", "0123456789".repeat(25).as_bytes())]), limits);
    let (mut offset, mut text) = (0, String::new());
    loop {
        let input = json!({"path": "big", "offset": offset, "bytes_max": 1_000_000});
        let part = shared.call("fs/read", input).await.unwrap();
        assert!(part["bytes"].as_u64().unwrap() <= 100);
        text.push_str(part["text"].as_str().unwrap());
        offset += part["bytes"].as_u64().unwrap();
        if part["truncated"] == json!(false) {
            break;
        }
    }
    assert_eq!(text, "0123456789".repeat(25));
}

#[tokio::test]
async fn stat_tells_what_is_there_without_following_it() {
    let shared = Shared::with(
        |dir| {
            files(dir, &[("f", b"123")]);
            std::os::unix::fs::symlink("f", dir.join("l")).unwrap();
            std::fs::create_dir(dir.join("d")).unwrap();
        },
        FsLimits::default(),
    );
    for (path, kind, bytes) in
        [("f", "file", 3), ("l", "symlink", 0), ("d", "directory", 0), (".", "directory", 0)]
    {
        let output = shared.call("fs/stat", json!({"path": path})).await.unwrap();
        assert_eq!((&output["kind"], &output["bytes"]), (&json!(kind), &json!(bytes)), "{path}");
        assert_eq!(output["writable"], json!(true));
        assert!(output["modified_unix_ms"].as_u64().unwrap() > 1_500_000_000_000);
    }
    shared.fails("fs/stat", json!({"path": "x"}), "PATH_NOT_FOUND").await;
}

#[tokio::test]
async fn several_roots_are_told_apart_by_the_first_part_of_a_path() {
    let (one, two) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    files(one.path(), &[("f", b"1")]);
    files(two.path(), &[("f", b"2"), ("sub/g", b"needle")]);
    let roots = FsRoots::new(vec![root("two", two.path(), false), root("one", one.path(), true)]).unwrap();
    let host = Host::new(super::registrations(roots, FsLimits::default()).unwrap());
    let who = identity("alice", super::SCOPES);
    let call = async |name: &str, input: Value| host.call(&who, name, input).await;

    assert_eq!(paths(&call("fs/list", json!({})).await.unwrap()), ["two", "one"]);
    let all = call("fs/list", json!({"recursive": true})).await.unwrap();
    assert_eq!(paths(&all), ["two", "two/f", "two/sub", "two/sub/g", "one", "one/f"]);
    assert_eq!(call("fs/read", json!({"path": "two/f"})).await.unwrap()["text"], json!("2"));
    assert_eq!(call("fs/read", json!({"path": "one/f"})).await.unwrap()["text"], json!("1"));
    let found = call("fs/search", json!({"pattern": "needle"})).await.unwrap();
    assert_eq!(found["matches"][0]["path"], json!("two/sub/g"));
    for (name, input, expected) in [
        ("fs/read", json!({"path": "f"}), "PATH_NOT_FOUND"),
        ("fs/read", json!({"path": "one/../two/f"}), "PATH_DENIED"),
        ("fs/read", json!({"path": "."}), "NOT_A_FILE"),
        ("fs/write", json!({"path": "two/f", "text": "", "mode": "replace"}), "READ_ONLY"),
        ("fs/write", json!({"path": "two/new", "text": ""}), "READ_ONLY"),
        ("fs/write", json!({"path": "one", "text": ""}), "NOT_A_FILE"),
        ("fs/write", json!({"path": "three", "text": ""}), "PATH_NOT_FOUND"),
        ("fs/write", json!({"path": "one/new", "text": ""}), "OK"),
    ] {
        assert_eq!(code(&call(name, input.clone()).await), expected, "{name} {input}");
    }
    let top = call("fs/stat", json!({"path": "."})).await.unwrap();
    assert_eq!((&top["kind"], &top["writable"]), (&json!("directory"), &json!(false)));
}

#[test]
fn roots_are_checked_when_they_are_opened() {
    let dir = TempDir::new().unwrap();
    let open =
        |names: &[&str]| FsRoots::new(names.iter().map(|name| root(name, dir.path(), false)).collect());
    assert!(open(&["a", "b-1._x"]).is_ok());
    assert!(matches!(open(&[]), Err(FsRootError::None)));
    assert!(matches!(open(&["a", "a"]), Err(FsRootError::Duplicate(name)) if name == "a"));
    for name in ["", ".", "..", ".a", "a/b", "a b", "é", &"x".repeat(65)] {
        assert!(matches!(open(&[name]), Err(FsRootError::Name(_))), "{name}");
    }
    let missing = dir.path().join("missing");
    let error = FsRoots::new(vec![root("a", &missing, false)]).unwrap_err();
    assert!(error.to_string().contains(missing.to_str().unwrap()), "{error}");
}

#[tokio::test]
async fn scopes_are_demanded_one_by_one() {
    let shared = Shared::with(|dir| files(dir, &[("f", b"x")]), FsLimits::default());
    let write = json!({"path": "g", "text": "x"});
    for (scopes, read, written) in [
        (&[][..], "FORBIDDEN", "FORBIDDEN"),
        (&["fs:read"], "OK", "FORBIDDEN"),
        (&["fs:write"], "FORBIDDEN", "OK"),
    ] {
        let who = identity("bob", scopes);
        assert_eq!(code(&shared.host.call(&who, "fs/write", write.clone()).await), written);
        for (name, input) in [
            ("fs/read", json!({"path": "f"})),
            ("fs/list", json!({})),
            ("fs/stat", json!({"path": "f"})),
            ("fs/search", json!({"pattern": "x"})),
        ] {
            assert_eq!(code(&shared.host.call(&who, name, input).await), read, "{name}");
        }
    }
    shared.fails("fs/read", json!({"path": "f", "follow": true}), "INVALID_INPUT").await;
}
