//! `audit/export`: records with everything that proves them to somebody who was not there.

use alknet_audit::evidence::EvidencePage;
use alknet_audit::{EvidenceOptions, Filter, Page, QueryError};
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
    /// The size of a checkpoint kept elsewhere, which the log must be shown to go on from.
    from: Option<u64>,
    /// Whether in-toto Statements of registrations and finished calls are made and signed.
    #[serde(default)]
    attest: bool,
}

fn default_limit() -> u16 {
    Page::default().limit
}

pub(super) fn registration(questions: &Questions) -> Result<Registration, SpecError> {
    let spec = OperationSpec::query::<Input, EvidencePage>("audit/export")?.describe(
        "Hands out records as evidence: with a signed checkpoint, proofs, sources and attestations, to be checked offline.",
    );
    let questions = questions.clone();
    let handler = typed_handler(move |input: Input, scope: CallScope| {
        let questions = questions.clone();
        async move { export(&questions, input, &scope).await }
    });
    Ok(Registration::local(guarded(spec)?, handler))
}

async fn export(questions: &Questions, input: Input, scope: &CallScope) -> Result<EvidencePage, CallError> {
    let filter = Sight::of(scope)?.narrow(input.filter)?;
    let page = Page { after: input.after, limit: input.limit, ..Page::default() };
    let options = EvidenceOptions { from: input.from, attest: input.attest };
    let found = questions
        .ask_log(move |log| match log.evidence(&filter, &page, options) {
            Err(QueryError::OutOfRange) => Ok(None),
            found => found.map(Some),
        })
        .await?;
    found.ok_or_else(|| CallError::invalid_input("from: the log never had so many records"))
}
