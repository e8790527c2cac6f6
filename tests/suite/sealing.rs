//! A host whose key is a file gets a vault, and a vault another password.

use serde_json::json;

use crate::support::{Project, files_below, secret_key};

const WITH: [&str; 2] = ["--password-file", "password"];
const CREATE: [&str; 5] = ["vault", "create", "--password-file", "password", "--json"];

#[tokio::test]
async fn a_host_gets_a_vault_and_stays_who_it_is() {
    let project = Project::new().await;
    project.write_private("password", "correct horse battery\n");
    let key = hex::encode(*secret_key(&project.data("host.key")).to_bytes());
    let host = project.serve().await;
    let fingerprint = host.fingerprint();
    let before = project.run(["key", "show", "--json"]).await.succeeds().json();
    project.run(["audit", "checkpoint", "--out", "kept"]).await.succeeds();
    let refused = project.run(CREATE).await.fails(3);
    assert!(refused.stderr.contains("another host is running"), "{}", refused.stderr);
    host.stop().await;
    assert!(!project.data("seed").exists() && project.data("host.key").exists());
    let none = project.run(["vault", "password"].iter().chain(&WITH)).await.fails(3);
    assert!(none.stderr.contains("`alknet-agent vault create` makes one"), "{}", none.stderr);

    let made = project.run(CREATE).await.succeeds().json();
    assert_eq!(made["words"].as_str().unwrap().split(' ').count(), 24);
    assert_eq!(made["fingerprint"], fingerprint.to_string());
    assert_eq!(project.run(["key", "show", "--json"]).await.succeeds().json(), before);
    let again = project.run(CREATE).await.fails(3);
    assert!(again.stderr.contains("has a vault already"), "{}", again.stderr);
    for file in files_below(&project.data("")) {
        let content = String::from_utf8_lossy(&std::fs::read(&file).unwrap()).into_owned();
        assert!(!content.contains(&key), "{} holds the key", file.display());
    }
    let set = ["secret", "set", "service", "--from", "-"];
    project.run_with_input(set.iter().chain(&WITH), "a-credential").await.succeeds();
    project.run(["secret", "rekey"].iter().chain(&WITH)).await.succeeds();

    let host = project.serve_with(&WITH).await;
    assert_eq!(host.fingerprint(), fingerprint, "peers need nothing new");
    let changed =
        project.run(["call", "audit/query", r#"{"filter":{"kind":"key.changed"}}"#, "--json"]).await;
    let changed = changed.succeeds().json();
    let last = &changed["entries"].as_array().unwrap().last().unwrap()["record"];
    assert_eq!((&last["purpose"], &last["change"]), (&json!("vault"), &json!("added")), "{last}");
    host.stop().await;
    // The log goes on: one key signed all of it.
    project.run(["audit", "verify", "--checkpoint", "kept"]).await.succeeds();
}

#[tokio::test]
async fn a_change_of_the_password_that_is_killed_changes_nothing() {
    let project = Project::with_vault("correct horse battery").await;
    project.write_private("new", "battery staple\n");
    let seed = std::fs::read(project.data("seed")).unwrap();
    let change = ["vault", "password", "--password-file", "password", "--new-password-file", "new"];
    // The first byte that is written to a file ends the process.
    let killed = project.run_from_shell("ulimit -f 0; \"$@\"", change).await;
    assert_eq!(killed.code, 128 + 25, "{killed:?}");
    assert_eq!(std::fs::read(project.data("seed")).unwrap(), seed);
    let host = project.serve_with(&WITH).await;
    let fingerprint = host.fingerprint();
    // A running host is not disturbed, and not needed.
    project.run(change).await.succeeds();
    project.run(["call", "services/list"]).await.succeeds();
    host.stop().await;
    let old = project.run(["serve"].iter().chain(&WITH)).await.fails(3);
    assert!(old.stderr.contains("wrong password"), "{}", old.stderr);
    let host = project.serve_with(&["--password-file", "new"]).await;
    assert_eq!(host.fingerprint(), fingerprint);
    host.stop().await;
    let twice = ["vault", "password", "--password-file", "-", "--new-password-file", "-"];
    project.run_with_input(twice, "new\nold\n").await.fails(2);
}
