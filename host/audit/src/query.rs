//! Questions with filters, answered page by page.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::index::Question;
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
        let limit = usize::from(page.limit.clamp(1, PAGE_MAX));
        let question =
            Question { filter: filter.clone(), after: page.after, order: page.order, ..Question::default() };
        // One more than the page holds tells whether there is another.
        let mut indexes = self.indexes(&question, limit + 1)?;
        let more = indexes.len() > limit;
        indexes.truncate(limit);
        let next = if more { indexes.last().copied() } else { None };
        Ok(Matches { entries: self.entries(indexes)?, next })
    }

    /// Where the first records asked for are.
    pub(crate) fn indexes(&self, question: &Question, limit: usize) -> Result<Vec<u64>, QueryError> {
        self.caught_up()?.get()?.first(self.layout(), question, limit)
    }
}
