//! The program `conformance-node`: what it prints, and how it ends.

use std::net::SocketAddr;
use std::process::{ChildStdin, Command};

use alknet_call::{Client, Limits};
use alknet_core::{ALPN_CALL, ALPN_CALL_ALIAS, Ed25519SecretKey, Fingerprint};
use alknet_net::Dialer;
use serde_json::{Value, json};

use super::ways::call;
use crate::support::{Process, soon};

fn node(args: &[&str]) -> (Process, ChildStdin) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_conformance-node"));
    command.args(args);
    Process::start_open(command)
}

async fn announced(node: &Process) -> Value {
    assert!(node.says(|text| text.ends_with('\n')).await, "{}", node.stderr());
    serde_json::from_str(&node.stdout()).unwrap()
}

/// The dialer has to live as long as its connections.
async fn client(announced: &Value, key: Option<Ed25519SecretKey>, alpn: &[u8]) -> (Dialer, Client) {
    let addr: SocketAddr = announced["listen"].as_str().unwrap().parse().unwrap();
    let pin: Fingerprint = announced["fingerprint"].as_str().unwrap().parse().unwrap();
    let dialer = Dialer::new(key);
    let connection = soon("a connection", dialer.dial_quic(addr, &pin, alpn)).await.unwrap();
    (dialer, Client::new(connection, Limits::default()))
}

#[tokio::test]
async fn the_node_serves_and_drains() {
    let key = Ed25519SecretKey::generate().unwrap();
    let peer = format!("W9={}:a,b", Fingerprint::from(&key.public()));
    let (mut process, stdin) =
        node(&["--listen", "127.0.0.1:0", "--timeout-ms", "5000", "--peer", &peer, "--iroh"]);
    let announcement = announced(&process).await;
    let members: Vec<&String> = announcement.as_object().unwrap().keys().collect();
    assert_eq!(members, ["fingerprint", "iroh_node_id", "listen"]);
    let id = announcement["iroh_node_id"].as_str().unwrap();
    assert_eq!(announcement["fingerprint"], format!("ed25519:{id}"));

    let (_dialer, anonymous) = client(&announcement, None, ALPN_CALL_ALIAS).await;
    assert_eq!(call(&anonymous, "t/echo", &json!(1)).await, "OK 1");
    assert_eq!(call(&anonymous, "t/panic", &json!(1)).await, "INTERNAL");
    let known = anonymous.call("t/ctx", &json!({})).await.unwrap();
    assert!(known["deadline_ms"].as_u64().is_some_and(|ms| ms <= 5000), "{known}");
    let (_dialer, peer) = client(&announcement, Some(key), ALPN_CALL).await;
    assert_eq!(call(&peer, "t/acl/1", &json!(1)).await, "OK 1");
    assert_eq!(call(&peer, "t/acl/2", &json!(1)).await, "OK 1");
    let spec = json!({ "spec": { "name": "w/exec", "op_type": "query" } });
    assert!(call(&peer, "op/register", &spec).await.starts_with("OK"));

    let input = json!({ "ms": 500 });
    let running = peer.call("t/sleep", &input);
    let stopping = async {
        // It runs once a call behind it has been answered.
        assert_eq!(call(&peer, "t/echo", &json!(1)).await, "OK 1");
        process.signal("TERM");
    };
    let (slept, ()) = soon("a drain", async { tokio::join!(running, stopping) }).await;
    assert_eq!(slept.unwrap(), json!({ "slept": 500 }), "what runs is answered");
    assert!(process.ended().await.success());
    assert_eq!(process.stdout().lines().count(), 1, "nothing else on standard output");
    assert!(!process.stderr().contains("CANARY"), "{}", process.stderr());
    drop(stdin);
}

#[tokio::test]
async fn the_node_ends_with_its_input() {
    let (mut process, stdin) = node(&[]);
    assert_eq!(announced(&process).await["iroh_node_id"], Value::Null);
    drop(stdin);
    assert!(process.ended().await.success());
}

#[tokio::test]
async fn arguments_that_make_no_sense_are_refused() {
    let key = format!("ed25519:{}", "07".repeat(32));
    let (one, two, local) = (format!("W1={key}"), format!("W2={key}"), format!("local={key}"));
    let cases: [&[&str]; 8] = [
        &["--bogus"],
        &["--listen", "nowhere"],
        &["--timeout-ms", "-1"],
        &["--peer", "W1"],
        &["--peer", "W1=ed25519:12"],
        &["--peer", &format!("W1=SHA256:{}", "07".repeat(32))],
        &["--peer", &local],
        &["--peer", &one, "--peer", &two],
    ];
    for args in cases {
        let (mut process, _stdin) = node(args);
        assert_eq!(process.ended().await.code(), Some(2), "{args:?}");
        assert!(
            process.stdout().is_empty() && process.stderr().starts_with("error: "),
            "{}",
            process.stderr()
        );
    }
}
