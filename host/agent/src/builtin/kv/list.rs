//! `kv/list`: the keys, page by page.

use alknet_call::{CallError, CallScope, OperationSpec, Registration, SpecError, typed_handler};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{KvStore, READ};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// Lists only keys that begin like this.
    #[serde(default)]
    #[schemars(length(max = 256))]
    prefix: String,
    /// Lists only keys after this one: give `next` of the page before.
    #[serde(default)]
    #[schemars(length(max = 256))]
    after: String,
    /// The most keys to answer; the host has a limit of its own (1,000).
    #[schemars(range(min = 1))]
    limit: Option<usize>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Output {
    /// The keys, sorted by their bytes, without the values.
    entries: Vec<Entry>,
    /// What to give as `after` for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Entry {
    /// The key.
    key: String,
    /// Its version, for `if_version`.
    version: u64,
    /// How much it counts towards the limit on bytes: the key and the value's JSON.
    bytes: u64,
}

pub(crate) fn registration(store: &KvStore) -> Result<Registration, SpecError> {
    let spec = OperationSpec::query::<Input, Output>("kv/list")?
        .describe("Lists the keys of your own durable key-value store, page by page.")
        .requires(crate::builtin::scope(READ));
    let store = store.clone();
    let handler = typed_handler(move |input: Input, scope: CallScope| {
        let store = store.clone();
        async move { list(&store, input, &scope).await }
    });
    Ok(Registration::local(spec, handler))
}

async fn list(store: &KvStore, input: Input, scope: &CallScope) -> Result<Output, CallError> {
    let namespace = super::namespace(scope)?;
    let limit = input.limit.unwrap_or(usize::MAX).min(store.limits().page_entries_max);
    let Input { prefix, after, .. } = input;
    // One more than wanted tells whether there is another page.
    let listed = store
        .run(move |database| database.list(namespace.as_str(), &prefix, &after, limit.saturating_add(1)))
        .await?;
    let more = listed.len() > limit;
    let page = listed.into_iter().take(limit);
    let entries: Vec<Entry> =
        page.map(|found| Entry { key: found.key, version: found.version, bytes: found.bytes }).collect();
    let next = entries.last().filter(|_| more).map(|last| last.key.clone());
    Ok(Output { entries, next })
}
