//! Which records a question is about.

use std::collections::BTreeSet;
use std::ops::{ControlFlow, Range};

use rusqlite::types::Value as SqlValue;
use rusqlite::{Row, params, params_from_iter};

use super::rows::{OUTPUT_BYTES, output_key};
use super::{IdRange, Index, Positions, Records, Role, id_of, key};
use crate::archive;
use crate::call_record::CallHex;
use crate::hexdigits;
use crate::layout::{Bundle, Layout};
use crate::merkle::Hash;
use crate::query::{Filter, Order};
use crate::reader::QueryError;
use crate::record::Facets;

/// Which records are asked for, and from which end of the log.
#[derive(Debug, Default)]
pub(crate) struct Question {
    pub(crate) filter: Filter,
    /// Only records with this source.
    pub(crate) source: Option<Hash>,
    /// Only records with this output.
    pub(crate) output: Option<Hash>,
    /// Only records behind this one, in the order asked for.
    pub(crate) after: Option<u64>,
    pub(crate) order: Order,
}

/// What is looked for among the combinations of names.
#[derive(Debug)]
struct NamesAskedFor {
    /// SQL, each behind an `AND`: their values begin with the third parameter.
    conditions: String,
    values: Vec<SqlValue>,
    order: Order,
}

/// What is looked for in the records themselves.
#[derive(Debug, Default)]
struct Exact {
    call: Option<[u8; 16]>,
    root: Option<[u8; 16]>,
    output: Option<Hash>,
}

/// The names in a record, by their ids.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NameIds {
    pub(crate) kind: i64,
    pub(crate) session: Option<i64>,
    pub(crate) caller: Option<i64>,
    pub(crate) operation: Option<i64>,
    pub(crate) outcome: Option<i64>,
}

/// Records of one bundle.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found {
    pub(crate) bundle: u64,
    pub(crate) positions: Positions,
}

impl Found {
    /// Where in the log they are.
    pub(crate) fn indexes(self) -> impl DoubleEndedIterator<Item = u64> {
        let begin = self.bundle * 256;
        self.positions.iter().map(move |position| begin + u64::try_from(position).unwrap_or_default())
    }
}

