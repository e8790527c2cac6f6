//! `kv/delete`: removes a key.

use alknet_call::{CallError, CallScope, OperationSpec, Registration, SpecError, typed_handler};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{KvStore, WRITE};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// The key, up to 256 bytes.
    #[schemars(length(min = 1, max = 256))]
    key: String,
    /// Deletes only if the key has this version, as `kv/get` told it.
    if_version: Option<u64>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Output {
    /// Whether there was such a key.
    deleted: bool,
}

pub(crate) fn registration(store: &KvStore) -> Result<Registration, SpecError> {
    let spec = OperationSpec::mutation::<Input, Output>("kv/delete")?
        .describe("Deletes a key of your own durable key-value store, optionally only if it did not change.")
        .requires(crate::builtin::scope(WRITE))
        .raises(
            "VERSION_MISMATCH",
            "`if_version` is not the key's version, which `details.version` tells.",
        )?;
    let store = store.clone();
    let handler = typed_handler(move |input: Input, scope: CallScope| {
        let store = store.clone();
        async move { delete(&store, input, &scope).await }
    });
    Ok(Registration::local(spec, handler))
}

async fn delete(store: &KvStore, input: Input, scope: &CallScope) -> Result<Output, CallError> {
    let (namespace, key) = (super::namespace(scope)?, super::key(input.key, store.limits())?);
    let if_version = input.if_version;
    let deleted = store.run(move |database| database.delete(namespace.as_str(), &key, if_version)).await?;
    Ok(Output { deleted })
}
