//! How much happened: counts over the records that match.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::call_record::CallKind;
use crate::index::{Index, NameIds, Question};
use crate::query::Filter;
use crate::reader::{AuditReader, QueryError};

/// Names listed of each kind, the most frequent first.
const NAMES_LISTED: usize = 50;

/// Counts over records.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Stats {
    /// Records that match.
    pub records: u64,
    /// The time of the first, in microseconds since the Unix epoch.
    pub first_at: Option<u64>,
    /// The time of the last, in microseconds since the Unix epoch.
    pub last_at: Option<u64>,
    /// Sessions they are of.
    pub sessions: u64,
    /// Records by kind.
    pub kinds: BTreeMap<String, u64>,
    /// Finished and refused calls by code.
    pub outcomes: BTreeMap<String, u64>,
    /// Decided calls by operation: the 50 most frequent.
    pub operations: Vec<Count>,
    /// Decided calls by the identity behind them: the 50 most frequent.
    pub callers: Vec<Count>,
}

/// How often something is on record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Count {
    /// What.
    pub name: String,
    /// How often.
    pub count: u64,
}

impl AuditReader {
    /// Counts the records that match.
    ///
    /// # Errors
    /// [`QueryError`] when the log or its index cannot be read.
    pub fn stats(&self, filter: &Filter) -> Result<Stats, QueryError> {
        let index = self.caught_up()?;
        let index = index.get()?;
        let question = Question { filter: filter.clone(), ..Question::default() };
        let mut counts = Counts::default();
        let (mut first, mut last) = (None, None);
        index.find(self.layout(), &question, |found| {
            first = first.or(found.indexes().next());
            last = found.indexes().next_back();
            index.each_combination(found.bundle, |names, records| {
                counts.add(&names, records.and(found.positions).count());
            })?;
            Ok(ControlFlow::Continue(()))
        })?;
        let time = |index: Option<u64>| {
            let entries = self.entries(index)?;
            Ok::<_, QueryError>(entries.first().and_then(|entry| entry.record.get("time")?.as_u64()))
        };
        Ok(Stats { first_at: time(first)?, last_at: time(last)?, ..counts.named(index)? })
    }
}

/// Counts by the ids of names.
#[derive(Debug, Default)]
struct Counts {
    records: u64,
    sessions: BTreeSet<i64>,
    kinds: BTreeMap<i64, u64>,
    /// Of the records with an outcome, by kind and outcome; and so on.
    outcomes: BTreeMap<(i64, i64), u64>,
    operations: BTreeMap<(i64, i64), u64>,
    callers: BTreeMap<(i64, i64), u64>,
}

impl Counts {
    fn add(&mut self, names: &NameIds, count: u64) {
        if count == 0 {
            return;
        }
        self.records += count;
        self.sessions.extend(names.session);
        *self.kinds.entry(names.kind).or_default() += count;
        let lists = [
            (&mut self.outcomes, names.outcome),
            (&mut self.operations, names.operation),
            (&mut self.callers, names.caller),
        ];
        for (counts, name) in lists {
            if let Some(name) = name {
                *counts.entry((names.kind, name)).or_default() += count;
            }
        }
    }

    fn named(self, index: &Index) -> Result<Stats, QueryError> {
        let of_kinds = |counts: BTreeMap<(i64, i64), u64>, kinds: &[CallKind]| {
            let kinds =
                kinds.iter().map(|kind| index.name_id(kind.as_str())).collect::<Result<Vec<_>, _>>()?;
            let mut by_id = BTreeMap::new();
            for ((_, name), count) in counts.into_iter().filter(|((kind, _), _)| kinds.contains(&Some(*kind)))
            {
                *by_id.entry(name).or_default() += count;
            }
            named(index, by_id)
        };
        let most = |mut counts: Vec<Count>| {
            counts.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.name.cmp(&b.name)));
            counts.truncate(NAMES_LISTED);
            counts
        };
        let by_name =
            |counts: Vec<Count>| counts.into_iter().map(|count| (count.name, count.count)).collect();
        Ok(Stats {
            records: self.records,
            sessions: u64::try_from(self.sessions.len()).unwrap_or(u64::MAX),
            kinds: by_name(named(index, self.kinds)?),
            outcomes: by_name(of_kinds(self.outcomes, &CallKind::ALL)?),
            operations: most(of_kinds(self.operations, &DECISIONS)?),
            callers: most(of_kinds(self.callers, &DECISIONS)?),
            ..Stats::default()
        })
    }
}

fn named(index: &Index, counts: BTreeMap<i64, u64>) -> Result<Vec<Count>, QueryError> {
    let named = |(id, count)| Ok(Count { name: index.name(id)?, count });
    counts.into_iter().map(named).collect()
}

/// The kinds of decisions on calls.
const DECISIONS: [CallKind; 2] = [CallKind::Admitted, CallKind::Refused];
