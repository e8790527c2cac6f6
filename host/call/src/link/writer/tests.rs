use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use alknet_core::SendStream;
use futures_util::{AsyncWrite, FutureExt as _};
use tokio_util::sync::CancellationToken;

use super::{BATCH_BYTES, Backlog, Bounds, FrameSender, Writer, pair};
use crate::NoAudit;

const QUEUE_MAX: usize = 2;

/// A transport that notes each write, and takes nothing while it is full.
#[derive(Clone, Default)]
struct Wire(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    writes: Vec<Vec<u8>>,
    is_full: bool,
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut state = self.0.lock().unwrap();
        if state.is_full {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        state.writes.push(bytes.to_vec());
        Poll::Ready(Ok(bytes.len()))
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Wire {
    fn new() -> (Self, FrameSender, Writer) {
        let wire = Self::default();
        let send = SendStream::new(wire.clone());
        let bounds =
            Bounds { queue_max: QUEUE_MAX, timeout: Duration::from_secs(30), backlog: Backlog::new(1 << 20) };
        let (sender, writer) = pair(0, send, bounds, Arc::new(NoAudit), CancellationToken::new());
        (wire, sender, writer)
    }

    fn fill(&self, is_full: bool) {
        self.0.lock().unwrap().is_full = is_full;
    }

    fn writes(&self) -> Vec<String> {
        let state = self.0.lock().unwrap();
        state.writes.iter().map(|write| String::from_utf8(write.clone()).unwrap()).collect()
    }
}

/// Lets the writer write what it has been woken for, and everything else to its end.
async fn finish(sender: FrameSender, writer: Writer) {
    drop(sender);
    writer.run().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_frame_alone_is_written_at_once() {
    let (wire, sender, _writer) = Wire::new();
    sender.send(b"a".to_vec()).await.unwrap();
    assert_eq!(wire.writes(), ["a"]);
    tokio::time::advance(super::QUICK).await;
    sender.send(b"b".to_vec()).await.unwrap();
    assert_eq!(wire.writes(), ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn frames_in_quick_succession_keep_their_order() {
    let (wire, sender, writer) = Wire::new();
    for frame in ["a", "b", "c", "d"] {
        sender.send(frame.into()).await.unwrap();
    }
    assert_eq!(wire.writes(), ["a"]);
    finish(sender, writer).await;
    assert_eq!(wire.writes(), ["a", "bcd"]);
}

#[tokio::test(start_paused = true)]
async fn the_writer_is_woken_for_what_was_gathered() {
    let (wire, sender, writer) = Wire::new();
    let mut writing = std::pin::pin!(writer.run());
    assert!(writing.as_mut().now_or_never().is_none());
    for frame in ["a", "b", "c"] {
        sender.send(frame.into()).await.unwrap();
    }
    // The sender stays: nothing but the wakeup tells the writer.
    let written = async {
        while wire.writes().len() < 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        ended = writing => panic!("{ended:?}"),
        () = written => {}
    }
    assert_eq!(wire.writes(), ["a", "bc"]);
    drop(sender);
}

#[tokio::test(start_paused = true)]
async fn what_is_held_goes_out_together() {
    let (wire, sender, writer) = Wire::new();
    sender.hold();
    for frame in ["a", "b", "c"] {
        sender.send(frame.into()).await.unwrap();
    }
    assert!(wire.writes().is_empty());
    sender.release().unwrap();
    assert_eq!(wire.writes(), ["abc"]);
    finish(sender, writer).await;
    assert_eq!(wire.writes(), ["abc"]);
}

#[tokio::test(start_paused = true)]
async fn a_frame_that_nobody_wants_is_not_gathered() {
    let (wire, sender, _writer) = Wire::new();
    sender.hold();
    sender.send("a".into()).await.unwrap();
    sender.send_if("b".into(), 0, || false).await.unwrap();
    sender.send("c".into()).await.unwrap();
    sender.release().unwrap();
    assert_eq!(wire.writes(), ["ac"]);
}

#[tokio::test(start_paused = true)]
async fn a_full_buffer_pushes_back() {
    let (wire, sender, writer) = Wire::new();
    wire.fill(true);
    sender.hold();
    let half = "x".repeat(BATCH_BYTES / 2);
    // The second fills the buffer, which then waits in the queue; one more has a place there.
    for _ in 0..2 + QUEUE_MAX - 1 {
        sender.send(half.clone().into()).now_or_never().unwrap().unwrap();
    }
    let asked = Cell::new(false);
    let mut late = Box::pin({
        let (sender, asked) = (sender.clone(), &asked);
        async move {
            // Its call was aborted while it waited: it is not sent.
            let wanted = || {
                asked.set(true);
                false
            };
            sender.send_if("late".into(), 0, wanted).await.unwrap();
        }
    });
    assert!(late.as_mut().now_or_never().is_none());
    wire.fill(false);
    sender.release().unwrap();
    drop(sender);
    let (written, ()) = futures_util::join!(writer.run(), late);
    written.unwrap();
    assert!(asked.get());
    let bytes: usize = wire.writes().iter().map(String::len).sum();
    assert_eq!(bytes, half.len() * (2 + QUEUE_MAX - 1));
}
