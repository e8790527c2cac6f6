use super::super::{Fs, Inner};
use super::*;

#[tokio::test]
async fn directories_are_listed_in_order_with_paths_that_can_be_read() {
    let shared = Shared::with(
        |dir| {
            files(
                dir,
                &[("b/x.rs", b"12"), ("b/c/y.rs", b"1"), ("b/c/z.txt", b""), ("b-a", b""), ("a.rs", b"1")],
            );
            std::os::unix::fs::symlink("b/x.rs", dir.join("link")).unwrap();
        },
        FsLimits::default(),
    );
    let entry = |path: &str, kind: &str, bytes: u64| json!({"name": path.rsplit('/').next(), "path": path, "kind": kind, "bytes": bytes});
    let top = [
        entry("a.rs", "file", 1),
        entry("b", "directory", 0),
        entry("b-a", "file", 0),
        entry("link", "symlink", 0),
    ];
    shared.check("fs/list", json!({}), json!({"entries": top, "skipped": 0, "truncated": false})).await;
    for (input, expected, truncated) in [
        (json!({"path": "./b/"}), vec!["b/c", "b/x.rs"], false),
        (
            json!({"recursive": true}),
            vec!["a.rs", "b", "b/c", "b/c/y.rs", "b/c/z.txt", "b/x.rs", "b-a", "link"],
            false,
        ),
        (json!({"recursive": true, "glob": "*.rs"}), vec!["a.rs", "b/c/y.rs", "b/x.rs"], false),
        (json!({"recursive": true, "glob": "b/*.rs"}), vec!["b/x.rs"], false),
        (json!({"recursive": true, "glob": "**/y.{rs,txt}"}), vec!["b/c/y.rs"], false),
        (json!({"path": "b", "recursive": true, "glob": "c/*"}), vec!["b/c/y.rs", "b/c/z.txt"], false),
        (json!({"glob": "*.rs"}), vec!["a.rs"], false),
        (json!({"recursive": true, "limit": 2}), vec!["a.rs", "b"], true),
        (json!({"path": "b", "limit": 2}), vec!["b/c", "b/x.rs"], false),
    ] {
        let output = shared.call("fs/list", input.clone()).await.unwrap();
        assert_eq!(paths(&output), expected, "{input}");
        assert_eq!(output["truncated"], json!(truncated), "{input}");
    }
    shared.fails("fs/list", json!({"path": "a.rs"}), "NOT_A_DIRECTORY").await;
    shared.fails("fs/list", json!({"path": "nowhere"}), "PATH_NOT_FOUND").await;
    shared.fails("fs/list", json!({"glob": "[z-a"}), "INVALID_INPUT").await;
    shared.fails("fs/list", json!({"limit": 0}), "INVALID_INPUT").await;
    shared
        .check(
            "fs/read",
            json!({"path": "link"}),
            json!({"path": "link", "text": "12", "bytes": 2, "bytes_total": 2, "truncated": false}),
        )
        .await;
}

#[tokio::test]
async fn a_walk_ends_at_its_bounds_and_says_so() {
    let deep = "d/".repeat(9) + "file";
    let fill = |dir: &Path| {
        files(dir, &[(deep.as_str(), b""), ("e1", b""), ("e2", b""), ("e3", b"")]);
    };
    let check = async |limits: FsLimits, expected: usize| {
        let shared = Shared::with(fill, limits);
        let output = shared.call("fs/list", json!({"recursive": true})).await.unwrap();
        assert_eq!((paths(&output).len(), &output["truncated"]), (expected, &json!(expected < 13)));
    };
    check(FsLimits::default(), 13).await;
    check(FsLimits { list_entries_max: 5, ..FsLimits::default() }, 5).await;
    check(FsLimits { walk_entries_max: 6, ..FsLimits::default() }, 6).await;
    check(FsLimits { depth_max: 3, ..FsLimits::default() }, 6).await;
}

#[tokio::test]
async fn names_that_are_not_utf_8_are_counted_not_shown() {
    use std::os::unix::ffi::OsStrExt as _;
    let strange = std::ffi::OsStr::from_bytes(b"caf\xe9");
    let shared = Shared::with(
        |dir| {
            files(dir, &[("plain", b"")]);
            std::fs::write(dir.join(strange), "").unwrap();
        },
        FsLimits::default(),
    );
    let output = shared.call("fs/list", json!({})).await.unwrap();
    assert_eq!((paths(&output), &output["skipped"]), (vec!["plain"], &json!(1)));
}

#[tokio::test]
async fn dropping_a_call_stops_its_work() {
    let dir = TempDir::new().unwrap();
    files(dir.path(), &[("f", b"x\ny")]);
    let roots = FsRoots::new(vec![root("main", dir.path(), false)]).unwrap();
    let permits = std::sync::Arc::new(tokio::sync::Semaphore::new(1));
    let fs = Fs(std::sync::Arc::new(Inner { roots, limits: FsLimits::default(), permits }));
    let (begun, has_begun) = tokio::sync::oneshot::channel();
    let (ended, has_ended) = tokio::sync::oneshot::channel();
    let endless = fs.run(move |work| {
        begun.send(()).unwrap();
        while work.check().is_ok() {
            std::thread::yield_now();
        }
        let (place, shown) = work.roots.locate(".", work.limits)?;
        let mut walk = super::super::walk::Walk::new(work, &place, &shown, true);
        let refused = match &mut walk {
            Ok(walk) => walk.next().unwrap().map(|_| ()),
            Err(_) => Err(FsError::Cancelled),
        };
        ended.send(matches!(refused, Err(FsError::Cancelled))).unwrap();
        Ok(())
    });
    tokio::select! {
        _ = endless => panic!("it ends only when it is dropped"),
        begun = has_begun => begun.unwrap(),
    }
    assert!(has_ended.await.unwrap(), "a walk of a dropped call does not go on");
    // The permit is back.
    assert!(fs.run(|_| Ok(())).await.is_ok());
}
