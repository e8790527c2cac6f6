//! Subscriptions and publications: backpressure, overruns, ends and aborts; and what else a connection is bounded by.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use alknet_call::{
    CallError, CallOptions, Client, Composition, Dispatcher, ErrorCode, Handler, Limits, OperationKind,
    OperationSpec, PeerRef, Reach, Registration, Schema, SessionContext, SessionLayer, handler_fn,
    sink_handler, stream_handler,
};
use alknet_core::{BidiSource, Connection, RecvStream, SendStream, StreamError, WatchedWrite};
use async_trait::async_trait;
use futures_util::{AsyncWrite, Stream, StreamExt as _, stream};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::link::{DropFlag, serve};
use crate::support::*;

fn of_kind(op: &str, kind: OperationKind) -> OperationSpec {
    OperationSpec::new(name(op), kind)
}

/// What a source of items tells about itself.
#[derive(Default, Clone)]
struct Source {
    made: Arc<AtomicUsize>,
    dropped: Arc<AtomicBool>,
    changed: Arc<Notify>,
}

impl Source {
    fn made(&self) -> usize {
        self.made.load(Ordering::SeqCst)
    }

    fn is_dropped(&self) -> bool {
        self.dropped.load(Ordering::SeqCst)
    }

    /// Items of `bytes` bytes, `count` of them, ready whenever they are asked for.
    fn items(
        &self,
        count: usize,
        bytes: usize,
    ) -> impl Stream<Item = Result<Value, CallError>> + Send + use<> {
        let guard = DropFlag(Arc::clone(&self.dropped), Arc::clone(&self.changed));
        let made = Arc::clone(&self.made);
        stream::iter(0..count).map(move |n| {
            let _guard = &guard;
            made.fetch_add(1, Ordering::SeqCst);
            Ok(json!({ "n": n, "text": "x".repeat(bytes) }))
        })
    }

    fn handler(&self, count: usize, bytes: usize) -> impl Handler {
        let source = self.clone();
        stream_handler(move |_, _| source.items(count, bytes))
    }
}

fn source_and_echo(source: &Source, count: usize, bytes: usize) -> Vec<Registration> {
    let items = of_kind("t/items", OperationKind::Subscription);
    vec![
        Registration::local(spec("t/echo"), echo()),
        Registration::local(items, source.handler(count, bytes)),
    ]
}

fn small() -> Limits {
    Limits { subscription_queue_max: 4, write_queue_max: 4, feed_queue_max: 4, ..Limits::default() }
}

fn host(registrations: Vec<Registration>, limits: Limits) -> Dispatcher {
    dispatcher_with(registrations, Arc::new(MemoryAudit::default()), limits)
}

