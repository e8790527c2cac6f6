//! Subscriptions, publications and the socket, from the command line.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use crate::support::Project;

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn a_subscription_is_printed_item_by_item() {
    let project = Project::new().await;
    let _host = project.serve().await;
    let three = r#"{"every_ms":10,"count":3}"#;
    let ticks = lines(&project.run(["call", "time/ticks", three]).await.succeeds().stdout);
    assert!(matches!(ticks.len(), 1..=3), "{ticks:?}");
    assert_eq!(ticks[0]["tick"], 0);
    let bad = project.run(["call", "time/ticks", r#"{"every_ms":1}"#, "--json"]).await.fails(1);
    assert_eq!(bad.error_code(), "INVALID_INPUT");
    // One that has no end ends with whoever listens.
    let mut endless = project.begin(["call", "time/ticks", r#"{"every_ms":10}"#]);
    assert!(endless.says(|text| text.lines().count() >= 2).await);
    endless.kill();
    let late = ["call", "time/ticks", r#"{"every_ms":86400000}"#, "--timeout", "200ms", "--json"];
    let late = project.run(late).await;
    assert_eq!((late.code, late.error_code().as_str()), (1, "TIMEOUT"), "{late:?}");
    assert_eq!(late.stdout.lines().count(), 1, "the first tick came at once");
}

#[tokio::test]
async fn a_publication_is_fed_from_standard_input() {
    let project = Project::new().await;
    let _host = project.serve().await;
    let pairs = (0..200).map(|n| json!({ "key": format!("k{n}"), "value": n }).to_string() + "\n");
    let pairs: String = pairs.collect();
    let written = project.run_with_input(["call", "kv/import"], &pairs).await.succeeds().json();
    assert_eq!(written, json!({ "written": 200 }));
    let kept = project.run(["call", "kv/get", r#"{"key":"k199"}"#]).await.succeeds().json();
    assert_eq!(kept["value"], 199);
    let bad_chunk = "{\"key\":\"a\",\"value\":\"kept\"}\n{\"value\":\"s3cret\"}\n";
    let refused = project.run_with_input(["call", "kv/import", "--json"], bad_chunk).await.fails(1);
    assert_eq!(refused.error_code(), "INVALID_INPUT");
    assert_eq!(refused.error()["details"]["chunk"], 1);
    assert!(!refused.stderr.contains("s3cret"), "{}", refused.stderr);
    let no_json = project.run_with_input(["call", "kv/import"], "{\"key\":\n").await.fails(2);
    assert!(no_json.stderr.contains("line 1 of standard input"), "{}", no_json.stderr);
}

#[tokio::test]
async fn a_program_on_the_machine_uses_the_socket() {
    let project = Project::new().await;
    let made = project.run(["key", "api-key", "--scope", "kv:write", "--json"]).await.succeeds().json();
    project.add(made["toml"].as_str().unwrap());
    let token = project.write_private("token", made["token"].as_str().unwrap());
    let host = project.serve().await;
    let socket = host.listening["socket"].as_str().unwrap().to_owned();
    assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    let over = |operation: &'static str, input: &'static str, known: bool| {
        let mut args = vec!["call".to_owned(), operation.to_owned(), input.to_owned(), "--json".to_owned()];
        args.extend(["--socket".to_owned(), socket.clone()]);
        if known {
            args.extend(["--token-file".to_owned(), token.to_str().unwrap().to_owned()]);
        }
        args
    };
    let now = project.run(over("time/now", "{}", false)).await.succeeds().json();
    assert!(now["unix_ms"].is_u64());
    let put = r#"{"key":"a","value":1}"#;
    let stranger = project.run(over("kv/put", put, false)).await.fails(1);
    assert_eq!(stranger.error_code(), "FORBIDDEN");
    let known = project.run(over("kv/put", put, true)).await.succeeds().json();
    assert_eq!(known["version"], 1);
    host.stop().await;
    assert!(!std::path::Path::new(&socket).exists());
}
