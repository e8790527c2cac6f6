//! Questions with filters, answered page by page.

use rusqlite::params_from_iter;
use rusqlite::types::Value as SqlValue;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::hexdigits;
use crate::index::Index;
use crate::reader::{AuditReader, Entry, QueryError};

/// The most records on one page.
const PAGE_MAX: u16 = 1000;

/// Which records are asked for: those that have every given member.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Filter {
    /// The kind of record, such as `call.refused`.
    pub kind: Option<String>,
    /// The session's id.
    pub session: Option<String>,
    /// The operation's name.
    pub operation: Option<String>,
    /// The identity behind the root call, or behind the event.
    pub caller: Option<String>,
    /// What the call was decided on.
    pub authority: Option<String>,
    /// The code of a refused or finished call; `OK` for success.
    pub outcome: Option<String>,
    /// The call, as 32 hexadecimal digits.
    pub call: Option<String>,
    /// The call at the root of the tree, as 32 hexadecimal digits.
    pub root: Option<String>,
    /// The earliest time, in microseconds since the Unix epoch.
    pub since: Option<u64>,
    /// The time before which records are, in microseconds since the Unix epoch.
    pub until: Option<u64>,
}

/// Which part of the answer is asked for. Pages stay the same while the log grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Page {
    /// The [`Matches::next`] of the page before.
    pub after: Option<u64>,
    /// Records on the page: 1 to 1000.
    pub limit: u16,
    /// Which end of the log comes first.
    pub order: Order,
}

/// Which end of the log comes first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// As they were recorded.
    #[default]
    OldestFirst,
    /// The latest first.
    NewestFirst,
}

/// One page of an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Matches {
    /// The records, in the page's order.
    pub entries: Vec<Entry>,
    /// Where the next page goes on; `None` when this one reached the end.
    pub next: Option<u64>,
}

impl Default for Page {
    fn default() -> Self {
        Self { after: None, limit: 100, order: Order::default() }
    }
}

impl AuditReader {
    /// The records that match, one page of them.
    ///
    /// # Errors
    /// [`QueryError`] when the log or its index cannot be read.
    pub fn query(&self, filter: &Filter, page: &Page) -> Result<Matches, QueryError> {
        let limit = page.limit.clamp(1, PAGE_MAX);
        let mut indexes = {
            let index = self.caught_up()?;
            let index = index.get()?;
            let (conditions, values) = conditions(filter, page, index)?;
            let direction = match page.order {
                Order::OldestFirst => "ASC",
                Order::NewestFirst => "DESC",
            };
            // One more than the page holds tells whether there is another.
            let sql = format!(
                "SELECT idx FROM records WHERE {conditions} ORDER BY idx {direction} LIMIT {}",
                limit + 1
            );
            let mut statement = index.connection().prepare_cached(&sql)?;
            let rows = statement.query_map(params_from_iter(values), |row| row.get::<_, u64>(0))?;
            rows.collect::<Result<Vec<_>, _>>()?
        };
        let more = indexes.len() > usize::from(limit);
        indexes.truncate(usize::from(limit));
        let next = if more { indexes.last().copied() } else { None };
        Ok(Matches { entries: self.entries(indexes)?, next })
    }
}

/// The `WHERE` clause and its values. Names and ids that no record has match nothing.
pub(crate) fn conditions(
    filter: &Filter,
    page: &Page,
    index: &Index,
) -> Result<(String, Vec<SqlValue>), QueryError> {
    let mut conditions = vec!["TRUE".to_owned()];
    let mut values = Vec::new();
    let names = [
        ("kind", &filter.kind),
        ("session", &filter.session),
        ("operation", &filter.operation),
        ("caller", &filter.caller),
        ("authority", &filter.authority),
        ("outcome", &filter.outcome),
    ];
    for (column, name) in names {
        if let Some(name) = name {
            values.push(SqlValue::Text(name.clone()));
            let nth = values.len();
            conditions.push(format!("{column} = (SELECT id FROM names WHERE text = ?{nth})"));
        }
    }
    let ids = [
        ("call = ?", "", &filter.call),
        // The root's own records are found by its call: the index of roots has the others.
        ("(call = ?", " AND root = call OR root = ? AND root <> call)", &filter.root),
    ];
    for (before, after, id) in ids {
        if let Some(id) = id {
            let bytes = hexdigits::decode::<16>(id.as_bytes()).map(Vec::from).unwrap_or_default();
            values.push(SqlValue::Blob(bytes));
            let nth = values.len();
            conditions.push(format!("{before}{nth}{}", after.replace('?', &format!("?{nth}"))));
        }
    }
    let (after, before) = match page.order {
        Order::OldestFirst => (page.after, None),
        Order::NewestFirst => (None, page.after),
    };
    let bounds = [
        ("idx >= ", filter.since.map(|time| index.first_since(time)).transpose()?),
        ("idx < ", filter.until.map(|time| index.first_since(time)).transpose()?),
        ("idx > ", after),
        ("idx < ", before),
    ];
    for (condition, bound) in bounds {
        if let Some(bound) = bound {
            values.push(SqlValue::Integer(i64::try_from(bound).unwrap_or(i64::MAX)));
            conditions.push(format!("{condition}?{}", values.len()));
        }
    }
    Ok((conditions.join(" AND "), values))
}
