//! What runs an operation.

use std::future::Future;

use futures_util::future::BoxFuture;
use futures_util::stream::{BoxStream, Stream, StreamExt as _};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{Admitted, CallError, CallScope, Feed, OperationKind};

/// How a handler answers one call.
pub enum Reply<'a> {
    /// One answer: queries and mutations.
    Once(BoxFuture<'a, Result<Value, CallError>>),
    /// Items until the stream ends or the first error: subscriptions. It is polled only as fast as the caller takes
    /// the items.
    Stream(BoxStream<'a, Result<Value, CallError>>),
    /// One answer to the chunks that the caller feeds: publications.
    Sink(Box<dyn FnOnce(Feed) -> BoxFuture<'a, Result<Value, CallError>> + Send + 'a>),
}

/// In which of the three ways a handler answers all its calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Answers {
    /// With [`Reply::Once`].
    Once,
    /// With [`Reply::Stream`].
    Stream,
    /// With [`Reply::Sink`].
    Sink,
}

/// The code of an operation. It gets only calls the gate has admitted; dropping the reply stops it.
pub trait Handler: Send + Sync + 'static {
    /// How it answers. A registration is refused where this does not fit the operation's kind.
    fn answers(&self) -> Answers {
        Answers::Once
    }

    /// Begins the call.
    fn start<'a>(&'a self, call: Admitted) -> Reply<'a>;
}

impl Answers {
    /// The way in which operations of this kind answer.
    #[must_use]
    pub fn of(kind: OperationKind) -> Self {
        match kind {
            OperationKind::Query | OperationKind::Mutation => Self::Once,
            OperationKind::Subscription => Self::Stream,
            OperationKind::Publication => Self::Sink,
        }
    }
}

/// A handler from an async function over JSON values.
pub fn handler_fn<F, Fut>(run: F) -> impl Handler
where
    F: Fn(Value, CallScope) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Value, CallError>> + Send + 'static,
{
    HandlerFn(run)
}

/// A handler of a subscription, from a function that begins a stream of items.
pub fn stream_handler<F, S>(run: F) -> impl Handler
where
    F: Fn(Value, CallScope) -> S + Send + Sync + 'static,
    S: Stream<Item = Result<Value, CallError>> + Send + 'static,
{
    StreamFn(run)
}

/// A handler of a publication, from an async function over the opening input and the chunks that follow.
pub fn sink_handler<F, Fut>(run: F) -> impl Handler
where
    F: Fn(Value, Feed, CallScope) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Value, CallError>> + Send + 'static,
{
    SinkFn(run)
}

/// A handler from an async function over Rust types.
///
/// An input that passes the schema but not the type is refused as INVALID_INPUT.
pub fn typed_handler<I, O, F, Fut>(run: F) -> impl Handler
where
    I: DeserializeOwned + Send + 'static,
    O: Serialize + 'static,
    F: Fn(I, CallScope) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<O, CallError>> + Send + 'static,
{
    HandlerFn(move |input: Value, scope: CallScope| {
        let begun = serde_json::from_value::<I>(input).map(|input| run(input, scope));
        async move {
            let output = match begun {
                Ok(running) => running.await?,
                Err(_) => {
                    return Err(CallError::invalid_input("the input does not fit the operation's type"));
                }
            };
            serde_json::to_value(output).map_err(|_| CallError::internal("the output is not JSON"))
        }
    })
}

struct HandlerFn<F>(F);

impl<F, Fut> Handler for HandlerFn<F>
where
    F: Fn(Value, CallScope) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Value, CallError>> + Send + 'static,
{
    fn start<'a>(&'a self, call: Admitted) -> Reply<'a> {
        let (input, scope) = call.into_parts();
        Reply::Once(Box::pin((self.0)(input, scope)))
    }
}

struct StreamFn<F>(F);

impl<F, S> Handler for StreamFn<F>
where
    F: Fn(Value, CallScope) -> S + Send + Sync + 'static,
    S: Stream<Item = Result<Value, CallError>> + Send + 'static,
{
    fn answers(&self) -> Answers {
        Answers::Stream
    }

    fn start<'a>(&'a self, call: Admitted) -> Reply<'a> {
        let (input, scope) = call.into_parts();
        Reply::Stream((self.0)(input, scope).boxed())
    }
}

struct SinkFn<F>(F);

impl<F, Fut> Handler for SinkFn<F>
where
    F: Fn(Value, Feed, CallScope) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Value, CallError>> + Send + 'static,
{
    fn answers(&self) -> Answers {
        Answers::Sink
    }

    fn start<'a>(&'a self, call: Admitted) -> Reply<'a> {
        let (input, scope) = call.into_parts();
        Reply::Sink(Box::new(move |feed| Box::pin((self.0)(input, feed, scope))))
    }
}

impl std::fmt::Debug for Reply<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Once(_) => "Once",
            Self::Stream(_) => "Stream",
            Self::Sink(_) => "Sink",
        })
    }
}
