//! The example client in another language, against the program. Where there is no Python it cannot run.

use std::process::Command;

use crate::support::{Project, repository};

#[tokio::test]
async fn a_client_in_another_language_needs_nothing_but_the_socket() {
    if Command::new("python3").arg("--version").output().is_err() {
        println!("skipped: there is no python3");
        return;
    }
    let project = Project::new().await;
    let scopes = ["--scope", "session", "--scope", "kv:write", "--scope", "op:register"];
    let key = project.run(["key", "api-key", "--json"].iter().chain(&scopes)).await.succeeds().json();
    project.add(key["toml"].as_str().unwrap());
    project.edit(|text| {
        let granted = text.replace(
            "scopes = [\"fs:read\", \"kv:read\", \"kv:write\"]",
            "peer_env = [\"python/shout\"]\nscopes = []",
        );
        assert_ne!(granted, text, "the template names its profile's scopes otherwise");
        granted
    });
    let token = project.write_private("python.token", key["token"].as_str().unwrap());
    let host = project.serve().await;
    let mut python = Command::new("python3");
    python.arg(repository().join("examples/python-client/client.py"));
    python.arg(host.listening["socket"].as_str().unwrap()).arg(&token);
    let ran = tokio::task::spawn_blocking(move || python.output()).await.unwrap().unwrap();
    let (said, failed) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{said}{failed}");
    for line in [
        "calls what is not there: NOT_FOUND: operation not found: no/such",
        "subscribes: ticks 0 1 2",
        "aborts: no further tick comes",
        "publishes: 5 values were written",
        "announces: python/shout",
        "serves: a tool on the host got HELLO",
    ] {
        assert!(said.lines().any(|said| said == line), "{line} is missing in {said}");
    }
    assert!(!said.contains(key["token"].as_str().unwrap()));
    let ended = host.stop().await;
    assert!(!ended.log.contains("ERROR"), "{}", ended.log);
}
