//! The demo does what it says, and leaves nothing behind.

use std::path::Path;

use serde_json::Value;

use crate::support::{Project, Ran, files_below, repository};

const STEPS: [&str; 17] = [
    "host",
    "discover",
    "open",
    "register",
    "invoke",
    "invoke_1000",
    "run",
    "attack_beyond_env",
    "attack_admin",
    "attack_internal",
    "attack_foreign_session",
    "attack_endless_loop",
    "provenance",
    "stop",
    "verify",
    "tamper",
    "summary",
];

/// Runs the demo on a folder and checks every step of it.
async fn told(path: &Path) -> Vec<Value> {
    let place = Project::empty();
    let before = files_below(path);
    let ran: Ran = place.run(["demo", "--json", "--path", path.to_str().unwrap()]).await.succeeds();
    let steps: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<&str> = steps.iter().map(|step| step["step"].as_str().unwrap()).collect();
    assert_eq!(names, STEPS);
    for step in &steps {
        let mut members: Vec<&String> = step.as_object().unwrap().keys().collect();
        members.sort();
        assert_eq!(members, ["detail", "micros", "ok", "step"]);
        assert_eq!(step["ok"], true, "{step}");
        assert!(step["micros"].is_u64() && step["detail"].is_object(), "{step}");
    }
    assert_eq!(ran.stderr, "");
    assert!(leaves_nothing(&place));
    assert_eq!(files_below(path), before, "the folder is only read");
    steps
}

fn leaves_nothing(place: &Project) -> bool {
    [place.temporary(), place.file("")].iter().all(|folder| folder.read_dir().unwrap().next().is_none())
}

#[tokio::test]
async fn the_story_on_sources_of_this_repository() {
    let steps = told(&repository().join("host/core")).await;
    let detail = |name: &str| {
        let step = steps.iter().find(|step| step["step"] == name).unwrap();
        &step["detail"]
    };
    assert!(detail("invoke")["files"].as_u64().unwrap() > 10);
    assert_eq!(detail("invoke_1000")["calls"], 1_000);
    assert_eq!(detail("run")["calls"], 20);
    let attacks = [
        ("attack_admin", "FORBIDDEN"),
        ("attack_internal", "NOT_FOUND"),
        ("attack_foreign_session", "NOT_FOUND"),
        ("attack_endless_loop", "LIMIT_EXCEEDED"),
    ];
    for (attack, code) in attacks {
        assert_eq!(detail(attack)["code"], code, "{attack}");
    }
    assert!(detail("provenance")["served"].as_u64().unwrap() > 1_000);
    assert_eq!(detail("verify")["covered"], detail("verify")["records"]);
    assert_eq!(detail("summary")["failed"], serde_json::json!([]));
}

#[tokio::test]
async fn the_story_on_an_empty_folder() {
    let empty = tempfile::tempdir().unwrap();
    told(empty.path()).await;
}

#[tokio::test]
async fn a_folder_that_is_none_is_refused_before_anything_is_made() {
    let place = Project::empty();
    let file = tempfile::NamedTempFile::new().unwrap();
    for (path, says) in [("missing", "does not exist"), (file.path().to_str().unwrap(), "is not one")] {
        for json in [&[][..], &["--json"]] {
            let ran = place.run(["demo", "--path", path].iter().chain(json)).await.fails(2);
            assert!(ran.stderr.contains(says), "{}", ran.stderr);
            assert!(leaves_nothing(&place));
        }
    }
}

#[tokio::test]
async fn an_interrupted_story_leaves_nothing() {
    let place = Project::empty();
    let empty = tempfile::tempdir().unwrap();
    for (name, code) in [("INT", 130), ("TERM", 130)] {
        let mut demo = place.begin(["demo", "--json", "--path", empty.path().to_str().unwrap()]);
        assert!(demo.says(|text| text.contains("\"invoke\"")).await);
        demo.signal(name);
        let status = demo.ended().await;
        assert_eq!(status.code(), Some(code), "{}", demo.stderr());
        assert!(!demo.stdout().contains("summary"));
        assert!(leaves_nothing(&place), "{:?}", files_below(&place.temporary()));
    }
}
