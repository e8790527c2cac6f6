//! Operations that fail.

use alknet_call::{
    CallError, CallScope, ErrorCode, ErrorSpec, OperationKind, OperationSpec, Registration, handler_fn,
    stream_handler, typed_handler,
};
use futures_util::{Stream, stream};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::FixtureError;
use crate::support::{of_kind, query, schema};

/// The error that is declared.
const DECLARED: &str = "DOMAIN_X";

pub(crate) fn registrations() -> Result<Vec<Registration>, FixtureError> {
    let details =
        json!({ "type": "object", "required": ["why"], "properties": { "why": { "type": "string" } } });
    let raises = |spec: OperationSpec| -> Result<OperationSpec, FixtureError> {
        let details = schema(details.clone())?;
        let description = "Raised when it was asked for.".to_owned();
        Ok(spec.raises_with(ErrorSpec {
            code: DECLARED.to_owned(),
            description,
            details,
            http_status: None,
        })?)
    };
    let subscription = of_kind("t/suberr", OperationKind::Subscription)?;
    Ok(vec![
        Registration::local(query("t/panic")?, handler_fn(|_, _| async { panics() })),
        Registration::local(
            raises(query("t/err")?)?,
            typed_handler(|input: Failure, _| std::future::ready(Err::<Value, _>(fails(input)))),
        ),
        Registration::local(raises(subscription)?, stream_handler(fails_between)),
    ])
}

#[expect(clippy::panic, reason = "what a panic looks like from outside is what this operation shows")]
fn panics() -> Result<Value, CallError> {
    panic!("CANARY-PANIC")
}

#[derive(Deserialize)]
struct Failure {
    code: String,
    #[serde(default)]
    details: Option<Value>,
}

fn fails(input: Failure) -> CallError {
    let error = CallError::new(ErrorCode::new(input.code), "as it was asked for");
    match input.details {
        Some(details) => error.with_details(details),
        None => error,
    }
}

/// An item, an error, and an item that nobody must see.
fn fails_between(_: Value, _: CallScope) -> impl Stream<Item = Result<Value, CallError>> + Send + 'static {
    let error =
        CallError::new(DECLARED, "the second item is an error").with_details(json!({ "why": "asked" }));
    stream::iter([Ok(json!({ "i": 0 })), Err(error), Ok(json!({ "i": 2 }))])
}
