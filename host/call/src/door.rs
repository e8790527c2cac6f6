//! What the way in that a call takes can do with an operation: take one answer, take items, feed chunks.

use futures_util::future::BoxFuture;
use serde_json::Value;

use crate::feed::Chunks;
use crate::{Answers, CallError, OperationKind};

/// Takes the items of a subscription, at its own pace.
pub(crate) trait Items: Send {
    /// Hands over one item; waits while the taker is behind.
    fn item(&mut self, item: Value) -> BoxFuture<'_, Result<(), Gone>>;
}

/// Nobody takes the items any more.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gone;

/// The way in that a call takes.
pub(crate) enum Door<'a> {
    /// One answer: composed calls, and calls from inside of the program.
    Once,
    /// The items of a subscription, and nothing else.
    Items(&'a mut dyn Items),
    /// The answer to a publication with these chunks, and nothing else.
    Feed(Chunks),
    /// A frame: any kind of operation.
    Wire(&'a mut dyn Items, Option<Chunks>),
}

/// How a call that went well ended.
#[derive(Debug)]
pub(crate) enum Answer {
    /// With one value.
    Value(Value),
    /// With the end of its items, this many.
    Items(u64),
}

impl Answer {
    /// The value of a call that takes one.
    pub(crate) fn into_value(self) -> Result<Value, CallError> {
        match self {
            Self::Value(value) => Ok(value),
            Self::Items(_) => Err(CallError::internal("handler failed")),
        }
    }
}

impl Door<'_> {
    /// Whether an operation of this kind can be called through it.
    pub(crate) fn takes(&self, kind: OperationKind) -> bool {
        match (self, Answers::of(kind)) {
            (Self::Once, answers) => answers == Answers::Once,
            (Self::Items(_), answers) => answers == Answers::Stream,
            (Self::Feed(_), answers) => answers == Answers::Sink,
            (Self::Wire(_, chunks), Answers::Sink) => chunks.is_some(),
            (Self::Wire(..), Answers::Once | Answers::Stream) => true,
        }
    }
}
