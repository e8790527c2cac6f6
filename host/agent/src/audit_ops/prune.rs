//! `audit/prune`: what is old may go; that it went is on record.

use alknet_audit::prune::PrunedBy;
use alknet_audit::{PruneError, Pruned};
use alknet_call::{
    AccessControl, CallError, CallScope, OperationSpec, Registration, SpecError, typed_handler,
};
use alknet_core::Scope;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{PRUNE_SCOPE, Questions};

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// The time before which records may go, in microseconds since the Unix epoch. They go in whole bundles of 256.
    before: u64,
}

pub(super) fn registration(questions: &Questions) -> Result<Registration, SpecError> {
    let scope = Scope::parse(PRUNE_SCOPE).map_err(|_| alknet_call::InvalidOpName)?;
    let spec = OperationSpec::mutation::<Input, Pruned>("audit/prune")?
        .describe("Removes old records and their sources; hashes, checkpoints and proofs stay, and say that they went.")
        .access(AccessControl { required_scopes: vec![scope], ..AccessControl::default() });
    let questions = questions.clone();
    let handler = typed_handler(move |input: Input, scope: CallScope| {
        let questions = questions.clone();
        async move { prune(&questions, input, &scope).await }
    });
    Ok(Registration::local(spec, handler))
}

async fn prune(questions: &Questions, input: Input, scope: &CallScope) -> Result<Pruned, CallError> {
    let by = PrunedBy {
        caller: scope.root_identity().map(|identity| identity.id().to_string()),
        call: Some(scope.id().to_string()),
    };
    let pruned = questions.ask_log(move |log| Ok(log.prune(input.before, by))).await?;
    pruned.map_err(|error| {
        tracing::error!(%error, "the audit log was not pruned, or not to the end");
        match error {
            PruneError::Unavailable(_) => {
                CallError::internal("the audit log cannot record this; nothing was removed").retryable(true)
            }
            PruneError::Query(_) | PruneError::Io { .. } => {
                CallError::internal("the audit log was not pruned to the end").retryable(true)
            }
        }
    })
}
