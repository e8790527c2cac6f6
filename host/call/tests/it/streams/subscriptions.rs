//! Subscriptions of a peer.

use alknet_call::{
    CallError, CallOptions, Client, ErrorCode, Limits, OperationKind, Registration, stream_handler,
};
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};

use super::{Source, of_kind, small, source_and_echo};
use crate::link::serve;
use crate::support::*;

#[tokio::test]
async fn items_come_in_order_and_end_once() {
    for (a, b) in [pipe(), single_pipe()] {
        let source = Source::default();
        let _server = serve(a, host_of(source_and_echo(&source, 20, 1), Limits::default()));
        let client = Client::new(b, Limits::default());
        let mut items = client.subscribe("t/items", &json!({}), &CallOptions::default()).await.unwrap();
        for n in 0..20 {
            assert_eq!(items.next().await.unwrap().unwrap()["n"], json!(n));
        }
        assert!(items.next().await.is_none());
        assert!(items.next().await.is_none(), "and stays at its end");
        let refused = client.subscribe("t/none", &json!({}), &CallOptions::default()).await.unwrap();
        let refused: Vec<_> = refused.collect().await;
        assert_eq!(refused.len(), 1);
        assert_eq!(*refused[0].as_ref().unwrap_err().code(), ErrorCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn the_first_error_is_the_last_item() {
    let failing = stream_handler(|_, _| {
        let items = [Ok(json!(1)), Err(CallError::internal("it broke")), Ok(json!(2))];
        stream::iter(items)
    });
    let (a, b) = pipe();
    let failing = Registration::local(of_kind("t/fails", OperationKind::Subscription), failing);
    let _server = serve(a, host_of(vec![failing], Limits::default()));
    let mut wire = Wire::new(b.open_bi().await.unwrap());
    wire.request("s", "t/fails", json!({}), json!({})).await;
    wire.request("q", "services/list", json!({}), json!({})).await;
    let events = [wire.read().await, wire.read().await, wire.read().await];
    let of = |id: &str| -> Vec<Value> {
        events.iter().filter(|event| event["id"] == id).map(|event| event["type"].clone()).collect()
    };
    assert_eq!(of("s"), ["call.responded", "call.error"], "nothing follows an error");
    assert_eq!(of("q"), ["call.responded"]);
}

#[tokio::test]
async fn a_call_of_a_subscription_takes_one_item_and_stops_it() {
    for (a, b) in [pipe(), single_pipe()] {
        let source = Source::default();
        let _server = serve(a, host_of(source_and_echo(&source, usize::MAX, 1), Limits::default()));
        let client = Client::new(b, Limits::default());
        assert_eq!(client.call("t/items", &json!({})).await.unwrap()["n"], json!(0));
        source.changed.notified().await;
        assert!(source.is_dropped(), "the second item was answered with an abort");
        assert_eq!(client.call("t/echo", &json!(1)).await.unwrap(), json!(1));
    }
}

#[tokio::test]
async fn a_dropped_subscription_stops_its_source() {
    for (a, b) in [pipe(), single_pipe()] {
        let source = Source::default();
        let _server = serve(a, host_of(source_and_echo(&source, usize::MAX, 1), small()));
        let client = Client::new(b, Limits::default());
        let mut items = client.subscribe("t/items", &json!({}), &CallOptions::default()).await.unwrap();
        items.next().await.unwrap().unwrap();
        drop(items);
        source.changed.notified().await;
        assert!(source.is_dropped());
        assert_eq!(client.call("t/echo", &json!(1)).await.unwrap(), json!(1));
    }
}

#[tokio::test]
async fn on_a_stream_of_its_own_a_slow_taker_slows_its_source() {
    const ITEMS: usize = 1000;
    let source = Source::default();
    let (a, b) = pipe();
    let _server = serve(a, host_of(source_and_echo(&source, ITEMS, 8 << 10), small()));
    let client = Client::new(b, small());
    let items = client.subscribe("t/items", &json!({}), &CallOptions::default()).await.unwrap();
    // Other calls of the connection go on meanwhile.
    for n in 0..300 {
        assert_eq!(client.call("t/echo", &json!(n)).await.unwrap(), json!(n));
    }
    assert!(source.made() < 100, "{} items were made and none was taken", source.made());
    let taken: Vec<_> = items.collect().await;
    let numbers: Vec<_> = taken.into_iter().map(|item| item.unwrap()["n"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (0..1000).collect::<Vec<_>>(), "none was lost");
}

#[tokio::test]
async fn on_a_single_stream_a_slow_taker_loses_its_subscription_alone() {
    let source = Source::default();
    let (a, b) = single_pipe();
    let _server = serve(a, host_of(source_and_echo(&source, usize::MAX, 1), Limits::default()));
    let client = Client::new(b, small());
    let items = client.subscribe("t/items", &json!({}), &CallOptions::default()).await.unwrap();
    source.changed.notified().await;
    assert!(source.is_dropped(), "the overrun aborted it");
    assert_eq!(client.call("t/echo", &json!(1)).await.unwrap(), json!(1), "others are not slowed");
    let taken: Vec<_> = items.collect().await;
    assert_eq!(taken.len(), 5, "what had come in time, and the error");
    let error = taken[4].as_ref().unwrap_err();
    assert_eq!(error.message(), "subscription overrun: its items were not taken in time");
}
