//! `audit/query`: records by filter, page by page.

use alknet_audit::{Filter, Matches, Order, Page};
use alknet_call::{CallError, CallScope, OperationSpec, Registration, SpecError, typed_handler};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Questions, Sight, guarded};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// What records must match; without it, all.
    #[serde(default)]
    filter: Filter,
    /// `next` of the page before.
    after: Option<u64>,
    /// Records on the page.
    #[serde(default = "default_limit")]
    #[schemars(range(min = 1, max = 1000))]
    limit: u16,
    /// Which end of the log comes first.
    #[serde(default)]
    order: Order,
}

fn default_limit() -> u16 {
    Page::default().limit
}

pub(super) fn registration(questions: &Questions) -> Result<Registration, SpecError> {
    let spec = OperationSpec::query::<Input, Matches>("audit/query")?
        .describe("Lists audit records: your own, or everybody's with the scope audit:read.");
    let questions = questions.clone();
    let handler = typed_handler(move |input: Input, scope: CallScope| {
        let questions = questions.clone();
        async move { query(&questions, input, &scope).await }
    });
    Ok(Registration::local(guarded(spec)?, handler))
}

async fn query(questions: &Questions, input: Input, scope: &CallScope) -> Result<Matches, CallError> {
    let Input { filter, after, limit, order } = input;
    let filter = Sight::of(scope)?.narrow(filter)?;
    let page = Page { after, limit, order };
    questions.ask(move |log| log.query(&filter, &page)).await
}
