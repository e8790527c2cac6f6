//! The calls that the peer makes.

use std::pin::Pin;

use futures_util::FutureExt as _;
use futures_util::future::{Abortable, BoxFuture};
use serde_json::Value;

use super::serving::{Arrived, Begun, Turned};
use super::stream::Frame;
use super::writer::FrameSender;
use super::{Link, Misconduct};
use crate::CallError;
use crate::call::Origin;
use crate::door::{Answer, Door, Gone, Items};
use crate::wire::{Encoder, Request};

impl Link {
    /// Makes a call of a request, or turns it down: with the frame that says so, where one is to be sent.
    pub(super) fn begin(
        &self,
        id: String,
        request: Result<Request, CallError>,
        frame: Frame,
        sender: &FrameSender,
    ) -> Option<Vec<u8>> {
        let curated = self.0.dispatcher.curated();
        let takes_chunks = request.as_ref().is_ok_and(|request| curated.takes_chunks(&request.name));
        let arrived = Arrived { id: &id, stream: sender.stream(), bytes: frame.bytes, takes_chunks };
        let begun = match self.0.serving.begin(&arrived) {
            Ok(begun) => begun,
            Err(Turned::Duplicate) => return None,
            Err(Turned::Hostile) => {
                self.end(Misconduct::RepeatedIds);
                return None;
            }
            Err(Turned::Refused(error)) => return Some(Encoder::answer(&id, &Err(error))),
        };
        let call = Box::pin(serve(self.clone(), id, request, sender.clone(), begun));
        // Many calls end by being begun right here, and cost no task.
        if frame.begin_here {
            self.begin_here(call);
        } else {
            drop(self.0.calls.spawn(call));
        }
        None
    }

    fn begin_here(&self, mut call: Pin<Box<impl Future<Output = ()> + Send + 'static>>) {
        if call.as_mut().now_or_never().is_none() {
            self.0.calls.spawn(call);
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
    sender: FrameSender,
    begun: Begun,
) {
    let busy = sender.busy();
    let Begun { abort, chunks } = begun;
    let running = async {
        let Request { name, input, auth_token, on_behalf_of } = request?;
        let identity = link.identify(auth_token.as_ref());
        drop(auth_token);
        let origin = Origin { identity, on_behalf_of, link: Some(link.clone()) };
        let mut items = WireItems { link: &link, id: &id, sender: &sender };
        link.0.dispatcher.serve(origin, &name, input, Door::Wire(&mut items, chunks)).await
    };
    let Ok(result) = Abortable::new(running, abort).await else {
        return;
    };
    let frame = match result {
        Ok(Answer::Value(value)) => Encoder::answer(&id, &Ok(value)),
        Ok(Answer::Items(_)) => Encoder::completed(&id),
        Err(error) => Encoder::answer(&id, &Err(error)),
    };
    if sender.send_if(frame, || link.0.serving.end(&id)).await.is_err() {
        tracing::debug!("an answer found its stream closed");
        link.0.serving.abort_stream(sender.stream());
    }
    drop(busy);
}

/// Writes the items of a subscription, as fast as the stream takes them.
struct WireItems<'a> {
    link: &'a Link,
    id: &'a str,
    sender: &'a FrameSender,
}

impl Items for WireItems<'_> {
    fn item(&mut self, item: Value) -> BoxFuture<'_, Result<(), Gone>> {
        let frame = Encoder::answer(self.id, &Ok(item));
        let sent = self.sender.send_if(frame, || self.link.0.serving.is_live(self.id));
        sent.map(|sent| sent.map_err(|_| Gone)).boxed()
    }
}
