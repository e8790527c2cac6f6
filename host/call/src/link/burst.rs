//! Frames that arrived together, and the calls that they begin.
//!
//! The calls are begun one after the other in the reader of the stream, up to the record of the decision on each. Those
//! records are written together; then the calls run, also there, as far as they get without waiting. Most end by that,
//! and cost no task. Their outcomes are written together as well, and then their answers.

use std::mem;
use std::pin::Pin;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::time::Instant;

use super::Link;
use super::inbound::Begun;
use super::writer::FrameSender;
use crate::Due;
use crate::wire::Event;

/// Calls whose records are written together.
const CALLS_MAX: usize = 64;
/// Longest that a burst takes, and that it goes on to run calls in the reader of the stream.
const TIME_MAX: Duration = Duration::from_micros(300);
/// Bytes of frames between two looks at the clock.
const CLOCK_BYTES: usize = 4 << 10;
/// A burst whose calls took longer is not followed by another: what has arrived by then spreads over the runtime.
const QUICK_CALL: Duration = Duration::from_micros(20);

/// A call of the peer, from its decision to its answer.
pub(super) type Call = Pin<Box<dyn Future<Output = ()> + Send>>;

/// How a call is begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// In the reader: nothing else has arrived.
    Alone,
    /// In the reader, with others.
    Together,
    /// In a task: the calls before it take long.
    Spread,
}

/// What of an event is still to be taken.
pub(super) enum Rest {
    Nothing,
    /// The frame that turns a call down.
    Refusal(Vec<u8>),
    /// All of it: it asks for no call.
    Event(Event),
}

/// The taking of frames that arrived together.
pub(super) struct Burst<'a> {
    link: &'a Link,
    sender: &'a FrameSender,
    mode: Mode,
    began: Instant,
    /// Frames taken since it began.
    frames: u32,
    /// Their bytes, since the last look at the clock.
    bytes: usize,
    /// Begun, and waiting for the others.
    calls: Vec<Call>,
}

impl<'a> Burst<'a> {
    pub(super) fn new(link: &'a Link, sender: &'a FrameSender) -> Self {
        Self {
            link,
            sender,
            mode: Mode::Alone,
            began: Instant::now(),
            frames: 0,
            bytes: 0,
            calls: Vec::new(),
        }
    }

    /// Takes the event of one more frame of so many `bytes`, and begins the call that it asks for.
    pub(super) fn take(&mut self, event: Event, bytes: usize, is_last: bool) -> Rest {
        let due = self.note(bytes, is_last);
        let Event::Requested { id, request } = event else { return Rest::Event(event) };
        match self.link.begin(id, request, (bytes, due), self.sender) {
            Begun::Call(call) => {
                self.begin(call);
                Rest::Nothing
            }
            Begun::Dropped => Rest::Nothing,
            Begun::Refused(frame) => Rest::Refusal(frame),
        }
    }

    /// Counts one more frame; when the records of a call that it begins are due.
    fn note(&mut self, bytes: usize, is_last: bool) -> Due {
        if self.mode == Mode::Alone && !is_last {
            self.mode = Mode::Together;
            self.began = Instant::now();
            (self.frames, self.bytes) = (0, 0);
            self.sender.hold();
        }
        self.frames += 1;
        self.bytes += bytes;
        if self.mode == Mode::Together { Due::Flush } else { Due::Now }
    }

    fn begin(&mut self, mut call: Call) {
        if self.mode != Mode::Spread && call.as_mut().now_or_never().is_some() {
            return;
        }
        if self.mode == Mode::Together {
            self.calls.push(call);
        } else {
            self.link.0.calls.spawn(call);
        }
    }

    /// Whether the reader is to let others run before it takes the next frame.
    pub(super) fn is_full(&mut self) -> bool {
        if self.mode != Mode::Together {
            return false;
        }
        let is_due = self.bytes >= CLOCK_BYTES;
        if is_due {
            self.bytes = 0;
        }
        self.calls.len() >= CALLS_MAX || (is_due && self.began.elapsed() >= TIME_MAX)
    }

    /// Runs what was begun, and writes the answers. More may have arrived.
    pub(super) fn turn(&mut self) {
        self.run();
        let slow = self.began.elapsed() > QUICK_CALL * self.frames;
        self.mode = if slow { Mode::Spread } else { Mode::Alone };
    }

    /// The same when nothing else has arrived, or the next frame waits for somebody.
    pub(super) fn end(&mut self) {
        self.run();
        self.mode = Mode::Alone;
    }

    fn run(&mut self) {
        if self.mode != Mode::Together {
            return;
        }
        for mut call in mem::take(&mut self.calls) {
            let is_long = self.began.elapsed() >= TIME_MAX;
            if is_long || call.as_mut().now_or_never().is_none() {
                self.link.0.calls.spawn(call);
            }
        }
        if self.sender.release().is_err() {
            tracing::debug!("answers found their stream closed");
            self.link.0.serving.abort_stream(self.sender.stream());
        }
    }
}

impl Drop for Burst<'_> {
    fn drop(&mut self) {
        self.end();
    }
}
