//! Streams that a peer opens for its calls and never ends: they are closed when there are many.

use std::sync::Arc;

use alknet_call::{Limits, NoAudit, Registration, handler_fn};
use serde_json::{Value, json};

use crate::link::serve;
use crate::support::*;

#[tokio::test]
async fn a_stream_for_each_call_that_nobody_ends_is_reclaimed() {
    let (a, b) = pipe();
    let all = vec![Registration::local(spec("t/echo"), echo())];
    let _server =
        serve(a, dispatcher_with(all, Arc::new(NoAudit), Limits { streams_max: 16, ..Limits::default() }));
    let mut kept = Vec::new();
    for n in 0..500 {
        let mut wire = Wire::new(b.open_bi().await.unwrap());
        wire.request("1", "t/echo", json!(n), json!({})).await;
        assert_eq!(wire.read().await["payload"]["output"], json!(n));
        kept.push(wire);
    }
}

/// A peer that waits for a place opens no stream that would tell.
#[tokio::test]
async fn streams_are_closed_when_calls_end_however_they_do() {
    let (a, b) = pipe();
    let never = handler_fn(|_, _| std::future::pending());
    let all = vec![Registration::local(spec("t/echo"), echo()), Registration::local(spec("t/never"), never)];
    let limits = Limits { streams_max: 8, ..Limits::default() };
    let _server = serve(a, dispatcher_with(all, Arc::new(NoAudit), limits));
    let mut wires: Vec<Wire> = Vec::new();
    for _ in 0..8 {
        wires.push(Wire::new(b.open_bi().await.unwrap()));
    }
    for (n, wire) in wires.iter_mut().enumerate() {
        wire.request(&n.to_string(), "t/never", json!({}), json!({})).await;
    }
    let abort = |n: usize| json!({ "type": "call.aborted", "id": n.to_string(), "payload": {} });
    for (n, wire) in wires.iter_mut().enumerate().take(3) {
        wire.write(&abort(n)).await;
        assert_eq!(wire.read_or_end().await, None::<Value>, "stream {n}");
    }
    // Five are few enough.
    let few = &mut wires[3];
    few.write(&abort(3)).await;
    few.request("again", "t/echo", json!(1), json!({})).await;
    assert_eq!(few.read().await["payload"]["output"], json!(1));
}
