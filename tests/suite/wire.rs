//! Frames made by hand, over real QUIC: whatever a peer sends, its other streams and other peers are served on.

use alknet_core::{ALPN_CALL_ALIAS, Connection};
use serde_json::{Value, json};

use crate::support::{Project, Serving, Wire, requested, until, waits_for};

const NOTHING: Value = Value::Null;

/// An ordinary call on a fresh stream.
async fn is_served(connection: &Connection) {
    let mut wire = Wire::open(connection).await;
    wire.frames([requested("1", "time/now", &json!({}), &NOTHING)]).await;
    assert_eq!(wire.answer().await, Some(("1".to_owned(), "OK".to_owned())));
}

#[tokio::test]
async fn a_stream_that_is_no_protocol_ends_alone() {
    let project = Project::new().await;
    let host = project.serve().await;
    let framed = |body: &[u8]| [&u32::try_from(body.len()).unwrap().to_be_bytes(), body].concat();
    let deep = format!(r#"{{"type":"call.requested","id":"1","payload":{}"#, "[".repeat(200_000));
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("zero length", vec![0; 4]),
        ("a length of 4 GiB", vec![0xff; 4]),
        ("64 MiB and a byte", vec![4, 0, 0, 1]),
        ("no JSON", framed(b"call fs/list")),
        ("half an object", framed(b"{\"type\":\"call.requested\"")),
        ("two objects", framed(b"{\"type\":\"x\",\"id\":\"1\",\"payload\":{}}{}")),
        ("null", framed(b"null")),
        ("an array", framed(b"[]")),
        ("no members", framed(b"{}")),
        ("no id", framed(b"{\"type\":\"call.requested\",\"payload\":{\"operationId\":\"/time/now\"}}")),
        ("a number as id", framed(b"{\"type\":\"call.requested\",\"id\":1,\"payload\":{}}")),
        ("two ids", framed(b"{\"type\":\"call.requested\",\"id\":\"1\",\"id\":\"2\",\"payload\":{}}")),
        ("no UTF-8", framed(b"{\"type\":\"\xff\",\"id\":\"1\",\"payload\":{}}")),
        ("deep nesting", framed(deep.as_bytes())),
        ("HTTP", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec()),
    ];
    for key in [Some(project.operator_key()), None] {
        let (_dialer, connection) = host.dial(key).await.unwrap();
        let mut bystander = Wire::open(&connection).await;
        for (name, bytes) in &cases {
            let mut wire = Wire::open(&connection).await;
            wire.write(bytes).await;
            assert_eq!(wire.next().await, None, "{name}: the stream ends without a word");
            bystander.frames([requested("1", "time/now", &json!({}), &NOTHING)]).await;
            assert_eq!(bystander.answer().await.unwrap().1, "OK", "{name}");
        }
        is_served(&connection).await;
    }
    let (_dialer, connection) = host.dial(None).await.unwrap();
    is_served(&connection).await;
    host.stop().await;
}

#[tokio::test]
async fn half_a_frame_holds_up_nobody() {
    let project = Project::new().await;
    let host = project.serve().await;
    let (_dialer, connection) = host.dial(Some(project.operator_key())).await.unwrap();
    let request = requested("1", "time/now", &json!({}), &NOTHING);
    let mut whole = u32::try_from(request.len()).unwrap().to_be_bytes().to_vec();
    whole.extend(request.as_bytes());
    let mut halves = Vec::new();
    for cut in [1, 4, 5, whole.len() / 2, whole.len() - 1] {
        let mut wire = Wire::open(&connection).await;
        wire.write(&whole[..cut]).await;
        is_served(&connection).await;
        halves.push((wire, cut));
    }
    for (index, (mut wire, cut)) in halves.into_iter().enumerate() {
        if index % 2 == 0 {
            wire.write(&whole[cut..]).await;
            assert_eq!(wire.answer().await.unwrap().1, "OK", "the rest may come later");
        } else {
            wire.finish().await;
            assert_eq!(wire.next().await, None, "a frame that is cut off is no call");
        }
    }
    is_served(&connection).await;
}

#[tokio::test]
async fn strangers_send_less_at_once() {
    let project = Project::new().await;
    let host = project.serve().await;
    let body = |bytes: usize| {
        let empty = requested("1", "time/now", &json!({ "pad": "" }), &NOTHING).len();
        requested("1", "time/now", &json!({ "pad": "x".repeat(bytes - empty) }), &NOTHING)
    };
    let over = (1 << 20) + 1;
    let refused = Some(("1".to_owned(), "INVALID_INPUT".to_owned()));
    for (key, bytes, expected) in
        [(None, 1 << 20, &refused), (None, over, &None), (Some(project.operator_key()), over, &refused)]
    {
        let (_dialer, connection) = host.dial(key).await.unwrap();
        let mut wire = Wire::open(&connection).await;
        wire.frames([body(bytes)]).await;
        assert_eq!(&wire.answer().await, expected, "{bytes}");
        is_served(&connection).await;
    }
}

