//! A host with a vault, as an operator and an agent meet it.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::support::{Peer, Project, files_below, soon, until, waits_for};

const PASSWORD: &str = "correct horse battery";
const CANARY: &str = "canary-credential-77aa01";
const FRESH: &str = "fresh-credential-88bb02";

/// A server that notes what credential each request carried, and answers with the request itself.
struct Mirror {
    port: u16,
    seen: Arc<Mutex<Vec<String>>>,
    _server: JoinSet<()>,
}

impl Mirror {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let mut server = JoinSet::new();
        let noted = Arc::clone(&seen);
        server.spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    stream.read_exact(&mut byte).await.unwrap();
                    request.extend(byte);
                }
                let text = String::from_utf8(request).unwrap();
                let key = text.lines().find_map(|line| line.strip_prefix("x-api-key: ")).unwrap_or("none");
                noted.lock().unwrap().push(key.to_owned());
                let head =
                    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", text.len());
                stream.write_all(head.as_bytes()).await.unwrap();
                stream.write_all(text.as_bytes()).await.unwrap();
            }
        });
        Self { port, seen, _server: server }
    }

    fn last(&self) -> String {
        self.seen.lock().unwrap().last().cloned().unwrap_or_default()
    }

    /// The target that sends the stored credential to this server.
    fn target(&self) -> String {
        format!(
            "[[http.target]]\nname = \"mirror\"\nbase_url = \"http://127.0.0.1:{}\"\ncredential = \"mirror-key\"\n\
             auth = \"header\"\nauth_name = \"X-Api-Key\"\nallow_private = true\n",
            self.port
        )
    }
}

const UNLOCK: [&str; 2] = ["--password-file", "password"];

/// A tool that fetches, and tells what came back.
const TOOL: &str = "export default async (input, env) => {
    const answer = await env.http.fetch({ target: 'mirror', method: 'GET', path: '/' });
    console.log(answer.body.text);
    return answer.body.text;
}";

fn fetching_profile(project: &Project) {
    project.edit(|text| {
        text.replacen("    \"time/now\",\n", "    \"time/now\", \"http/fetch\",\n", 1).replacen(
            "scopes = [\"fs:read\", \"kv:read\"",
            "scopes = [\"http:fetch\", \"fs:read\", \"kv:read\"",
            1,
        )
    });
}

async fn run_tool(agent: &Peer, session: &str) -> Value {
    agent
        .call("session/run", json!({ "session": session, "language": "javascript", "source": TOOL }))
        .await
        .unwrap()
}

