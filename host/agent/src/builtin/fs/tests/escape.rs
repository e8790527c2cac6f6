use std::os::unix::fs::symlink;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

/// Every operation, with a path that it must refuse.
async fn refused_everywhere(shared: &Shared, path: &str, expected: &str) {
    shared.fails("fs/read", json!({"path": path}), expected).await;
    shared.fails("fs/stat", json!({"path": path}), expected).await;
    shared.fails("fs/list", json!({"path": path}), expected).await;
    shared.fails("fs/search", json!({"path": path, "pattern": "secret"}), expected).await;
    shared.fails("fs/write", json!({"path": path, "text": "x", "mode": "replace"}), expected).await;
}

#[tokio::test]
async fn no_path_leads_out_of_a_root() {
    let shared = Shared::with(|dir| files(dir, &[("a/b", b"")]), FsLimits::default());
    let absolute = shared.outer.path().join("secret.txt");
    let absolute = absolute.to_str().unwrap();
    for path in [
        "..",
        "../secret.txt",
        "./../secret.txt",
        "a/../../secret.txt",
        "a/..",
        "a/b/../../../secret.txt",
        "a//..//..//secret.txt",
        "../inside/a/b",
        "/",
        "//",
        "/etc/passwd",
        "/proc/self/cwd/secret.txt",
        absolute,
    ] {
        refused_everywhere(&shared, path, "PATH_DENIED").await;
    }
    let long = "x/".repeat(2000) + "x";
    let deep = "x/".repeat(65) + "x";
    for path in ["", "a\0b", "\0", &long, &deep, &"x".repeat(5000)] {
        refused_everywhere(&shared, path, "INVALID_INPUT").await;
    }
    // What only looks like an escape is a name like any other.
    for path in ["...", "..a", "~/x", "a\\..\\..\\secret.txt", "%2e%2e/secret.txt", &"x".repeat(300)] {
        shared.fails("fs/read", json!({"path": path}), "PATH_NOT_FOUND").await;
    }
}

#[tokio::test]
async fn no_symlink_leads_out_of_a_root() {
    let shared = Shared::new();
    let outer = shared.outer.path();
    symlink("../secret.txt", shared.path("file")).unwrap();
    symlink(outer.join("secret.txt"), shared.path("absolute")).unwrap();
    symlink("../private", shared.path("dir")).unwrap();
    symlink("file", shared.path("chain")).unwrap();
    symlink("loop", shared.path("loop")).unwrap();
    symlink("/proc/self/root", shared.path("magic")).unwrap();
    std::fs::create_dir(shared.path("d")).unwrap();
    symlink("../..", shared.path("d/up")).unwrap();
    symlink("d/inner", shared.path("within")).unwrap();
    std::fs::write(shared.path("d/inner"), "mine").unwrap();

    for path in ["file", "absolute", "chain", "loop", "dir/secret.txt", "magic/etc/passwd", "d/up/secret.txt"]
    {
        shared.fails("fs/read", json!({"path": path}), "PATH_DENIED").await;
        shared.fails("fs/search", json!({"path": path, "pattern": "secret"}), "PATH_DENIED").await;
    }
    for path in ["dir", "d/up", "magic"] {
        shared.fails("fs/list", json!({"path": path}), "PATH_DENIED").await;
        let below = format!("{path}/new");
        for make_directories in [false, true] {
            let input = json!({"path": below, "text": "x", "make_directories": make_directories});
            shared.fails("fs/write", input, "PATH_DENIED").await;
        }
    }
    // The last part of a path that is written is never followed.
    for mode in ["replace", "append"] {
        for path in ["file", "absolute", "loop", "within"] {
            let input = json!({"path": path, "text": "x", "mode": mode});
            shared.fails("fs/write", input, "NOT_A_FILE").await;
        }
    }
    shared.fails("fs/write", json!({"path": "file", "text": "x"}), "FILE_EXISTS").await;
    assert_eq!(std::fs::read_to_string(outer.join("secret.txt")).unwrap(), "top secret");
    assert!(!outer.join("private/new").exists());

    assert_eq!(shared.call("fs/read", json!({"path": "within"})).await.unwrap()["text"], json!("mine"));
    let all = shared.call("fs/search", json!({"pattern": "secret"})).await.unwrap();
    assert_eq!(all["matches"], json!([]), "a search follows no symlinks");
    let listed = shared.call("fs/list", json!({"recursive": true})).await.unwrap();
    assert!(paths(&listed).iter().all(|path| !path.contains("secret")), "{listed}");
}

