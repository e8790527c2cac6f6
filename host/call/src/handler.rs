//! What runs an operation.

use std::future::Future;

use futures_util::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{Admitted, CallError, CallScope};

/// How a handler answers.
#[non_exhaustive]
pub enum Reply<'a> {
    /// One answer: queries and mutations.
    Once(BoxFuture<'a, Result<Value, CallError>>),
}

/// The code of an operation. It gets only calls the gate has admitted; dropping the reply stops it.
pub trait Handler: Send + Sync + 'static {
    /// Begins the call.
    fn start<'a>(&'a self, call: Admitted) -> Reply<'a>;
}

/// A handler from an async function over JSON values.
pub fn handler_fn<F, Fut>(run: F) -> impl Handler
where
    F: Fn(Value, CallScope) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Value, CallError>> + Send + 'static,
{
    HandlerFn(run)
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

impl std::fmt::Debug for Reply<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Once(_) => f.write_str("Once"),
        }
    }
}