#[tokio::test]
async fn a_tool_uses_a_credential_that_nobody_reads() {
    let project = Project::with_vault(PASSWORD).await;
    let mirror = Mirror::start().await;
    fetching_profile(&project);
    project.add(&mirror.target());
    let agent = project.add_peer("agent", &["session", "http:fetch"]);

    // Without the credential the host says what is missing, and where.
    let refused = project.run(["serve"].iter().chain(&UNLOCK)).await.fails(3);
    assert!(refused.stderr.contains("`alknet-agent secret set mirror-key` stores it"), "{}", refused.stderr);
    project.write_private("value", CANARY);
    let set = ["secret", "set", "mirror-key", "--from", "value", "--json"];
    let stored = project.run(set.iter().chain(&UNLOCK)).await.succeeds();
    assert_eq!(stored.json()["used_by"], json!(["mirror"]));
    project.run(set.iter().chain(&UNLOCK)).await.fails(3);
    let listed = project.run(["secret", "list", "--json"]).await.succeeds().json();
    assert_eq!(listed["credentials"][0]["used_by"], json!(["mirror"]));

    let host = project.serve_with(&["--password-file", "password", "--log", "trace"]).await;
    let agent = host.client(Some(agent)).await;
    let session = agent.open_session().await;
    let answer = run_tool(&agent, &session).await;
    assert_eq!(mirror.last(), CANARY, "the request carried it");
    let text = answer.to_string();
    assert!(text.contains("x-api-key: [REDACTED]") && !text.contains(CANARY), "{text}");

    // Rotated while the host serves: soon the new value is sent, without a restart.
    let rotate = ["secret", "rotate", "mirror-key", "--from", "-"];
    project.run_with_input(rotate.iter().chain(&UNLOCK), FRESH).await.succeeds();
    until("the host uses the new value", async || {
        run_tool(&agent, &session).await;
        mirror.last() == FRESH
    })
    .await;
    let text = run_tool(&agent, &session).await.to_string();
    assert!(text.contains("[REDACTED]") && !text.contains(FRESH), "{text}");
    let rekeyed = project.run(["secret", "rekey", "--json"].iter().chain(&UNLOCK)).await.succeeds();
    assert_eq!(rekeyed.json(), json!({ "key_version": 3, "credentials": 1 }));
    run_tool(&agent, &session).await;
    assert_eq!(mirror.last(), FRESH);

    let scrubbed =
        project.run(["call", "audit/query", r#"{"filter":{"kind":"secret.scrubbed"}}"#]).await.succeeds();
    assert!(scrubbed.stdout.contains("mirror-key"), "{}", scrubbed.stdout);
    let shown = project.run(["audit", "show", "--json", "--limit", "1000"]).await.succeeds();
    let ended = soon("the host stops", host.stop()).await;
    assert!(ended.log.contains("TRACE"), "everything was logged");
    for secret in [CANARY, FRESH, PASSWORD] {
        for text in [&ended.log, &ended.stdout, &shown.stdout, &scrubbed.stdout, &stored.stdout] {
            assert!(!text.contains(secret));
        }
        for file in files_below(&project.data("")).into_iter().chain(files_below(&project.temporary())) {
            let bytes = std::fs::read(&file).unwrap();
            let held = bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
            assert!(!held, "{} holds a secret", file.display());
        }
    }
    project.run(["audit", "verify"]).await.succeeds();
    project.run(["secret", "delete", "mirror-key"]).await.fails(3);
    project.run(["secret", "delete", "mirror-key", "--force"]).await.succeeds();
}

#[tokio::test]
async fn a_vault_that_does_not_open_says_so_and_writes_nothing() {
    let project = Project::with_vault(PASSWORD).await;
    project.write_private("wrong", "wrong horse battery\n");
    let seed = project.data("seed");
    let good = std::fs::read(&seed).unwrap();
    let refused = async |password: &str, expected: &str| {
        let ran = project.run(["serve", "--password-file", password]).await.fails(3);
        assert!(ran.stderr.contains(expected), "{}", ran.stderr);
        assert!(!ran.stderr.contains("panicked") && !ran.stderr.contains("horse"), "{}", ran.stderr);
        assert!(files_below(&project.data("audit")).is_empty(), "nothing was written");
    };
    refused("wrong", "wrong password, or the seed file is damaged").await;
    for (content, expected) in [
        (good[..40].to_vec(), "cut short"),
        (good.iter().enumerate().map(|(at, byte)| byte ^ u8::from(at == 60)).collect(), "is damaged"),
    ] {
        std::fs::write(&seed, content).unwrap();
        refused("password", expected).await;
    }
    std::fs::write(&seed, &good).unwrap();
    std::process::Command::new("chmod").arg("644").arg(&seed).status().unwrap();
    refused("password", "chmod 600").await;
    std::process::Command::new("chmod").arg("600").arg(&seed).status().unwrap();
    project.write("open", PASSWORD);
    refused("open", "chmod").await;
    // A blob of another credential, and one of a version that nobody has a key for.
    project.write_private("value", CANARY);
    for name in ["a", "b"] {
        project.run(["secret", "set", name, "--from", "value"].iter().chain(&UNLOCK)).await.succeeds();
    }
    project.add("[[http.target]]\nname = \"t\"\nbase_url = \"https://example.org\"\ncredential = \"a\"\n");
    let store = project.data("store.sqlite");
    let change = |sql: &str| {
        let connection = rusqlite::Connection::open(&store).unwrap();
        connection.execute_batch(sql).unwrap();
    };
    change("UPDATE credentials SET blob = (SELECT blob FROM credentials WHERE name = 'b') WHERE name = 'a'");
    let ran = project.run(["serve"].iter().chain(&UNLOCK)).await.fails(3);
    assert!(ran.stderr.contains("`a` cannot be used: the data cannot be decrypted"), "{}", ran.stderr);
    change("UPDATE credentials SET blob = replace(blob, '\"key_version\":2', '\"key_version\":4294967295')");
    let ran = project.run(["serve"].iter().chain(&UNLOCK)).await.fails(3);
    assert!(ran.stderr.contains("no key version"), "{}", ran.stderr);
}

#[tokio::test]
async fn api_keys_are_managed_while_the_host_serves() {
    let project = Project::new().await;
    project.patient();
    let host = project.serve().await;
    let made = project
        .run(["apikey", "create", "--scope", "session", "--scope", "kv:read", "--json"])
        .await
        .succeeds()
        .json();
    let (token, prefix) =
        (made["token"].as_str().unwrap().to_owned(), made["prefix"].as_str().unwrap().to_owned());
    // Asked too early, a token is one that nobody knows, and a few of those close the connection.
    let in_force = async |changes: usize| host.logs("identities and credentials read again", changes).await;
    in_force(1).await;
    let agent = host.client(None).await.with_token(&token);
    assert_eq!(agent.code("kv/list", json!({})).await, "OK");

    assert_eq!(
        project.run(["can", &prefix, "kv/get", "--json"]).await.succeeds().json()["allowed"],
        json!(true)
    );
    let ran = project.run(["can", &prefix, "kv/put"]).await;
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(
        ran.stdout.contains("demands all of `kv:write`; the caller holds `kv:read`, `session`"),
        "{ran:?}"
    );
    assert_eq!(agent.code("kv/put", json!({ "key": "k", "value": 1 })).await, "FORBIDDEN");
    let records = project
        .run(["call", "audit/query", r#"{"filter":{"kind":"call.refused"}}"#, "--json"])
        .await
        .succeeds()
        .json();
    let entries = records["entries"].as_array().unwrap();
    let refused = entries.iter().find(|entry| entry["record"]["operation"] == "kv/put").unwrap();
    let call = refused["record"]["call"].as_str().unwrap();
    let explained = project.run(["explain", call, "--json"]).await.succeeds().json();
    assert_eq!((&explained["decision"], &explained["class"]), (&json!("refused"), &json!("scope")));
    assert_eq!(explained["now"]["allowed"], json!(false));

    // Revoked while a call of it runs: the next check refuses.
    let session = agent.open_session().await;
    let script = waits_for("never");
    let running = agent.run(&session, &script);
    tokio::pin!(running);
    let revoked = async {
        project.run(["apikey", "revoke", &prefix]).await.succeeds();
        in_force(2).await;
    };
    tokio::select! {
        ended = &mut running => panic!("{ended:?}"),
        () = revoked => {}
    }
    assert_eq!(agent.code("session/list", json!({})).await, "FORBIDDEN");
    assert!(project.run(["apikey", "list"]).await.succeeds().stdout.contains("There are no API keys"));
    host.kill().await;
}

#[tokio::test]
async fn peers_are_managed_while_the_host_serves() {
    let project = Project::new().await;
    let host = project.serve().await;
    let in_force = async |changes: usize| host.logs("identities and credentials read again", changes).await;
    // A peer by a token, and then kept out.
    let added =
        project.run(["peer", "add", "ci", "--token", "--scope", "kv:read", "--json"]).await.succeeds().json();
    in_force(1).await;
    let ci = host.client(None).await.with_token(added["token"].as_str().unwrap());
    assert_eq!(ci.code("kv/list", json!({})).await, "OK");
    project.run(["peer", "add", "ci", "--token"]).await.fails(3);
    project.run(["peer", "disable", "operator"]).await.fails(3);
    project.run(["peer", "disable", "ci"]).await.succeeds();
    in_force(2).await;
    assert_eq!(ci.code("kv/list", json!({})).await, "FORBIDDEN");
    project.run(["peer", "enable", "ci"]).await.succeeds();
    in_force(3).await;
    assert_eq!(ci.code("kv/list", json!({})).await, "OK");
    let rotated = project.run(["peer", "rotate", "ci", "--token", "--json"]).await.succeeds().json();
    in_force(4).await;
    assert_eq!(ci.code("kv/list", json!({})).await, "FORBIDDEN");
    let ci = host.client(None).await.with_token(rotated["token"].as_str().unwrap());
    assert_eq!(ci.code("kv/list", json!({})).await, "OK");
    project.run(["peer", "remove", "ci"]).await.succeeds();
    in_force(5).await;
    assert_eq!(ci.code("kv/list", json!({})).await, "FORBIDDEN");
    assert!(project.run(["peer", "list"]).await.succeeds().stdout.contains("operator"));
    host.kill().await;
}