#[tokio::test]
async fn events_that_mean_nothing_are_ignored() {
    let project = Project::new().await;
    let host = project.serve().await;
    let (_dialer, connection) = host.dial(None).await.unwrap();
    let mut wire = Wire::open(&connection).await;
    let event =
        |kind: &str| json!({ "type": kind, "id": "7", "payload": { "output": 1, "code": "X" }, "more": 1 });
    let kinds =
        ["", "call.exploded", "call.responded", "call.error", "call.completed", "call.aborted", "sub.item"];
    wire.frames(kinds.map(|kind| event(kind).to_string())).await;
    wire.frames([requested("7", "time/now", &json!({}), &NOTHING)]).await;
    assert_eq!(wire.answer().await, Some(("7".to_owned(), "OK".to_owned())));

    // An envelope that is whole gets an answer, whatever its payload.
    let payloads = [
        ("null", "NOT_FOUND"),
        ("[]", "NOT_FOUND"),
        (r#"{"operationId":7}"#, "NOT_FOUND"),
        (r#"{"operationId":"//time/now"}"#, "NOT_FOUND"),
        (r#"{"operationId":"/../time/now"}"#, "NOT_FOUND"),
        (r#"{"operationId":"/TIME/now","input":{}}"#, "NOT_FOUND"),
        (r#"{"operationId":"/time/now\u0000","input":{}}"#, "NOT_FOUND"),
        (r#"{"operationId":"/time/now"}"#, "INVALID_INPUT"),
        (r#"{"operationId":"/time/now","input":{},"input":{}}"#, "INVALID_INPUT"),
        (r#"{"operationId":"/host/status","operationId":"/time/now","input":{}}"#, "INVALID_INPUT"),
        (r#"{"operationId":"/time/now","input":{},"auth_token":7}"#, "INVALID_INPUT"),
        (r#"{"operationId":"/time/now","input":{}}"#, "OK"),
    ];
    for (payload, code) in payloads {
        wire.frames([format!(r#"{{"payload":{payload},"id":"","type":"call.requested"}}"#)]).await;
        assert_eq!(wire.answer().await, Some((String::new(), code.to_owned())), "{payload}");
    }
}

/// Members with which a peer might claim what only the host may say.
fn forged() -> Value {
    json!({
        "internal": true, "caller": "operator", "identity": { "id": "operator", "scopes": ["admin", "fs:read"] },
        "peer_id": "operator", "scopes": ["admin", "fs:read"], "authority": { "scopes": ["admin"] },
        "parent_request_id": "0", "parent": "0", "root": "0", "session": "0", "layer": "session",
        "forwarded_for": { "id": "operator", "scopes": ["admin"] }, "metadata": { "internal": true },
        "deadline": 0, "deadline_ms": 0, "timeout_ms": 0, "capabilities": { "http_token": "x" },
        "provenance": "Local", "trusted": true, "depth": -1, "visibility": "external",
    })
}

#[tokio::test]
async fn forged_members_count_for_nothing() {
    let project = Project::new().await;
    let low = project.add_peer("low", &["session"]);
    let host = project.serve().await;
    let client = host.client(Some(low.clone())).await;
    let session = client.open_session().await;
    client.register(&session, "tool", "export default () => 1").await.unwrap();
    let cases = [
        ("host/status", json!({}), "FORBIDDEN"),
        ("fs/list", json!({}), "FORBIDDEN"),
        ("kv/get", json!({ "key": "k" }), "FORBIDDEN"),
        ("session/tool", json!({}), "NOT_FOUND"),
        ("services/schema", json!({ "name": "session/tool" }), "NOT_FOUND"),
        ("session/list", json!({ "session": session }), "OK"),
        ("time/now", json!({}), "OK"),
    ];
    let (_dialer, connection) = host.dial(Some(low)).await.unwrap();
    let mut wire = Wire::open(&connection).await;
    for (operation, input, code) in &cases {
        for more in [NOTHING, forged()] {
            let body = requested("r", operation, input, &more);
            let mut envelope: Value = serde_json::from_str(&body).unwrap();
            let claims = more.as_object().cloned().unwrap_or_default();
            envelope.as_object_mut().unwrap().extend(claims);
            wire.frames([envelope.to_string()]).await;
            assert_eq!(wire.answer().await.unwrap().1, *code, "{operation} {more}");
        }
    }
    // On record is who called, and that nothing was above the call.
    let operator = host.client(Some(project.operator_key())).await;
    let query = json!({ "filter": { "operation": "time/now" }, "limit": 1000 });
    let found = operator.call("audit/query", query).await.unwrap();
    let entries = found["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 4);
    for record in entries.iter().map(|entry| &entry["record"]) {
        assert_eq!((&record["caller"], &record["authority"]), (&json!("low"), &json!("low")));
        assert_eq!(record["root"], record["call"]);
        assert!(record["parent"].is_null() && record["session"].is_null(), "{record}");
    }
}

/// A connection with a script that runs until the file `gate` is there; its request has the id `long`.
async fn with_a_long_call(project: &Project, host: &Serving) -> (alknet_net::Dialer, Connection, Wire) {
    let operator = host.client(Some(project.operator_key())).await;
    let session = operator.open_session().await;
    let (dialer, connection) = host.dial(Some(project.operator_key())).await.unwrap();
    let mut wire = Wire::open(&connection).await;
    let script = json!({ "session": session, "language": "javascript", "source": waits_for("gate") });
    wire.frames([requested("long", "session/run", &script, &NOTHING)]).await;
    until("the script runs", async || {
        let started = operator.call("kv/get", json!({ "key": "gate" })).await.unwrap();
        started["found"] == true
    })
    .await;
    (dialer, connection, wire)
}

#[tokio::test]
async fn an_id_in_use_is_not_taken_again() {
    let project = Project::new().await;
    project.patient();
    let host = project.serve().await;
    let (_dialer, connection, mut wire) = with_a_long_call(&project, &host).await;
    let now = |id: &str| requested(id, "time/now", &json!({}), &NOTHING);
    let mut other = Wire::open(&connection).await;
    for wire in [&mut wire, &mut other] {
        wire.frames([now("long"), now("short")]).await;
        let answer = wire.answer().await.unwrap();
        assert_eq!(answer, ("short".to_owned(), "OK".to_owned()), "the repeated id gets no answer");
    }
    project.write("files/gate", "");
    let answer = wire.next().await.unwrap();
    assert_eq!((&answer["id"], &answer["payload"]["output"]["output"]), (&json!("long"), &json!("waited")));
    other.frames([now("long")]).await;
    assert_eq!(other.answer().await.unwrap().1, "OK", "an id is free again once it is answered");
}

#[tokio::test]
async fn calls_end_with_their_caller() {
    let project = Project::new().await;
    project.patient();
    let host = project.serve().await;
    let operator = host.client(Some(project.operator_key())).await;
    let ended = async |times: usize| {
        until("the end of the call is on record", async || {
            let filter = json!({ "kind": "call.finished", "operation": "session/run" });
            let found = operator.call("audit/query", json!({ "filter": filter })).await.unwrap();
            let entries = found["entries"].as_array().unwrap();
            assert!(entries.iter().all(|entry| entry["record"]["code"] != "OK"));
            entries.len() == times
        })
        .await;
        operator.call("kv/delete", json!({ "key": "gate" })).await.unwrap();
    };
    let (_dialer, connection, mut wire) = with_a_long_call(&project, &host).await;
    wire.frames([r#"{"type":"call.aborted","id":"long","payload":{}}"#]).await;
    ended(1).await;
    wire.frames([requested("long", "time/now", &json!({}), &NOTHING)]).await;
    assert_eq!(wire.answer().await, Some(("long".to_owned(), "OK".to_owned())), "no answer but this one");
    drop((wire, connection));

    let (_dialer, connection, wire) = with_a_long_call(&project, &host).await;
    connection.close(0, "gone");
    ended(2).await;
    drop(wire);

    // A stream that breaks the protocol takes its own calls with it.
    let (_dialer, connection, mut wire) = with_a_long_call(&project, &host).await;
    wire.write(&[0; 4]).await;
    ended(3).await;
    is_served(&connection).await;
    let ended = host.stop().await;
    assert!(!ended.log.contains("panic"), "{}", ended.log);
}

#[tokio::test]
async fn the_protocol_goes_by_two_names() {
    let project = Project::new().await;
    let host = project.serve().await;
    let (_dialer, connection) = host.dial_as(None, ALPN_CALL_ALIAS).await.unwrap();
    is_served(&connection).await;
    for alpn in [&b"h3"[..], b"alknet/call2", b"alknet/"] {
        assert!(host.dial_as(Some(project.operator_key()), alpn).await.is_err());
    }
    is_served(&connection).await;
}
