//! `audit/checkpoint`: what the log is now, signed, to be kept elsewhere.

use alknet_audit::{AuditLog, Checkpoint, Hash, QueryError};
use alknet_call::{CallScope, OperationSpec, Registration, SpecError, typed_handler};
use alknet_core::Fingerprint;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Questions, Sight, guarded};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {}

#[derive(Debug, Serialize, JsonSchema)]
struct Output {
    /// The checkpoint as a signed note (C2SP tlog-checkpoint): keep it where the host cannot change it.
    checkpoint: String,
    /// The log's name.
    origin: String,
    /// Records that it covers.
    size: u64,
    /// The root of the Merkle tree over them.
    root: Hash,
    /// The log's key: a fingerprint, as `audit verify --key` takes it.
    key: String,
    /// The log's name and key, as other verifiers of signed notes take them.
    verifier_key: String,
}

pub(super) fn registration(questions: &Questions) -> Result<Registration, SpecError> {
    let spec = OperationSpec::query::<Input, Output>("audit/checkpoint")?.describe(
        "Signs what the log is now: whoever keeps it can prove later that nothing before was changed.",
    );
    let questions = questions.clone();
    let handler = typed_handler(move |Input {}, scope: CallScope| {
        let questions = questions.clone();
        async move {
            Sight::of(&scope)?;
            questions.ask_log(checkpoint).await
        }
    });
    Ok(Registration::local(guarded(spec)?, handler))
}

fn checkpoint(log: &AuditLog) -> Result<Output, QueryError> {
    let note = log.checkpoint().map_err(|_| QueryError::Unpublished)?;
    let key = log.public_key();
    let Checkpoint { origin, size, root } =
        Checkpoint::open(&note, &key).map_err(|_| QueryError::Unpublished)?;
    let key = Fingerprint::from(&key).to_string();
    Ok(Output { checkpoint: note, origin, size, root, key, verifier_key: log.verifier_key() })
}
