//! The calls that a version of a session operation served, and those it made.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{Calls, Version};
use crate::call_record::{CallHex, CallKind};
use crate::reader::Entry;
use crate::record::Facets;

type Id = [u8; 16];

/// One pass over the records of a session.
pub(super) struct Walk<'a> {
    version: &'a Version,
    /// The calls that the version served.
    own: HashSet<Id>,
    /// The operations of the session's calls.
    operations: HashMap<Id, String>,
    /// How often a call of the version was made by another call.
    callers: BTreeMap<Id, u64>,
    calls: Calls,
}

impl<'a> Walk<'a> {
    pub(super) fn new(version: &'a Version) -> Self {
        let (own, operations, callers) = (HashSet::new(), HashMap::new(), BTreeMap::new());
        Self { version, own, operations, callers, calls: Calls::default() }
    }

    /// Takes the next record.
    pub(super) fn note(&mut self, facets: &Facets<'_>) {
        let (Some(CallHex(call)), Some(operation), Some(_)) = (facets.call, facets.operation, facets.root)
        else {
            return;
        };
        let admitted = facets.kind == CallKind::Admitted.as_str();
        if admitted {
            self.operations.insert(call, operation.to_owned());
        }
        if self.is_own(facets) {
            if admitted {
                self.own.insert(call);
                count(&mut self.calls.called_by, facets.caller);
                if let Some(CallHex(parent)) = facets.parent {
                    *self.callers.entry(parent).or_default() += 1;
                }
            } else if facets.kind == CallKind::Finished.as_str() {
                count(&mut self.calls.served.outcomes, facets.outcome);
            }
        }
        if facets.parent.is_some_and(|parent| self.own.contains(&parent.0)) {
            if admitted {
                count(&mut self.calls.made, Some(operation));
            } else if facets.kind == CallKind::Refused.as_str() {
                count(&mut self.calls.refused, Some(operation));
            }
        }
    }

    /// The calls that made calls of the version and are not of the session themselves.
    pub(super) fn unknown_callers(&self) -> impl Iterator<Item = Id> {
        self.callers.keys().copied().filter(|caller| !self.operations.contains_key(caller))
    }

    /// Takes a record in which one of the unknown callers may be.
    pub(super) fn note_caller(&mut self, facets: &Facets<'_>) {
        let (Some(CallHex(call)), Some(operation)) = (facets.call, facets.operation) else { return };
        if facets.kind == CallKind::Admitted.as_str() && self.callers.contains_key(&call) {
            self.operations.entry(call).or_insert_with(|| operation.to_owned());
        }
    }

    /// All of them; `last` are the outcomes to show in full.
    pub(super) fn end(mut self, last: Vec<Entry>) -> Calls {
        for (caller, times) in &self.callers {
            if let Some(operation) = self.operations.get(caller) {
                *self.calls.called_from.entry(operation.clone()).or_default() += times;
            }
        }
        let served = &mut self.calls.served;
        served.finished = served.outcomes.values().sum();
        served.last = last;
        self.calls
    }

    fn is_own(&self, facets: &Facets<'_>) -> bool {
        let Version { session, operation, source } = self.version;
        facets.session == Some(session)
            && facets.operation == Some(operation)
            && facets.source == Some(*source)
    }
}

fn count(counts: &mut BTreeMap<String, u64>, name: Option<&str>) {
    if let Some(name) = name {
        match counts.get_mut(name) {
            Some(count) => *count += 1,
            None => drop(counts.insert(name.to_owned(), 1)),
        }
    }
}