impl Index {
    /// Tells of the records asked for, bundle by bundle, until `visit` has enough.
    pub(crate) fn find(
        &self,
        layout: &Layout,
        question: &Question,
        mut visit: impl FnMut(Found) -> Result<ControlFlow<()>, QueryError>,
    ) -> Result<(), QueryError> {
        let Some(exact) = Exact::of(question) else { return Ok(()) };
        let Some(names) = self.names_asked_for(question)? else { return Ok(()) };
        let range = self.range(layout, question)?;
        let mut visit = |Found { bundle, mut positions }| {
            let within = |end: u64| end.saturating_sub(bundle * 256);
            positions = positions.and(Positions::between(within(range.start), within(range.end)));
            if !positions.is_empty() && exact.is_asked_for() {
                positions = positions.and(exact.look(layout, bundle)?);
            }
            if positions.is_empty() {
                Ok(ControlFlow::Continue(()))
            } else {
                visit(Found { bundle, positions })
            }
        };
        let Some(bundles) = self.bundles_of(&exact)? else {
            let whole = range.start / 256..range.end.div_ceil(256);
            return self.each(&names, whole, &mut visit).map(drop);
        };
        let mut bundles: Vec<u64> = bundles.into_iter().collect();
        if question.order == Order::NewestFirst {
            bundles.reverse();
        }
        for bundle in bundles {
            let flow = self.each(&names, bundle..bundle + 1, &mut visit)?;
            if flow.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// The first records asked for.
    pub(crate) fn first(
        &self,
        layout: &Layout,
        question: &Question,
        limit: usize,
    ) -> Result<Vec<u64>, QueryError> {
        let mut found = Vec::new();
        self.find(layout, question, |some| {
            match question.order {
                Order::OldestFirst => found.extend(some.indexes()),
                Order::NewestFirst => found.extend(some.indexes().rev()),
            }
            Ok(if found.len() >= limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        found.truncate(limit);
        Ok(found)
    }

    /// Tells of the records asked for, each with what is asked about.
    pub(crate) fn each_record(
        &self,
        layout: &Layout,
        question: &Question,
        mut visit: impl FnMut(u64, &Facets<'_>),
    ) -> Result<(), QueryError> {
        self.find(layout, question, |found| {
            let bundle = bundle(layout, found.bundle)?;
            let records = Records::read(&bundle, found.bundle * 256)?;
            let asked_for = records.facets().enumerate();
            let asked_for = asked_for.filter(|(position, _)| found.positions.contains(*position));
            found.indexes().zip(asked_for).for_each(|(at, (_, facets))| visit(at, &facets));
            Ok(ControlFlow::Continue(()))
        })
    }

    /// The bundles in which a call may have this role.
    pub(crate) fn bundles_with(&self, role: Role, call: [u8; 16]) -> Result<BTreeSet<u64>, QueryError> {
        let IdRange { run, first, .. } = IdRange::of(role, call);
        let mut statement = self.connection.prepare_cached(
            "SELECT bundle FROM ids WHERE role = ?1 AND run = ?2 AND last >= ?3 AND first <= ?3",
        )?;
        let rows = statement.query_map(params![role.number(), key(run), key(first)], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Tells of the records in the bundles in which a call may have this role, until `visit` has enough.
    pub(crate) fn mentioning(
        &self,
        layout: &Layout,
        role: Role,
        call: [u8; 16],
        visit: impl FnMut(u64, &Facets<'_>) -> ControlFlow<()>,
    ) -> Result<(), QueryError> {
        self.in_bundles(layout, &self.bundles_with(role, call)?, visit)
    }

    /// Tells of the records in some bundles that the tables reach to, until `visit` has enough.
    pub(crate) fn in_bundles(
        &self,
        layout: &Layout,
        bundles: &BTreeSet<u64>,
        mut visit: impl FnMut(u64, &Facets<'_>) -> ControlFlow<()>,
    ) -> Result<(), QueryError> {
        for index in bundles {
            let bundle = bundle(layout, *index)?;
            let records = Records::read(&bundle, index * 256)?;
            let mut known = (index * 256..self.records).zip(records.facets());
            if known.try_for_each(|(at, facets)| visit(at, &facets)).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// The first record that is no older than `time`: records never go back in time.
    pub(crate) fn first_since(&self, layout: &Layout, time: u64) -> Result<u64, QueryError> {
        let mut statement = self.connection.prepare_cached("SELECT last FROM bundles WHERE bundle = ?1")?;
        let first: Option<u64> =
            self.connection.query_row("SELECT min(bundle) FROM bundles", [], |row| row.get(0))?;
        let end = self.records.div_ceil(256);
        let (mut low, mut high) = (first.unwrap_or(end), end);
        while low < high {
            let middle = low + (high - low) / 2;
            let last: u64 = statement.query_row([middle], |row| row.get(0))?;
            if last < time {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        if low == end {
            return Ok(self.records);
        }
        let bundle = bundle(layout, low)?;
        let records = Records::read(&bundle, low * 256)?;
        let before = records.facets().take_while(|facets| facets.time < time).count();
        Ok(low * 256 + u64::try_from(before).unwrap_or_default())
    }

    /// The id of a name that some record has.
    pub(crate) fn name_id(&self, name: &str) -> Result<Option<i64>, QueryError> {
        id_of(&self.connection, name)
    }

    /// The name with an id.
    pub(crate) fn name(&self, id: i64) -> Result<String, QueryError> {
        let mut find = self.connection.prepare_cached("SELECT text FROM names WHERE id = ?1")?;
        Ok(find.query_row([id], |row| row.get(0))?)
    }

    /// Tells of the combinations of names in a bundle, and of the records that have them.
    pub(crate) fn each_combination(
        &self,
        bundle: u64,
        mut visit: impl FnMut(NameIds, Positions),
    ) -> Result<(), QueryError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT kind, session, caller, operation, outcome, records FROM combinations WHERE bundle = ?1",
        )?;
        let mut rows = statement.query([bundle])?;
        while let Some(row) = rows.next()? {
            let (kind, session, caller) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let names = NameIds { kind, session, caller, operation: row.get(3)?, outcome: row.get(4)? };
            visit(names, Positions::from_bytes(&row.get(5)?));
        }
        Ok(())
    }

    /// The records between which the answer is.
    fn range(&self, layout: &Layout, question: &Question) -> Result<Range<u64>, QueryError> {
        let since = |time: Option<u64>| time.map(|time| self.first_since(layout, time)).transpose();
        let mut start = since(question.filter.since)?.unwrap_or(0);
        let mut end = since(question.filter.until)?.unwrap_or(self.records);
        match (question.order, question.after) {
            (Order::OldestFirst, Some(after)) => start = start.max(after.saturating_add(1)),
            (Order::NewestFirst, Some(after)) => end = end.min(after),
            (_, None) => {}
        }
        Ok(start..end.max(start))
    }

    /// What is asked of combinations; `None` when a name is asked for that no record has.
    fn names_asked_for(&self, question: &Question) -> Result<Option<NamesAskedFor>, QueryError> {
        let filter = &question.filter;
        let names = [
            ("kind", &filter.kind),
            ("session", &filter.session),
            ("operation", &filter.operation),
            ("caller", &filter.caller),
            ("authority", &filter.authority),
            ("outcome", &filter.outcome),
        ];
        let mut conditions = String::new();
        let mut values = Vec::new();
        for (column, name) in names {
            let Some(name) = name else { continue };
            let Some(id) = self.name_id(name)? else { return Ok(None) };
            values.push(SqlValue::Integer(id));
            conditions.push_str(&format!(" AND {column} = ?{}", values.len() + 2));
        }
        if let Some(source) = question.source {
            values.push(SqlValue::Blob(source.0.to_vec()));
            conditions.push_str(&format!(" AND source = ?{}", values.len() + 2));
        }
        Ok(Some(NamesAskedFor { conditions, values, order: question.order }))
    }

    /// The bundles in which the exact parts may be; `None` when they may be in any.
    fn bundles_of(&self, exact: &Exact) -> Result<Option<BTreeSet<u64>>, QueryError> {
        let mut all: Option<BTreeSet<u64>> = None;
        let ids = [(Role::Own, exact.call), (Role::Above, exact.root)].into_iter();
        let ids = ids.filter_map(|(role, id)| Some(self.bundles_with(role, id?)));
        let outputs = exact.output.map(|output| self.bundles_with_output(&output));
        for bundles in ids.chain(outputs) {
            let bundles = bundles?;
            all = Some(match all {
                None => bundles,
                Some(all) => all.intersection(&bundles).copied().collect(),
            });
        }
        Ok(all)
    }

    fn bundles_with_output(&self, output: &Hash) -> Result<BTreeSet<u64>, QueryError> {
        let wanted = output_key(output);
        let mut statement = self.connection.prepare_cached("SELECT bundle, outputs FROM bundles")?;
        let mut rows = statement.query([])?;
        let mut bundles = BTreeSet::new();
        while let Some(row) = rows.next()? {
            let outputs = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
            let (outputs, _) = outputs.as_chunks::<OUTPUT_BYTES>();
            if outputs.contains(&wanted) {
                bundles.insert(row.get(0)?);
            }
        }
        Ok(bundles)
    }

    /// Tells of the records in some bundles that have the names asked for.
    fn each(
        &self,
        names: &NamesAskedFor,
        bundles: Range<u64>,
        visit: &mut impl FnMut(Found) -> Result<ControlFlow<()>, QueryError>,
    ) -> Result<ControlFlow<()>, QueryError> {
        let NamesAskedFor { conditions, values, order } = names;
        let direction = match order {
            Order::OldestFirst => "ASC",
            Order::NewestFirst => "DESC",
        };
        let columns = if conditions.is_empty() { "NULL FROM bundles" } else { "records FROM combinations" };
        let sql = format!(
            "SELECT bundle, {columns} WHERE bundle >= ?1 AND bundle < ?2{conditions} ORDER BY bundle {direction}"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let range =
            [bundles.start, bundles.end].map(|end| SqlValue::Integer(end.try_into().unwrap_or(i64::MAX)));
        let mut rows = statement.query(params_from_iter(range.iter().chain(values)))?;
        let mut found: Option<Found> = None;
        while let Some(row) = rows.next()? {
            let next = found_in(row)?;
            match &mut found {
                Some(same) if same.bundle == next.bundle => {
                    same.positions = same.positions.or(next.positions);
                }
                other => {
                    if let Some(before) = other.replace(next)
                        && visit(before)?.is_break()
                    {
                        return Ok(ControlFlow::Break(()));
                    }
                }
            }
        }
        found.map_or(Ok(ControlFlow::Continue(())), visit)
    }
}

impl Exact {
    /// `None` when an id is asked for that no call has.
    fn of(question: &Question) -> Option<Self> {
        let decode = |id: &Option<String>| match id {
            Some(id) => hexdigits::decode(id.as_bytes()).map(Some),
            None => Some(None),
        };
        let (call, root) = (decode(&question.filter.call)?, decode(&question.filter.root)?);
        Some(Self { call, root, output: question.output })
    }

    fn is_asked_for(&self) -> bool {
        self.call.is_some() || self.root.is_some() || self.output.is_some()
    }

    /// The records of a bundle that have what is asked for.
    fn look(&self, layout: &Layout, index: u64) -> Result<Positions, QueryError> {
        let bundle = bundle(layout, index)?;
        let records = Records::read(&bundle, index * 256)?;
        let mut positions = Positions::default();
        for (position, facets) in records.facets().enumerate() {
            if self.matches(&facets) {
                positions.add(position);
            }
        }
        Ok(positions)
    }

    fn matches(&self, facets: &Facets<'_>) -> bool {
        let is = |wanted: Option<[u8; 16]>, id: Option<CallHex>| {
            wanted.is_none_or(|wanted| id == Some(CallHex(wanted)))
        };
        is(self.call, facets.call)
            && is(self.root, facets.root)
            && self.output.is_none_or(|wanted| facets.output == Some(wanted))
    }
}

/// The records of a bundle that the tables have.
fn bundle(layout: &Layout, index: u64) -> Result<Bundle, QueryError> {
    let piece = archive::read_piece(layout, index).map_err(|source| QueryError::io(layout.dir(), source))?;
    Ok(piece.into_bundle())
}

fn found_in(row: &Row<'_>) -> Result<Found, rusqlite::Error> {
    let positions: Option<[u8; 32]> = row.get(1)?;
    let all = || Positions::between(0, 256);
    let positions = positions.map_or_else(all, |bytes| Positions::from_bytes(&bytes));
    Ok(Found { bundle: row.get(0)?, positions })
}
