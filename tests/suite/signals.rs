//! SIGHUP changes who may do what, at once; SIGTERM ends a host in order.

use serde_json::{Value, json};

use crate::support::{Peer, Project, Serving, until, waits_for};

/// Writes a configuration, has the host read it, and waits until it has said so.
async fn reload(project: &Project, host: &Serving, says: &str, times: usize, text: &str) {
    project.write("alknet-agent.toml", text);
    host.signal("HUP");
    host.logs(says, times).await;
}

#[tokio::test]
async fn a_reload_counts_for_the_next_call_of_a_live_connection() {
    const TAKEN: &str = "configuration read again";
    const REFUSED: &str = "configuration refused; the one before stays in force";
    let project = Project::new().await;
    let key = project.add_peer("bot", &["fs:read", "kv:read", "session"]);
    let host = project.serve().await;
    let bot = host.client(Some(key)).await;
    let session = bot.open_session().await;
    let codes = async |bot: &Peer| {
        let list = bot.code("fs/list", json!({})).await;
        let get = bot.code("kv/get", json!({ "key": "k" })).await;
        let tools = bot.code("session/list", json!({ "session": session })).await;
        [list, get, tools]
    };
    assert_eq!(codes(&bot).await, ["OK", "OK", "OK"]);

    let all = project.config();
    let less = all.replacen(
        r#"scopes = ["fs:read", "kv:read", "session"]"#,
        r#"scopes = ["kv:read", "session"]"#,
        1,
    );
    assert_ne!(less, all);
    reload(&project, &host, TAKEN, 1, &less).await;
    assert_eq!(codes(&bot).await, ["FORBIDDEN", "OK", "OK"]);

    // What is no configuration changes nothing, whatever is wrong with it.
    let unknown = format!("{all}\n[nonsense]\n");
    let twice = all.replacen("id = \"bot\"", "id = \"operator\"", 1);
    for (turn, broken) in ["[[peer]\n", &unknown, &twice, ""].into_iter().enumerate() {
        if broken.is_empty() {
            std::fs::remove_file(project.file("alknet-agent.toml")).unwrap();
            host.signal("HUP");
            host.logs("configuration not read again", 1).await;
        } else {
            reload(&project, &host, REFUSED, turn + 1, broken).await;
        }
        assert_eq!(codes(&bot).await, ["FORBIDDEN", "OK", "OK"], "{broken}");
    }

    let disabled = all.replacen("id = \"bot\"", "id = \"bot\"\nenabled = false", 1);
    reload(&project, &host, TAKEN, 2, &disabled).await;
    assert_eq!(codes(&bot).await, ["FORBIDDEN", "FORBIDDEN", "FORBIDDEN"]);
    reload(&project, &host, TAKEN, 3, &all).await;
    assert_eq!(codes(&bot).await, ["OK", "OK", "OK"], "the same key is the same identity, with its session");

    let operator = host.client(Some(project.operator_key())).await;
    let outcomes = kinds(&operator, "config.loaded", "outcome").await;
    assert_eq!(outcomes, ["accepted", "accepted", "refused", "refused", "refused", "accepted", "accepted"]);
    assert_eq!(kinds(&operator, "identity.changed", "change").await, ["changed", "changed", "changed"]);
}

/// A member of all records of a kind.
async fn kinds(operator: &Peer, kind: &str, member: &str) -> Vec<String> {
    let query = json!({ "filter": { "kind": kind }, "limit": 1000 });
    let found = operator.call("audit/query", query).await.unwrap();
    let entries = found["entries"].as_array().unwrap().iter();
    entries.map(|entry| entry["record"][member].as_str().unwrap().to_owned()).collect()
}

/// A host with a script that runs until the file `gate` is there, and the client that waits for it.
async fn with_a_call_in_flight() -> (Project, Serving, Peer, String) {
    let project = Project::new().await;
    project.patient();
    let host = project.serve().await;
    let operator = host.client(Some(project.operator_key())).await;
    let session = operator.open_session().await;
    (project, host, operator, session)
}

async fn is_running(operator: &Peer) {
    until("the script runs", async || {
        let started = operator.call("kv/get", json!({ "key": "gate" })).await.unwrap();
        started["found"] == true
    })
    .await;
}

#[tokio::test]
async fn a_host_that_stops_answers_what_it_has_begun() {
    let (project, host, operator, session) = with_a_call_in_flight().await;
    let script = waits_for("gate");
    let stopping = async {
        is_running(&operator).await;
        host.signal("TERM");
        host.logs("stopping", 1).await;
        until("new calls are refused", async || match operator.call("time/now", json!({})).await {
            Ok(_) => false,
            Err(error) => {
                assert!(error.is_retryable(), "{error}");
                true
            }
        })
        .await;
        assert!(host.dial(None).await.is_err(), "a host that stops takes nobody in");
        project.write("files/gate", "");
    };
    let (answer, ()) = tokio::join!(operator.run(&session, &script), stopping);
    assert_eq!(answer.unwrap(), "waited");
    let ended = host.ended().await;
    assert_eq!(ended.status.code(), Some(0), "{}", ended.log);
    assert!(!project.data("host.json").exists());
    let report = project.run(["audit", "verify", "--json"]).await.succeeds().json();
    assert_eq!(report["unfinished"], 0);
    assert_eq!(report["covered"], report["records"]);
}

#[tokio::test]
async fn a_second_signal_does_not_wait() {
    let (project, host, operator, session) = with_a_call_in_flight().await;
    let script = waits_for("gate");
    let stopping = async {
        is_running(&operator).await;
        host.signal("TERM");
        host.logs("stopping", 1).await;
        host.signal("INT");
    };
    let (answer, ()) = tokio::join!(operator.run(&session, &script), stopping);
    answer.unwrap_err();
    let ended = host.ended().await;
    assert_eq!(ended.status.code(), Some(0), "{}", ended.log);
    let report = project.run(["audit", "verify", "--json"]).await.succeeds().json();
    assert_eq!(report["ok"], Value::Bool(true));
    assert_eq!(report["covered"], report["records"]);
}

#[tokio::test]
async fn a_reload_changes_how_many_may_come_from_one_address() {
    let project = Project::new().await;
    let limited = |text: &str, max: u32| {
        let line = format!("connections_per_ip_max = {max}");
        text.replace("#connections_per_ip_max = 100", &line)
    };
    let generated = project.config();
    project.write("alknet-agent.toml", &limited(&generated, 2));
    let host = project.serve().await;
    let first = host.client(None).await;
    let _second = host.client(None).await;
    assert!(host.dial(None).await.is_err(), "the third is one too many");
    reload(&project, &host, "configuration read again", 1, &limited(&generated, 3)).await;
    let _third = host.client(None).await;
    assert!(host.dial(None).await.is_err());
    reload(&project, &host, "configuration read again", 2, &limited(&generated, 1)).await;
    assert_eq!(first.code("time/now", json!({})).await, "OK", "who is in stays in");
}