#[tokio::test]
async fn items_come_in_order_and_end_once() {
    for (a, b) in [pipe(), single_pipe()] {
        let source = Source::default();
        let _server = serve(a, host(source_and_echo(&source, 20, 1), Limits::default()));
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
    let _server = serve(a, host(vec![failing], Limits::default()));
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
        let _server = serve(a, host(source_and_echo(&source, usize::MAX, 1), Limits::default()));
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
        let _server = serve(a, host(source_and_echo(&source, usize::MAX, 1), small()));
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
    let _server = serve(a, host(source_and_echo(&source, ITEMS, 8 << 10), small()));
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
    let _server = serve(a, host(source_and_echo(&source, usize::MAX, 1), Limits::default()));
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

/// Counts its chunks; waits for each, and before them for the notification, where it has one.
fn counting(wait: Option<Arc<Notify>>) -> Registration {
    let count = sink_handler(move |_, mut feed, _| {
        let wait = wait.clone();
        async move {
            if let Some(wait) = wait {
                wait.notified().await;
            }
            let mut count = 0;
            while let Some(chunk) = feed.next().await {
                if chunk? == json!("enough") {
                    return Ok(json!({ "early": count }));
                }
                count += 1;
            }
            Ok(json!({ "count": count }))
        }
    });
    let publish = Schema::compile(json!({ "type": "string" }), 1 << 10).unwrap();
    Registration::local(of_kind("t/count", OperationKind::Publication).publish(publish), count)
}

#[tokio::test]
async fn publications_end_in_each_of_their_ways() {
    for (a, b) in [pipe(), single_pipe()] {
        let all = vec![counting(None), Registration::local(spec("t/echo"), echo())];
        let _server = serve(a, host(all, Limits::default()));
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
    let _server = serve(a, host(all, small()));
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
    let _server = serve(a, host(all, Limits { feed_bytes_max: 64 << 10, ..Limits::default() }));
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
    let _server = serve(a, host(vec![counting(Some(never))], small()));
    let client = Client::new(b, Limits::default());
    let mut publication = client.publish("t/count", &json!({}), &CallOptions::default()).await.unwrap();
    while publication.send(&json!("x".repeat(8 << 10))).await.unwrap() {}
    assert_eq!(*publication.finish().await.unwrap_err().code(), ErrorCode::TIMEOUT);
}

#[tokio::test]
async fn the_bytes_of_requests_in_flight_are_bounded() {
    let (begun, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (tell, wait) = (Arc::clone(&begun), Arc::clone(&release));
    let hold = handler_fn(move |_, _| {
        let (tell, wait) = (Arc::clone(&tell), Arc::clone(&wait));
        async move {
            tell.notify_one();
            wait.notified().await;
            Ok(Value::Null)
        }
    });
    let all = vec![Registration::local(spec("t/hold"), hold), Registration::local(spec("t/echo"), echo())];
    let (a, b) = pipe();
    let _server = serve(a, host(all, Limits { in_flight_bytes_max: 1000, ..Limits::default() }));
    let client = Client::new(b, Limits::default());
    let large = json!("x".repeat(5000));
    let held = client.call("t/hold", &large);
    let others = async {
        begun.notified().await;
        let error = client.call("t/echo", &json!(1)).await.unwrap_err();
        assert_eq!(error.message(), "more than 1000 bytes of requests in flight on one connection");
        assert!(error.is_retryable());
        release.notify_one();
    };
    let (held, ()) = tokio::join!(held, others);
    held.expect("one request always may run, however large");
    assert_eq!(client.call("t/echo", &json!(1)).await.unwrap(), json!(1));
}

#[tokio::test]
async fn an_answer_may_come_on_any_stream() {
    let (a, b) = pipe();
    let client = Client::new(b, Limits::default());
    let peer = async {
        let mut asked = Wire::new(a.accept_bi().await.unwrap());
        let mut other = Wire::new(a.open_bi().await.unwrap());
        for id in ["c1", "c2"] {
            assert_eq!(asked.read().await["id"], id, "the side that dialed counts with this letter");
            // What nobody asked for, or the other side did, is ignored on every stream.
            for stray in ["c9", "s1", "1", ""] {
                let answer =
                    json!({ "type": "call.responded", "id": stray, "payload": { "output": "stray" } });
                other.write(&answer).await;
            }
            let answer = json!({ "type": "call.responded", "id": id, "payload": { "output": id } });
            other.write(&answer).await;
        }
        (asked, other)
    };
    let calls = async {
        for id in ["c1", "c2"] {
            assert_eq!(client.call("t/echo", &json!({})).await.unwrap(), json!(id));
        }
    };
    let (_streams, ()) = tokio::join!(peer, calls);
}

/// A host whose `p/enter` enters a session, takes two items of its one subscription and tells how many were made.
fn entering(source: &Source, audit: &Arc<MemoryAudit>, output: Value) -> Dispatcher {
    let (source, output) = (source.clone(), Schema::compile(output, 1 << 10).unwrap());
    let enter = handler_fn(move |_, scope| {
        let (source, output) = (source.clone(), output.clone());
        async move {
            let authority = scope.composition().authority().unwrap();
            let reach = Reach::default().with_session_operations();
            let own = scope.composition().attenuate(authority.label().clone(), authority.grants(), &reach);
            let spec = of_kind("session/items", OperationKind::Subscription).output(output);
            let items = source.handler(10, 1);
            let items = Registration::session(spec, items, own.clone(), "00".into()).unwrap();
            let layer = SessionLayer::default().with(Arc::new(items), scope.curated()).unwrap();
            let (layer, composition) = (Arc::new(layer), own.into_composition());
            let session = SessionContext { id: "s".into(), layer, composition };
            let mut items = pin!(scope.subscribe_in_session(&session, &name("session/items"), json!({})));
            let before = source.made();
            let first = items.next().await.unwrap()?;
            let between = source.made();
            tokio::task::yield_now().await;
            let second = items.next().await.unwrap()?;
            Ok(json!({ "made": [before, between, source.made()], "items": [first["n"], second["n"]] }))
        }
    });
    let authority = composition(&[], &[]).authority().unwrap().clone();
    let composition = Composition::new(authority, Reach::default().with_session_operations());
    let enter = Registration::composing(spec("p/enter"), enter, composition);
    dispatcher_with(vec![enter], Arc::<MemoryAudit>::clone(audit), Limits::default())
}

#[tokio::test]
async fn a_subscription_in_a_session_makes_an_item_when_it_is_asked_for_one() {
    let (source, audit) = (Source::default(), Arc::new(MemoryAudit::default()));
    let host = entering(&source, &audit, json!({}));
    let answer = host.call(None, "p/enter", json!({})).await.unwrap();
    assert_eq!(answer, json!({ "made": [0, 1, 2], "items": [0, 1] }));
    assert!(source.is_dropped(), "dropping the stream stops it");
    assert!(audit.lines().contains(&"session/items finished CANCELLED".to_owned()), "{:?}", audit.lines());
}

#[tokio::test]
async fn items_of_a_session_are_held_to_their_schema() {
    let (source, audit) = (Source::default(), Arc::new(MemoryAudit::default()));
    let host = entering(&source, &audit, json!({ "properties": { "n": { "maximum": 0 } } }));
    let error = host.call(None, "p/enter", json!({})).await.unwrap_err();
    assert_eq!(error.message(), "output failed output_schema validation");
    assert_eq!(source.made(), 2, "nothing is made after the first that does not fit");
    assert!(audit.lines().contains(&"session/items finished INTERNAL".to_owned()), "{:?}", audit.lines());
}

/// Tells what came of composing a subscription, or a publication, that its input names.
fn composers() -> [Registration; 2] {
    let shown = |item: Result<Value, CallError>| match item {
        Ok(item) => item["n"].clone(),
        Err(error) => json!(error.code().as_str()),
    };
    let takes = handler_fn(move |input: Value, scope| async move {
        let op = input["op"].as_str().unwrap_or_default().to_owned();
        let items: Vec<_> = scope.subscribe(PeerRef::Any, &op, json!({})).map(shown).collect().await;
        Ok(json!(items))
    });
    let feeds = handler_fn(|input: Value, scope| async move {
        let op = input["op"].as_str().unwrap_or_default().to_owned();
        let breaks = input["breaks"].as_u64().unwrap_or(u64::MAX);
        let chunks = stream::iter((0..200).map(move |n| match n {
            n if n == breaks => Err(CallError::internal("it broke")),
            _ => Ok(json!("chunk")),
        }));
        scope.publish(PeerRef::Any, &op, json!({}), chunks).await
    });
    let reach = ["t/items", "t/count", "t/closed", "t/echo"];
    [
        Registration::composing(spec("p/takes"), takes, composition(&[], &reach)),
        Registration::composing(spec("p/feeds"), feeds, composition(&[], &reach)),
    ]
}

#[tokio::test]
async fn composed_subscriptions_and_publications_pass_the_same_gate() {
    let source = Source::default();
    let mut all = source_and_echo(&source, 3, 1);
    let closed = requiring("t/closed", "admin");
    let closed = of_kind("t/closed", OperationKind::Subscription).access(closed.access_control().clone());
    all.push(Registration::local(closed, source.handler(3, 1)));
    all.push(counting(None));
    all.extend(composers());
    let host = host(all, small());
    let table = [
        ("p/takes", "t/items", json!([0, 1, 2])),
        ("p/takes", "t/closed", json!(["FORBIDDEN"])),
        ("p/takes", "t/none", json!(["NOT_FOUND"])),
        ("p/takes", "t/echo", json!(["INVALID_OPERATION_TYPE"])),
        ("p/takes", "t/count", json!(["INVALID_OPERATION_TYPE"])),
        ("p/feeds", "t/count", json!({ "count": 200 })),
        ("p/feeds", "t/closed", json!("FORBIDDEN")),
        ("p/feeds", "t/none", json!("NOT_FOUND")),
        ("p/feeds", "t/items", json!("INVALID_OPERATION_TYPE")),
    ];
    for (composer, op, expected) in table {
        let called = host.call(Some(identity("root", &["admin"])), composer, json!({ "op": op })).await;
        let answer = called.unwrap_or_else(|error| json!(error.code().as_str()));
        assert_eq!(answer, expected, "{composer} {op}");
    }
    let broken = host.call(None, "p/feeds", json!({ "op": "t/count", "breaks": 100 })).await.unwrap_err();
    assert_eq!(broken.message(), "it broke");
}

/// A writing half that tells when its reader has stopped.
struct Stoppable<W> {
    inner: W,
    stopped: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl<W: AsyncWrite + Unpin> AsyncWrite for Stoppable<W> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }
    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_close(cx)
    }
}

impl<W: AsyncWrite + Unpin> WatchedWrite for Stoppable<W> {
    fn poll_stopped(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.stopped.as_mut().poll(cx)
    }
}

/// A connection whose one stream was opened by the peer, and which lives on without it.
struct OneStream(tokio::sync::Mutex<Option<(SendStream, RecvStream)>>);

#[async_trait]
impl BidiSource for OneStream {
    async fn accept_bi(&self) -> Result<(SendStream, RecvStream), StreamError> {
        match self.0.lock().await.take() {
            Some(stream) => Ok(stream),
            None => std::future::pending().await,
        }
    }
    async fn open_bi(&self) -> Result<(SendStream, RecvStream), StreamError> {
        Err(StreamError::ConnectionClosed)
    }
    fn remote_addr(&self) -> Option<std::net::SocketAddr> {
        None
    }
    fn close(&self, _: u32, _: &str) {}
}

#[tokio::test]
async fn a_peer_that_stops_reading_cancels_its_calls() {
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let (inner, recv) = halves(ours);
    let stop = CancellationToken::new();
    let stopped = Box::pin(stop.clone().cancelled_owned());
    let stream = (SendStream::watched(Stoppable { inner, stopped }), recv);
    let connection = Connection::new(OneStream(Some(stream).into()), b"alknet/call".to_vec());
    let (dropped, changed) = (Arc::new(AtomicBool::new(false)), Arc::new(Notify::new()));
    let (flag, tell) = (Arc::clone(&dropped), Arc::clone(&changed));
    let forever = handler_fn(move |_, _| {
        let guard = DropFlag(Arc::clone(&flag), Arc::clone(&tell));
        tell.notify_one();
        async move {
            let _guard = guard;
            std::future::pending().await
        }
    });
    let forever = Registration::local(spec("t/forever"), forever);
    let limits = Limits { call_timeout: Duration::from_secs(3600), ..Limits::default() };
    let _server = serve(connection, host(vec![forever], limits));
    let mut wire = Wire::new(halves(theirs));
    wire.request("1", "t/forever", json!({}), json!({})).await;
    changed.notified().await;
    assert!(!dropped.load(Ordering::SeqCst));
    stop.cancel();
    changed.notified().await;
    assert!(dropped.load(Ordering::SeqCst), "nobody would read its answer");
}
