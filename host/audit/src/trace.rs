//! The whole tree a call belongs to.

use std::collections::BTreeMap;

use rusqlite::OptionalExtension as _;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::hexdigits;
use crate::reader::{AuditReader, Entry, QueryError};

/// The most records of one call tree.
const TRACE_RECORDS_MAX: usize = 10_000;

/// A call with everything recorded of it and the calls it made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Trace {
    /// The call, as 32 hexadecimal digits.
    pub call: String,
    /// Its decision, its outcome, and the events it caused, as they were recorded.
    pub entries: Vec<Entry>,
    /// The calls it made, in the order of their decisions.
    pub calls: Vec<Self>,
}

impl AuditReader {
    /// The tree that a call belongs to, from its root; `None` when there is no such call.
    ///
    /// # Errors
    /// [`QueryError::TooLarge`] for a tree of more than 10,000 records.
    pub fn trace(&self, call: &str) -> Result<Option<Trace>, QueryError> {
        let Some(id) = hexdigits::decode::<16>(call.as_bytes()) else {
            return Ok(None);
        };
        let (root, indexes) = {
            let index = self.caught_up()?;
            let connection = index.connection()?;
            let root: Option<[u8; 16]> = connection
                .prepare_cached("SELECT root FROM records WHERE call = ?1 AND root IS NOT NULL LIMIT 1")?
                .query_row([id], |row| row.get(0))
                .optional()?;
            let Some(root) = root else { return Ok(None) };
            let mut statement = connection.prepare_cached(
                "SELECT idx FROM records WHERE call = ?1
                 UNION SELECT idx FROM records WHERE root = ?1 AND root <> call
                 UNION SELECT idx FROM records WHERE root IS NULL AND call IN
                     (SELECT call FROM records WHERE root = ?1 AND root <> call)
                 ORDER BY idx LIMIT ?2",
            )?;
            let rows = statement.query_map((root, TRACE_RECORDS_MAX + 1), |row| row.get::<_, u64>(0))?;
            (root, rows.collect::<Result<Vec<_>, _>>()?)
        };
        if indexes.len() > TRACE_RECORDS_MAX {
            return Err(QueryError::TooLarge { max: TRACE_RECORDS_MAX });
        }
        Ok(nest(hex::encode(root), self.entries(indexes)?))
    }
}

/// Hangs every call under its parent; calls whose parent is unknown hang under the root.
fn nest(root: String, entries: Vec<Entry>) -> Option<Trace> {
    let mut order = Vec::new();
    let mut parents = BTreeMap::new();
    let mut nodes: BTreeMap<String, Trace> = BTreeMap::new();
    for entry in entries {
        let member = |name: &str| entry.record.get(name)?.as_str().map(str::to_owned);
        let Some(call) = member("call") else { continue };
        if let Some(parent) = member("parent") {
            parents.insert(call.clone(), parent);
        }
        let node = nodes.entry(call.clone()).or_insert_with(|| {
            order.push(call.clone());
            Trace { call, entries: Vec::new(), calls: Vec::new() }
        });
        node.entries.push(entry);
    }
    // A call is decided after its parent: taken from the end, every node is complete when it is moved.
    for call in order.into_iter().rev() {
        if call == root {
            continue;
        }
        let Some(mut node) = nodes.remove(&call) else {
            continue;
        };
        node.calls.reverse();
        let parent = parents.get(&call).filter(|parent| nodes.contains_key(*parent)).unwrap_or(&root);
        if let Some(parent) = nodes.get_mut(parent) {
            parent.calls.push(node);
        }
    }
    let mut tree = nodes.remove(&root)?;
    tree.calls.reverse();
    Some(tree)
}
