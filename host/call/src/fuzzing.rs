//! What fuzzers feed with bytes. Not part of the interface.
//!
//! Each function says whether the bytes were accepted, and fails where something does not hold that always must.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::AsyncRead;
use serde_json::Value;

use crate::Limits;
use crate::wire::{Encoder, Event, FrameReader, Outbound, spec_from_json};

/// Says what does not hold.
pub type Verdict = Result<bool, &'static str>;

/// A stream of frames, each of them an envelope; accepted, where it ends well. How its bytes arrive makes no difference.
///
/// # Errors
/// What does not hold.
pub fn call_frame(bytes: &[u8]) -> Verdict {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.map_err(|_| "there is no runtime")?;
    let whole = runtime.block_on(cut(bytes, usize::MAX));
    for at_once in [1, 3, 1000] {
        if runtime.block_on(cut(bytes, at_once)) != whole {
            return Err("bytes that come in pieces are other frames");
        }
    }
    let (bodies, ended_well) = whole;
    let framed: usize = bodies.iter().map(|body| body.len() + 4).sum();
    if framed > bytes.len() || (ended_well && framed != bytes.len()) {
        return Err("frames are not what was there");
    }
    let mut all = ended_well;
    for body in bodies {
        all &= call_envelope(&body)?;
    }
    Ok(all)
}

/// The body of a frame; accepted, where it is an envelope. What is understood is written so that it is understood the
/// same way.
///
/// # Errors
/// What does not hold.
pub fn call_envelope(bytes: &[u8]) -> Verdict {
    let Ok(event) = Event::parse(bytes) else { return Ok(false) };
    let (id, frame) = match event {
        Event::Requested { id, request: Ok(request) } => {
            let outbound = Outbound {
                name: &request.name,
                input: &request.input,
                auth_token: None,
                on_behalf_of: request.on_behalf_of.as_ref(),
            };
            let frame = Encoder::request(&id, &outbound).map_err(|_| "a request cannot be written")?;
            match parse(&frame)? {
                Event::Requested { request: Ok(again), .. }
                    if again.name == request.name && again.on_behalf_of == request.on_behalf_of => {}
                _ => return Err("a request is understood in two ways"),
            }
            (id, frame)
        }
        Event::Answered { id, result } => {
            let frame = Encoder::answer(&id, &result);
            match parse(&frame)? {
                Event::Answered { result: again, .. } if code(&again) == code(&result) => {}
                _ => return Err("an answer is understood in two ways"),
            }
            (id, frame)
        }
        Event::Published { id, chunk } => {
            let frame = Encoder::chunk(&id, &chunk).map_err(|_| "a chunk cannot be written")?;
            (id, frame)
        }
        Event::Completed { id } => (id.clone(), Encoder::completed(&id)),
        Event::Aborted { id } => (id.clone(), Encoder::abort(&id)),
        Event::Requested { request: Err(_), .. } | Event::Unknown => return Ok(true),
    };
    let again = match parse(&frame)? {
        Event::Requested { id, .. }
        | Event::Answered { id, .. }
        | Event::Published { id, .. }
        | Event::Completed { id }
        | Event::Aborted { id } => id,
        Event::Unknown => return Err("an event is not known any more"),
    };
    if again == id { Ok(true) } else { Err("an id is not the same any more") }
}

/// The specification of an operation, as peers announce one; accepted, where it can be imported. What was imported is
/// shown so that it is imported the same way.
///
/// # Errors
/// What does not hold.
pub fn call_spec_import(bytes: &[u8]) -> Verdict {
    let Ok(shown) = serde_json::from_slice::<Value>(bytes) else { return Ok(false) };
    let Ok(spec) = spec_from_json(shown, Limits::default().peer_spec_bytes_max) else { return Ok(false) };
    let shown = spec.to_json();
    let again = spec_from_json(shown.clone(), usize::MAX).map_err(|_| "what was imported is refused")?;
    if again.to_json() == shown { Ok(true) } else { Err("what was imported is shown in two ways") }
}

fn parse(frame: &[u8]) -> Result<Event, &'static str> {
    let body = frame.get(4..).ok_or("a frame has no header")?;
    Event::parse(body).map_err(|_| "what was written is not understood")
}

fn code(answer: &Result<Value, crate::CallError>) -> Option<(&str, &str, bool)> {
    let error = answer.as_ref().err()?;
    Some((error.code().as_str(), error.message(), error.is_retryable()))
}

/// The bodies of frames that arrive in pieces, and whether they ended well.
async fn cut(bytes: &[u8], at_once: usize) -> (Vec<Vec<u8>>, bool) {
    let mut reader = FrameReader::new(Pieces { bytes, at_once }, Duration::from_secs(3600));
    let mut bodies = Vec::new();
    loop {
        match reader.next(|_| true).await {
            Ok(Some(body)) => bodies.push(body.to_vec()),
            Ok(None) => return (bodies, true),
            Err(_) => return (bodies, false),
        }
    }
}

struct Pieces<'a> {
    bytes: &'a [u8],
    at_once: usize,
}

impl AsyncRead for Pieces<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        room: &mut [u8],
    ) -> Poll<std::io::Result<usize>> {
        let count = self.at_once.min(room.len()).min(self.bytes.len());
        let (piece, rest) = self.bytes.split_at(count);
        if let Some(taken) = room.get_mut(..count) {
            taken.copy_from_slice(piece);
        }
        self.bytes = rest;
        Poll::Ready(Ok(count))
    }
}
