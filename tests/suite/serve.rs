//! A host, its operator, and who is not its operator.

use alknet_core::Ed25519SecretKey;
use serde_json::{Value, json};

use crate::support::{Project, files_below};

#[tokio::test]
async fn an_operator_calls_operations() {
    let project = Project::new().await;
    let host = project.serve().await;
    assert!(host.is_the_program());
    assert_eq!(host.listening["event"], "listening");

    let listed = project.run(["call", "services/list"]).await.succeeds().json();
    let mut names: Vec<&str> = listed["operations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|operation| operation["name"].as_str().unwrap())
        .collect();
    names.sort_unstable();
    for name in [
        "audit/provenance",
        "audit/query",
        "audit/trace",
        "fs/list",
        "fs/read",
        "fs/search",
        "fs/stat",
        "fs/write",
        "host/status",
        "kv/delete",
        "kv/get",
        "kv/list",
        "kv/put",
        "services/list",
        "services/schema",
        "session/close",
        "session/invoke",
        "session/list",
        "session/open",
        "session/register",
        "session/remove",
        "session/run",
        "time/now",
    ] {
        assert!(names.binary_search(&name).is_ok(), "{name} is missing: {names:?}");
    }
    for name in names {
        let input = json!({ "name": name }).to_string();
        let described = project.run(["call", "services/schema", &input]).await.succeeds().json();
        assert!(described["input_schema"].is_object() || described["input_schema"].is_boolean(), "{name}");
    }

    let input = r#"{"path":"."}"#;
    project.write("input.json", input);
    let inline = project.run(["call", "fs/list", input]).await.succeeds();
    assert_eq!(inline.json()["entries"][0]["path"], "README.md");
    let from_file = project.run(["call", "fs/list", "@input.json"]).await.succeeds();
    let from_stdin = project.run_with_input(["call", "fs/list", "-"], input).await.succeeds();
    let as_json = project.run(["call", "/fs/list", input, "--json"]).await.succeeds();
    for other in [from_file, from_stdin, as_json] {
        assert_eq!(other.stdout, inline.stdout);
        assert_eq!(other.stderr, "", "standard error is for what goes wrong");
    }
    assert_eq!(host.stop().await.stdout.lines().count(), 1, "standard output is one announcement");
}

#[tokio::test]
async fn a_failed_call_is_an_error_object_and_exit_code_1() {
    let project = Project::new().await;
    let _host = project.serve().await;
    let cases = [
        ("no/such", json!({}), "NOT_FOUND", Value::Null),
        (
            "fs/list",
            json!({ "path": 3 }),
            "INVALID_INPUT",
            json!({ "violations": [{ "pointer": "/path", "keyword": "type" }] }),
        ),
        ("fs/list", json!({ "path": "absent" }), "PATH_NOT_FOUND", Value::Null),
        ("fs/read", json!({ "path": "../.alknet-agent/host.key" }), "PATH_DENIED", Value::Null),
        ("fs/write", json!({ "path": "new", "text": "canary" }), "READ_ONLY", Value::Null),
    ];
    for (operation, input, code, details) in cases {
        let ran = project.run(["call", operation, &input.to_string(), "--json"]).await.fails(1);
        let error = ran.error();
        assert_eq!(error["code"], code, "{operation} {error}");
        assert_eq!(error["retryable"], false);
        if !details.is_null() {
            assert_eq!(error["details"], details);
        }
        let human = project.run(["call", operation, &input.to_string()]).await.fails(1);
        assert!(human.stderr.starts_with(&format!("error: {code}: ")), "{}", human.stderr);
        assert!(!human.stderr.contains("canary"));
    }
}

#[tokio::test]
async fn one_host_for_one_folder() {
    let project = Project::new().await;
    let host = project.serve().await;
    let second = project.run(["serve", "--json"]).await.fails(3);
    let message = second.stderr.lines().last().unwrap();
    let error: Value = serde_json::from_str(message).unwrap();
    assert!(error["message"].as_str().unwrap().contains("another host is running"), "{error}");
    project.run(["call", "time/now"]).await.succeeds();
    host.stop().await;
    assert!(!project.data("host.json").exists(), "a host that ended is not announced");
    let after = project.run(["call", "time/now", "--json"]).await.fails(4);
    assert_eq!(after.error_code(), "CANNOT_CONNECT");
    assert_eq!(after.error()["retryable"], true);

    let report = project.run(["audit", "verify", "--json"]).await.succeeds().json();
    assert_eq!(report["ok"], true);
    assert_eq!(report["records"], report["covered"], "a host that ended in order signed everything");
    project.serve().await.stop().await;
}

#[tokio::test]
async fn a_host_is_known_by_its_key_alone() {
    let (project, elsewhere) = (Project::new().await, Project::empty());
    let host = project.serve().await;
    let addr = host.addr().to_string();
    let right = host.fingerprint().to_string();
    let wrong = format!("ed25519:{}", hex::encode(Ed25519SecretKey::generate().unwrap().public().as_bytes()));
    let key = project.data("operator.key");
    let key = key.to_str().unwrap();
    let call = |pin: &str, more: &[&str]| -> Vec<String> {
        let args = ["call", "fs/list", "--connect", &addr, "--fingerprint", pin, "--json"];
        args.iter().chain(more).map(|arg| (*arg).to_owned()).collect()
    };
    elsewhere.run(call(&right, &["--key", key])).await.succeeds();
    let refused = elsewhere.run(call(&wrong, &["--key", key])).await.fails(4);
    assert_eq!(refused.error_code(), "CANNOT_CONNECT");
    assert!(refused.stderr.contains("nothing was sent to it"), "{}", refused.stderr);

    // Nobody in particular: a key nobody knows, and no key.
    let stranger = hex::encode(*Ed25519SecretKey::generate().unwrap().to_bytes());
    let stranger = elsewhere.write_private("stranger.key", &stranger);
    for more in [&["--key", stranger.to_str().unwrap()][..], &[]] {
        let refused = elsewhere.run(call(&right, more)).await.fails(1);
        assert_eq!(refused.error_code(), "FORBIDDEN");
        let mut list = call(&right, more);
        list[1] = "services/list".to_owned();
        let listed = elsewhere.run(list).await.succeeds().json();
        let listed: Vec<&str> = listed["operations"]
            .as_array()
            .unwrap()
            .iter()
            .map(|operation| operation["name"].as_str().unwrap())
            .collect();
        assert!(listed.contains(&"time/now"), "{listed:?}");
        assert!(!listed.iter().any(|name| name.starts_with("fs/")), "{listed:?}");
    }
    assert!(files_below(&elsewhere.temporary()).is_empty());
}

#[tokio::test]
async fn iroh_reaches_the_same_host_with_the_same_identity() {
    let project = Project::new().await;
    project.edit(|text| text.replacen("#enabled = false", "enabled = true", 1));
    let host = project.serve().await;
    let node_id = host.listening["iroh_node_id"].as_str().unwrap();
    assert_eq!(format!("ed25519:{node_id}"), host.fingerprint().to_string());
    let put = r#"{"key":"way","value":"quic"}"#;
    project.run(["call", "kv/put", put]).await.succeeds();
    let get = ["call", "kv/get", r#"{"key":"way"}"#];
    let over_iroh = project.run(get.iter().chain(&["--iroh", node_id])).await.succeeds();
    assert_eq!(over_iroh.json()["value"], "quic", "both ways lead to one store of one identity");

    // From elsewhere it takes the direct address, and the key.
    let elsewhere = Project::empty();
    let addr = host.listening["iroh_addrs"][0].as_str().unwrap();
    let key = project.data("operator.key");
    let key = key.to_str().unwrap();
    let far = elsewhere.run(get.iter().chain(&["--iroh", node_id, "--connect", addr, "--key", key])).await;
    assert_eq!(far.succeeds().stdout, over_iroh.stdout);
    let anonymous = elsewhere.run(get.iter().chain(&["--iroh", node_id, "--connect", addr, "--json"])).await;
    assert_eq!(anonymous.fails(1).error_code(), "FORBIDDEN");
    let lost = elsewhere.run(get.iter().chain(&["--iroh", node_id])).await;
    assert!(lost.fails(2).stderr.contains("no address and no relay"));
    host.stop().await;
}
