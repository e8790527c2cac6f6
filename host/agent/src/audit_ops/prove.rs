//! `audit/prove`: that a record is in the log, or that the log only grew.

use alknet_audit::proof::{ConsistencyProof, InclusionProof};
use alknet_audit::{AuditLog, Hash, QueryError};
use alknet_call::{CallError, CallScope, OperationSpec, Registration, SpecError, typed_handler};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Questions, Sight, caller, guarded};

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Input {
    /// That a record is in the tree of the first `size` records.
    Inclusion {
        /// The record's index.
        record: u64,
        /// The size of the tree, from a checkpoint; without it, all records so far.
        #[serde(default)]
        size: Option<u64>,
    },
    /// That the first `from` records are the beginning of the first `to`.
    Consistency {
        /// The size in the earlier checkpoint.
        from: u64,
        /// The size in the later checkpoint; without it, all records so far.
        #[serde(default)]
        to: Option<u64>,
    },
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Output {
    /// A record is in the log.
    Inclusion {
        /// The path from the record's leaf hash to the root.
        proof: InclusionProof,
        /// The record's hash as a leaf of the tree; absent where the record was pruned.
        leaf: Option<Hash>,
        /// The root of the tree.
        root: Hash,
    },
    /// The log only grew.
    Consistency {
        /// What connects the two roots.
        proof: ConsistencyProof,
        /// The root of the smaller tree.
        from_root: Hash,
        /// The root of the larger tree.
        to_root: Hash,
    },
}

pub(super) fn registration(questions: &Questions) -> Result<Registration, SpecError> {
    let spec = OperationSpec::query::<Input, Output>("audit/prove")?.describe(
        "Proves that a record is in the log, or that one checkpoint's log is the beginning of another's.",
    );
    let questions = questions.clone();
    let handler = typed_handler(move |input: Input, scope: CallScope| {
        let questions = questions.clone();
        async move { prove(&questions, input, &scope).await }
    });
    Ok(Registration::local(guarded(spec)?, handler))
}

async fn prove(questions: &Questions, input: Input, scope: &CallScope) -> Result<Output, CallError> {
    let sight = Sight::of(scope)?;
    let found = questions.ask_log(move |log| answer(log, input, &sight)).await?;
    found.ok_or_else(|| CallError::not_found("no such record, or no such size of the log"))
}

/// The proof; `None` for what is not there, and for records of others, which the caller cannot tell from that.
fn answer(log: &AuditLog, input: Input, sight: &Sight) -> Result<Option<Output>, QueryError> {
    let proved = match input {
        Input::Inclusion { record, size } => inclusion(log, record, size, sight),
        Input::Consistency { from, to } => consistency(log, from, to),
    };
    match proved {
        Ok(output) => Ok(Some(output)),
        Err(QueryError::OutOfRange) => Ok(None),
        Err(error) => Err(error),
    }
}

fn inclusion(log: &AuditLog, record: u64, size: Option<u64>, sight: &Sight) -> Result<Output, QueryError> {
    let leaf = match log.reader().leaf(record) {
        Ok((entry, leaf)) if sight.covers(caller(&entry)) => Some(leaf),
        Err(QueryError::Pruned { .. }) if sight.is_all() => None,
        Ok(_) | Err(QueryError::Pruned { .. }) => return Err(QueryError::OutOfRange),
        Err(error) => return Err(error),
    };
    let proof = log.prove_inclusion(record, size.unwrap_or_else(|| log.size()))?;
    let root = log.root(proof.size)?;
    Ok(Output::Inclusion { proof, leaf, root })
}

fn consistency(log: &AuditLog, from: u64, to: Option<u64>) -> Result<Output, QueryError> {
    let proof = log.prove_consistency(from, to.unwrap_or_else(|| log.size()))?;
    let (from_root, to_root) = (log.root(proof.from)?, log.root(proof.to)?);
    Ok(Output::Consistency { proof, from_root, to_root })
}
