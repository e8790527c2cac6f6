use super::*;

async fn places(shared: &Shared, input: Value) -> Vec<String> {
    let output = shared.call("fs/search", input).await.unwrap();
    let place =
        |found: &Value| format!("{}:{}:{}", found["path"].as_str().unwrap(), found["line"], found["column"]);
    output["matches"].as_array().unwrap().iter().map(place).collect()
}

#[tokio::test]
async fn texts_and_patterns_are_found_with_their_places() {
    let shared = Shared::with(
        |dir| {
            files(
                dir,
                &[
                    ("a.rs", b"fn main() {\r\n    // TODO: a.b\n}\n"),
                    ("b/c.txt", "étodo\nTODO axb TODO".as_bytes()),
                    ("b/bin", b"TODO\x00TODO"),
                    ("latin1", b"caf\xe9 TODO"),
                    ("empty", b""),
                ],
            );
        },
        FsLimits::default(),
    );
    for (input, expected) in [
        (json!({"pattern": "TODO"}), vec!["a.rs:2:8", "b/c.txt:2:1", "latin1:1:6"]),
        (json!({"pattern": "TODO", "path": "b"}), vec!["b/c.txt:2:1"]),
        (json!({"pattern": "TODO", "path": "a.rs"}), vec!["a.rs:2:8"]),
        (json!({"pattern": "TODO", "glob": "*.rs"}), vec!["a.rs:2:8"]),
        (json!({"pattern": "TODO", "glob": "b/*"}), vec!["b/c.txt:2:1"]),
        (json!({"pattern": "todo", "path": "b/c.txt"}), vec!["b/c.txt:1:2"]),
        (json!({"pattern": "todo", "path": "b", "ignore_case": true}), vec!["b/c.txt:1:2", "b/c.txt:2:1"]),
        (json!({"pattern": "a.b", "glob": "*.{rs,txt}"}), vec!["a.rs:2:14"]),
        (json!({"pattern": "a.b", "regex": true, "glob": "*.{rs,txt}"}), vec!["a.rs:2:14", "b/c.txt:2:6"]),
        (json!({"pattern": r"\{$", "regex": true}), vec!["a.rs:1:11"]),
        (json!({"pattern": "^$", "regex": true, "path": "a.rs"}), vec![]),
    ] {
        assert_eq!(places(&shared, input.clone()).await, expected, "{input}");
    }
    let output = shared.call("fs/search", json!({"pattern": "TODO"})).await.unwrap();
    assert_eq!((&output["files_skipped"], &output["truncated"]), (&json!(1), &json!(false)));
    assert_eq!(output["matches"][0]["text"], json!("    // TODO: a.b"));

    for pattern in ["(", "(?=x)", r"(a)\1", "a{1000}{1000}"] {
        shared.fails("fs/search", json!({"pattern": pattern, "regex": true}), "INVALID_INPUT").await;
    }
    shared.fails("fs/search", json!({"pattern": "x".repeat(513)}), "INVALID_INPUT").await;
    shared.fails("fs/search", json!({"pattern": ""}), "INVALID_INPUT").await;
    shared.fails("fs/search", json!({"pattern": "x", "path": "none"}), "PATH_NOT_FOUND").await;
}

fn four_files(dir: &Path) {
    files(dir, &[("a", b"xx\nxx\n"), ("b", b"xx\n"), ("c", b"yy xx\n"), ("big", &[b'x'; 100])]);
}

#[tokio::test]
async fn a_search_ends_at_its_bounds_and_says_so() {
    let check = async |limits: FsLimits, input: Value, expected: (usize, u64, bool)| {
        let shared = Shared::with(four_files, limits);
        let output = shared.call("fs/search", input).await.unwrap();
        let matches = output["matches"].as_array().unwrap().len();
        let found = (matches, output["files_skipped"].as_u64().unwrap(), output["truncated"] == json!(true));
        assert_eq!(found, expected, "{output}");
    };
    let all = || FsLimits { search_file_bytes_max: 50, ..FsLimits::default() };
    let input = || json!({"pattern": "xx"});
    check(all(), input(), (4, 1, false)).await;
    check(all(), json!({"pattern": "xx", "limit": 2}), (2, 0, true)).await;
    check(FsLimits { matches_max: 3, ..all() }, input(), (3, 1, true)).await;
    check(FsLimits { search_files_max: 1, ..all() }, input(), (2, 0, true)).await;
    check(FsLimits { search_bytes_max: 6, ..all() }, input(), (2, 0, true)).await;
    check(FsLimits { search_line_bytes_max: 4, ..all() }, input(), (3, 1, false)).await;
    check(FsLimits { walk_entries_max: 1, ..all() }, json!({"pattern": "nothing"}), (0, 0, true)).await;
}

#[tokio::test]
async fn a_very_long_line_is_cut_to_the_match() {
    let line = format!("{}needle{}", "a".repeat(5000), "b".repeat(5000));
    let shared = Shared::with(|dir| files(dir, &[("f", line.as_bytes())]), FsLimits::default());
    let output = shared.call("fs/search", json!({"pattern": "needle"})).await.unwrap();
    let found = &output["matches"][0];
    assert_eq!(found["column"], json!(5001));
    assert_eq!(found["text"], json!(format!("needle{}", "b".repeat(394))));
}
