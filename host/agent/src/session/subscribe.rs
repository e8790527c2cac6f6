//! `session/subscribe`: takes the items of one of the session's subscriptions.

use alknet_call::{CallError, CallScope, OperationSpec, Registration, SpecError, stream_handler};
use futures_util::future::Either;
use futures_util::stream::{self, Stream, StreamExt as _};
use serde_json::Value;

use super::Sessions;
use super::error::raises_limit;
use super::invoke::{Input, full_name};

pub(super) fn registration(sessions: &Sessions) -> Result<Registration, SpecError> {
    let spec = OperationSpec::subscription::<Input, Value>("session/subscribe")?
        .describe("Runs a subscription of your session in a fresh sandbox. Its items and errors pass through; it computes the next item when you have taken this one.")
        .forwards_errors();
    let spec = raises_limit(Sessions::guarded(spec)?)?;
    let composition = sessions.composition()?;
    let sessions = sessions.clone();
    let handler = stream_handler(move |input: Value, scope: CallScope| subscribe(&sessions, input, &scope));
    Ok(Registration::composing(spec, handler, composition))
}

fn subscribe(
    sessions: &Sessions,
    input: Value,
    scope: &CallScope,
) -> impl Stream<Item = Result<Value, CallError>> + Send + 'static + use<> {
    match begin(sessions, input, scope) {
        Ok(items) => Either::Left(items),
        Err(error) => Either::Right(stream::iter([Err(error)])),
    }
}

fn begin(
    sessions: &Sessions,
    input: Value,
    scope: &CallScope,
) -> Result<impl Stream<Item = Result<Value, CallError>> + Send + 'static + use<>, CallError> {
    let Input { session, operation, input } = serde_json::from_value(input)
        .map_err(|_| CallError::invalid_input("the input does not fit the operation's type"))?;
    let session = sessions.0.store.find(scope, &session)?;
    let call = session.enter()?;
    let name = full_name(&operation)?;
    let items = scope.subscribe_in_session(&session.context(session.layer()), &name, input);
    // The place among the session's calls is held until the stream is dropped.
    Ok(items.inspect(move |_| {
        let _held = &call;
    }))
}
