//! Subscriptions and publications, by frame and by client.

use alknet_call::{CallError, CallOptions, Client, ErrorCode, Limits};
use futures_util::StreamExt as _;
use serde_json::{Value, json};

use super::ways::{Host, WAYS, Way, call, came_to};
use crate::support::{Wire, requested, soon, until};

const NOTHING: Value = Value::Null;

fn request(id: &str, operation: &str, input: &Value) -> String {
    requested(id, operation, input, &json!({}))
}

fn event(kind: &str, id: &str, payload: &Value) -> String {
    json!({ "type": format!("call.{kind}"), "id": id, "payload": payload }).to_string()
}

/// The events of one call, shortly, up to the answer to the call `end`, which was asked for behind it.
async fn events_until(wire: &mut Wire, end: &str) -> Vec<String> {
    let mut events = Vec::new();
    loop {
        let event = wire.next().await.expect("the stream goes on");
        if event["id"] == end {
            return events;
        }
        let payload = &event["payload"];
        let what = [&payload["output"], &payload["code"]].into_iter().find(|said| !said.is_null());
        let kind = event["type"].as_str().unwrap().trim_start_matches("call.");
        events.push(format!("{kind} {}", what.unwrap_or(&NOTHING)));
    }
}

/// Waits until the host has nothing else to say about earlier calls: the call `id` is asked for, then answered.
async fn settled(wire: &mut Wire, id: &str) -> Vec<String> {
    wire.frames([request(id, "t/sleep", &json!({ "ms": 50 }))]).await;
    events_until(wire, id).await
}

