//! What a connection holds for its peer, and for how long.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use alknet_call::{Client, Limits, Registration, handler_fn};
use alknet_core::{BidiSource, Connection, RecvStream, SendStream, StreamError, WatchedWrite};
use async_trait::async_trait;
use futures_util::{AsyncReadExt as _, AsyncWrite};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::link::{DropFlag, serve};
use crate::support::*;

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
    let _server = serve(a, host_of(all, Limits { in_flight_bytes_max: 1000, ..Limits::default() }));
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
async fn the_bytes_of_answers_that_nobody_reads_are_bounded() {
    const CALLS: usize = 20;
    let (a, b) = pipe();
    let limits = Limits { unread_bytes_max: 100_000, ..Limits::default() };
    let _server = serve(a, host_of(vec![Registration::local(spec("t/echo"), echo())], limits));
    let mut wire = Wire::new(b.open_bi().await.unwrap());
    let large = json!("x".repeat(40_000));
    for id in 0..CALLS {
        wire.request(&id.to_string(), "t/echo", large.clone(), json!({})).await;
    }
    let mut ids = std::collections::BTreeSet::new();
    let mut whole = 0;
    for _ in 0..CALLS {
        let answer = wire.read().await;
        assert!(ids.insert(answer["id"].to_string()), "{} is answered twice", answer["id"]);
        if answer["type"] == "call.responded" {
            whole += 1;
            continue;
        }
        let message = "too many answers wait for this peer to read them";
        assert_eq!(answer["payload"], json!({ "code": "INTERNAL", "message": message, "retryable": true }));
    }
    assert!((2..CALLS / 2).contains(&whole), "{whole} answers waited");
    wire.request("after", "t/echo", large, json!({})).await;
    assert_eq!(wire.read().await["type"], "call.responded", "room comes back");
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_not_read_in_time_ends_for_both_sides() {
    let (a, b) = pipe();
    let limits = Limits { write_timeout: Duration::from_secs(5), ..Limits::default() };
    let _server = serve(a, host_of(vec![Registration::local(spec("t/echo"), echo())], limits));
    let mut wire = Wire::new(b.open_bi().await.unwrap());
    let large = json!("x".repeat(900_000));
    for id in ["1", "2"] {
        wire.request(id, "t/echo", large.clone(), json!({})).await;
    }
    tokio::time::sleep(Duration::from_secs(6)).await;
    let mut got = Vec::new();
    wire.recv.read_to_end(&mut got).await.ok();
    assert!(got.len() < 900_000, "{} bytes came, and then the end", got.len());
    let mut other = Wire::new(b.open_bi().await.unwrap());
    other.request("3", "t/echo", json!(3), json!({})).await;
    assert_eq!(other.read().await["payload"]["output"], 3, "the connection lives on");
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

/// A connection whose one stream was opened by the peer, or is opened by this side; it lives on without it.
struct OneStream {
    is_ours: bool,
    stream: tokio::sync::Mutex<Option<(SendStream, RecvStream)>>,
}

impl OneStream {
    fn connection(is_ours: bool, stream: (SendStream, RecvStream)) -> Connection {
        Connection::new(Self { is_ours, stream: Some(stream).into() }, b"alknet/call".to_vec())
    }
}

#[async_trait]
impl BidiSource for OneStream {
    async fn accept_bi(&self) -> Result<(SendStream, RecvStream), StreamError> {
        match self.stream.lock().await.take_if(|_| !self.is_ours) {
            Some(stream) => Ok(stream),
            None => std::future::pending().await,
        }
    }
    async fn open_bi(&self) -> Result<(SendStream, RecvStream), StreamError> {
        self.stream.lock().await.take_if(|_| self.is_ours).ok_or(StreamError::ConnectionClosed)
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
    let connection = OneStream::connection(false, stream);
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
    let _server = serve(connection, host_of(vec![forever], limits));
    let mut wire = Wire::new(halves(theirs));
    wire.request("1", "t/forever", json!({}), json!({})).await;
    changed.notified().await;
    assert!(!dropped.load(Ordering::SeqCst));
    stop.cancel();
    changed.notified().await;
    assert!(dropped.load(Ordering::SeqCst), "nobody would read its answer");
}

#[tokio::test]
async fn a_peer_that_reads_no_more_requests_may_still_answer() {
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let (inner, recv) = halves(ours);
    let stop = CancellationToken::new();
    let stopped = Box::pin(stop.clone().cancelled_owned());
    let stream = (SendStream::watched(Stoppable { inner, stopped }), recv);
    let client = Client::new(OneStream::connection(true, stream), Limits::default());
    let mut peer = Wire::new(halves(theirs));
    let answering = async {
        let id = peer.read().await["id"].clone();
        stop.cancel();
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        let answer = json!({ "type": "call.responded", "id": id, "payload": { "output": "late" } });
        peer.write(&answer).await;
    };
    let nothing = json!({});
    let (answer, ()) = tokio::join!(client.call("t/any", &nothing), answering);
    assert_eq!(answer.unwrap(), json!("late"));
}
