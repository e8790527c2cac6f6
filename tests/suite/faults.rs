//! A machine that fails the host: it does nothing that it cannot record, and goes on when it can again.

use std::process::Command;

use serde_json::json;

use crate::support::{Project, Serving, until};

/// Sets how long a file of the host may become, in bytes, as a full disk would.
fn limit_files(host: &Serving, bytes: &str) {
    let pid = host.listening["pid"].to_string();
    let limit = format!("--fsize={bytes}:");
    let set = Command::new("prlimit").args(["--pid", &pid, &limit]).status();
    assert!(set.expect("prlimit is part of util-linux").success());
}

#[tokio::test]
async fn what_cannot_be_recorded_does_not_happen() {
    let project = Project::new().await;
    // Writing too much is an error then, not the end of the process.
    let host = project.serve_from_shell("trap '' XFSZ; exec \"$@\"").await;
    let operator = host.client(Some(project.operator_key())).await;
    let put = async |value: u64| operator.call("kv/put", json!({ "key": "k", "value": value })).await;
    put(1).await.unwrap();
    let session = operator.open_session().await;
    for value in [2, 3] {
        limit_files(&host, "1");
        let refused = put(value).await.unwrap_err();
        assert_eq!(refused.code().as_str(), "INTERNAL");
        assert!(refused.is_retryable(), "{refused}");
        // A refusal is a record too.
        for (operation, input) in [("no/such", json!({})), ("session/close", json!({ "session": session }))] {
            assert_eq!(operator.code(operation, input).await, "INTERNAL");
        }
        host.logs("calls are refused", 1).await;
        limit_files(&host, "unlimited");
        until("the log takes records again", async || operator.call("time/now", json!({})).await.is_ok())
            .await;
        let got = operator.call("kv/get", json!({ "key": "k" })).await.unwrap();
        assert_eq!(got["value"], 1, "a call that could not be recorded had no effect");
    }
    assert_eq!(operator.run(&session, "export default () => 'there'").await.unwrap(), "there");
    let ended = host.stop().await;
    assert!(!ended.log.contains("internal error"), "{}", ended.log);
    let report = project.run(["audit", "verify", "--json"]).await.succeeds().json();
    assert_eq!(report["covered"], report["records"]);
}

#[tokio::test]
async fn a_host_whose_log_is_nowhere_to_be_written_goes_on() {
    let project = Project::new().await;
    for nowhere in ["2>/dev/full", "2>&-"] {
        let script = format!("exec \"$@\" {nowhere} --log trace");
        let host = project.serve_from_shell(&script).await;
        for _ in 0..3 {
            project.run(["call", "time/now"]).await.succeeds();
        }
        host.stop().await;
    }
}