#[tokio::test]
async fn a_subscription_ends_once() {
    let table = [
        ("t/sub", json!({ "n": 0 }), vec!["completed null"]),
        ("t/sub", json!({ "n": 2 }), vec![r#"responded {"i":0}"#, r#"responded {"i":1}"#, "completed null"]),
        (
            "t/sub",
            json!({ "n": 2, "ms": 5 }),
            vec![r#"responded {"i":0}"#, r#"responded {"i":1}"#, "completed null"],
        ),
        ("t/suberr", json!({}), vec![r#"responded {"i":0}"#, r#"error "DOMAIN_X""#]),
        ("t/sub", json!({ "n": -1 }), vec![r#"error "INVALID_INPUT""#]),
        ("t/absent", json!({}), vec![r#"error "NOT_FOUND""#]),
    ];
    for way in WAYS {
        let host = Host::new(way).await;
        let connection = host.connect(None).await;
        let mut wire = Wire::open(&connection).await;
        for (number, (operation, input, expected)) in table.iter().enumerate() {
            wire.frames([request("s", operation, input)]).await;
            let events = settled(&mut wire, &format!("after{number}")).await;
            assert_eq!(&events, expected, "{way:?} {operation} {input}");
        }
    }
}

async fn items(client: &Client, operation: &str, input: &Value) -> Vec<String> {
    let items = client.subscribe(operation, input, &CallOptions::default()).await.unwrap();
    soon("the end of a subscription", items.map(came_to).collect()).await
}

#[tokio::test]
async fn clients_take_items_in_order() {
    for way in WAYS {
        let host = Host::new(way).await;
        let client = host.client().await;
        let many = items(&client, "t/sub", &json!({ "n": 30 })).await;
        assert!(many.iter().enumerate().all(|(i, item)| *item == format!(r#"OK {{"i":{i}}}"#)), "{many:?}");
        assert_eq!(many.len(), 30);
        assert_eq!(items(&client, "t/suberr", &json!({})).await, [r#"OK {"i":0}"#, "DOMAIN_X"]);
    }
}

#[tokio::test]
async fn a_slow_taker_stalls_itself_alone() {
    for way in [Way::Quic, Way::Iroh, Way::Pipe] {
        let host = Host::new(way).await;
        let client = host.client().await;
        const MANY: u64 = 100_000;
        let input = json!({ "n": MANY, "ms": 0 });
        let mut slow = client.subscribe("t/sub", &input, &CallOptions::default()).await.unwrap();
        let connection = host.connect(None).await;
        let mut never_read = Wire::open(&connection).await;
        never_read.frames([request("s", "t/sub", &json!({ "n": 1_000_000_000 }))]).await;
        let mut beside = Wire::open(&connection).await;
        for n in 0..50 {
            assert_eq!(slow.next().await.unwrap().unwrap(), json!({ "i": n }));
            assert_eq!(call(&client, "t/echo", &json!(n)).await, format!("OK {n}"));
            beside.frames([request("e", "t/echo", &json!(n))]).await;
            assert_eq!(beside.next().await.unwrap()["payload"]["output"], json!(n));
        }
        // Nothing was lost meanwhile.
        for n in 50..2000 {
            assert_eq!(soon("an item", slow.next()).await.unwrap().unwrap(), json!({ "i": n }));
        }
    }
}

#[tokio::test]
async fn on_one_stream_a_slow_taker_is_cut_with_an_error() {
    let limits = Limits { in_flight_max: 1, ..Limits::default() };
    let host = Host::with(Way::Unix, limits, Vec::new()).await;
    let client = host.client().await;
    let endless = json!({ "n": 1_000_000_000 });
    let slow = client.subscribe("t/sub", &endless, &CallOptions::default()).await.unwrap();
    // Nobody takes its items: this side gives it up, and the host is told.
    until("the host has stopped it", async || call(&client, "t/echo", &json!(1)).await == "OK 1").await;
    let items: Vec<String> = soon("its end", slow.map(came_to).collect()).await;
    assert_eq!(items.last().unwrap(), "INTERNAL", "it does not look like a good end: {}", items.len());
    assert!(items.len() < 100, "what waits is bounded: {}", items.len());
    assert_eq!(call(&client, "t/echo", &json!(1)).await, "OK 1");
}

#[tokio::test]
async fn after_an_abort_no_frame_follows() {
    for way in WAYS {
        let host = Host::new(way).await;
        let connection = host.connect(None).await;
        let mut wire = Wire::open(&connection).await;
        wire.frames([request("s", "t/sub", &json!({ "n": 1_000_000_000 }))]).await;
        for _ in 0..5 {
            assert_eq!(wire.next().await.unwrap()["id"], "s");
        }
        wire.frames([event("aborted", "s", &json!({})), request("first", "t/echo", &json!(1))]).await;
        let before = events_until(&mut wire, "first").await;
        assert!(before.iter().all(|event| event.starts_with("responded")), "written before it was aborted");
        assert_eq!(settled(&mut wire, "second").await, Vec::<String>::new(), "{way:?}");
        // Aborted calls of other kinds, finished ones and unknown ones are silent too.
        wire.frames([
            request("c", "t/sleep", &json!({ "ms": 600_000 })),
            request("p", "t/pub", &json!({})),
            event("published", "p", &json!({ "input": 1 })),
            event("aborted", "c", &json!({})),
            event("aborted", "p", &json!({})),
            event("completed", "p", &json!({})),
            event("aborted", "first", &json!({})),
            event("aborted", "unknown", &json!({})),
        ])
        .await;
        assert_eq!(settled(&mut wire, "third").await, Vec::<String>::new(), "{way:?}");
        // Its id is free again.
        wire.frames([request("s", "t/echo", &json!(2))]).await;
        assert_eq!(settled(&mut wire, "fourth").await, ["responded 2"]);
    }
}

#[tokio::test]
async fn a_subscription_that_is_dropped_stops_at_the_host() {
    for way in WAYS {
        let limits = Limits { in_flight_max: 1, ..Limits::default() };
        let host = Host::with(way, limits, Vec::new()).await;
        let client = host.client().await;
        let input = json!({ "n": 1_000_000_000, "ms": 20 });
        let mut items = client.subscribe("t/sub", &input, &CallOptions::default()).await.unwrap();
        assert_eq!(soon("an item", items.next()).await.unwrap().unwrap(), json!({ "i": 0 }));
        assert_eq!(call(&client, "t/echo", &json!(1)).await, "INTERNAL", "one call at once");
        drop(items);
        until("the host has stopped it", async || call(&client, "t/echo", &json!(1)).await == "OK 1").await;
    }
}

#[tokio::test]
async fn a_publication_is_answered_once() {
    let chunk = |n: Value| event("published", "p", &json!({ "input": n }));
    let done = event("completed", "p", &json!({}));
    let failed = |code: &str| {
        event("error", "p", &json!({ "code": code, "message": "the publisher failed", "retryable": false }))
    };
    let table = [
        ("none", vec![done.clone()], vec!["responded []"]),
        ("some", vec![chunk(json!(1)), chunk(json!(2)), done.clone()], vec!["responded [1,2]"]),
        (
            "a chunk that does not fit ends it at once; what follows is ignored",
            vec![chunk(json!(1)), chunk(json!("CANARY")), chunk(json!(3)), done.clone(), done.clone()],
            vec![r#"error "INVALID_INPUT""#],
        ),
        ("its publisher fails", vec![chunk(json!(1)), failed("TIMEOUT")], vec![r#"error "TIMEOUT""#]),
        ("its publisher fails otherwise", vec![failed("MY_OWN")], vec![r#"error "INTERNAL""#]),
        (
            "chunks of something else",
            vec![event("published", "q", &json!({ "input": 1 })), done],
            vec!["responded []"],
        ),
    ];
    for way in WAYS {
        let host = Host::new(way).await;
        let connection = host.connect(None).await;
        let mut wire = Wire::open(&connection).await;
        for (number, (what, events, expected)) in table.iter().enumerate() {
            wire.frames(std::iter::once(request("p", "t/pub", &json!({}))).chain(events.iter().cloned()))
                .await;
            let answers = settled(&mut wire, &format!("after{number}")).await;
            assert_eq!(&answers, expected, "{way:?} {what}");
        }
    }
}

#[tokio::test]
async fn clients_publish() {
    for way in WAYS {
        let host = Host::new(way).await;
        let client = host.client().await;
        let begin = async || client.publish("t/pub", &json!({}), &CallOptions::default()).await.unwrap();
        let mut publication = begin().await;
        let chunks: Vec<u64> = (0..500).collect();
        for chunk in &chunks {
            assert!(soon("a place", publication.send(&json!(chunk))).await.unwrap());
        }
        assert_eq!(soon("the answer", publication.finish()).await.unwrap(), json!(chunks));

        let mut publication = begin().await;
        let mut sent = 0;
        while soon("a place", publication.send(&json!("CANARY"))).await.unwrap() {
            sent += 1;
            assert!(sent < 1_000_000, "an early answer is noticed");
        }
        let early = soon("the answer", publication.finish()).await.unwrap_err();
        assert_eq!(*early.code(), ErrorCode::INVALID_INPUT);
        assert_eq!(early.details().unwrap()["chunk"], 0);
        assert!(!format!("{early:?}").contains("CANARY"));

        let publication = begin().await;
        let failed = publication.fail(CallError::not_found("the source is gone"));
        assert_eq!(*soon("the answer", failed).await.unwrap_err().code(), ErrorCode::NOT_FOUND);
        drop(begin().await);
        assert_eq!(call(&client, "t/echo", &json!(1)).await, "OK 1");
    }
}
