//! The commands that need no host, and what the others say when there is none.

use std::os::unix::fs::PermissionsExt as _;

use crate::support::{Project, files_below};

#[tokio::test]
async fn init_makes_a_private_project_once() {
    let project = Project::empty();
    let made = project.run(["init", "--json"]).await.succeeds();
    let made_json = made.json();
    for (name, mode) in [
        (".alknet-agent", 0o700),
        (".alknet-agent/host.key", 0o600),
        (".alknet-agent/operator.key", 0o600),
        (".alknet-agent/audit", 0o700),
        ("alknet-agent.toml", 0o600),
    ] {
        let found = project.file(name).metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(found, mode, "{name}");
    }
    let content = || -> Vec<_> {
        let files = files_below(&project.file(""));
        files.into_iter().map(|file| (std::fs::read(&file).unwrap(), file)).collect()
    };
    let before = content();
    let again = project.run(["init", "--json"]).await.fails(3);
    assert_eq!(again.error_code(), "CONFIGURATION");
    let message = again.error()["message"].as_str().unwrap().to_owned();
    assert!(message.contains("nothing was changed"), "{message}");
    assert_eq!(content(), before, "a refused init changes nothing");

    let shown = project.run(["key", "show", "--json"]).await.succeeds().json();
    assert_eq!(shown["host"]["fingerprint"], made_json["fingerprint"]);
    assert_eq!(shown["operator"]["fingerprint"], made_json["operator_fingerprint"]);
    let node_id = shown["host"]["iroh_node_id"].as_str().unwrap();
    assert_eq!(format!("ed25519:{node_id}"), shown["host"]["fingerprint"]);
    let human = project.run(["key", "show"]).await.succeeds();
    assert!(human.stdout.contains(node_id));
    for name in ["host.key", "operator.key"] {
        let secret = std::fs::read_to_string(project.data(name)).unwrap();
        for output in [&made.stdout, &human.stdout] {
            assert!(!output.contains(secret.trim()), "{name} was shown");
        }
    }
}

#[tokio::test]
async fn without_a_host_commands_say_so() {
    let nowhere = Project::empty();
    let project = Project::new().await;
    // Where, what, the exit code, its name, and a part of the message or its hint.
    let cases: [(&Project, &[&str], i32, &str, &str); 9] = [
        (&nowhere, &["call", "services/list"], 4, "CANNOT_CONNECT", "alknet-agent init"),
        (&nowhere, &["serve"], 3, "CONFIGURATION", "there is no alknet-agent.toml"),
        (&nowhere, &["key", "show"], 3, "CONFIGURATION", "--config FILE"),
        (&nowhere, &["audit", "verify"], 3, "CONFIGURATION", "--dir DIR"),
        (&project, &["call", "services/list"], 4, "CANNOT_CONNECT", "alknet-agent serve"),
        (&project, &["session", "open"], 4, "CANNOT_CONNECT", "alknet-agent serve"),
        (&project, &["audit", "show"], 4, "CANNOT_CONNECT", "no host is running here"),
        (&project, &["audit", "verify"], 3, "CONFIGURATION", "there is no log"),
        (&project, &["call", "a/b", "--config", "other.toml"], 3, "CONFIGURATION", "other.toml"),
    ];
    for (place, args, code, name, part) in cases {
        let ran = place.run(args.iter().chain(&["--json"])).await.fails(code);
        assert_eq!(ran.error_code(), name, "{args:?}");
        assert!(ran.stderr.contains(part), "{args:?}: {}", ran.stderr);
        let human = place.run(args).await.fails(code);
        assert!(human.stderr.starts_with("error: "), "{args:?}: {}", human.stderr);
        assert!(human.stderr.contains(part), "{args:?}: {}", human.stderr);
    }
}

#[tokio::test]
async fn what_cannot_be_understood_is_an_error_of_usage() {
    let project = Project::new().await;
    project.write("broken.json", "{\"path\": \n  canary-in-a-file }");
    project.write("tool.py", "print(1)");
    let cases: [&[&str]; 12] = [
        &["call", "list"],
        &["call", "fs/list", "{\"path\": canary-on-the-line}"],
        &["call", "fs/list", "@broken.json"],
        &["call", "fs/list", "@no-such-file.json"],
        &["call", "fs/list", "--connect", "127.0.0.1:1"],
        &["call", "fs/list", "--connect", "nonsense", "--fingerprint", "ed25519:00"],
        &["call", "fs/list", "--timeout", "soon"],
        &["call", "fs/list", "--iroh", "0123"],
        &["call", "fs/list", "-", "--token-file", "-"],
        &["session", "register", "tool.py"],
        &["demo", "--path", "no-such-folder"],
        &["sing"],
    ];
    for args in cases {
        let ran = project.run(args).await.fails(2);
        assert!(ran.stderr.starts_with("error: "), "{args:?}: {}", ran.stderr);
        assert!(!ran.stderr.contains("canary"), "an input was repeated: {}", ran.stderr);
    }
    let place = project.run(["call", "fs/list", "@broken.json"]).await;
    assert!(place.stderr.contains("broken.json:2:3: "), "{}", place.stderr);
}

#[tokio::test]
async fn keys_that_others_can_read_are_refused() {
    let project = Project::new().await;
    for (name, mode) in [("host.key", 0o640), ("operator.key", 0o604), ("", 0o750)] {
        let path = project.data(name);
        let before = path.metadata().unwrap().permissions();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let args: &[&str] = if name == "operator.key" { &["key", "show"] } else { &["serve"] };
        let ran = project.run(args).await.fails(3);
        assert!(ran.stderr.contains("chmod"), "{}", ran.stderr);
        std::fs::set_permissions(&path, before).unwrap();
    }
}
