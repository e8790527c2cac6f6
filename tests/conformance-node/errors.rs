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
        Registration::local(query("t/panic")?, handler_fn(panics)),
        Registration::local(raises(query("t/err")?)?, typed_handler(fails)),
        Registration::local(raises(subscription)?, stream_handler(fails_between)),
    ])
}

#[expect(clippy::panic, reason = "what a panic looks like from outside is what this operation shows")]
async fn panics(_: Value, _: CallScope) -> Result<Value, CallError> {
    std::future::ready(()).await;
    panic!("CANARY-PANIC")
}

#[derive(Deserialize)]
struct Failure {
    code: String,
    #[serde(default)]
    details: Option<Value>,
}

async fn fails(input: Failure, _: CallScope) -> Result<Value, CallError> {
    let error = CallError::new(ErrorCode::new(input.code), "as it was asked for");
    std::future::ready(Err(match input.details {
        Some(details) => error.with_details(details),
        None => error,
    }))
    .await
}

/// An item, an error, and an item that nobody must see.
fn fails_between(_: Value, _: CallScope) -> impl Stream<Item = Result<Value, CallError>> + Send + 'static {
    let error =
        CallError::new(DECLARED, "the second item is an error").with_details(json!({ "why": "asked" }));
    stream::iter([Ok(json!({ "i": 0 })), Err(error), Ok(json!({ "i": 2 }))])
}
