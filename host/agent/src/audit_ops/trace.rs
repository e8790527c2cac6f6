//! `audit/trace`: the whole tree a call belongs to.

use alknet_audit::Trace;
use alknet_call::{CallError, CallScope, OperationSpec, Registration, SpecError, typed_handler};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Questions, Sight, caller, guarded};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// The id of any call of the tree: 32 hexadecimal digits, from an audit record.
    call: String,
}

pub(super) fn registration(questions: &Questions) -> Result<Registration, SpecError> {
    let spec = OperationSpec::query::<Input, Trace>("audit/trace")?
        .describe("Shows everything recorded of a call, the calls it made, and the call at its root.");
    let questions = questions.clone();
    let handler = typed_handler(move |input: Input, scope: CallScope| {
        let questions = questions.clone();
        async move { trace(&questions, input, &scope).await }
    });
    Ok(Registration::local(guarded(spec)?, handler))
}

async fn trace(questions: &Questions, input: Input, scope: &CallScope) -> Result<Trace, CallError> {
    let sight = Sight::of(scope)?;
    let found = questions.ask(move |log| log.trace(&input.call)).await?;
    let visible = |trace: &Trace| sight.covers(trace.entries.first().and_then(caller));
    found.filter(visible).ok_or_else(|| CallError::not_found("no such call"))
}
