//! The calls that the peer makes.

use futures_util::FutureExt as _;
use futures_util::future::{Abortable, BoxFuture};
use serde_json::Value;

use super::burst::Call;
use super::serving::{Arrived, Place, Turned};
use super::writer::FrameSender;
use super::{Link, Misconduct};
use crate::call::Origin;
use crate::dispatch::Ended;
use crate::door::{Answer, Door, Gone, Items};
use crate::wire::{Encoder, Request};
use crate::{CallError, Due};

/// What a request becomes.
pub(super) enum Begun {
    /// A call, which has not begun to run.
    Call(Call),
    /// Nothing, which this frame says.
    Refused(Vec<u8>),
    /// Nothing, and nobody is told.
    Dropped,
}

impl Link {
    /// Makes a call of a request in a frame of `bytes`, or turns it down. Its records are `due` at that time.
    pub(super) fn begin(
        &self,
        id: String,
        request: Result<Request, CallError>,
        (bytes, due): (usize, Due),
        sender: &FrameSender,
    ) -> Begun {
        let curated = self.0.dispatcher.curated();
        let takes_chunks = request.as_ref().is_ok_and(|request| curated.takes_chunks(&request.name));
        let arrived = Arrived { id: &id, stream: sender.stream(), bytes, takes_chunks };
        match self.0.serving.begin(&arrived) {
            Ok(place) => {
                Begun::Call(Box::pin(serve(self.clone(), id, request, (sender.clone(), due), place)))
            }
            Err(Turned::Duplicate) => Begun::Dropped,
            Err(Turned::Hostile) => {
                self.end(Misconduct::RepeatedIds);
                Begun::Dropped
            }
            Err(Turned::Refused(error)) => Begun::Refused(Encoder::answer(&id, &Err(error))),
        }
    }

    /// Stops a call of the peer and answers it with an error.
    pub(super) async fn cut(&self, id: &str, error: CallError, sender: &FrameSender) {
        if self.0.serving.cancel(id) {
            drop(sender.send(Encoder::answer(id, &Err(error))).await);
        }
    }
}

/// Runs one call of the peer and answers it, unless it is aborted first.
async fn serve(
    link: Link,
    id: String,
    request: Result<Request, CallError>,
    (sender, due): (FrameSender, Due),
    place: Place,
) {
    let busy = sender.busy();
    let Place { abort, chunks } = place;
    let running = async {
        let Request { name, input, auth_token, on_behalf_of } = request?;
        let identity = link.identify(auth_token.as_ref());
        drop(auth_token);
        let origin = Origin { identity, on_behalf_of, link: Some(link.clone()), due };
        let mut items = WireItems { link: &link, id: &id, sender: &sender };
        Ok(link.0.dispatcher.serve(origin, &name, input, Door::Wire(&mut items, chunks)).await)
    };
    if let Ok(ended) = Abortable::new(running, abort).await {
        let ended = ended.unwrap_or_else(|error| Ended { result: Err(error), through: 0 });
        answer(&link, &id, ended, &sender).await;
    }
    drop(busy);
    link.call_ended();
}

/// Answers a call, unless it is aborted while it waits for its turn.
async fn answer(link: &Link, id: &str, Ended { result, through }: Ended, sender: &FrameSender) {
    let frame = match result {
        Ok(Answer::Value(value)) => Encoder::answer(id, &Ok(value)),
        Ok(Answer::Items(_)) => Encoder::completed(id),
        Err(error) => Encoder::answer(id, &Err(error)),
    };
    // What has been computed, but would wait with too much else, is given up: one peer does not fill the memory.
    let frame = if sender.has_room(frame.len()) { frame } else { Encoder::answer(id, &Err(unread())) };
    if sender.send_if(frame, through, || link.0.serving.end(id)).await.is_err() {
        tracing::debug!("an answer found its stream closed");
        link.0.serving.abort_stream(sender.stream());
    }
}

fn unread() -> CallError {
    CallError::internal("too many answers wait for this peer to read them").retryable(true)
}

/// Writes the items of a subscription, as fast as the stream takes them.
struct WireItems<'a> {
    link: &'a Link,
    id: &'a str,
    sender: &'a FrameSender,
}

impl Items for WireItems<'_> {
    fn item(&mut self, item: Value) -> BoxFuture<'_, Result<(), Gone>> {
        let sent = async {
            self.sender.room_for_item().await;
            let frame = Encoder::answer(self.id, &Ok(item));
            if !self.sender.has_room(frame.len()) {
                return Err(Gone);
            }
            let wanted = || self.link.0.serving.is_live(self.id);
            self.sender.send_if(frame, 0, wanted).await.map_err(|_| Gone)
        };
        sent.boxed()
    }
}