#[tokio::test]
async fn a_symlink_that_is_swapped_in_meanwhile_leads_nowhere() {
    let shared = Shared::new();
    let base = shared.path("");
    std::fs::create_dir(base.join("real")).unwrap();
    std::fs::write(base.join("real/secret.txt"), "mine").unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let swapper = std::thread::spawn(move || {
        while !stopped.load(Ordering::Relaxed) {
            for target in ["../private", "real"] {
                symlink(target, base.join("next")).unwrap();
                std::fs::rename(base.join("next"), base.join("swap")).unwrap();
            }
        }
    });
    for _ in 0..300 {
        for (name, input) in [
            ("fs/read", json!({"path": "swap/secret.txt"})),
            ("fs/search", json!({"path": "swap/secret.txt", "pattern": "."})),
            ("fs/write", json!({"path": "swap/new", "text": "x", "mode": "replace"})),
        ] {
            let result = shared.call(name, input).await;
            assert!(!format!("{result:?}").contains("top secret"), "{result:?}");
            assert!(["OK", "PATH_DENIED", "PATH_NOT_FOUND"].contains(&code(&result)), "{result:?}");
        }
    }
    stop.store(true, Ordering::Relaxed);
    swapper.join().unwrap();
    assert!(!shared.outer.path().join("private/new").exists());
}

#[tokio::test]
async fn pipes_and_sockets_are_refused_without_waiting_for_them() {
    let shared = Shared::with(|dir| files(dir, &[("f", b"needle")]), FsLimits::default());
    let made = Command::new("mkfifo").arg(shared.path("pipe")).status().unwrap();
    assert!(made.success());
    let _listener = std::os::unix::net::UnixListener::bind(shared.path("socket")).unwrap();
    symlink("pipe", shared.path("link")).unwrap();

    for path in ["pipe", "socket", "link"] {
        shared.fails("fs/read", json!({"path": path}), "NOT_A_FILE").await;
        shared.fails("fs/search", json!({"path": path, "pattern": "x"}), "NOT_A_FILE").await;
        for mode in ["replace", "append"] {
            shared.fails("fs/write", json!({"path": path, "text": "x", "mode": mode}), "NOT_A_FILE").await;
        }
    }
    for path in ["pipe", "socket"] {
        assert_eq!(shared.call("fs/stat", json!({"path": path})).await.unwrap()["kind"], json!("other"));
    }
    let found = shared.call("fs/search", json!({"pattern": "needle"})).await.unwrap();
    assert_eq!(found["matches"].as_array().unwrap().len(), 1);

    // A pipe that takes the place of a file after it was looked at does not hold the thread either.
    let dir = cap_std::fs::Dir::open_ambient_dir(shared.path(""), cap_std::ambient_authority()).unwrap();
    assert!(matches!(super::super::open::entry_for_reading(&dir, "pipe"), Err(FsError::NotAFile)));
}

#[tokio::test]
async fn a_file_without_permission_is_denied() {
    use std::os::unix::fs::PermissionsExt as _;
    let shared = Shared::with(|dir| files(dir, &[("f", b"x")]), FsLimits::default());
    std::fs::set_permissions(shared.path("f"), std::fs::Permissions::from_mode(0o000)).unwrap();
    // A superuser may read it all the same, in which case there is nothing to see here.
    if std::fs::read(shared.path("f")).is_err() {
        shared.fails("fs/read", json!({"path": "f"}), "PATH_DENIED").await;
    }
}
