//! The calls that a version of a session operation served, and those it made.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{Calls, Version};
use crate::call_record::{CallHex, CallKind};
use crate::reader::{Entry, QueryError};
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

    /// Finds the operations that called, where these calls are not of the session themselves.
    pub(super) fn find_callers(
        &mut self,
        mut mentioning: impl FnMut(Id, &mut dyn FnMut(u64, &Facets<'_>)) -> Result<(), QueryError>,
    ) -> Result<(), QueryError> {
        for (caller, times) in &self.callers {
            let mut operation = self.operations.get(caller).cloned();
            if operation.is_none() {
                mentioning(*caller, &mut |_, facets| {
                    let is_caller = facets.call == Some(CallHex(*caller));
                    if is_caller && facets.kind == CallKind::Admitted.as_str() {
                        operation = facets.operation.map(str::to_owned);
                    }
                })?;
            }
            if let Some(operation) = operation {
                *self.calls.called_from.entry(operation).or_default() += times;
            }
        }
        Ok(())
    }

    /// All of them; `last` are the outcomes to show in full.
    pub(super) fn end(mut self, last: Vec<Entry>) -> Calls {
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
