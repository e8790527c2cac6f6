//! `audit/provenance`: who wrote an operation, from which source, under which grant, and what it did.

use alknet_audit::{Provenance, Selector};
use alknet_call::{CallError, CallScope, OperationSpec, Registration, SpecError, typed_handler};

use super::{Questions, Sight, guarded};

pub(super) fn registration(questions: &Questions) -> Result<Registration, SpecError> {
    let spec = OperationSpec::query::<Selector, Provenance>("audit/provenance")?.describe(
        "Accounts for a session operation, a source, a call or an output: author, source, grant, calls.",
    );
    let questions = questions.clone();
    let handler = typed_handler(move |selector: Selector, scope: CallScope| {
        let questions = questions.clone();
        async move { provenance(&questions, selector, &scope).await }
    });
    Ok(Registration::local(guarded(spec)?, handler))
}

async fn provenance(
    questions: &Questions,
    selector: Selector,
    scope: &CallScope,
) -> Result<Provenance, CallError> {
    let sight = Sight::of(scope)?;
    let found = questions.ask(move |log| log.provenance(&selector)).await?;
    let visible = |found: &Provenance| sight.covers(found.who.as_deref());
    found.filter(visible).ok_or_else(|| CallError::not_found("no session operation is behind this"))
}
