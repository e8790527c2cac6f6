//! `audit/stats`: how much happened.

use alknet_audit::{Filter, Stats};
use alknet_call::{CallScope, OperationSpec, Registration, SpecError, typed_handler};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Questions, Sight, guarded};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// What records must match; without it, all.
    #[serde(default)]
    filter: Filter,
}

pub(super) fn registration(questions: &Questions) -> Result<Registration, SpecError> {
    let spec = OperationSpec::query::<Input, Stats>("audit/stats")?
        .describe("Counts audit records: your own, or everybody's with the scope audit:read.");
    let questions = questions.clone();
    let handler = typed_handler(move |input: Input, scope: CallScope| {
        let questions = questions.clone();
        async move {
            let filter = Sight::of(&scope)?.narrow(input.filter)?;
            questions.ask(move |log| log.stats(&filter)).await
        }
    });
    Ok(Registration::local(guarded(spec)?, handler))
}
