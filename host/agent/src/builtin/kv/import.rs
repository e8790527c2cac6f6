//! `kv/import`: stores many values in one call, as fast as they can be written.

use alknet_call::{CallError, CallScope, Feed, OperationSpec, Registration, SpecError, sink_handler};
use futures_util::StreamExt as _;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::put::store_value;
use super::{KvStore, WRITE};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Chunk {
    /// The key, up to 256 bytes, without control characters.
    #[schemars(length(min = 1, max = 256))]
    key: String,
    /// Any JSON value, up to 256 KiB.
    value: Value,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Output {
    /// How many values were stored.
    written: u64,
}

pub(crate) fn registration(store: &KvStore) -> Result<Registration, SpecError> {
    let spec = OperationSpec::publication::<Input, Chunk, Output>("kv/import")?
        .describe(
            "Stores the key-value pairs that you publish. What was stored before an error stays stored.",
        )
        .requires(crate::builtin::scope(WRITE))
        .raises("LIMIT_EXCEEDED", "A value is too large, or your store is full: see `details`.")?;
    let store = store.clone();
    let handler = sink_handler(move |_, feed: Feed, scope: CallScope| import(store.clone(), feed, scope));
    Ok(Registration::local(spec, handler))
}

async fn import(store: KvStore, mut feed: Feed, scope: CallScope) -> Result<Value, CallError> {
    let mut written = 0;
    while let Some(chunk) = feed.next().await {
        let Chunk { key, value } = serde_json::from_value(chunk?)
            .map_err(|_| CallError::invalid_input("a chunk does not fit the operation's type"))?;
        store_value(&store, &scope, (key, value), None).await?;
        written += 1;
    }
    serde_json::to_value(Output { written }).map_err(|_| CallError::internal("the output is not JSON"))
}
