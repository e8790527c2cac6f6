//! How much happened: counts over the records that match.

use std::collections::BTreeMap;

use rusqlite::params_from_iter;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::query::{Filter, Page, conditions};
use crate::reader::{AuditReader, QueryError};

/// Names listed of each kind, the most frequent first.
const NAMES_LISTED: u32 = 50;

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
        let (condition, values) = conditions(filter, &Page::default(), index)?;
        let db = index.connection();
        let mut stats = db.query_row(
            &format!(
                "SELECT count(*), min(time), max(time), count(DISTINCT session) FROM records WHERE {condition}"
            ),
            params_from_iter(&values),
            |row| {
                let (records, first_at, last_at) = (row.get(0)?, row.get(1)?, row.get(2)?);
                Ok(Stats { records, first_at, last_at, sessions: row.get(3)?, ..Stats::default() })
            },
        )?;
        let counts = |column: &str, kinds: &str, limit: u32| {
            let sql = format!(
                "SELECT n.text, c.count FROM
                    (SELECT {column} AS id, count(*) AS count FROM records
                     WHERE {column} IS NOT NULL AND {kinds} AND {condition} GROUP BY {column}) c
                 JOIN names n ON n.id = c.id ORDER BY c.count DESC, n.text LIMIT {limit}"
            );
            let mut statement = db.prepare_cached(&sql)?;
            let rows = statement.query_map(params_from_iter(&values), |row| {
                Ok(Count { name: row.get(0)?, count: row.get(1)? })
            })?;
            Ok::<_, QueryError>(rows.collect::<Result<Vec<_>, _>>()?)
        };
        let by_name = |counts: Vec<Count>| counts.into_iter().map(|c| (c.name, c.count)).collect();
        stats.kinds = by_name(counts("kind", "TRUE", u32::MAX)?);
        stats.outcomes = by_name(counts("outcome", CALLS, u32::MAX)?);
        stats.operations = counts("operation", DECISIONS, NAMES_LISTED)?;
        stats.callers = counts("caller", DECISIONS, NAMES_LISTED)?;
        Ok(stats)
    }
}

const CALLS: &str =
    "kind IN (SELECT id FROM names WHERE text IN ('call.admitted', 'call.refused', 'call.finished'))";
const DECISIONS: &str = "kind IN (SELECT id FROM names WHERE text IN ('call.admitted', 'call.refused'))";
