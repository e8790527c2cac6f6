//! Publications of a peer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use alknet_call::{CallError, CallOptions, Client, ErrorCode, Limits, Registration};
use futures_util::AsyncWriteExt as _;
use serde_json::json;
use tokio::sync::Notify;

use super::{counting, small};
use crate::link::serve;
use crate::support::*;

#[tokio::test]
async fn publications_end_in_each_of_their_ways() {
    for (a, b) in [pipe(), single_pipe()] {
        let all = vec![counting(None), Registration::local(spec("t/echo"), echo())];
        let _server = serve(a, host_of(all, Limits::default()));
        let client = Client::new(b, Limits::default());
        let open = || async { client.publish("t/count", &json!({}), &CallOptions::default()).await.unwrap() };
        let mut whole = open().await;
        for _ in 0..100 {
            assert!(whole.send(&json!("chunk")).await.unwrap());
        }
        assert_eq!(whole.finish().await.unwrap(), json!({ "count": 100 }));
        assert_eq!(open().await.finish().await.unwrap(), json!({ "count": 0 }));

        let mut early = open().await;
        early.send(&json!("chunk")).await.unwrap();
        early.send(&json!("enough")).await.unwrap();
        while early.send(&json!("more")).await.unwrap() {
            tokio::task::yield_now().await;
        }
        assert_eq!(early.finish().await.unwrap(), json!({ "early": 1 }));

        let mut bad = open().await;
        bad.send(&json!("chunk")).await.unwrap();
        bad.send(&json!({ "secret": "CANARY-CHUNK" })).await.unwrap();
        let error = bad.finish().await.unwrap_err();
        let details = error.details().unwrap();
        assert_eq!((error.code(), &details["chunk"]), (&ErrorCode::INVALID_INPUT, &json!(1)));
        assert!(!format!("{error} {details}").contains("CANARY"));

        let mut failed = open().await;
        failed.send(&json!("chunk")).await.unwrap();
        let ours = CallError::internal("the file ended early");
        assert_eq!(failed.fail(ours).await.unwrap_err().message(), "the file ended early");

        drop(open().await);
        assert_eq!(client.call("t/echo", &json!(1)).await.unwrap(), json!(1));
    }
}

#[tokio::test]
async fn on_a_stream_of_its_own_a_slow_handler_slows_its_publisher() {
    let release = Arc::new(Notify::new());
    let (a, b) = pipe();
    let all = vec![counting(Some(Arc::clone(&release))), Registration::local(spec("t/echo"), echo())];
    let _server = serve(a, host_of(all, small()));
    let client = Client::new(b, small());
    let sent = AtomicUsize::new(0);
    let publisher = async {
        let mut publication = client.publish("t/count", &json!({}), &CallOptions::default()).await.unwrap();
        for _ in 0..1000 {
            assert!(publication.send(&json!("x".repeat(8 << 10))).await.unwrap());
            sent.fetch_add(1, Ordering::SeqCst);
        }
        publication.finish().await.unwrap()
    };
    let others = async {
        for n in 0..300 {
            assert_eq!(client.call("t/echo", &json!(n)).await.unwrap(), json!(n));
        }
        let sent = sent.load(Ordering::SeqCst);
        assert!(sent < 100, "{sent} chunks were sent and none was taken");
        release.notify_one();
    };
    let (answer, ()) = tokio::join!(publisher, others);
    assert_eq!(answer, json!({ "count": 1000 }));
}

#[tokio::test]
async fn on_a_single_stream_a_slow_handler_loses_its_publication_alone() {
    let (a, b) = single_pipe();
    let never = Arc::new(Notify::new());
    let all = vec![counting(Some(never)), Registration::local(spec("t/echo"), echo())];
    let _server = serve(a, host_of(all, Limits { feed_bytes_max: 64 << 10, ..Limits::default() }));
    let client = Client::new(b, Limits::default());
    let mut publication = client.publish("t/count", &json!({}), &CallOptions::default()).await.unwrap();
    let mut sent = 0;
    while publication.send(&json!("x".repeat(8 << 10))).await.unwrap() {
        sent += 1;
        assert!(sent < 10_000, "nothing bounds what waits");
        tokio::task::yield_now().await;
    }
    let error = publication.finish().await.unwrap_err();
    assert_eq!(error.message(), "publication overrun: its chunks were not taken in time");
    assert!(error.is_retryable());
    assert_eq!(client.call("t/echo", &json!(1)).await.unwrap(), json!(1));
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_takes_no_chunks_is_not_waited_for_forever() {
    let (a, b) = pipe();
    let never = Arc::new(Notify::new());
    let _server = serve(a, host_of(vec![counting(Some(never))], small()));
    let client = Client::new(b, Limits::default());
    let mut publication = client.publish("t/count", &json!({}), &CallOptions::default()).await.unwrap();
    while publication.send(&json!("x".repeat(8 << 10))).await.unwrap() {}
    assert_eq!(*publication.finish().await.unwrap_err().code(), ErrorCode::TIMEOUT);
}

#[tokio::test]
async fn a_publisher_that_finishes_its_stream_early_gets_an_error() {
    let (a, b) = pipe();
    let _server = serve(a, host_of(vec![counting(None)], Limits::default()));
    let chunk = json!({ "type": "call.published", "id": "p", "payload": { "input": "chunk" } });
    for (chunks, yields) in [(0, 0), (2, 0), (0, 100), (2, 100)] {
        let mut wire = Wire::new(b.open_bi().await.unwrap());
        wire.request("p", "t/count", json!({}), json!({})).await;
        wire.write_together(&vec![chunk.clone(); chunks]).await;
        for _ in 0..yields {
            tokio::task::yield_now().await;
        }
        wire.send.close().await.unwrap();
        let answer = wire.read().await;
        let message = "the stream ended before the publication was completed";
        let expected = json!({ "code": "INTERNAL", "message": message, "retryable": false });
        assert_eq!((&answer["type"], &answer["payload"]), (&json!("call.error"), &expected));
        assert_eq!(wire.read_or_end().await, None);
    }
}
