//! The whole tree a call belongs to.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::call_record::CallHex;
use crate::hexdigits;
use crate::index::Role;
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

/// Where the records of a call tree are.
struct Tree {
    root: [u8; 16],
    /// Not many more than the most that an answer has.
    indexes: BTreeSet<u64>,
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
        let Some(Tree { root, indexes }) = self.tree(id)? else { return Ok(None) };
        if indexes.len() > TRACE_RECORDS_MAX {
            return Err(QueryError::TooLarge { max: TRACE_RECORDS_MAX });
        }
        Ok(nest(hex::encode(root), self.entries(indexes)?))
    }

    /// The tree that a call belongs to.
    fn tree(&self, call: [u8; 16]) -> Result<Option<Tree>, QueryError> {
        let index = self.caught_up()?;
        let index = index.get()?;
        let mut root = None;
        index.mentioning(self.layout(), Role::Own, call, |_, facets| {
            root = facets.root.filter(|_| facets.call == Some(CallHex(call)));
            if root.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        let Some(CallHex(root)) = root else { return Ok(None) };
        let (mut indexes, mut calls) = (BTreeSet::new(), BTreeSet::from([root]));
        index.mentioning(self.layout(), Role::Above, root, |at, facets| {
            if facets.root == Some(CallHex(root)) {
                indexes.insert(at);
                calls.extend(facets.call.map(|call| call.0));
            }
            if indexes.len() > TRACE_RECORDS_MAX { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        if indexes.len() > TRACE_RECORDS_MAX {
            return Err(QueryError::TooLarge { max: TRACE_RECORDS_MAX });
        }
        // What calls caused says so, but not of which tree they are.
        let mut bundles = BTreeSet::new();
        for call in &calls {
            bundles.append(&mut index.bundles_with(Role::Own, *call)?);
        }
        index.in_bundles(self.layout(), &bundles, |at, facets| {
            let of_tree = facets.call.is_some_and(|call| calls.contains(&call.0));
            if of_tree && facets.root.is_none() {
                indexes.insert(at);
            }
            ControlFlow::Continue(())
        })?;
        Ok(Some(Tree { root, indexes }))
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
