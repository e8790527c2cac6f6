use std::os::unix::fs::PermissionsExt as _;

use super::*;

#[tokio::test]
async fn files_are_made_replaced_and_extended() {
    let shared = Shared::new();
    let answer = |bytes: u64, total: u64, created: bool| json!({"path": "f", "bytes": bytes, "bytes_total": total, "created": created});
    for (input, expected, content) in [
        (json!({"path": "f", "text": "one"}), answer(3, 3, true), "one"),
        (json!({"path": "f", "text": "+two", "mode": "append"}), answer(4, 7, false), "one+two"),
        (json!({"path": "./f", "text": "three", "mode": "replace"}), answer(5, 5, false), "three"),
        (json!({"path": "f", "base64": "IQ==", "mode": "append"}), answer(1, 6, false), "three!"),
    ] {
        shared.check("fs/write", input, expected).await;
        assert_eq!(std::fs::read_to_string(shared.path("f")).unwrap(), content);
    }
    for mode in ["create", "replace", "append"] {
        let path = format!("dir/{mode}/f");
        let input = |make: bool| json!({"path": path, "text": "x", "mode": mode, "make_directories": make});
        shared.fails("fs/write", input(false), "PATH_NOT_FOUND").await;
        assert_eq!(shared.call("fs/write", input(true)).await.unwrap()["created"], json!(true));
        assert_eq!(std::fs::read_to_string(shared.path(&path)).unwrap(), "x");
    }
    for (input, expected) in [
        (json!({"path": "f", "text": "x"}), "FILE_EXISTS"),
        (json!({"path": "dir", "text": "x"}), "FILE_EXISTS"),
        (json!({"path": "dir", "text": "x", "mode": "replace"}), "NOT_A_FILE"),
        (json!({"path": "dir", "text": "x", "mode": "append"}), "NOT_A_FILE"),
        (json!({"path": ".", "text": "x", "mode": "replace"}), "NOT_A_FILE"),
        (json!({"path": "f/g", "text": "x"}), "NOT_A_DIRECTORY"),
        (json!({"path": "f/g/h", "text": "x", "make_directories": true}), "NOT_A_DIRECTORY"),
        (json!({"path": "g"}), "INVALID_INPUT"),
        (json!({"path": "g", "text": "x", "base64": ""}), "INVALID_INPUT"),
        (json!({"path": "g", "base64": "!"}), "INVALID_INPUT"),
        (json!({"path": "g", "text": "x", "mode": "truncate"}), "INVALID_INPUT"),
    ] {
        shared.fails("fs/write", input, expected).await;
    }
    assert!(!shared.path("g").exists());
}

#[tokio::test]
async fn a_replaced_file_keeps_its_mode_and_leaves_nothing_beside_it() {
    let shared = Shared::with(|dir| files(dir, &[("run.sh", b"old")]), FsLimits::default());
    std::fs::set_permissions(shared.path("run.sh"), std::fs::Permissions::from_mode(0o750)).unwrap();
    // Who has the old file open still reads the old content.
    let mut old = std::fs::File::open(shared.path("run.sh")).unwrap();
    shared.call("fs/write", json!({"path": "run.sh", "text": "new", "mode": "replace"})).await.unwrap();
    let (mut before, after) = (String::new(), std::fs::read_to_string(shared.path("run.sh")).unwrap());
    std::io::Read::read_to_string(&mut old, &mut before).unwrap();
    assert_eq!((before.as_str(), after.as_str()), ("old", "new"));
    let mode = std::fs::metadata(shared.path("run.sh")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o750);
    assert_eq!(std::fs::read_dir(shared.path("")).unwrap().count(), 1);
}

#[tokio::test]
async fn what_is_too_large_is_not_written() {
    let limits = FsLimits { write_bytes_max: 6, file_bytes_max: 10, ..FsLimits::default() };
    let shared = Shared::with(|dir| files(dir, &[("f", b"12345")]), limits);
    for (input, expected) in [
        (json!({"path": "g", "text": "1234567"}), "TOO_LARGE"),
        (json!({"path": "g", "base64": "MTIzNDU2Nw=="}), "TOO_LARGE"),
        (json!({"path": "g", "base64": "A".repeat(4096)}), "TOO_LARGE"),
        (json!({"path": "f", "text": "123456", "mode": "append"}), "TOO_LARGE"),
        (json!({"path": "f", "text": "67890", "mode": "append"}), "OK"),
        (json!({"path": "f", "text": "1", "mode": "append"}), "TOO_LARGE"),
    ] {
        assert_eq!(code(&shared.call("fs/write", input.clone()).await), expected, "{input}");
    }
    assert_eq!(std::fs::read_to_string(shared.path("f")).unwrap(), "1234567890");
    assert!(!shared.path("g").exists());
}
