//! Peers that break the protocol, and those that only ask for much.

use std::time::Duration;

use alknet_call::Limits;
use alknet_core::Connection;
use serde_json::json;

use super::ways::{Host, WAYS, Way, key_of};
use crate::support::{Wire, requested, until};

fn echo(id: &str) -> String {
    requested(id, "t/echo", &json!(id), &json!({}))
}

/// Whether another stream is served: where there is only one, the connection has ended with it.
async fn lives_on(way: Way, connection: &Connection) {
    if way != Way::Unix {
        let mut wire = Wire::open(connection).await;
        wire.frames([echo("on")]).await;
        assert_eq!(wire.answer().await.unwrap().1, "OK", "{way:?}");
    }
}

#[tokio::test]
async fn a_broken_frame_ends_its_stream_without_a_word() {
    let envelope = |body: &str| [&u32::try_from(body.len()).unwrap().to_be_bytes(), body.as_bytes()].concat();
    let deep = format!("{{\"type\":\"x\",\"id\":\"x\",\"payload\":{}1{}}}", "[".repeat(200), "]".repeat(200));
    let table: Vec<(&str, Vec<u8>)> = vec![
        ("no length", vec![0; 4]),
        ("larger than any frame", vec![0x04, 0, 0, 1]),
        ("larger than a stranger's", (2_u32 << 20).to_be_bytes().to_vec()),
        ("no JSON", envelope("nothing")),
        ("no UTF-8", [&[0, 0, 0, 2][..], &[0xff, 0xff]].concat()),
        ("an array", envelope("[]")),
        ("no payload", envelope(r#"{"type":"call.requested","id":"x"}"#)),
        ("a number for an id", envelope(r#"{"type":"call.requested","id":1,"payload":{}}"#)),
        ("two ids", envelope(r#"{"type":"call.aborted","id":"x","id":"y","payload":{}}"#)),
        ("too deep", envelope(&deep)),
        ("more behind the envelope", envelope(r#"{"type":"x","id":"x","payload":{}} {}"#)),
    ];
    for way in WAYS {
        let host = Host::new(way).await;
        for (what, bytes) in &table {
            let connection = host.connect(None).await;
            let mut wire = Wire::open(&connection).await;
            wire.frames([
                echo("before"),
                requested("long", "t/sleep", &json!({ "ms": 600_000 }), &json!({})),
            ])
            .await;
            assert_eq!(wire.answer().await.unwrap().0, "before");
            wire.write(bytes).await;
            assert_eq!(wire.next().await, None, "{way:?} {what}");
            lives_on(way, &connection).await;
        }
        let counted = async || host.dispatcher.call(None, "t/counters", json!({})).await.unwrap();
        until("their calls are cancelled", async || counted().await["sleep_cancelled"] == table.len()).await;
        // The peer that is known may send the larger frame.
        let known = host.connect(Some(key_of("W1"))).await;
        let mut wire = Wire::open(&known).await;
        wire.frames([requested("large", "t/echo", &json!("x".repeat(2 << 20)), &json!({}))]).await;
        assert_eq!(wire.answer().await.unwrap(), ("large".to_owned(), "OK".to_owned()));
    }
}

#[tokio::test]
async fn a_frame_that_does_not_come_is_not_waited_for() {
    for way in WAYS {
        let limits = Limits { frame_read_timeout: Duration::from_millis(100), ..Limits::default() };
        let host = Host::with(way, limits, Vec::new()).await;
        for part in [&[0][..], &[0, 0, 0, 100], &[0, 0, 0, 100, b'{']] {
            let connection = host.connect(None).await;
            let mut wire = Wire::open(&connection).await;
            wire.frames([echo("before")]).await;
            assert_eq!(wire.answer().await.unwrap().0, "before");
            wire.write(part).await;
            assert_eq!(wire.next().await, None, "{way:?} {part:?}");
            lives_on(way, &connection).await;
        }
        // Cut off by the peer itself.
        let connection = host.connect(None).await;
        let mut wire = Wire::open(&connection).await;
        wire.frames([echo("before")]).await;
        assert_eq!(wire.answer().await.unwrap().0, "before");
        wire.write(&[0, 0, 0, 9, b'{']).await;
        wire.finish().await;
        assert_eq!(wire.next().await, None);
        lives_on(way, &connection).await;
    }
}

#[tokio::test]
async fn ids_of_live_calls_and_of_nobody_count_for_nothing() {
    let guesses: Vec<String> = ["s1", "c1", "long", "x", ""]
        .iter()
        .flat_map(|id| {
            ["call.responded", "call.completed", "call.published", "call.error", "call.other"].map(|kind| {
                json!({ "type": kind, "id": id, "payload": { "output": 1, "input": 1, "code": "X" } })
                    .to_string()
            })
        })
        .collect();
    for way in WAYS {
        let host = Host::new(way).await;
        let connection = host.connect(None).await;
        let mut wire = Wire::open(&connection).await;
        let long = requested("long", "t/sleep", &json!({ "ms": 800 }), &json!({}));
        wire.frames([long.clone(), echo("long"), long.clone()]).await;
        wire.frames(&guesses).await;
        wire.frames([echo("short")]).await;
        assert_eq!(wire.answer().await.unwrap(), ("short".to_owned(), "OK".to_owned()));
        let answer = wire.next().await.unwrap();
        assert_eq!((&answer["id"], &answer["payload"]["output"]), (&json!("long"), &json!({ "slept": 800 })));
        wire.frames([echo("long")]).await;
        assert_eq!(wire.answer().await.unwrap().1, "OK", "free again, and answered once");
        // Whoever goes on with it is cut off.
        wire.frames([requested("long", "t/sleep", &json!({ "ms": 600_000 }), &json!({}))]).await;
        wire.frames((0..16).map(|_| echo("long"))).await;
        assert_eq!(wire.next().await, None, "{way:?}");
    }
}

#[tokio::test]
async fn calls_beyond_the_limit_are_refused_and_may_come_again() {
    for way in WAYS {
        let limits = Limits { in_flight_max: 3, ..Limits::default() };
        let host = Host::with(way, limits, Vec::new()).await;
        let connection = host.connect(None).await;
        let mut wire = Wire::open(&connection).await;
        let sleep = |id: &str| requested(id, "t/sleep", &json!({ "ms": 600_000 }), &json!({}));
        wire.frames([sleep("1"), sleep("2"), sleep("3"), echo("4")]).await;
        let refused = wire.next().await.unwrap();
        assert_eq!((&refused["id"], &refused["payload"]["code"]), (&json!("4"), &json!("INTERNAL")));
        assert_eq!(refused["payload"]["retryable"], true);
        wire.frames([json!({ "type": "call.aborted", "id": "1", "payload": {} }).to_string(), echo("4")])
            .await;
        assert_eq!(wire.answer().await.unwrap(), ("4".to_owned(), "OK".to_owned()));
    }
}

#[tokio::test]
async fn streams_that_their_caller_never_ends_are_reclaimed() {
    const CALLS: usize = 2000;
    for way in [Way::Quic, Way::Iroh] {
        let host = Host::new(way).await;
        let connection = host.connect(None).await;
        // All are held, so that the transport counts them on and on.
        let mut streams = Vec::new();
        for n in 0..CALLS {
            let mut wire = Wire::open(&connection).await;
            wire.frames([echo("c")]).await;
            assert_eq!(wire.answer().await.unwrap().1, "OK", "{way:?} call {n}");
            streams.push(wire);
        }
        let longest = streams[0].next().await;
        assert_eq!(longest, None, "the host has ended the one that was idle for the longest time");
        let mut last = streams.pop().unwrap();
        last.frames([echo("again")]).await;
        assert_eq!(last.answer().await.unwrap().1, "OK", "a stream that was used lately is still there");
    }
}
